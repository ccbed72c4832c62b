//! The pause of the queue.

use std::time::Duration;

use fake_azure::Operation;
use models::TaskState;
use test_world::Fault;

use crate::world::run;

const ENABLED: (&str, &str) = ("queue_pause", "true");
const BLOB: &str = "queue-pause";

#[test]
fn paused_queue_keeps_its_messages_until_it_is_resumed() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.put_blob(BLOB, "2026-11-20T10:00:00Z");
        let worker = world.worker(&[ENABLED]);
        for _ in 0..3 {
            let report = worker.drain().await;
            assert_eq!(
                (&report["received"], &report["paused"], &report["more"]),
                (&0.into(), &true.into(), &false.into())
            );
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        assert_eq!(world.document(id).state, TaskState::Pending);
        assert_eq!(world.messages("")[0].dequeue_count, 0);
        world.remove_blob(BLOB);
        let report = worker.drain().await;
        assert_eq!((&report["completed"], report.get("paused")), (&1.into(), None));
        assert!(world.has_logged("the queue is paused") && world.has_logged("the queue is resumed"));
    });
}

#[test]
fn running_drain_receives_nothing_from_5_s_after_the_pause() {
    run(|world| async move {
        world.submit("simulate", |_| {}).await;
        let worker = world.worker(&[ENABLED, ("simulate_unit_ms", "20000")]);
        let pause = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.put_blob(BLOB, "");
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.submit("checksum", |_| {}).await
        };
        let (report, late) = futures::join!(worker.drain(), pause);
        assert_eq!(
            (&report["received"], &report["completed"]),
            (&1.into(), &1.into()),
            "it finishes what runs"
        );
        assert_eq!(world.document(late).state, TaskState::Pending);
    });
}

#[test]
fn pause_is_read_at_most_every_5_s_and_never_without_the_variable() {
    run(|world| async move {
        world.submit("checksum", |_| {}).await;
        world.worker(&[]).drain().await;
        let reads = |world: &crate::world::World| {
            let is_pause = |request: &&String| request.contains(BLOB);
            world.requests().iter().filter(is_pause).count()
        };
        assert_eq!(reads(&world), 0);
        let worker = world.worker(&[ENABLED]);
        for _ in 0..20 {
            worker.drain().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(reads(&world), 4);
    });
}

#[test]
fn nothing_is_received_while_the_pause_cannot_be_read() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.fail(|request| if request.path.contains(BLOB) { Fault::unavailable() } else { Fault::None });
        let worker = world.worker(&[ENABLED]);
        let report = worker.drain().await;
        assert_eq!((&report["received"], &report["retryAfterSeconds"]), (&0.into(), &30.into()));
        world.end_faults();
        assert_eq!(worker.drain().await["completed"], 1);
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn slow_read_of_the_pause_counts_as_unknown() {
    run(|world| async move {
        world.submit("checksum", |_| {}).await;
        world.set_latency(Duration::from_secs(6));
        let report = world.worker(&[ENABLED]).drain().await;
        assert_eq!((&report["received"], &report["retryAfterSeconds"]), (&0.into(), &5.into()));
    });
}

#[test]
fn sweep_sends_no_second_messages_during_a_pause() {
    run(|world| async move {
        world.submit("checksum", |_| {}).await;
        world.put_blob(BLOB, "");
        let worker = world.worker(&[ENABLED]);
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(7_200)).await;
            worker.drain().await;
        }
        assert_eq!(world.messages("").len(), 1);
        assert!(!world.take_operations().contains(&Operation::ListBlobs));
    });
}
