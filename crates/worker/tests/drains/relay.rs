//! `POST /handlers/{id}`: a worker that passes tasks on to the handlers of its process.

use std::time::Duration;

use azure::TransportError;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use models::TaskState;
use service::body::Body;

use crate::world::{TOKEN, TestWorker, World, run};

/// A worker without a storage account, as in the process of the handlers.
fn relay(world: &World) -> TestWorker {
    world.worker(&[("task_handlers", r#"{"crop":"crop"}"#), ("storage_connection_string", "")])
}

fn call(id: &str, token: &str) -> Request<Bytes> {
    Request::post(format!("http://worker/handlers/{id}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accepted-protocol", "1")
        .header("accepted-timeout-ms", "60000")
        .header("cookie", "not part of the protocol")
        .body(Bytes::from_static(b"{}"))
        .unwrap()
}

async fn read(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let text = match response.into_body() {
        Body::Full(bytes) => bytes.to_vec(),
        Body::Stream(chunks) => chunks.collect::<Vec<_>>().await.concat(),
    };
    (status, String::from_utf8(text).unwrap())
}

#[test]
fn call_reaches_the_component_without_the_token() {
    run(|world| async move {
        world.serve_other_hosts(|request| {
            assert_eq!(request.uri(), "http://crop.spin.internal/");
            assert_eq!(request.body(), "{}");
            let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
            let mut expected = ["content-type", "accepted-protocol", "accepted-timeout-ms", "content-length"];
            expected.sort_unstable();
            let mut names = names;
            names.sort_unstable();
            assert_eq!(names, expected);
            let response = Response::builder().status(429).header("retry-after", "7").header("server", "x");
            Some((Duration::ZERO, response.header("content-type", "text/plain").body("busy".into()).unwrap()))
        });
        let response = relay(&world).respond(call("crop", TOKEN)).await;
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert!(!response.headers().contains_key("server"));
        assert_eq!(read(response).await, (StatusCode::TOO_MANY_REQUESTS, "busy".to_owned()));
    });
}

#[test]
fn stranger_and_unknown_component_are_refused() {
    run(|world| async move {
        let worker = relay(&world);
        world.serve_other_hosts(|_| panic!("nothing is called"));
        for (id, token, status) in [
            ("crop", "wrong", StatusCode::UNAUTHORIZED),
            ("scale", TOKEN, StatusCode::NOT_FOUND),
            ("", TOKEN, StatusCode::NOT_FOUND),
            ("crop/x", TOKEN, StatusCode::NOT_FOUND),
        ] {
            assert_eq!(worker.respond(call(id, token)).await.status(), status, "{id} {token}");
        }
        let mut get = call("crop", TOKEN);
        *get.method_mut() = Method::GET;
        assert_eq!(worker.respond(get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
        let closed = world.worker(&[("task_handlers", r#"{"crop":"crop"}"#), ("drain_token", "")]);
        assert_eq!(closed.respond(call("crop", "")).await.status(), StatusCode::FORBIDDEN);
    });
}

#[test]
fn progress_is_passed_on_when_it_arrives_and_other_bodies_whole() {
    run(|world| async move {
        let body = "{\"percentComplete\":1}\n{\"result\":1}\n";
        for (media_type, streams) in [("application/x-ndjson", true), ("application/json", false)] {
            world.serve_other_hosts(move |_| {
                let response = Response::builder().header("content-type", media_type);
                Some((Duration::from_secs(20), response.body(Bytes::from_static(body.as_bytes())).unwrap()))
            });
            let started = world.now();
            let response = relay(&world).respond(call("crop", TOKEN)).await;
            let head_after = world.now().since(started).as_secs();
            assert_eq!(head_after, if streams { 10 } else { 20 }, "{media_type}");
            assert_eq!(read(response).await, (StatusCode::OK, body.to_owned()));
            assert_eq!(world.now().since(started).as_secs(), 20);
        }
    });
}

#[test]
fn call_without_a_response_is_a_problem_that_says_why() {
    run(|world| async move {
        for (error, words) in [
            (TransportError::Denied(String::new()), "the application has no component crop"),
            (TransportError::Timeout, "did not respond in time"),
            (TransportError::Interrupted(String::new()), "the connection to the handler broke"),
        ] {
            world.serve_other_hosts(move |_| {
                let mut response = Response::new(Bytes::new());
                response.extensions_mut().insert(error.clone());
                Some((Duration::ZERO, response))
            });
            let (status, text) = read(relay(&world).respond(call("crop", TOKEN)).await).await;
            assert_eq!(status, StatusCode::BAD_GATEWAY);
            assert!(text.contains(words), "{text}");
        }
    });
}

#[test]
fn response_that_is_too_large_for_the_relay_fails_the_task() {
    run(|world| async move {
        world.serve_other_hosts(|_| {
            let mut response = Response::new(Bytes::new());
            response.extensions_mut().insert(TransportError::TooLarge(9));
            Some((Duration::ZERO, response))
        });
        let relayed = relay(&world).respond(call("crop", TOKEN)).await;
        assert_eq!(relayed.headers()["relay-error"], "too-large");

        // A handler cannot say so itself: the relay passes its headers on only if the protocol has them.
        world.serve_other_hosts(|_| {
            let response = Response::builder().status(502).header("relay-error", "too-large");
            Some((Duration::ZERO, response.body(Bytes::new()).unwrap()))
        });
        assert!(!relay(&world).respond(call("crop", TOKEN)).await.headers().contains_key("relay-error"));

        world.serve_other_hosts(|request| {
            let response = Response::builder().status(502).header("relay-error", "too-large");
            (request.uri().host() == Some("handler.test"))
                .then(|| (Duration::ZERO, response.body(Bytes::new()).unwrap()))
        });
        let id = world.submit("crop", |_| {}).await;
        let rules = r#"{"crop":{"handler":"crop","max_result_bytes":10}}"#;
        world
            .worker(&[("task_handlers", rules), ("handler_process_host", "http://handler.test")])
            .drain()
            .await;
        let error = world.document(id).error.unwrap();
        assert_eq!(error.message, "the result is larger than 10 bytes");
    });
}

#[test]
fn end_of_the_handlers_process_is_no_attempt() {
    run(|world| async move {
        let variables =
            [("task_handlers", r#"{"crop":"crop"}"#), ("handler_process_host", "http://handler.test")];
        let ends = std::rc::Rc::new(std::cell::Cell::new(0));
        let seen = std::rc::Rc::clone(&ends);
        world.serve_other_hosts(move |request| {
            (request.uri().host() == Some("handler.test")).then(|| {
                seen.set(seen.get() + 1);
                let mut response = Response::builder().status(204).body(Bytes::new()).unwrap();
                match seen.get() {
                    1 => response.extensions_mut().insert(TransportError::Interrupted(String::new())),
                    2 => response.extensions_mut().insert(TransportError::Connect(String::new())),
                    _ => None,
                };
                (Duration::ZERO, response)
            })
        });
        let id = world.submit("crop", |_| {}).await;
        world.worker(&variables).drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!(
            (document.state, document.attempt, document.attempts_used()),
            (TaskState::Completed, 3, 1)
        );
        let codes: Vec<_> =
            document.history.iter().filter_map(|record| Some(record.error.as_ref()?.code.as_str())).collect();
        assert_eq!(codes, ["HandlerProcessEnded"; 2]);
    });
}

/// Runs one task of a handler that takes an hour of the given host; the reports to the launcher.
async fn reports(world: &std::rc::Rc<World>, rules: &str) -> Vec<(String, String)> {
    let reports = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = std::rc::Rc::clone(&reports);
    world.serve_other_hosts(move |request| {
        let response = Response::builder().status(204).body(Bytes::new()).unwrap();
        match request.uri().host() {
            Some("watch.test") => {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                seen.borrow_mut().push((header("authorization"), header("overrun-ms")));
                Some((Duration::ZERO, response))
            }
            Some("127.0.0.1") => None,
            _ => Some((Duration::from_secs(3600), response)),
        }
    });
    let variables = [
        ("task_handlers", rules),
        ("handler_process_host", "http://handler.test"),
        ("handler_watch_host", "http://watch.test"),
        ("task_timeout_seconds", "30"),
    ];
    world.submit("crop", |_| {}).await;
    world.worker(&variables).drain().await;
    reports.take()
}

#[test]
fn overrun_in_the_handlers_process_is_reported_to_the_launcher() {
    run(|world| async move {
        let reported = reports(&world, r#"{"crop":"crop"}"#).await;
        assert_eq!(reported.len(), 1);
        assert_eq!(reported[0].0, format!("Bearer {TOKEN}"));
        assert!((30_000..31_000).contains(&reported[0].1.parse::<u64>().unwrap()), "{reported:?}");
        assert_eq!(reports(&world, r#"{"crop":"http://elsewhere.test/"}"#).await, [], "no process of ours");
    });
}

#[test]
fn large_result_is_passed_on_in_parts_with_its_completeness() {
    run(|world| async move {
        let body = "0123456789".repeat(20_000);
        let of_handler = body.clone();
        world.serve_other_hosts(move |_| {
            let response = Response::builder().header("content-type", "text/plain");
            Some((Duration::ZERO, response.body(of_handler.clone().into()).unwrap()))
        });
        let mut request = call("crop", TOKEN);
        request.headers_mut().insert("relay-max-bytes", 16_777_216.into());
        let response = relay(&world).respond(request).await;
        assert_eq!(
            (&response.headers()["relay-parts"], &response.headers()["content-type"]),
            (&"1".parse().unwrap(), &"text/plain".parse().unwrap())
        );
        assert_eq!(read(response).await, (StatusCode::OK, format!("{body}\u{1}")));
        let small = relay(&world).respond(call("crop", TOKEN)).await;
        assert!(!small.headers().contains_key("relay-parts"), "no large result was allowed");
        assert_eq!(read(small).await, (StatusCode::OK, body));
    });
}

#[test]
fn relayed_result_counts_only_if_it_is_complete() {
    run(|world| async move {
        for (end, state) in [("\u{1}", TaskState::Completed), ("\u{0}", TaskState::Pending)] {
            world.serve_other_hosts(move |request| {
                (request.uri().host() == Some("handler.test")).then(|| {
                    assert_eq!(request.headers()["relay-max-bytes"], "10048576");
                    let response = Response::builder().header("content-type", "text/plain");
                    let response =
                        response.header("relay-parts", "1").body(Bytes::from(format!("text{end}")));
                    (Duration::ZERO, response.unwrap())
                })
            });
            let id = world.submit("crop", |_| {}).await;
            let rules = r#"{"crop":{"handler":"crop","max_result_bytes":9000000}}"#;
            let variables = [("task_handlers", rules), ("handler_process_host", "http://handler.test")];
            world.worker(&variables).drain().await;
            let document = world.document(id);
            assert_eq!(document.state, state);
            if let Some(kept) = document.result_blob {
                assert_eq!(world.blob(&kept.name).unwrap().content, "text");
            }
        }
    });
}

#[test]
fn attempt_in_a_blocked_process_does_not_count() {
    run(|world| async move {
        let blocked = std::rc::Rc::new(std::cell::Cell::new(true));
        let seen = std::rc::Rc::clone(&blocked);
        world.serve_other_hosts(move |request| {
            let mut response = Response::builder().status(204);
            match request.uri().host() {
                Some("127.0.0.1") => return None,
                Some("watch.test") => {
                    let process = if seen.replace(false) { "blocked" } else { "responsive" };
                    response = response.header("handler-process", process);
                }
                _ => return Some((Duration::from_secs(3600), Response::new(Bytes::new()))),
            }
            Some((Duration::from_millis(500), response.body(Bytes::new()).unwrap()))
        });
        let variables = [
            ("task_handlers", r#"{"crop":{"handler":"crop","max_dequeue_count":1}}"#),
            ("handler_process_host", "http://handler.test"),
            ("handler_watch_host", "http://watch.test"),
            ("task_timeout_seconds", "30"),
        ];
        let id = world.submit("crop", |_| {}).await;
        world.worker(&variables).drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Failed, 2));
        let codes: Vec<_> =
            document.history.iter().filter_map(|record| Some(record.error.as_ref()?.code.as_str())).collect();
        assert_eq!(codes, ["HandlerProcessBlocked", "TimedOut"]);
        assert!(!blocked.get());
    });
}

#[test]
fn call_that_outlives_its_deadline_is_reported_by_the_relay() {
    run(|world| async move {
        let told = std::rc::Rc::new(std::cell::Cell::new(None));
        let seen = std::rc::Rc::clone(&told);
        let clock = std::rc::Rc::clone(&world);
        let started = world.now();
        world.serve_other_hosts(move |request| {
            if request.uri().host() == Some("watch.test") {
                seen.set(Some(clock.now().since(started).as_secs()));
                return Some((Duration::ZERO, Response::new(Bytes::new())));
            }
            Some((Duration::from_secs(3600), Response::new(Bytes::new())))
        });
        let worker = world.worker(&[
            ("task_handlers", r#"{"crop":"crop"}"#),
            ("handler_watch_host", "http://watch.test"),
            ("storage_connection_string", ""),
        ]);
        let (status, _) = read(worker.respond(call("crop", TOKEN)).await).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert_eq!(told.get(), Some(62), "after the worker that drains would have reported it");
    });
}
