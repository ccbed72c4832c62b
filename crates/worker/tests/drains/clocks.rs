//! Wall clocks that are set during a drain: leases and pauses do not depend on them.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use models::TaskState;
use storage::QueueName;

use crate::world::run;

/// Seconds. Longer than a lease, and within the clock difference for which storage accepts signatures.
const STEPS: [i64; 2] = [-800, 800];

#[test]
fn lease_of_a_long_task_ignores_the_wall_clock() {
    for step in STEPS {
        run(|world| async move {
            world.respond_to_tasks(|_| (Duration::from_secs(200), Response::new(Bytes::new())));
            let id = world.submit("routed", |_| {}).await;
            let (worker, other) = (world.worker(&[]), world.worker(&[]));
            let meanwhile = async {
                for second in 0..190 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    world.set_clock(if second / 20 % 2 == 0 { step } else { 0 });
                    assert_eq!(other.drain().await["received"], 0, "the message stays hidden");
                }
            };
            let (counts, ()) = futures::future::join(worker.drain(), meanwhile).await;
            assert_eq!(counts["completed"], 1, "{step}: {counts}");
            assert_eq!(world.document(id).attempt, 1);
        });
    }
}

#[test]
fn budget_of_a_drain_ignores_the_wall_clock() {
    for step in STEPS {
        run(|world| async move {
            world.respond_to_tasks(|_| (Duration::from_secs(2), Response::new(Bytes::new())));
            for _ in 0..40 {
                world.submit("routed", |_| {}).await;
            }
            let worker = world.worker(&[("max_concurrency", "1"), ("drain_seconds", "10")]);
            let set = async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                world.set_clock(step);
            };
            let started = world.now();
            let (counts, ()) = futures::future::join(worker.drain(), set).await;
            let took = world.now().since(started);
            assert!((Duration::from_secs(10)..Duration::from_secs(14)).contains(&took), "{step}: {took:?}");
            assert!(counts["completed"].as_u64().unwrap() >= 4, "{step}: {counts}");
        });
    }
}

#[test]
fn delayed_task_is_promoted_in_time_after_clock_was_set_back() {
    run(|world| async move {
        let worker = world.worker(&[]);
        worker.drain().await;
        world.set_clock(-800);
        let id = world.submit("checksum", |_| {}).await;
        let text = world.messages("")[0].text.clone();
        world.drop_messages().await;
        world.storage().queue.send(QueueName::Scheduled, &text, Duration::from_secs(1)).await.unwrap();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            worker.drain().await;
        }
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn task_due_by_storage_clock_starts_despite_slow_worker_clock() {
    run(|world| async move {
        let due = world.now().plus(Duration::from_secs(60));
        let id = world.submit("checksum", |document| document.not_before = Some(due)).await;
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["deferred"], 1);
        tokio::time::sleep(Duration::from_secs(62)).await;
        world.set_clock(-800);
        worker.drain().await;
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}
