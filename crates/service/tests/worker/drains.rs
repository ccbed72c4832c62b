//! The normal course, and what it costs.

use std::time::Duration;

use models::{AttemptOutcome, TaskState};
use serde_json::json;

use crate::world::{Fault, Lines, run};

#[test]
fn a_short_task_takes_three_requests_and_a_batch_one() {
    run(|world| async move {
        let worker = world.worker(&[]);
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(world.submit("checksum", |_| {}).await);
        }
        let counts = worker.drain().await;
        let expected = json!({
            "received": 10, "completed": 10, "failed": 0, "cancelled": 0, "retried": 0, "poisoned": 0,
            "lost": 0, "released": 0, "discarded": 0, "deferred": 0, "promoted": 0, "requeued": 0,
            "purged": 0, "more": false
        });
        assert_eq!(counts, expected);
        assert_eq!(world.requests.borrow().len(), 1 + 3 * 10, "{:#?}", world.requests.borrow());
        for id in ids {
            let document = world.document(id);
            assert_eq!(document.state, TaskState::Completed);
            assert_eq!((document.attempt, document.history.len()), (1, 1));
            assert_eq!(document.history[0].outcome, Some(AttemptOutcome::Completed));
            assert_eq!(document.result.unwrap().value()["bytes"], 9);
            assert_eq!(
                document.expires_at,
                document.finished_at.map(|end| end.plus(Duration::from_secs(30 * 86_400)))
            );
        }
        assert_eq!(world.messages("").len(), 0);
    });
}

#[test]
fn the_requests_of_one_task_come_in_their_order() {
    run(|world| async move {
        let worker = world.worker(&[]);
        let id = world.submit("checksum", |_| {}).await;
        worker.drain().await;
        let document = format!("Put /tasks/{id}-202");
        assert_eq!(
            *world.requests.borrow(),
            ["GetMessages /taskqueue", &document, &document, "DeleteMessage /taskqueue"]
        );
    });
}

#[test]
fn a_long_queue_is_drained_in_full_batches_and_no_more_at_once_than_allowed() {
    run(|world| async move {
        let worker = world.worker(&[("simulate_unit_ms", "10"), ("max_concurrency", "8")]);
        for _ in 0..40 {
            world.submit("simulate", |_| {}).await;
        }
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["completed"]), (&json!(40), &json!(40)));
        let looks = world.requests.borrow().iter().filter(|line| line.starts_with("GetMessages")).count();
        assert!((6..=11).contains(&looks), "{looks} looks for 40 messages into 8 slots");
    });
}

#[test]
fn a_drain_ends_with_its_time_and_says_that_there_is_more() {
    run(|world| async move {
        // 1 to 19 seconds each, two at a time, for five seconds.
        let worker =
            world.worker(&[("simulate_unit_ms", "1000"), ("max_concurrency", "2"), ("drain_seconds", "5")]);
        for _ in 0..20 {
            world.submit("simulate", |_| {}).await;
        }
        let started = world.now();
        let counts = worker.drain().await;
        assert!(world.now().since(started) < Duration::from_secs(25));
        assert_eq!(counts["more"], true);
        assert_eq!(counts["received"], counts["completed"], "what was started is finished");
        assert!(counts["received"].as_u64().unwrap() < 20);
    });
}

#[test]
fn an_idle_drain_looks_once_and_keeps_quiet() {
    run(|world| async move {
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["received"], 0);
        world.requests.borrow_mut().clear();
        world.log.borrow_mut().clear();
        worker.drain().await;
        assert_eq!(*world.requests.borrow(), ["GetMessages /taskqueue"]);
        assert!(world.log.borrow().is_empty());
    });
}

#[test]
fn one_bad_message_does_not_end_the_batch() {
    run(|world| async move {
        let worker = world.worker(&[]);
        let good = world.submit("checksum", |_| {}).await;
        for noise in ["", "{", "[]", "null", "{\"TaskId\":\"../../etc\"}", "\u{fffd}", "bm90IGpzb24=", "ÿ"] {
            world.send(noise).await;
        }
        let counts = worker.drain().await;
        assert_eq!((&counts["completed"], &counts["poisoned"]), (&json!(1), &json!(8)));
        assert_eq!(world.document(good).state, TaskState::Completed);
        assert_eq!(world.messages("").len(), 0);
    });
}

#[test]
fn a_busy_storage_slows_the_drain_down() {
    run(|world| async move {
        let worker = world.worker(&[]);
        world.fail(|_| Fault::Answer(503));
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["more"]), (&json!(0), &json!(false)));
        assert!(counts["retryAfterSeconds"].as_u64().unwrap() >= 1);

        // Blob Storage alone is busy: the message is left alone, and no further one is received.
        world.fail(|line| if line.contains("/tasks") { Fault::Answer(503) } else { Fault::None });
        for _ in 0..3 {
            world.submit_unnoticed().await;
        }
        let worker = world.worker(&[("max_concurrency", "1")]);
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["lost"]), (&json!(1), &json!(1)));
        assert!(counts["retryAfterSeconds"].as_u64().unwrap() >= 1);
    });
}

#[test]
fn credentials_refused_half_way_end_the_drain_before_every_message_lost_a_try() {
    run(|world| async move {
        world.fail(|line| if line.contains("/tasks") { Fault::Answer(403) } else { Fault::None });
        for _ in 0..10 {
            world.submit_unnoticed().await;
        }
        let counts = world.worker(&[("max_concurrency", "2")]).drain().await;
        assert_eq!((&counts["received"], &counts["lost"]), (&json!(2), &json!(2)));
        assert_eq!(counts["retryAfterSeconds"], 30);
        assert!(world.has_logged("storage_connection_string"));
    });
}

#[test]
fn told_to_stop_a_drain_finishes_what_runs_and_receives_nothing_new() {
    for breaks in [false, true] {
        run(|world| async move {
            let worker = world.worker(&[("simulate_unit_ms", "1000"), ("max_concurrency", "2")]);
            for _ in 0..10 {
                world.submit("simulate", |_| {}).await;
            }
            let lines = if breaks { Vec::new() } else { vec![(Duration::from_millis(500), "stop")] };
            let counts = worker.drain_under(Lines { lines, breaks }).await;
            assert_eq!(counts["received"], counts["completed"]);
            assert!(counts["received"].as_u64().unwrap() <= 2);
            assert_eq!(counts["more"], true);
        });
    }
}

#[test]
fn a_released_task_goes_on_elsewhere_at_once_and_loses_no_try() {
    run(|world| async move {
        let worker = world.worker(&[("simulate_unit_ms", "60000"), ("max_dequeue_count", "1")]);
        let id = world.submit("simulate", |_| {}).await;
        for round in 1..=3 {
            let started = world.now();
            let lines = vec![(Duration::from_secs(2), "stop"), (Duration::from_secs(3), "release")];
            let counts = worker.drain_under(Lines { lines, breaks: false }).await;
            assert_eq!((&counts["received"], &counts["released"]), (&json!(1), &json!(1)), "round {round}");
            assert!(world.now().since(started) < Duration::from_secs(6), "it answers at once");
            let document = world.document(id);
            assert_eq!((document.state, document.attempt), (TaskState::Pending, round));
            assert_eq!(document.history.last().unwrap().outcome, Some(AttemptOutcome::Released));
        }
        let quick = world.worker(&[("max_dequeue_count", "1")]);
        assert_eq!(quick.drain().await["completed"], 1);
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}
