//! Which handler a task is sent to, what the worker says beside the task, and handlers that do not exist.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use azure::TransportError;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use models::{TaskState, TaskStatus};
use serde_json::json;

use crate::world::{TOKEN, World, drain_request, run};

const NOW: Duration = Duration::ZERO;

/// What handlers were asked, without the questions whether they exist.
type Calls = Rc<RefCell<Vec<Request<Bytes>>>>;

/// From now on every host but storage responds 204; a component called `absent` is denied, as on Spin.
fn record_calls(world: &World) -> Calls {
    let calls = Calls::default();
    let seen = Rc::clone(&calls);
    world.serve_other_hosts(move |request| {
        let host = request.uri().host().unwrap();
        if host == "127.0.0.1" && request.uri().port_u16() != Some(3001) {
            return None;
        }
        let mut response = Response::builder().status(204).body(Bytes::new()).unwrap();
        if host == "absent.spin.internal" {
            response.extensions_mut().insert(TransportError::Denied("not allowed".to_owned()));
        }
        if request.method() != Method::OPTIONS {
            seen.borrow_mut().push(request.clone());
        }
        Some((NOW, response))
    });
    calls
}

/// Runs one task of each name; the addresses of the handlers that were called.
async fn addresses(world: &World, variables: &[(&str, &str)], names: &[&'static str]) -> Vec<String> {
    let calls = record_calls(world);
    let worker = world.worker(variables);
    for name in names {
        world.submit(name, |_| {}).await;
        worker.drain().await;
    }
    calls.borrow().iter().map(|request| request.uri().to_string()).collect()
}

#[test]
fn task_goes_to_the_handler_of_the_most_specific_pattern() {
    run(|world| async move {
        let rules = json!({
            "image.*": "images", "image.crop": {"handler": "crop"}, "far": "https://far.example/run", "*": "rest"
        })
        .to_string();
        let names = ["image.scale", "image.crop", "far", "other", "checksum"];
        let called = addresses(&world, &[("task_handlers", &rules)], &names).await;
        let expected = [
            "http://images.spin.internal/",
            "http://crop.spin.internal/",
            "https://far.example/run",
            "http://rest.spin.internal/",
        ];
        assert_eq!(called, expected, "and checksum stays in the worker");
    });
}

#[test]
fn component_in_another_process_is_called_through_its_worker() {
    run(|world| async move {
        let variables = [
            ("task_handlers", r#"{"crop":"crop","far":"https://far.example/run"}"#),
            ("handler_process_host", "http://127.0.0.1:3001/"),
        ];
        let calls = record_calls(&world);
        let worker = world.worker(&variables);
        for name in ["crop", "far"] {
            world.submit(name, |_| {}).await;
            worker.drain().await;
        }
        let calls = calls.borrow();
        let authorization = |index: usize| calls[index].headers().get("authorization").cloned();
        assert_eq!(calls[0].uri(), "http://127.0.0.1:3001/handlers/crop");
        assert_eq!(authorization(0).unwrap(), format!("Bearer {TOKEN}").as_str());
        assert_eq!(authorization(1), None, "the token is not for other hosts");
        assert!(!world.has_logged(TOKEN));
    });
}

#[test]
fn headers_say_version_deadline_and_idempotency_key() {
    run(|world| async move {
        let rules = json!({"crop": {"handler": "crop", "task_timeout_seconds": 90}}).to_string();
        let calls = record_calls(&world);
        let id = world.submit("crop", |_| {}).await;
        let started = world.now();
        world.worker(&[("task_handlers", &rules)]).drain().await;
        let calls = calls.borrow();
        let header = |name: &str| calls[0].headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (header("accepted-protocol").as_str(), header("accepted-timeout-ms").as_str()),
            ("1", "90000")
        );
        assert_eq!(header("idempotency-key"), format!("\"{id}\""));
        let deadline: models::Timestamp = header("accepted-deadline").parse().unwrap();
        let ahead = deadline.since(started);
        assert!((Duration::from_secs(90)..Duration::from_secs(91)).contains(&ahead), "{ahead:?}");
    });
}

#[test]
fn missing_component_is_refused_by_name_before_any_task() {
    run(|world| async move {
        let calls = record_calls(&world);
        let worker = world.worker(&[("task_handlers", r#"{"crop":"crop","x":"absent"}"#)]);
        world.submit("crop", |_| {}).await;
        let (status, problem) = worker.ask(drain_request(Bytes::new())).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem["type"], "/problems/misconfigured");
        assert!(problem["detail"].as_str().unwrap().contains("the component absent"), "{problem}");
        assert!(calls.borrow().is_empty());
        assert_eq!(world.messages("").len(), 1, "the task waits for a repaired configuration");
    });
}

#[test]
fn handlers_are_asked_for_their_existence_once_an_instance() {
    run(|world| async move {
        let asked = Rc::new(RefCell::new(0));
        let count = Rc::clone(&asked);
        world.serve_other_hosts(move |request| {
            let is_own = request.uri().host() == Some("worker.spin.internal");
            let is_question = request.method() == Method::OPTIONS && !is_own;
            *count.borrow_mut() += i32::from(is_question);
            is_question.then(|| (NOW, Response::builder().status(500).body(Bytes::new()).unwrap()))
        });
        let worker = world.worker(&[("task_handlers", r#"{"crop":"crop","crop.*":"crop"}"#)]);
        worker.drain().await;
        worker.drain().await;
        assert_eq!(*asked.borrow(), 1, "any response counts");
    });
}

#[test]
fn worker_says_that_handlers_share_instances_once_it_serves_two_requests() {
    run(|world| async move {
        // The host gives the question of the worker to the instance that drains, while that waits for the response.
        world.serve_other_hosts(move |request| {
            let is_own = request.uri().host() == Some("worker.spin.internal");
            let wait = if is_own { Duration::from_secs(1) } else { NOW };
            let is_question = request.method() == Method::OPTIONS;
            is_question.then(|| (wait, Response::builder().status(204).body(Bytes::new()).unwrap()))
        });
        let rules = [("task_handlers", r#"{"crop":"crop"}"#)];
        let alone = world.worker(&rules);
        assert_eq!(alone.drain().await.get("handlersShareInstances"), None);
        let worker = world.worker(&rules);
        let (report, _) = futures::join!(worker.drain(), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            worker.ask(Request::options("http://worker.spin.internal/").body(Bytes::new()).unwrap()).await
        });
        assert_eq!(report["handlersShareInstances"], true);
        assert_eq!(worker.drain().await["handlersShareInstances"], true);
        assert_eq!(world.logged().matches("tasks of a handler share an instance").count(), 1);

        let own_process = [rules[0], ("handler_process_host", "http://127.0.0.1:3001/")];
        let worker = world.worker(&own_process);
        let both = futures::join!(worker.drain(), worker.drain());
        assert_eq!(both.0.get("handlersShareInstances"), None, "they are in another process");
    });
}

/// Runs one task called `routed` whose handler gives this response.
async fn outcome(world: &World, status: u16, media_type: &'static str, body: &'static str) -> TaskStatus {
    world.respond_to_tasks(move |_| {
        let response = Response::builder().status(status).header("content-type", media_type);
        (NOW, response.body(Bytes::from_static(body.as_bytes())).unwrap())
    });
    let id = world.submit("routed", |_| {}).await;
    world.worker(&[]).drain().await;
    world.document(id)
}

#[test]
fn handler_names_the_code_of_its_failure() {
    run(|world| async move {
        let json = "application/problem+json";
        let lines = "application/x-ndjson";
        for (status, media_type, body, state, code, message) in [
            (422, json, r#"{"code":"NoPixels","detail":"d"}"#, TaskState::Failed, "NoPixels", "d"),
            (503, json, r#"{"code":"Busy.1","detail":"d"}"#, TaskState::Pending, "Busy.1", "d"),
            (422, json, r#"{"code":"two words","detail":"d"}"#, TaskState::Failed, "HandlerFailed", "d"),
            (422, json, r#"{"code":7,"detail":"d"}"#, TaskState::Failed, "HandlerFailed", "d"),
            (
                200,
                lines,
                r#"{"error":{"code":"NoPixels","message":"m"}}"#,
                TaskState::Failed,
                "NoPixels",
                "m",
            ),
            (
                200,
                lines,
                r#"{"error":{"code":"Busy","message":"m","retryable":true}}"#,
                TaskState::Pending,
                "Busy",
                "m",
            ),
            (
                200,
                lines,
                r#"{"ERROR":{"Code":"Busy","Message":"m","Retryable":true}}"#,
                TaskState::Pending,
                "Busy",
                "m",
            ),
            (
                200,
                lines,
                r#"{"error":{"message":"m","retryable":true}}"#,
                TaskState::Pending,
                "HandlerUnavailable",
                "m",
            ),
            (
                200,
                lines,
                r#"{"error":{"message":"m","retryable":"yes"}}"#,
                TaskState::Failed,
                "HandlerFailed",
                "m",
            ),
        ] {
            let document = outcome(&world, status, media_type, body).await;
            let error = document.error.unwrap();
            let found = (document.state, error.code.as_str(), error.message.as_str());
            assert_eq!(found, (state, code, message), "{status} {body}");
            world.drop_messages().await;
        }
        let trapped = outcome(&world, 500, "text/plain", "").await.error.unwrap();
        assert!(trapped.message.contains("trapped or used up its memory"), "{}", trapped.message);
    });
}

#[test]
fn line_with_a_retryable_error_says_how_long_to_wait() {
    run(|world| async move {
        for line in [
            r#"{"error":{"message":"m","retryable":true,"retryAfterSeconds":120}}"#,
            r#"{"Error":{"Message":"m","Retryable":true,"retry_after_seconds":120}}"#,
        ] {
            let started = world.now();
            outcome(&world, 200, "application/x-ndjson", line).await;
            let hidden = models::Timestamp::from(world.messages("").pop().unwrap().visible_at).since(started);
            assert!(
                (Duration::from_secs(119)..Duration::from_secs(122)).contains(&hidden),
                "{line}: {hidden:?}"
            );
            world.drop_messages().await;
        }
    });
}

#[test]
fn result_limit_and_attempts_of_a_name_replace_the_variables() {
    run(|world| async move {
        let url = "http://handler.test/run";
        let rules = json!({
            "small": {"handler": url, "max_result_bytes": 3},
            "once": {"handler": url, "max_dequeue_count": 1, "retry_base_seconds": 1}
        })
        .to_string();
        let worker = world.worker(&[("task_handlers", &rules)]);
        world.respond_to_tasks(|_| {
            (NOW, Response::builder().status(200).body(Bytes::from_static(b"four")).unwrap())
        });
        let small = world.submit("small", |_| {}).await;
        worker.drain().await;
        let error = world.document(small).error.unwrap();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("ResultTooLarge", "the result is larger than 3 bytes")
        );
        world.respond_to_tasks(|_| (NOW, Response::builder().status(503).body(Bytes::new()).unwrap()));
        let once = world.submit("once", |_| {}).await;
        worker.drain_until_quiet(&world).await;
        let document = world.document(once);
        assert_eq!((document.state, document.attempt), (TaskState::Failed, 1));
        assert!(document.error.unwrap().message.contains("max_dequeue_count allows 1"));
    });
}

#[test]
fn attempt_ends_after_the_time_of_its_name() {
    run(|world| async move {
        let rules =
            json!({"slow": {"handler": "http://handler.test/run", "task_timeout_seconds": 5}}).to_string();
        world.respond_to_tasks(|_| {
            (Duration::from_secs(3600), Response::builder().status(200).body(Bytes::new()).unwrap())
        });
        let id = world.submit("slow", |_| {}).await;
        world.worker(&[("task_handlers", &rules)]).drain().await;
        let error = world.document(id).error.unwrap();
        assert_eq!(error.message, "the attempt was stopped after 5 seconds (task_timeout_seconds)");
    });
}

#[test]
fn tasks_of_a_name_keep_its_limit_and_others_do_not_wait() {
    run(|world| async move {
        let rules = json!({
            "limited.*": {"handler": "http://handler.test/run", "max_concurrency": 3}, "free": "http://handler.test/run"
        })
        .to_string();
        let worker = world.worker(&[("task_handlers", &rules)]);
        let at_once = Rc::new(RefCell::new((Vec::new(), 0)));
        let seen = Rc::clone(&at_once);
        let clock = Rc::clone(&world);
        world.respond_to_tasks(move |task| {
            if task["name"] == "free" {
                return (NOW, Response::builder().status(204).body(Bytes::new()).unwrap());
            }
            let now = clock.now();
            let (ends, most) = &mut *seen.borrow_mut();
            ends.retain(|end| *end > now);
            ends.push(now.plus(Duration::from_secs(10)));
            *most = ends.len().max(*most);
            (Duration::from_secs(10), Response::builder().status(204).body(Bytes::new()).unwrap())
        });
        for number in 0..6 {
            world.submit(if number % 2 == 0 { "limited.a" } else { "limited.b" }, |_| {}).await;
        }
        let free = world.submit("free", |_| {}).await;
        let mut request = drain_request(Bytes::new());
        request.headers_mut().insert("drain-share", "1/2".parse().unwrap());
        let started = world.now();
        let (_, report) = worker.ask(request).await;
        assert_eq!(at_once.borrow().1, 1, "the share of the second of two drains");
        assert!(report["deferred"].as_u64().unwrap() > 0, "{report}");
        let ended = world.document(free).finished_at.unwrap();
        assert!(ended.since(started) < Duration::from_secs(2), "{:?}", ended.since(started));

        let sums = worker.drain_until_quiet(&world).await;
        assert_eq!(at_once.borrow().1, 3, "all places, for a drain that is alone");
        assert_eq!(sums["completed"] + report["completed"].as_u64().unwrap(), 7, "{sums:?}");
        assert_eq!(sums["retried"], 0, "waiting is no attempt");
    });
}

#[test]
fn short_tasks_of_a_name_with_one_place_follow_each_other_without_pauses() {
    run(|world| async move {
        let rules =
            json!({"short": {"handler": "http://handler.test/run", "max_concurrency": 1}}).to_string();
        let worker = world.worker(&[("task_handlers", &rules)]);
        world.respond_to_tasks(|_| {
            (Duration::from_millis(10), Response::builder().status(204).body(Bytes::new()).unwrap())
        });
        for _ in 0..9 {
            world.submit("short", |_| {}).await;
        }
        let mut request = drain_request(Bytes::new());
        request.headers_mut().insert("drain-share", "0/2".parse().unwrap());
        let started = world.now();
        let (_, report) = worker.ask(request).await;
        let elapsed = world.now().since(started);
        assert_eq!((&report["completed"], &report["deferred"]), (&9.into(), &0.into()), "{report}");
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    });
}

/// What a handler is sent, as `docs/handler-protocol.schema.json` describes it. `infra/tests` compares the two.
const REQUEST: &str = "tests/drains/handler-request.json";

#[test]
fn request_to_a_handler_is_the_recorded_one() {
    run(|world| async move {
        let calls = record_calls(&world);
        world
            .submit("image.crop", |document| {
                document.task_description = "ü".to_owned();
                document.trace_parent =
                    Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
                document.input = Some(models::Json::parse(r#"{"width":640}"#).unwrap());
            })
            .await;
        world.worker(&[("task_handlers", r#"{"image.*":"images"}"#)]).drain().await;
        let calls = calls.borrow();
        let headers: serde_json::Map<_, _> = calls[0]
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        let body: serde_json::Value = serde_json::from_slice(calls[0].body()).unwrap();
        let sent = serde_json::to_string_pretty(&json!({ "headers": headers, "body": body })).unwrap() + "\n";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(REQUEST);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &sent).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), sent);
    });
}
