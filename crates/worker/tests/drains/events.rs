//! Events of ended tasks, and the calls of their receivers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fake_azure::Operation;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Response};
use models::{CallbackState, TaskId, TaskState};
use serde_json::Value;
use sha2::Sha256;
use test_world::Fault;

use crate::world::{TestWorker, World, run};

const RECEIVER: &str = "https://hooks.example/done?of=7";
const OLD_KEY: [u8; 24] = [1; 24];
const NEW_KEY: [u8; 32] = [2; 32];

/// A call as the receiver got it.
struct Received {
    headers: HeaderMap,
    body: Bytes,
}

/// The calls that the receiver got. It responds with the given statuses in turn; the last is repeated.
struct Receiver {
    calls: Rc<RefCell<Vec<Received>>>,
}

impl Receiver {
    fn new(world: &World, statuses: &'static [u16]) -> Self {
        Self::with(world, move |nth| {
            Response::builder().status(*statuses.get(nth).or(statuses.last()).unwrap())
        })
    }

    fn with(world: &World, response: impl Fn(usize) -> http::response::Builder + 'static) -> Self {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let taken = Rc::clone(&calls);
        world.serve_other_hosts(move |request| {
            (request.uri().host() == Some("hooks.example")).then(|| {
                let nth = taken.borrow().len();
                assert_eq!(request.uri(), RECEIVER, "the address is that of the submission");
                taken
                    .borrow_mut()
                    .push(Received { headers: request.headers().clone(), body: request.body().clone() });
                (Duration::from_millis(40), response(nth).body(Bytes::new()).unwrap())
            })
        });
        Self { calls }
    }

    fn count(&self) -> usize {
        self.calls.borrow().len()
    }
}

fn worker(world: &World, more: &[(&str, &str)]) -> TestWorker {
    let secrets = format!("whsec_{},whsec_{}", STANDARD.encode(OLD_KEY), STANDARD.encode(NEW_KEY));
    let usual = [("callback_hosts", "https://hooks.example"), ("callback_secrets", &secrets)];
    world.worker(&[&usual[..], more].concat())
}

async fn submit(world: &World) -> TaskId {
    world.submit("checksum", |document| document.callback_uri = Some(RECEIVER.to_owned())).await
}

#[test]
fn event_is_delivered_in_the_drain_of_its_task() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[204]);
        let id = submit(&world).await;
        worker(&world, &[]).drain().await;
        assert_eq!(receiver.count(), 1);
        assert!(world.messages("-events").is_empty() && world.messages("").is_empty());
        let document = world.document(id);
        let callback = document.callback.unwrap();
        assert_eq!((callback.state, callback.attempts), (CallbackState::Delivered, 1));
        assert_eq!(callback.last_outcome.as_deref(), Some("HTTP 204"));
        let calls = receiver.calls.borrow();
        let event: Value = serde_json::from_slice(&calls[0].body).unwrap();
        assert_eq!(event["type"], "task.succeeded");
        assert_eq!(event["timestamp"], document.finished_at.unwrap().to_string());
        assert_eq!(
            (&event["data"]["id"], &event["data"]["status"]),
            (&id.to_string().into(), &"Succeeded".into())
        );
        assert!(event["data"]["result"].is_object());
        assert!(event["data"].get("callback").is_none());
        assert_eq!(calls[0].headers["content-type"], "application/json");
        assert!(world.has_logged("event delivered") && !world.has_logged("hooks.example"));
    });
}

#[test]
fn each_key_signs_id_time_and_body() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[503, 200]);
        submit(&world).await;
        let worker = worker(&world, &[]);
        worker.drain_until_delivered(&world).await;
        let calls = receiver.calls.borrow();
        for call in &*calls {
            let text = |name: &str| call.headers[name].to_str().unwrap().to_owned();
            let signatures = [&OLD_KEY[..], &NEW_KEY].map(|key| {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(format!("{}.{}.", text("webhook-id"), text("webhook-timestamp")).as_bytes());
                mac.update(&call.body);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            });
            assert_eq!(text("webhook-signature"), signatures.join(" "));
        }
        let header = |nth: usize, name: &str| calls[nth].headers[name].clone();
        assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"), "the event is the same");
        assert_eq!(calls[0].body, calls[1].body);
        assert_ne!(header(0, "webhook-timestamp"), header(1, "webhook-timestamp"));
    });
}

#[test]
fn failed_calls_are_repeated_with_pauses_and_shown() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[500, 301, 404, 200]);
        let id = submit(&world).await;
        let worker = worker(&world, &[]);
        worker.drain().await;
        let callback = world.document(id).callback.unwrap();
        assert_eq!(
            (callback.state, callback.last_outcome.as_deref()),
            (CallbackState::Due, Some("HTTP 500"))
        );
        assert!(callback.next_attempt_at > callback.last_attempt_at);
        worker.drain_until_delivered(&world).await;
        assert_eq!(receiver.count(), 4, "a redirect is not followed");
        let callback = world.document(id).callback.unwrap();
        assert_eq!((callback.state, callback.attempts), (CallbackState::Delivered, 4));
    });
}

#[test]
fn receiver_decides_the_pause() {
    run(|world| async move {
        let receiver = Receiver::with(&world, |nth| match nth {
            0 => Response::builder().status(429).header("retry-after", "900"),
            _ => Response::builder().status(200),
        });
        submit(&world).await;
        let worker = worker(&world, &[]);
        worker.drain().await;
        tokio::time::sleep(Duration::from_secs(890)).await;
        worker.drain().await;
        assert_eq!(receiver.count(), 1);
        tokio::time::sleep(Duration::from_secs(15)).await;
        worker.drain().await;
        assert_eq!(receiver.count(), 2);
    });
}

#[test]
fn event_is_given_up_into_the_poison_queue_with_its_reason() {
    run(|world| async move {
        for (statuses, calls) in [(&[503][..], 3), (&[410][..], 1)] {
            let receiver = Receiver::new(&world, statuses);
            let id = submit(&world).await;
            let worker = worker(&world, &[("callback_max_attempts", "3")]);
            worker.drain_until_delivered(&world).await;
            assert_eq!(receiver.count(), calls);
            assert_eq!(world.document(id).callback.unwrap().state, CallbackState::GivenUp);
            assert_eq!(world.document(id).state, TaskState::Completed, "the task is not affected");
            let copy = world.poison().pop().unwrap();
            assert_eq!(copy.kind.as_deref(), Some("event"));
            assert!(copy.reason.ends_with(&format!("HTTP {}", statuses[0])), "{}", copy.reason);
            assert!(copy.message.unwrap().contains(&id.to_string()));
        }
    });
}

#[test]
fn status_counts_although_the_rest_of_the_response_does_not_arrive() {
    for (status, state, calls) in [
        (200, CallbackState::Delivered, 1),
        (410, CallbackState::GivenUp, 1),
        (503, CallbackState::GivenUp, 2),
    ] {
        run(move |world| async move {
            let count = Rc::new(Cell::new(0));
            let called = Rc::clone(&count);
            // The second line would arrive after the time of a call.
            world.serve_other_hosts(move |request| {
                (request.uri().host() == Some("hooks.example")).then(|| {
                    called.set(called.get() + 1);
                    let response = Response::builder().status(status).body(Bytes::from_static(b"a\nb\n"));
                    (Duration::from_secs(20), response.unwrap())
                })
            });
            let id = submit(&world).await;
            worker(&world, &[("callback_max_attempts", "2")]).drain_until_delivered(&world).await;
            let callback = world.document(id).callback.unwrap();
            assert_eq!((callback.state, count.get()), (state, calls), "{status}");
            assert_eq!(callback.last_outcome, Some(format!("HTTP {status}")));
        });
    }
}

#[test]
fn receiver_that_is_no_longer_allowed_is_not_called() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[200]);
        let id = world
            .submit("checksum", |document| document.callback_uri = Some("https://evil.test/".to_owned()))
            .await;
        let worker = worker(&world, &[]);
        worker.drain_until_delivered(&world).await;
        assert_eq!(receiver.count(), 0);
        assert_eq!(world.document(id).callback.unwrap().state, CallbackState::GivenUp);
        assert!(world.poison()[0].reason.contains("callback_hosts"));
    });
}

#[test]
fn message_of_the_task_stays_until_the_event_is_put() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[200]);
        let id = submit(&world).await;
        let worker = worker(&world, &[]);
        let puts = Rc::new(Cell::new(0));
        let seen = Rc::clone(&puts);
        world.fail(move |request| {
            let is_put = request.operation == Operation::PutMessage;
            seen.set(seen.get() + u32::from(is_put));
            if is_put && seen.get() == 1 { Fault::unavailable() } else { Fault::None }
        });
        worker.drain().await;
        assert!(world.document(id).is_event_due());
        assert_eq!(world.messages("").len(), 1, "its next delivery puts the event");
        assert!(world.has_logged("an event could not be queued"));
        worker.drain_until_delivered(&world).await;
        assert_eq!(receiver.count(), 1);
        assert_eq!(world.document(id).attempt, 1, "the task did not run again");
    });
}

#[test]
fn event_of_a_cancelled_task_is_delivered_after_a_crash_of_the_api() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[200]);
        let id = submit(&world).await;
        // The API stored the cancellation and crashed before it put the event.
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
        assert_eq!(receiver.count(), 1);
        let event: Value = serde_json::from_slice(&receiver.calls.borrow()[0].body).unwrap();
        assert_eq!(event["type"], "task.canceled");
    });
}

#[test]
fn sweep_delivers_an_event_whose_message_is_lost() {
    run(|world| async move {
        let receiver = Receiver::new(&world, &[200]);
        let id = submit(&world).await;
        let worker = worker(&world, &[("sweep_interval_seconds", "1")]);
        // The worker that ended the task delivers no events.
        world.worker(&[]).drain().await;
        assert!(world.document(id).is_event_due() && world.messages("-events").len() == 1);
        world.azure.borrow_mut().remove_queue(fake_azure::EMULATOR_ACCOUNT, "taskqueue-events");
        tokio::time::sleep(Duration::from_secs(200)).await;
        for _ in 0..4 {
            worker.drain().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert_eq!(receiver.count(), 1);
        assert_eq!(world.document(id).callback.unwrap().state, CallbackState::Delivered);
        assert!(world.has_logged("an event without a message was queued again"));
    });
}

#[test]
fn slow_receiver_delays_no_task() {
    run(|world| async move {
        // Longer than a call may take.
        world.serve_other_hosts(|request| {
            (request.uri().host() == Some("hooks.example"))
                .then(|| (Duration::from_secs(60), Response::new(Bytes::new())))
        });
        let first = submit(&world).await;
        let worker = worker(&world, &[("max_concurrency", "1")]);
        let begin = world.now();
        let second = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.submit("checksum", |_| {}).await
        };
        let (_, second) = futures::future::join(worker.drain(), second).await;
        let ended = world.document(second).finished_at.expect("it ran in the same drain");
        assert!(ended.since(begin) < Duration::from_secs(11), "{:?}", ended.since(begin));
        let callback = world.document(first).callback.unwrap();
        assert_eq!(callback.last_outcome.as_deref(), Some("no response in time"));
        assert_eq!(callback.last_attempt_at.unwrap().since(begin).as_secs(), 15);
    });
}

#[test]
fn call_without_response_delays_no_other_event() {
    run(|world| async move {
        let calls = Cell::new(0);
        world.serve_other_hosts(move |request| {
            (request.uri().host() == Some("hooks.example")).then(|| {
                // The first call gets no response in time.
                let seconds = if calls.replace(calls.get() + 1) == 0 { 60 } else { 0 };
                (Duration::from_secs(seconds), Response::new(Bytes::new()))
            })
        });
        let mut tasks = Vec::new();
        for _ in 0..40 {
            tasks.push(submit(&world).await);
        }
        let begin = world.now();
        worker(&world, &[]).drain().await;
        let late = tasks.iter().filter(|task| {
            let callback = world.document(**task).callback.unwrap();
            callback.last_attempt_at.unwrap().since(begin) > Duration::from_secs(5)
        });
        assert_eq!(late.count(), 1);
    });
}

#[test]
fn worker_without_receivers_sends_no_request_for_events() {
    run(|world| async move {
        world.submit("checksum", |_| {}).await;
        world.worker(&[]).drain().await;
        assert!(world.requests().iter().all(|line| !line.contains("-events")), "{:?}", world.requests());
    });
}

#[test]
fn unreadable_event_is_given_up() {
    run(|world| async move {
        let worker = worker(&world, &[]);
        worker.drain().await;
        world.put_message("-events", "what?");
        tokio::time::sleep(Duration::from_secs(5)).await;
        worker.drain().await;
        let copy = world.poison().pop().unwrap();
        assert_eq!((copy.kind.as_deref(), copy.message.as_deref()), (Some("event"), Some("what?")));
        assert!(world.messages("-events").is_empty());
    });
}
