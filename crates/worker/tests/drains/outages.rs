//! Outages of one part of the system that last longer than the maximum dequeue count allows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation;
use http::Response;
use models::{AttemptOutcome, DeliveryNote, TaskState};
use serde_json::json;
use test_world::Fault;

use crate::world::{World, drain_request, run};

const HOUR: u64 = 3_600;

/// Drains as the launcher does, for this many seconds of virtual time.
async fn drain_for(world: &Rc<World>, variables: &[(&str, &str)], seconds: u64) {
    let until = world.now().plus(Duration::from_secs(seconds));
    let worker = world.worker(variables);
    while world.now() < until {
        let counts = worker.ask(drain_request(Bytes::new())).await.1;
        let rest = counts["retryAfterSeconds"].as_u64().unwrap_or(1);
        tokio::time::sleep(Duration::from_secs(rest.max(1))).await;
    }
}

/// Drains for this many seconds, while no worker gets the messages that it received.
async fn lose_deliveries(world: &Rc<World>, seconds: u64) {
    world.fail(|request| match request.operation {
        Operation::GetMessages => Fault::ResponseLost,
        _ => Fault::None,
    });
    drain_for(world, &[], seconds).await;
    world.end_faults();
}

#[test]
fn no_task_fails_while_writes_fail_for_hours() {
    for status in [403, 503] {
        run(|world| async move {
            let mut ids = Vec::new();
            for _ in 0..3 {
                ids.push(world.submit("checksum", |_| {}).await);
            }
            world.fail(
                move |request| {
                    if request.path.starts_with("/tasks/") { Fault::status(status) } else { Fault::None }
                },
            );
            drain_for(&world, &[("max_dequeue_count", "2")], 6 * HOUR).await;
            for message in world.messages("") {
                // Often enough to continue soon after the recovery, and rarely enough not to load storage.
                let most = 6 * u32::try_from(HOUR).unwrap() / 30 + 10;
                assert!((20..most).contains(&message.dequeue_count), "{}", message.dequeue_count);
            }
            world.end_faults();
            let recovered = world.now();
            world.worker(&[("max_dequeue_count", "2")]).drain_until_quiet(&world).await;
            for id in ids {
                let document = world.document(id);
                assert_eq!((document.state, document.attempt), (TaskState::Completed, 1), "{status}");
                let late = document.finished_at.unwrap().since(recovered);
                assert!(late <= Duration::from_secs(90), "the longest pause is a minute: {late:?}");
            }
            assert!(world.poison().is_empty());
        });
    }
}

#[test]
fn missing_container_keeps_messages_and_names_the_setting() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        let elsewhere = [("task_blob_container_name", "elsewhere")];
        let counts = world.worker(&elsewhere).drain().await;
        assert_eq!((&counts["lost"], &counts["discarded"]), (&json!(1), &json!(0)));
        assert!(world.has_logged("the container elsewhere does not exist"));
        assert!(world.has_logged("task_blob_container_name"));
        // The sweep must not create the container either: the task would then count as deleted.
        drain_for(&world, &elsewhere, 2 * HOUR).await;
        assert_eq!(world.messages("").len(), 1);
        world.worker(&[]).drain_until_quiet(&world).await;
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn message_that_crashes_workers_is_given_up_and_replaced() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        let original = world.messages("")[0].text.clone();
        // A worker that reads the document for this message crashes.
        let deadly = Cell::new(true);
        let lost = Rc::new(Cell::new(0));
        let counted = Rc::clone(&lost);
        world.fail(move |request| {
            let is_copy = request.operation == Operation::PutMessage && request.path == "/taskqueue-poison";
            deadly.set(deadly.get() && !is_copy);
            let kills = deadly.get() && request.path.starts_with("/tasks/") && request.path.ends_with("-202");
            counted.set(counted.get() + u32::from(kills));
            if kills { Fault::Silence } else { Fault::None }
        });
        for _ in 0..10 {
            let doomed = world.worker(&[]);
            let drain = tokio::time::timeout(Duration::from_secs(5), doomed.drain()).await;
            assert!(drain.is_err(), "killed before its first write");
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(lost.get(), 10);
        let counts = world.worker(&[]).drain().await;
        assert_eq!(counts["poisoned"], 1);
        let [copy] = &world.poison()[..] else { panic!("one copy") };
        assert!(copy.reason.starts_with("5 workers in a row ended"), "{}", copy.reason);
        assert_eq!(copy.message.as_deref(), Some(original.as_str()), "without any note");
        // The sweep sends a new message.
        assert_eq!(world.document(id).state, TaskState::Pending);
        drain_for(&world, &[], HOUR).await;
        assert_eq!((world.document(id).state, world.document(id).attempt), (TaskState::Completed, 1));
    });
}

#[test]
fn worker_that_renews_its_lease_does_not_count_as_lost() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(40), Response::new(Bytes::new())));
        world.submit("routed", |_| {}).await;
        lose_deliveries(&world, HOUR).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let lost_workers = || {
            let [message] = &world.messages("")[..] else { panic!("one message") };
            DeliveryNote::of(&message.text, u32::MAX).lost_workers
        };
        let watch = async {
            tokio::time::sleep(Duration::from_secs(29)).await;
            assert_eq!(lost_workers(), 1, "it has announced itself");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(lost_workers(), 0, "and has ended that with its first renewal");
        };
        let worker = world.worker(&[]);
        let (counts, ()) = futures::join!(worker.drain(), watch);
        assert_eq!(counts["completed"], 1);
    });
}

#[test]
fn only_the_first_renewal_rewrites_an_announced_message() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(130), Response::new(Bytes::new())));
        world.submit("routed", |_| {}).await;
        lose_deliveries(&world, HOUR).await;
        let updates = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&updates);
        world.fail(move |request| {
            if request.operation == Operation::UpdateMessage {
                seen.borrow_mut().push(request.body_bytes > 0);
            }
            Fault::None
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.worker(&[]).drain().await["completed"], 1);
        // The announcement, the renewal that ends it, and three more renewals.
        assert_eq!(*updates.borrow(), [true, true, false, false, false]);
    });
}

#[test]
fn lease_is_renewed_though_storage_refuses_the_new_text() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(130), Response::new(Bytes::new())));
        let id = world.submit("routed", |_| {}).await;
        lose_deliveries(&world, HOUR).await;
        let texts = Rc::new(Cell::new(0));
        let counted = Rc::clone(&texts);
        world.fail(move |request| {
            if request.operation != Operation::UpdateMessage || request.body_bytes == 0 {
                return Fault::None;
            }
            counted.set(counted.get() + 1);
            // The first text is the announcement.
            if counted.get() == 1 { Fault::None } else { Fault::status(413) }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.worker(&[]).drain().await["completed"], 1);
        assert_eq!((texts.get(), world.document(id).attempt), (2, 1));
    });
}

#[test]
fn no_task_fails_while_responses_are_lost_for_hours() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        lose_deliveries(&world, 3 * HOUR).await;
        assert!(world.messages("")[0].dequeue_count > 100);
        world.worker(&[]).drain_until_quiet(&world).await;
        assert_eq!((world.document(id).state, world.document(id).attempt), (TaskState::Completed, 1));
    });
}

#[test]
fn old_message_does_not_undo_a_retry() {
    run(|world| async move {
        let broken = Response::builder().status(503).body(Bytes::new()).unwrap();
        world.respond_to_tasks(move |_| (Duration::ZERO, broken.clone()));
        let id = world.submit("routed", |_| {}).await;
        // The deletion of the message that is given up is lost.
        world.fail(|request| match request.operation {
            Operation::DeleteMessage => Fault::status(403),
            _ => Fault::None,
        });
        let mut poisoned = json!(0);
        let worker = world.worker(&[("max_dequeue_count", "2")]);
        while poisoned == json!(0) {
            poisoned = worker.drain().await["poisoned"].clone();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.document(id).error.unwrap().code, "TooManyDeliveries");
        world.end_faults();

        let lifecycle::retry::Retry::Again(again) =
            lifecycle::retry::retry(&world.document(id), None, world.now())
        else {
            panic!("it has failed")
        };
        world.put_blob(&id.status_blob_name(), again.to_bytes());
        let [old] = &world.messages("")[..] else { panic!("the old message is still there") };
        assert!(old.dequeue_count > 2);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(worker.drain().await["discarded"], 1);
        assert_eq!(world.document(id), *again, "nothing has happened to the task");
        world.respond_to_tasks(|_| (Duration::ZERO, Response::new(Bytes::new())));
        world.send(&models::TaskMessage::text_for(&again, None)).await;
        assert_eq!(worker.drain().await["completed"], 1);
    });
}

#[test]
fn duplicate_message_does_not_shorten_a_handlers_retry_after() {
    run(|world| async move {
        let started = Rc::new(RefCell::new(Vec::new()));
        let (noted, clock) = (Rc::clone(&started), Rc::clone(&world));
        world.respond_to_tasks(move |_| {
            noted.borrow_mut().push(clock.now());
            let first = noted.borrow().len() == 1;
            let reply =
                Response::builder().status(if first { 429 } else { 200 }).header("retry-after", "120");
            (Duration::ZERO, reply.body(Bytes::new()).unwrap())
        });
        let id = world.submit("routed", |_| {}).await;
        let text = world.messages("")[0].text.clone();
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["retried"], 1);
        world.send(&text).await;
        worker.drain_until_quiet(&world).await;
        let [first, second] = started.borrow()[..] else { panic!("two attempts") };
        let waited = second.since(first).as_secs();
        assert!((120..125).contains(&waited), "{waited} s");
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn message_is_hidden_within_its_lease_with_a_survival_note() {
    for (visibility, fault) in
        [("4", Fault::status(503)), ("4", Fault::Silence), ("60", Fault::status(503)), ("60", Fault::Silence)]
    {
        given_back(visibility, fault);
    }
}

fn given_back(visibility: &'static str, fault: Fault) {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        let text = world.messages("")[0].text.clone();
        world.fail(move |request| if request.path.starts_with("/tasks/") { fault } else { Fault::None });
        world.worker(&[("visibility_timeout_seconds", visibility)]).drain().await;
        let noted = world.messages("")[0].text.clone();
        assert_eq!(DeliveryNote::of(&noted, 2), DeliveryNote { delivery: 1, lost_workers: 0, backed_off: 0 });
        assert_eq!(DeliveryNote::removed_from(&noted), text);
        world.end_faults();
        world.worker(&[]).drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!(document.history[0].outcome, Some(AttemptOutcome::Completed));
        assert_eq!(document.attempts_used, Some(1));
    });
}
