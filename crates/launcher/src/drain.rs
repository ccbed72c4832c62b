//! One `POST /drain`, with the control stream that can end it early.
//!
//! The request body stays open while the drain runs. The launcher writes `stop` into it when the replica is to
//! receive nothing new, and `release` when the grace period is nearly over and unfinished messages are to be
//! handed back. The worker reads a body that breaks off as `stop`.
//!
//! A drain lasts as long as the tasks that it works on, and goes on receiving meanwhile. One that runs longer than
//! its limit is told to stop, so that it reports; after twice the limit its connection is closed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use azure::Secret;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::{Body, Frame};
use lifecycle::pace::Ending;
use models::DrainReport;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::connection::{RequestError, connect, host_header, read_body};
use crate::signals::Phase;

/// The longest shown detail of a problem, in characters.
const MAX_DETAIL_CHARS: usize = 500;

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainResult {
    /// The worker returned its report.
    Done(DrainReport),
    /// The worker returned another status than 200.
    Refused {
        /// The status of the response.
        status: StatusCode,
        /// From `Retry-After`, when it was a number of seconds.
        retry_after: Option<Duration>,
        /// The detail of the problem, when the worker cannot use its configuration.
        problem: Option<String>,
    },
    /// There was no usable response.
    Failed(RequestError),
}

impl DrainResult {
    /// What the next drain depends on.
    #[must_use]
    pub fn ending(&self) -> Ending {
        match self {
            Self::Done(report) => Ending::of(report),
            Self::Refused { retry_after, .. } => Ending::failed(*retry_after),
            Self::Failed(_) => Ending::failed(None),
        }
    }
}

/// Where drains are sent.
#[derive(Debug, Clone)]
pub struct Target {
    /// The drain route.
    pub url: Uri,
    /// The bearer token of the route.
    pub token: Secret,
    /// How long one drain may go on receiving; it then has as long again to end.
    pub limit: Duration,
    /// How many drains go on at a time.
    pub drains: usize,
}

/// Runs drain `index` of [`Target::drains`] to its end, passing on each later [`Phase`]. Never fails: every way to end is an [`DrainResult`].
pub async fn drain(target: &Target, index: usize, phases: watch::Receiver<Phase>) -> DrainResult {
    match timeout(target.limit.saturating_mul(2), send_drain(target, index, phases)).await {
        Ok(Ok(response)) => parse_response(&response),
        Ok(Err(error)) => DrainResult::Failed(error),
        Err(_) => DrainResult::Failed(RequestError::new("the drain took longer than twice --drain-timeout")),
    }
}

async fn send_drain(
    target: &Target,
    index: usize,
    phases: watch::Receiver<Phase>,
) -> Result<Response<Bytes>, RequestError> {
    let mut sender = connect::<ControlBody>(&target.url).await?;
    // Room for both lines: writing one never waits.
    let (lines, body) = mpsc::channel(2);
    let request = drain_request(target, index, ControlBody(body))?;
    let exchange = async {
        let response =
            sender.send_request(request).await.map_err(|error| RequestError::new(error.to_string()))?;
        read_body(response).await
    };
    // The lines are dropped, and the body so ended, only after the whole response was read: data that arrives at
    // a server which has already closed the connection makes it reset, and a reset can discard the response.
    tokio::select! {
        result = exchange => result,
        never = send_control_lines(phases, &lines, target.limit) => match never {},
    }
}

fn drain_request(
    target: &Target,
    index: usize,
    body: ControlBody,
) -> Result<Request<ControlBody>, RequestError> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", target.token.expose()))
        .map_err(|_| RequestError::new("the drain token has characters that a header cannot hold"))?;
    authorization.set_sensitive(true);
    let path = target.url.path_and_query().map_or("/", |path| path.as_str());
    Request::post(path)
        .header(HOST, host_header(&target.url))
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, authorization)
        .header("drain-control", "stream")
        // The drains share the limits of names: each has a part of them.
        .header("drain-share", format!("{index}/{}", target.drains))
        .body(body)
        .map_err(|error| RequestError::new(error.to_string()))
}

async fn send_control_lines(
    mut phases: watch::Receiver<Phase>,
    lines: &mpsc::Sender<Bytes>,
    limit: Duration,
) -> Infallible {
    let mut sent = Phase::Running;
    let mut limit = std::pin::pin!(sleep(limit));
    loop {
        let wanted =
            (*phases.borrow_and_update()).max(if limit.is_elapsed() { Phase::Stopping } else { sent });
        if wanted > sent {
            let line = if wanted == Phase::Releasing { "release\n" } else { "stop\n" };
            // A closed channel means that the exchange has ended; its own result says how.
            let _ = lines.try_send(Bytes::from_static(line.as_bytes()));
            sent = wanted;
        }
        tokio::select! {
            changed = phases.changed() => if changed.is_err() { std::future::pending::<()>().await },
            () = &mut limit, if sent < Phase::Stopping => {}
        }
    }
}

fn parse_response(response: &Response<Bytes>) -> DrainResult {
    if response.status() != StatusCode::OK {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        return DrainResult::Refused {
            status: response.status(),
            retry_after: seconds.map(Duration::from_secs),
            problem: misconfiguration(response.body()),
        };
    }
    match serde_json::from_slice(response.body()) {
        Ok(report) => DrainResult::Done(report),
        Err(_) => DrainResult::Failed(RequestError::new(
            "the response is not the JSON of a drain: is --drain-url right?",
        )),
    }
}

/// Reads the problem of a worker that cannot use its configuration. Other bodies may come from any server, and are not
/// shown.
fn misconfiguration(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |name| problem.get(name).and_then(serde_json::Value::as_str);
    let is_known = text("type").is_some_and(|kind| kind.ends_with("/problems/misconfigured"));
    text("detail").filter(|_| is_known).map(|detail| detail.chars().take(MAX_DETAIL_CHARS).collect())
}

/// The open request body.
struct ControlBody(mpsc::Receiver<Bytes>);

impl Body for ControlBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, headers: &[(&str, &str)], body: &'static str) -> DrainResult {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        parse_response(&response.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[test]
    fn every_member_of_a_report_is_read() {
        let golden = include_str!("../../../models/fixtures/drain-report.json");
        let DrainResult::Done(report) = outcome(200, &[], golden) else { panic!("a report") };
        let written: serde_json::Value = serde_json::from_str(golden).unwrap();
        for (name, count) in report.outcomes().into_iter().chain(report.upkeep()) {
            assert_eq!(written[name], count, "{name}");
        }
        assert_eq!((&written["received"], &written["more"]), (&report.received.into(), &report.more.into()));
        assert_eq!(written["retryAfterSeconds"], report.retry_after_seconds.unwrap());
        // All of them, each counted for the loop, the line or the metrics.
        assert_eq!(written.as_object().unwrap().len(), report.outcomes().len() + report.upkeep().len() + 3);
        let ending = DrainResult::Done(report).ending();
        assert_eq!((ending.more, ending.rest), (true, report.retry_after()));
    }

    #[test]
    fn rest_of_a_refusal_is_its_retry_after() {
        let ending = outcome(503, &[("retry-after", "9")], "").ending();
        assert_eq!(ending, Ending::failed(Some(Duration::from_secs(9))));
        assert_eq!(outcome(200, &[], "what?").ending(), Ending::failed(None));
    }

    #[test]
    fn other_responses_are_refusals_or_errors_and_never_shown() {
        let refused = |status, seconds: Option<u64>| DrainResult::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: seconds.map(Duration::from_secs),
            problem: None,
        };
        assert_eq!(outcome(503, &[("retry-after", "7")], "x"), refused(503, Some(7)));
        assert_eq!(outcome(503, &[("retry-after", "soon")], "x"), refused(503, None));
        assert_eq!(outcome(302, &[], ""), refused(302, None));
        let problem = r#"{"type":"/problems/misconfigured","detail":"task_handlers names the component x"}"#;
        let DrainResult::Refused { problem, .. } = outcome(503, &[], problem) else { panic!("a refusal") };
        assert_eq!(problem.as_deref(), Some("task_handlers names the component x"));
        let DrainResult::Failed(error) = outcome(200, &[], "<html>secret</html>") else { panic!("an error") };
        assert!(!error.to_string().contains("secret"));
        assert!(matches!(outcome(200, &[], r#"{"received":-1}"#), DrainResult::Failed(_)));
    }
}
