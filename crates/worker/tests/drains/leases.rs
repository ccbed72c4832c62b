//! Leases, progress and time limits of long tasks.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation;
use http::Response;
use models::{AttemptOutcome, TaskState};
use test_world::Fault;

use crate::world::run;

fn slow(seconds: u64) -> impl FnMut(serde_json::Value) -> (Duration, Response<Bytes>) {
    move |_| {
        let response = Response::builder().status(200).header("content-type", "application/json");
        (Duration::from_secs(seconds), response.body(Bytes::from_static(b"\"done\"")).unwrap())
    }
}

#[test]
fn task_longer_than_many_leases_runs_once() {
    run(|world| async move {
        world.respond_to_tasks(slow(1000));
        let id = world.submit("routed", |_| {}).await;
        let (first, second) = (world.worker(&[]), world.worker(&[]));
        let others = async {
            for _ in 0..50 {
                tokio::time::sleep(Duration::from_secs(19)).await;
                assert_eq!(second.drain().await["received"], 0, "the message stays hidden");
            }
        };
        let (counts, ()) = futures::future::join(first.drain(), others).await;
        assert_eq!(counts["completed"], 1);
        assert_eq!(world.document(id).attempt, 1);
        let renewals = world.requests().iter().filter(|line| line.starts_with("UpdateMessage")).count();
        assert_eq!(renewals, 33, "every thirty seconds");
    });
}

#[test]
fn attempt_is_stopped_at_its_time_limit_and_retried() {
    run(|world| async move {
        let calls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&calls);
        world.respond_to_tasks(move |_| {
            counter.set(counter.get() + 1);
            slow(if counter.get() == 1 { 100_000 } else { 1 })(serde_json::Value::Null)
        });
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[("task_timeout_seconds", "100")]);
        let started = world.now();
        assert_eq!(worker.drain().await["retried"], 1);
        let took = world.now().since(started);
        assert!((Duration::from_secs(100)..Duration::from_secs(102)).contains(&took), "{took:?}");
        let document = world.document(id);
        assert_eq!((document.state, document.error.unwrap().code.as_str()), (TaskState::Pending, "TimedOut"));
        worker.drain_until_quiet(&world).await;
        let document = world.document(id);
        let outcomes: Vec<_> = document.history.iter().map(|record| record.outcome.unwrap()).collect();
        assert_eq!(outcomes, [AttemptOutcome::Retried, AttemptOutcome::Completed]);
        assert_eq!(document.error, None);
    });
}

#[test]
fn attempt_without_lease_writes_nothing() {
    run(|world| async move {
        world.respond_to_tasks(slow(50));
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[]);
        let steal = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            world.reveal_messages();
            let stolen = world.receive().await;
            assert_eq!(stolen.len(), 1, "clocks of the queue differed; another worker has the message");
            world.forget_requests();
        };
        let (counts, ()) = futures::future::join(worker.drain(), steal).await;
        assert_eq!((&counts["lost"], &counts["completed"]), (&1.into(), &0.into()));
        // The drain writes other blobs, for example the state of the sweep.
        let own = format!("PutBlob /tasks/{id}");
        let puts = world.requests().iter().filter(|line| line.starts_with(&own)).count();
        assert_eq!(puts, 0, "{:?}", world.requests());
        assert_eq!(world.document(id).state, TaskState::InProgress);
        worker.drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!((document.state, document.attempt), (TaskState::Completed, 2));
        assert_eq!(document.history[0].outcome, Some(AttemptOutcome::Abandoned));
    });
}

#[test]
fn failed_renewal_is_repeated_within_the_lease() {
    run(|world| async move {
        world.respond_to_tasks(slow(600));
        let id = world.submit("routed", |_| {}).await;
        let count = Cell::new(0);
        world.fail(move |request| {
            let is_update = request.operation == Operation::UpdateMessage;
            count.set(count.get() + usize::from(is_update));
            let every_second = is_update && count.get() % 2 == 1;
            if every_second { Fault::status(503) } else { Fault::None }
        });
        let counts = world.worker(&[]).drain().await;
        assert_eq!(counts["completed"], 1);
        assert_eq!(world.document(id).attempt, 1);
    });
}

#[test]
fn handler_end_during_a_renewal_keeps_the_new_pop_receipt() {
    // The first renewal starts 30 s after the message was requested; receive, start and renewal take 4 ms each.
    for milliseconds in 29_985..30_000 {
        run(|world| async move {
            world.respond_to_tasks(move |_| {
                (Duration::from_millis(milliseconds), Response::new(Bytes::new()))
            });
            let id = world.submit("routed", |_| {}).await;
            assert_eq!(world.worker(&[]).drain().await["completed"], 1, "{milliseconds} ms");
            assert_eq!(world.document(id).attempt, 1);
            assert!(world.messages("").is_empty(), "{milliseconds} ms: a dead pop receipt deletes nothing");
        });
    }
}

#[test]
fn renewal_without_response_ends_the_attempt_with_its_lease() {
    run(|world| async move {
        world.respond_to_tasks(slow(600));
        world.submit("routed", |_| {}).await;
        world.fail(|request| match request.operation {
            Operation::UpdateMessage => Fault::Silence,
            _ => Fault::None,
        });
        let started = world.now();
        assert_eq!(world.worker(&[]).drain().await["lost"], 1);
        let took = world.now().since(started);
        assert!((Duration::from_secs(59)..Duration::from_secs(62)).contains(&took), "{took:?}");
    });
}

#[test]
fn progress_is_written_at_most_once_a_second() {
    run(|world| async move {
        // Ten steps in 0.1 to 1.9 s, then in 2 to 38 s.
        for unit in ["100", "2000"] {
            let id = world.submit("simulate", |_| {}).await;
            let started = world.now();
            world.worker(&[("simulate_unit_ms", unit)]).drain().await;
            let seconds = usize::try_from(world.now().since(started).as_secs()).unwrap();
            let writes = world.requests().iter().filter(|l| l.starts_with("PutBlob /tasks")).count();
            assert!(
                (2 + (seconds / 2).min(8)..=2 + seconds.min(10)).contains(&writes),
                "{writes} in {seconds} s"
            );
            // A task that ends within a second has stored no progress.
            let progress = (writes > 2).then_some(100);
            assert_eq!(world.document(id).percent_complete, progress, "{writes} in {seconds} s");
            assert!(progress.is_some() || unit == "100", "the longer task takes at least 2 s");
        }
    });
}
