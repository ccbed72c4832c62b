//! Events for the operator's sink: what it receives, and what happens if it cannot be reached or storage fails.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation;
use http::{HeaderMap, Response};
use models::{CallbackState, SinkMessage, TaskId, TaskMessage, TaskState};
use serde_json::Value;
use storage::QueueName;
use test_world::Fault;

use crate::world::{TestWorker, World, run};

const SINK: &str = "https://sink.example/api/events?api-version=2018-01-01";

/// The calls that the sink got.
#[derive(Clone, Default)]
struct Sink {
    calls: Rc<RefCell<Vec<(HeaderMap, Value)>>>,
}

impl Sink {
    /// A sink that responds to the n-th call with `status`; tasks called `routed` get `handler` as their response.
    fn with(
        world: &World,
        status: impl Fn(usize) -> u16 + 'static,
        handler: impl Fn() -> (Duration, &'static str) + 'static,
    ) -> Self {
        let sink = Self::default();
        let calls = Rc::clone(&sink.calls);
        world.serve_other_hosts(move |request| match request.uri().host() {
            Some("sink.example") => {
                assert_eq!(request.uri(), SINK);
                let event = serde_json::from_slice(request.body()).unwrap();
                calls.borrow_mut().push((request.headers().clone(), event));
                let response = Response::builder().status(status(calls.borrow().len() - 1));
                Some((Duration::from_millis(20), response.body(Bytes::new()).unwrap()))
            }
            Some("handler.test") => {
                let (time, body) = handler();
                let response = Response::builder().header("content-type", "application/x-ndjson");
                Some((time, response.body(Bytes::from(body)).unwrap()))
            }
            _ => None,
        });
        sink
    }

    fn new(world: &World, status: impl Fn(usize) -> u16 + 'static) -> Self {
        Self::with(world, status, || (Duration::ZERO, "{}"))
    }

    fn events(&self) -> Vec<Value> {
        self.calls.borrow().iter().map(|(_, event)| event.clone()).collect()
    }

    /// The last parts of the types, in the order of their times.
    fn kinds(&self) -> Vec<String> {
        let mut events = self.events();
        events.sort_by_key(|event| event["time"].as_str().unwrap().to_owned());
        let kind = |event: &Value| event["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        events.iter().map(kind).collect()
    }
}

fn worker(world: &World, more: &[(&str, &str)]) -> TestWorker {
    let usual = [("event_sink_url", SINK), ("event_sink_host", "https://sink.example")];
    world.worker(&[&usual[..], more].concat())
}

/// Submits a task as the API does, without the event of its acceptance.
async fn submit(world: &World, name: &str) -> TaskId {
    world.submit(name, |document| document.sink_events = true).await
}

/// As [`submit`], with a message that says that the event of the acceptance is owed.
async fn submit_owing(world: &World) -> TaskId {
    let id = submit(world, "checksum").await;
    world.drop_messages().await;
    let etag = world.storage().store.read(id, None).await.unwrap();
    let storage::Read::Found(stored) = etag else { panic!() };
    world.send(&TaskMessage::text_owing(&stored.document, Some(&stored.etag), true)).await;
    id
}

#[test]
fn start_and_end_are_cloud_events_in_structured_json() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 200);
        let id = submit(&world, "checksum").await;
        let worker = worker(&world, &[]);
        worker.drain_until_delivered(&world).await;
        let document = world.document(id);
        let record = document.sink.clone().unwrap();
        assert_eq!((record.state, record.attempts), (CallbackState::Delivered, 1));
        let times = [document.started_at.unwrap(), document.finished_at.unwrap()];
        let mut events = sink.events();
        events.sort_by_key(|event| event["type"] == "accepted.task.ended");
        for ((event, time), (kind, status)) in
            events.iter().zip(times).zip([("started", "Running"), ("ended", "Succeeded")])
        {
            let expected = serde_json::json!({
                "specversion": "1.0",
                "id": format!("{id}-{kind}-1-{}", time.unix_millis()),
                "source": "/accepted/taskqueue",
                "type": format!("accepted.task.{kind}"),
                "subject": id,
                "time": time,
                "datacontenttype": "application/json",
                "data": { "id": id, "name": "checksum", "status": status, "attempt": 1 },
            });
            assert_eq!(*event, expected);
        }
        assert_eq!(events.len(), 2);
        let calls = sink.calls.borrow();
        assert_eq!(calls[0].0["content-type"], "application/cloudevents+json; charset=utf-8");
        assert!(!calls[0].0.contains_key("authorization") && !calls[0].0.contains_key("aeg-sas-key"));
        assert!(!world.has_logged("api-version"), "the address may contain a secret");
    });
}

#[test]
fn owed_acceptance_is_put_by_the_worker_that_starts_the_task() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 204);
        let id = submit_owing(&world).await;
        let worker = worker(&world, &[]);
        worker.drain_until_delivered(&world).await;
        assert_eq!(sink.kinds(), ["accepted", "started", "ended"]);
        let event =
            &sink.events().into_iter().find(|event| event["type"] == "accepted.task.accepted").unwrap();
        assert_eq!(
            event["data"],
            serde_json::json!({
                "id": id, "name": "checksum", "status": "NotStarted", "attempt": 0
            })
        );
        assert_eq!(event["time"], world.document(id).created_at.unwrap().to_string());
    });
}

#[test]
fn owed_acceptance_is_put_for_a_task_that_never_starts() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 200);
        let id = submit_owing(&world).await;
        world.change_document(id, |document| {
            let lifecycle::cancel::Cancel::Now(next) =
                lifecycle::cancel::cancel(document, Duration::from_secs(86_400), world.now())
            else {
                panic!()
            };
            *document = *next;
        });
        let worker = worker(&world, &[]);
        worker.drain_until_delivered(&world).await;
        let mut kinds = sink.kinds();
        kinds.sort();
        kinds.dedup();
        assert_eq!(kinds, ["accepted", "ended"]);
        let ids: std::collections::BTreeSet<_> = sink.events().iter().map(|e| e["id"].to_string()).collect();
        assert_eq!(ids.len(), 2, "a repeated event has the same id");
    });
}

#[test]
fn sweep_puts_the_acceptance_of_a_task_that_it_queues() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 200);
        submit(&world, "checksum").await;
        // The API crashed before it put the event and the message.
        world.drop_messages().await;
        tokio::time::sleep(Duration::from_secs(800)).await;
        let worker = worker(&world, &[("sweep_interval_seconds", "1")]);
        for _ in 0..3 {
            worker.drain().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(sink.kinds(), ["accepted", "started", "ended"]);
    });
}

#[test]
fn progress_is_limited_to_one_event_an_interval() {
    run(|world| async move {
        let lines = "{\"percentComplete\":10}\n{\"percentComplete\":20}\n{\"percentComplete\":30,\"message\":\"c\"}\n\
                     {\"percentComplete\":40}\n{\"percentComplete\":50}\n{\"percentComplete\":60}\n{\"result\":1}\n";
        for (interval, expected) in [("0", &[][..]), ("5", &[10, 30, 50]), ("3600", &[10])] {
            // A line every three seconds.
            let sink = Sink::with(&world, |_| 200, move || (Duration::from_secs(21), lines));
            let id = submit(&world, "routed").await;
            let worker = worker(&world, &[("event_sink_progress_seconds", interval)]);
            worker.drain_until_delivered(&world).await;
            assert_eq!(world.document(id).state, TaskState::Completed);
            let of_progress = |event: &Value| event["type"] == "accepted.task.progressed";
            let mut events: Vec<_> = sink.events().into_iter().filter(of_progress).collect();
            events.sort_by_key(|event| event["time"].to_string());
            let percent = |event: &Value| event["data"]["percentComplete"].as_i64().unwrap();
            assert_eq!(events.iter().map(percent).collect::<Vec<_>>(), expected, "{interval}");
            if let Some(third) = events.get(1) {
                assert_eq!(
                    (&third["data"]["message"], &third["data"]["status"]),
                    (&"c".into(), &"Running".into())
                );
            }
        }
    });
}

#[test]
fn failed_calls_are_repeated_with_pauses_and_shown() {
    run(|world| async move {
        let sink = Sink::new(&world, |nth| [503, 302, 401, 500, 200][nth.min(4)]);
        let id = submit(&world, "checksum").await;
        let worker = worker(&world, &[]);
        worker.drain().await;
        let record = world.document(id).sink.unwrap();
        assert_eq!((record.state, record.last_outcome.as_deref()), (CallbackState::Due, Some("HTTP 302")));
        worker.drain_until_delivered(&world).await;
        let record = world.document(id).sink.unwrap();
        assert_eq!(record.state, CallbackState::Delivered);
        assert_eq!(sink.events().len(), 6, "two events, four failures");
        assert!(world.poison().is_empty());
    });
}

#[test]
fn events_are_given_up_into_the_poison_queue_with_their_reason() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 400);
        let id = submit(&world, "checksum").await;
        let worker = worker(&world, &[("event_sink_max_attempts", "3")]);
        worker.drain_until_delivered(&world).await;
        assert_eq!(sink.events().len(), 6);
        let document = world.document(id);
        assert_eq!(document.state, TaskState::Completed, "the task is not affected");
        assert_eq!(document.sink.unwrap().state, CallbackState::GivenUp);
        let copies = world.poison();
        assert_eq!(copies.len(), 2);
        for copy in copies {
            assert_eq!(copy.kind.as_deref(), Some("event"));
            assert!(
                copy.reason.ends_with("calls of the receiver: 3; the last one: HTTP 400"),
                "{}",
                copy.reason
            );
            assert!(!copy.message.unwrap().contains("Called"), "as it was sent");
        }
    });
}

#[test]
fn task_neither_waits_nor_fails_if_no_event_can_be_put() {
    run(|world| async move {
        let sink = Sink::with(&world, |_| 200, || (Duration::from_secs(1), "{\"result\":1}\n"));
        let id = submit_owing(&world).await;
        let routed = submit(&world, "routed").await;
        world.fail(|request| match &*request.path {
            "/taskqueue-events" => Fault::Silence,
            _ => Fault::None,
        });
        let worker = worker(&world, &[]);
        let begin = world.now();
        let drain = worker.drain();
        let look = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            [id, routed].map(|id| world.document(id))
        };
        let (_, documents) = futures::future::join(drain, look).await;
        for document in documents {
            assert_eq!(document.state, TaskState::Completed);
            assert!(document.finished_at.unwrap().since(begin) < Duration::from_millis(3100));
        }
        assert_eq!(world.messages("").len(), 2, "they stay until the events are put");
        world.end_faults();
        worker.drain_until_delivered(&world).await;
        let kinds = sink.kinds();
        assert!(kinds.contains(&"accepted".to_owned()));
        assert_eq!(kinds.iter().filter(|kind| *kind == "ended").count(), 2);
    });
}

#[test]
fn delayed_task_starts_while_a_slow_sink_holds_the_drain() {
    run(|world| async move {
        world.serve_other_hosts(|request| {
            let is_sink = request.uri().host() == Some("sink.example");
            is_sink.then(|| (Duration::from_secs(3600), Response::new(Bytes::new())))
        });
        for _ in 0..60 {
            submit(&world, "checksum").await;
        }
        let worker = worker(&world, &[("drain_seconds", "5")]);
        let due = world.now().plus(Duration::from_secs(30));
        let delayed = world.submit("checksum", |document| document.not_before = Some(due)).await;
        worker.drain().await;
        assert!(world.now().since(due) > Duration::from_secs(20), "the calls hold the drain");
        let started = world.document(delayed).started_at.expect("the drain promoted it");
        assert!(started.since(due) < Duration::from_secs(15), "{:?}", started.since(due));
    });
}

#[test]
fn start_is_put_before_the_message_of_an_ended_task_is_deleted() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 200);
        submit(&world, "checksum").await;
        let puts = Cell::new(0);
        world.fail(move |request| {
            let is_put = request.operation == Operation::PutMessage;
            puts.set(puts.get() + u32::from(is_put));
            if is_put && puts.get() == 1 { Fault::unavailable() } else { Fault::None }
        });
        let worker = worker(&world, &[]);
        worker.drain().await;
        assert_eq!(world.messages("").len(), 1);
        worker.drain_until_delivered(&world).await;
        assert!(sink.kinds().contains(&"ended".to_owned()));
    });
}

#[test]
fn key_and_token_authorise_calls_and_are_not_logged() {
    run(|world| async move {
        let sink = Sink::new(&world, |_| 200);
        submit(&world, "checksum").await;
        let key = [("event_sink_auth", "key"), ("event_sink_key", "hidden-key")];
        worker(&world, &key).drain_until_delivered(&world).await;
        assert_eq!(sink.calls.borrow()[0].0["aeg-sas-key"], "hidden-key");
        assert!(sink.calls.borrow()[0].0["aeg-sas-key"].is_sensitive());
        assert!(!world.has_logged("hidden-key"));
    });
}

#[test]
fn rejected_token_is_replaced() {
    run(|world| async move {
        let tokens = Rc::new(Cell::new(0));
        let (issued, calls) = (Rc::clone(&tokens), Rc::new(RefCell::new(Vec::new())));
        let seen = Rc::clone(&calls);
        world.serve_other_hosts(move |request| {
            let respond = |status: u16, body: String| {
                Some((Duration::ZERO, Response::builder().status(status).body(Bytes::from(body)).unwrap()))
            };
            match (request.uri().host(), request.uri().port_u16()) {
                (Some("localhost"), Some(42356)) => {
                    let query = request.uri().query().unwrap();
                    assert!(query.contains("resource=https%3A%2F%2Feventgrid.azure.net"), "{query}");
                    issued.set(issued.get() + 1);
                    let expires = 1_795_168_800 + 86_400;
                    respond(
                        200,
                        format!(r#"{{"access_token":"token{}","expires_on":"{expires}"}}"#, issued.get()),
                    )
                }
                (Some("sink.example"), _) => {
                    let header = request.headers()["authorization"].to_str().unwrap().to_owned();
                    let status = if header == "Bearer token1" { 401 } else { 200 };
                    seen.borrow_mut().push(header);
                    respond(status, String::new())
                }
                _ => None,
            }
        });
        submit(&world, "checksum").await;
        let worker = worker(
            &world,
            &[
                ("event_sink_auth", "identity"),
                ("storage_connection_string", test_world::EMULATOR),
                ("identity_endpoint", "http://localhost:42356/msi/token"),
                ("identity_header", "h"),
            ],
        );
        tokio::time::sleep(Duration::from_secs(10)).await;
        worker.drain().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        worker.drain_until_delivered(&world).await;
        assert_eq!(calls.borrow().last().unwrap(), "Bearer token2");
        assert_eq!(tokens.get(), 2);
        assert!(!world.has_logged("token1"));
    });
}

#[test]
fn worker_without_a_sink_sends_no_request_for_events() {
    run(|world| async move {
        world.submit("checksum", |_| {}).await;
        world.worker(&[]).drain().await;
        assert!(world.requests().iter().all(|line| !line.contains("-events")));
        // A task of an API that has one, at a worker that has none.
        let id = submit(&world, "checksum").await;
        world.worker(&[]).drain().await;
        assert!(world.document(id).is_event_due());
        assert_eq!(world.messages("-events").len(), 1, "only its end waits");
    });
}

#[test]
fn message_for_a_sink_that_was_removed_is_given_up() {
    run(|world| async move {
        let id = submit(&world, "checksum").await;
        let accepted = SinkMessage::accepted(&world.document(id)).unwrap();
        world.storage().queue.send(QueueName::Events, &accepted.text(), Duration::ZERO).await.unwrap();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let receivers = [("callback_hosts", "https://hooks.example"), ("callback_secrets", secret)];
        world.worker(&receivers).drain_until_delivered(&world).await;
        assert!(world.poison().iter().all(|copy| copy.reason.ends_with("event_sink_url is not set")));
        assert_eq!(world.poison().len(), 2);
        assert_eq!(world.document(id).sink.unwrap().state, CallbackState::GivenUp);
    });
}

#[test]
fn invalid_sink_is_a_problem_that_names_the_variable() {
    run(|world| async move {
        for (variables, name) in [
            (&[("event_sink_url", "sink.example")][..], "event_sink_url"),
            (&[("event_sink_url", SINK)], "event_sink_host"),
            (&[("event_sink_url", SINK), ("event_sink_host", "https://other.example")], "event_sink_host"),
            (
                &[
                    ("event_sink_url", SINK),
                    ("event_sink_host", "https://sink.example"),
                    ("event_sink_auth", "key"),
                ],
                "event_sink_key",
            ),
            (
                &[
                    ("event_sink_url", SINK),
                    ("event_sink_host", "https://sink.example"),
                    ("event_sink_auth", "identity"),
                ],
                "event_sink_auth",
            ),
            (
                &[
                    ("event_sink_url", "http://a.test/"),
                    ("event_sink_host", "http://a.test"),
                    ("event_sink_auth", "key"),
                    ("event_sink_key", "k"),
                ],
                "event_sink_url",
            ),
            (&[("event_sink_auth", "sas")], "event_sink_auth"),
        ] {
            let (status, problem) =
                world.worker(variables).ask(crate::world::drain_request(Bytes::new())).await;
            let detail = problem["detail"].as_str().unwrap();
            assert!(status.is_server_error() && detail.contains(&format!("variable {name} ")), "{detail}");
            assert!(!detail.contains("api-version"));
        }
    });
}
