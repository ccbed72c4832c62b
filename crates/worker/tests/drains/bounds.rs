//! Drains without faults: their order, their bounds and their cost in requests.

use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation;
use http::Response;
use models::{AttemptOutcome, TaskState};
use serde_json::json;
use storage::QueueName;
use test_world::Fault;

use crate::world::{Lines, World, run};

#[test]
fn short_task_takes_three_requests_and_its_batch_one() {
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
        assert_eq!(world.requests().len(), 1 + 3 * 10, "{:#?}", world.requests());
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
fn requests_of_one_task_come_in_order() {
    run(|world| async move {
        let worker = world.worker(&[]);
        let id = world.submit("checksum", |_| {}).await;
        worker.drain().await;
        let document = format!("PutBlob /tasks/{id}-202");
        assert_eq!(
            world.requests(),
            ["GetMessages /taskqueue", &document, &document, "DeleteMessage /taskqueue"]
        );
    });
}

#[test]
fn long_queue_is_drained_in_full_batches_within_max_concurrency() {
    run(|world| async move {
        let worker = world.worker(&[("simulate_unit_ms", "10"), ("max_concurrency", "8")]);
        for _ in 0..40 {
            world.submit("simulate", |_| {}).await;
        }
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["completed"]), (&json!(40), &json!(40)));
        let looks = world.requests().iter().filter(|line| line.starts_with("GetMessages")).count();
        assert!((6..=11).contains(&looks), "{looks} looks for 40 messages into 8 slots");
    });
}

#[test]
fn drain_ends_with_its_budget_and_reports_more() {
    run(|world| async move {
        // Two tasks at a time of 4 s each, with a budget of 5 s and then 5 s in which running tasks end.
        world.respond_to_tasks(|_| (Duration::from_secs(4), Response::new(Bytes::new())));
        let worker = world.worker(&[("max_concurrency", "2"), ("drain_seconds", "5")]);
        for _ in 0..20 {
            world.submit("routed", |_| {}).await;
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
fn idle_drain_receives_once_and_logs_nothing() {
    run(|world| async move {
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["received"], 0);
        world.forget_requests();
        world.forget_lines();
        worker.drain().await;
        assert_eq!(world.requests(), ["GetMessages /taskqueue"]);
        assert!(world.lines().is_empty());
    });
}

#[test]
fn bad_message_does_not_end_the_batch() {
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
fn throttled_storage_ends_the_drain_with_retry_after() {
    run(|world| async move {
        let worker = world.worker(&[]);
        world.fail(|_| Fault::status(503));
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["more"]), (&json!(0), &json!(false)));
        assert!(counts["retryAfterSeconds"].as_u64().unwrap() >= 1);

        // Only Blob Storage is throttled: the message is hidden, and no other message is received.
        world.fail(
            |request| if request.path.starts_with("/tasks/") { Fault::status(503) } else { Fault::None },
        );
        for _ in 0..3 {
            world.submit_without_faults().await;
        }
        let worker = world.worker(&[("max_concurrency", "1")]);
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["lost"]), (&json!(1), &json!(1)));
        assert!(counts["retryAfterSeconds"].as_u64().unwrap() >= 1);
    });
}

#[test]
fn refused_credentials_end_the_drain_before_every_message_is_received() {
    run(|world| async move {
        world.fail(
            |request| if request.path.starts_with("/tasks/") { Fault::status(403) } else { Fault::None },
        );
        for _ in 0..10 {
            world.submit_without_faults().await;
        }
        let counts = world.worker(&[("max_concurrency", "2")]).drain().await;
        assert_eq!((&counts["received"], &counts["lost"]), (&json!(2), &json!(2)));
        assert_eq!(counts["retryAfterSeconds"], 30);
        assert!(world.has_logged("storage_connection_string"));
    });
}

#[test]
fn stopped_drain_finishes_running_tasks_and_receives_nothing() {
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
fn released_task_continues_at_once_and_loses_no_attempt() {
    run(|world| async move {
        let worker = world.worker(&[("simulate_unit_ms", "60000"), ("max_dequeue_count", "1")]);
        let id = world.submit("simulate", |_| {}).await;
        // More often than the history has records.
        for round in 1..=26 {
            let started = world.now();
            let lines = vec![(Duration::from_secs(2), "stop"), (Duration::from_secs(3), "release")];
            let counts = worker.drain_under(Lines { lines, breaks: false }).await;
            assert_eq!((&counts["received"], &counts["released"]), (&json!(1), &json!(1)), "round {round}");
            assert!(world.now().since(started) < Duration::from_secs(6), "it responds at once");
            let document = world.document(id);
            assert_eq!((document.state, document.attempt), (TaskState::Pending, round));
            assert_eq!(document.history.last().unwrap().outcome, Some(AttemptOutcome::Released));
        }
        let quick = world.worker(&[("max_dequeue_count", "1")]);
        assert_eq!(quick.drain().await["completed"], 1);
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn report_has_the_members_of_the_golden_file() {
    run(|world| async move {
        world.fail(|_| Fault::status(503));
        let counts = world.worker(&[]).drain().await;
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../../models/fixtures/drain-report.json")).unwrap();
        let names = |report: &serde_json::Value| {
            report.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&counts), names(&golden));
        let report: models::DrainReport = serde_json::from_value(counts).unwrap();
        assert!(report.retry_after().is_some());
    });
}

/// A handler that takes hours for its first task and one second for each other task.
fn long_first(world: &World, hours: u64) {
    let mut calls = 0;
    world.respond_to_tasks(move |_| {
        calls += 1;
        let time = Duration::from_secs(if calls == 1 { hours * 3600 } else { 1 });
        (time, Response::builder().status(204).body(Bytes::new()).unwrap())
    });
}

#[test]
fn message_beside_a_task_of_hours_is_received_within_30_s() {
    run(|world| async move {
        let worker =
            world.worker(&[("task_timeout_seconds", "14400"), ("visibility_timeout_seconds", "600")]);
        long_first(&world, 3);
        let long = world.submit("routed", |_| {}).await;
        let started = world.now();
        let others = async {
            let mut slowest = Duration::ZERO;
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(97)).await;
                let sent = world.now();
                let id = world.submit("checksum", |_| {}).await;
                while world.document(id).state != TaskState::Completed {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    assert!(world.now().since(sent) < Duration::from_secs(60), "it is never received");
                }
                slowest = slowest.max(world.now().since(sent));
            }
            slowest
        };
        let (counts, slowest) = futures::future::join(worker.drain(), others).await;
        assert!(slowest <= Duration::from_secs(30), "{slowest:?}");
        assert_eq!((&counts["received"], &counts["completed"]), (&json!(101), &json!(101)));
        assert_eq!(world.document(long).state, TaskState::Completed);
        let took = world.now().since(started);
        assert!(took < Duration::from_secs(3 * 3600 + 60), "it ends with its last task: {took:?}");
        assert!(world.has_logged("drain goes on"));
    });
}

#[test]
fn drain_beside_a_task_of_hours_promotes_and_sweeps() {
    run(|world| async move {
        let worker =
            world.worker(&[("task_timeout_seconds", "14400"), ("visibility_timeout_seconds", "600")]);
        long_first(&world, 3);
        let silent = world.submit("checksum", |_| {}).await;
        world.drop_messages().await;
        let later = world.submit("checksum", |_| {}).await;
        let text = world.messages("")[0].text.clone();
        world.drop_messages().await;
        world.storage().queue.send(QueueName::Scheduled, &text, Duration::from_secs(600)).await.unwrap();
        let due = world.now().plus(Duration::from_secs(600));
        world.submit("routed", |_| {}).await;
        let counts = worker.drain().await;
        assert_eq!((&counts["promoted"], &counts["completed"]), (&json!(1), &json!(3)));
        let started = world.document(later).started_at.unwrap();
        assert!(started.since(due) < Duration::from_secs(30), "{started}, due {due}");
        assert_eq!(world.document(silent).state, TaskState::Completed, "the sweep gave it a new message");
        assert_eq!(counts["requeued"], 1);
    });
}

#[test]
fn retry_after_of_storage_pauses_a_drain_with_running_tasks() {
    run(|world| async move {
        let worker =
            world.worker(&[("task_timeout_seconds", "14400"), ("visibility_timeout_seconds", "600")]);
        long_first(&world, 1);
        world.submit("routed", |_| {}).await;
        let trouble = world.now().plus(Duration::from_secs(300));
        let (own, end) = (std::rc::Rc::clone(&world), trouble.plus(Duration::from_secs(60)));
        world.fail(move |request| {
            let is_look = request.operation == Operation::GetMessages && request.path == "/taskqueue";
            if is_look && (trouble..end).contains(&own.now()) { Fault::status(503) } else { Fault::None }
        });
        let others = async {
            tokio::time::sleep(Duration::from_secs(400)).await;
            world.submit_without_faults().await
        };
        let (counts, id) = futures::future::join(worker.drain(), others).await;
        assert_eq!((&counts["received"], &counts["completed"]), (&json!(2), &json!(2)));
        assert_eq!(counts.get("retryAfterSeconds"), None, "the rest is long over");
        let document = world.document(id);
        let waited = document.started_at.unwrap().since(document.created_at.unwrap());
        assert!(waited < Duration::from_secs(30), "{waited:?}");
    });
}

#[test]
fn rest_is_capped_at_what_a_launcher_grants() {
    run(|world| async move {
        world.fail(|_| Fault::status(503).retry_after(Duration::from_secs(86_400)));
        let counts = world.worker(&[]).drain().await;
        assert_eq!(counts["retryAfterSeconds"], lifecycle::pace::MAX_REST.as_secs());
    });
}

#[test]
fn stop_and_release_work_hours_into_a_drain() {
    run(|world| async move {
        let worker =
            world.worker(&[("task_timeout_seconds", "14400"), ("visibility_timeout_seconds", "600")]);
        long_first(&world, 3);
        let id = world.submit("routed", |_| {}).await;
        let lines = vec![(Duration::from_secs(7200), "stop"), (Duration::from_secs(60), "release")];
        let started = world.now();
        let counts = worker.drain_under(Lines { lines, breaks: false }).await;
        assert_eq!((&counts["received"], &counts["released"]), (&json!(1), &json!(1)));
        assert!(world.now().since(started) < Duration::from_secs(7265));
        assert_eq!(world.document(id).state, TaskState::Pending);
    });
}
