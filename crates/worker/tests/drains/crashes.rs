//! Workers that crash, responses that are lost, and messages that are delivered twice.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use models::{AttemptOutcome, TaskState};
use test_world::Fault;

use crate::world::{drain_request, run};

/// A handler's response whose result gets a blob.
fn png() -> Response<Bytes> {
    Response::builder().header("content-type", "image/png").body(Bytes::from_static(b"png")).unwrap()
}

#[test]
fn task_survives_a_crash_between_any_two_requests() {
    // The requests of one task whose result is a blob: receive, start, result, outcome, delete.
    for survived in 0..6 {
        run(|world| async move {
            world.respond_to_tasks(|_| (Duration::from_millis(500), png()));
            let id = world.submit("routed", |_| {}).await;
            let sent = Cell::new(0);
            world.fail(move |_| {
                sent.set(sent.get() + 1);
                if sent.get() <= survived { Fault::None } else { Fault::Silence }
            });
            // The drain is dropped at any point, as by `kill -9`.
            let doomed = world.worker(&[]);
            let drain = tokio::time::timeout(Duration::from_secs(5), doomed.ask(drain_request(Bytes::new())));
            assert_eq!(drain.await.is_err(), survived < 5, "{survived} requests");
            world.end_faults();

            let sums = world.worker(&[]).drain_until_quiet(&world).await;
            let document = world.document(id);
            assert_eq!(document.state, TaskState::Completed, "{survived} requests");
            let kept = document.result_blob.unwrap();
            assert!(kept.name.starts_with(&format!("{id}-result-{}-", document.attempt)), "{}", kept.name);
            assert!(world.blob(&kept.name).is_some());
            let abandoned = document.history.iter().filter(|r| r.outcome == Some(AttemptOutcome::Abandoned));
            assert_eq!(abandoned.count(), usize::from((2..4).contains(&survived)), "{survived} requests");
            assert_eq!(sums["completed"], u64::from(survived < 4), "{survived} requests");
            assert!(world.poison().is_empty());
        });
    }
}

#[test]
fn lost_responses_change_nothing() {
    // Each request in turn loses its response once.
    for lost in 1..=5 {
        run(|world| async move {
            world.respond_to_tasks(|_| (Duration::from_millis(500), png()));
            let id = world.submit("routed", |_| {}).await;
            let sent = Cell::new(0);
            world.fail(move |_| {
                sent.set(sent.get() + 1);
                if sent.get() == lost { Fault::ResponseLost } else { Fault::None }
            });
            let sums = world.worker(&[]).drain_until_quiet(&world).await;
            let document = world.document(id);
            assert_eq!((document.state, document.attempt), (TaskState::Completed, 1), "reply {lost}");
            assert_eq!(sums["completed"], 1, "reply {lost}: {sums:?}");
            assert!(world.poison().is_empty());
        });
    }
}

#[test]
fn duplicate_message_waits_and_is_then_deleted() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(300), Response::new(Bytes::new())));
        let id = world.submit("routed", |_| {}).await;
        let text = world.messages("")[0].text.clone();
        world.send(&text).await;
        world.send(&text).await;
        let sums = world.worker(&[]).drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Completed, 1));
        assert_eq!((sums["completed"], sums["discarded"], sums["poisoned"]), (1, 2, 0));
        assert!((2..=14).contains(&sums["deferred"]), "{sums:?}");
    });
}

#[test]
fn one_of_two_workers_with_the_same_message_wins() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(20), Response::new(Bytes::from_static(b"x"))));
        let id = world.submit("routed", |_| {}).await;
        let (first, second) = (world.worker(&[]), world.worker(&[]));
        let again = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.reveal_messages();
            second.drain().await
        };
        let (one, two) = futures::future::join(first.drain(), again).await;
        assert_eq!((&one["lost"], &two["completed"]), (&1.into(), &1.into()));
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Completed, 2));
        let kept = document.result_blob.unwrap().name;
        assert!(kept.starts_with(&format!("{id}-result-2-")), "{kept}");
        assert_eq!(world.results(id), [kept], "the loser takes its result along");
        world.worker(&[]).drain_until_quiet(&world).await;
    });
}

#[test]
fn task_that_crashes_every_worker_is_given_up() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(100), Response::new(Bytes::new())));
        let id = world.submit("routed", |_| {}).await;
        for _ in 0..5 {
            let doomed = world.worker(&[]);
            let drain = tokio::time::timeout(Duration::from_secs(5), doomed.drain()).await;
            assert!(drain.is_err(), "killed while it works");
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(world.worker(&[]).drain().await["poisoned"], 1);
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Failed, 5));
        assert_eq!(document.error.unwrap().code, "TooManyDeliveries");
        assert!(document.history.iter().all(|record| record.outcome == Some(AttemptOutcome::Abandoned)));
        let [copy] = &world.poison()[..] else { panic!("one copy") };
        assert_eq!(
            (copy.dequeue_count, copy.reason.as_str()),
            (6, "attempts started without success: 5; max_dequeue_count allows 5")
        );
    });
}

#[test]
fn late_attempt_of_a_deleted_task_keeps_the_new_result() {
    run(|world| async move {
        let slow_first = Cell::new(true);
        world.respond_to_tasks(move |_| {
            let is_first = slow_first.replace(false);
            let (time, body) = if is_first { (20, &b"old"[..]) } else { (1, &b"new"[..]) };
            let response = Response::builder().header("content-type", "image/png");
            (Duration::from_secs(time), response.body(Bytes::from_static(body)).unwrap())
        });
        let id = world.submit("routed", |_| {}).await;
        let (late, other) = (world.worker(&[("max_concurrency", "1")]), world.worker(&[]));
        let again = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.reveal_messages();
            world.drop_messages().await;
            world.remove_blob(&id.status_blob_name());
            world.submit("routed", |document| document.task_id = id).await;
            let counts = other.drain().await;
            assert_eq!(counts["completed"], 1, "{counts}");
            assert_eq!(world.document(id).attempt, 1, "counted anew");
        };
        let (counts, ()) = futures::future::join(late.drain(), again).await;
        assert_eq!(counts["completed"], 0, "{counts}");
        let kept = world.document(id).result_blob.unwrap().name;
        assert_eq!(world.blob(&kept).unwrap().content, &b"new"[..]);
        assert_eq!(world.results(id), [kept], "the late one took its own along");
    });
}
