//! What the responses of an application that has just been started say about it.

use serde_json::Value;

use super::http::Response;

/// Whether the application can accept tasks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Nothing but another setting changes it.
    Misconfigured(String),
    NotYet(String),
}

/// What `GET /readyz` says.
pub(super) fn of(response: &Response) -> Readiness {
    judge(response.status(), &response.json())
}

fn judge(status: u16, problem: &Value) -> Readiness {
    if status == 200 {
        return Readiness::Ready;
    }
    let text = |member| problem.get(member).and_then(Value::as_str).unwrap_or_default();
    // With authentication the detail is only in the log.
    let detail = if text("detail").is_empty() { text("title") } else { text("detail") };
    let reason = if detail.is_empty() { format!("/readyz responds {status}") } else { detail.to_owned() };
    let kind = text("type").rsplit('/').next().unwrap_or_default();
    if kind == "misconfigured" { Readiness::Misconfigured(reason) } else { Readiness::NotYet(reason) }
}

/// What is wrong with the configuration of the worker, from the launcher's `GET /readyz`.
pub(super) fn of_worker(response: &Response) -> Option<String> {
    refusal(&response.json())
}

/// Other refusals end by themselves, and the launcher logs them.
fn refusal(report: &Value) -> Option<String> {
    let problem = report.get("problem").and_then(Value::as_str)?;
    problem.starts_with("configuration:").then(|| problem.to_owned())
}

/// Whether a drain has ended, from the launcher's `GET /metrics`.
pub(super) fn has_drained(metrics: &str) -> bool {
    let drains = metrics.lines().filter_map(|line| line.strip_prefix("accepted_drains_total{"));
    drains.filter_map(|line| line.split_once("} ")).any(|(_, count)| count != "0")
}

/// The option of curl that the application asks for in its response to a request without credentials; empty if it asks for
/// none.
pub(super) fn credentials(response: &Response) -> &'static str {
    asked_for(response.status(), &response.text)
}

fn asked_for(status: u16, problem: &str) -> &'static str {
    match status {
        401 if problem.contains("api-key") => " -H 'api-key: YOUR-KEY'",
        // Easy Auth puts it into the request in Azure; there is no Easy Auth here.
        401 => " -H 'x-ms-client-principal-id: local-developer'",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_setting_is_told_from_storage_that_is_not_there_yet() {
        let problem = |kind: &str| json!({"type": format!("/problems/{kind}"), "title": "t", "detail": "d"});
        let detail = || "d".to_owned();
        for (status, problem, expected) in [
            (200, json!({"status": "ready"}), Readiness::Ready),
            (503, problem("misconfigured"), Readiness::Misconfigured(detail())),
            (503, problem("storage-unavailable"), Readiness::NotYet(detail())),
            (
                503,
                json!({"type": "https://x/problems/misconfigured", "title": "t"}),
                Readiness::Misconfigured("t".to_owned()),
            ),
            (500, Value::Null, Readiness::NotYet("/readyz responds 500".to_owned())),
        ] {
            assert_eq!(judge(status, &problem), expected, "{status} {problem}");
        }
    }

    #[test]
    fn wrong_setting_of_the_worker_is_told_from_other_refusals() {
        let problem = "configuration: variable max_concurrency must be a whole number";
        let report = |problem: &str| json!({"hostResponds": true, "workerDrains": false, "problem": problem});
        assert_eq!(refusal(&report(problem)).as_deref(), Some(problem));
        for report in [report("Blob Storage responded 503"), json!({"workerDrains": true}), Value::Null] {
            assert_eq!(refusal(&report), None, "{report}");
        }
    }

    #[test]
    fn end_of_the_first_drain_is_read_from_the_metrics() {
        let metrics = |idle: u32| {
            format!(
                "# TYPE accepted_drains counter\naccepted_drains_total{{result=\"busy\"}} 0\n\
                 accepted_drains_total{{result=\"idle\"}} {idle}\naccepted_drains_running 1\n"
            )
        };
        assert!(!has_drained(&metrics(0)));
        assert!(has_drained(&metrics(2)));
        assert!(!has_drained(""));
    }

    #[test]
    fn shown_request_has_the_header_that_the_application_asks_for() {
        for (status, problem, expected) in [
            (404, "", ""),
            (401, "Send a known key as Authorization: Bearer, or as api-key.", " -H 'api-key: YOUR-KEY'"),
            (
                401,
                "Sign in first; the platform's authentication names no caller.",
                " -H 'x-ms-client-principal-id: local-developer'",
            ),
        ] {
            assert_eq!(asked_for(status, problem), expected);
        }
    }
}
