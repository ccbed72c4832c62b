//! The sweep: tasks without a message, and expired tasks.

use std::time::Duration;

use fake_azure::{Block, Operation};
use models::TaskState;
use test_world::Fault;

use crate::world::{TestWorker, run};

#[test]
fn task_without_a_message_is_found_and_completed() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        let later = world.now().plus(Duration::from_secs(7200));
        let scheduled = world.submit("checksum", |document| document.not_before = Some(later)).await;
        world.drop_messages().await;
        let worker = world.worker(&[]);
        let mut requeued = 0;
        for _ in 0..14_000 / 30 {
            requeued += worker.drain().await["requeued"].as_u64().unwrap();
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        assert_eq!(requeued, 2);
        assert_eq!(world.document(id).state, TaskState::Completed);
        assert!(world.document(scheduled).started_at.unwrap() >= later);
        assert!(world.messages("").is_empty());
    });
}

#[test]
fn task_with_a_message_is_not_requeued() {
    run(|world| async move {
        // A delayed task, a task in its back-off, and one that runs without progress.
        world.respond_to_tasks(|_| (Duration::from_secs(1700), http::Response::new(bytes::Bytes::new())));
        world.submit("routed", |_| {}).await;
        let later = world.now().plus(Duration::from_secs(3000));
        let id = world.submit("checksum", |document| document.not_before = Some(later)).await;
        let worker = world.worker(&[]);
        let first = worker.drain();
        let others = async {
            let other = world.worker(&[]);
            let mut requeued = 0;
            for _ in 0..55 {
                tokio::time::sleep(Duration::from_secs(30)).await;
                requeued += other.drain().await["requeued"].as_u64().unwrap();
            }
            requeued
        };
        let (counts, requeued) = futures::future::join(first, others).await;
        assert_eq!((&counts["completed"], requeued), (&1.into(), 0));
        assert_eq!(world.document(id).attempt, 0);
    });
}

#[test]
fn expired_task_is_purged_with_its_result_and_not_earlier() {
    run(|world| async move {
        let png = http::Response::builder()
            .header("content-type", "image/png")
            .body(bytes::Bytes::from_static(b"x"))
            .unwrap();
        world.respond_to_tasks(move |_| (Duration::ZERO, png.clone()));
        let id = world.submit("routed", |_| {}).await;
        let worker = world.worker(&[("retention_days", "1")]);
        worker.drain().await;
        let result = world.document(id).result_blob.unwrap().name;
        tokio::time::sleep(Duration::from_secs(86_390)).await;
        assert_eq!(worker.drain().await["purged"], 0);
        let mut purged = 0;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            purged += worker.drain().await["purged"].as_u64().unwrap();
        }
        assert_eq!(purged, 1);
        assert!(world.blob(&id.status_blob_name()).is_none());
        assert!(world.blob(&result).is_none());
    });
}

#[test]
fn one_of_many_workers_sweeps_once_an_interval() {
    run(|world| async move {
        for _ in 0..30 {
            world.submit("checksum", |_| {}).await;
        }
        world.worker(&[]).drain().await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let reads = |world: &crate::world::World| {
            world
                .requests()
                .iter()
                .filter(|line| line.starts_with("GetBlob /tasks/") && line.ends_with("-202"))
                .count()
        };
        world.forget_requests();
        let workers: Vec<_> = (0..5).map(|_| world.worker(&[])).collect();
        futures::future::join_all(workers.iter().map(TestWorker::drain)).await;
        assert_eq!(reads(&world), 0, "the listing tells that all of them have ended");
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(300)).await;
            futures::future::join_all(workers.iter().map(TestWorker::drain)).await;
        }
        assert_eq!(reads(&world), 0);
        let lists = world.requests().iter().filter(|line| **line == "ListBlobs /tasks").count();
        assert_eq!(lists, 21, "one worker lists, once an interval");
    });
}

#[test]
fn crashed_sweeper_is_replaced() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.drop_messages().await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        world.fail(|request| match request.operation {
            Operation::PutMessage => Fault::Silence,
            _ => Fault::None,
        });
        let doomed = world.worker(&[]);
        let drain = tokio::time::timeout(Duration::from_secs(20), doomed.drain()).await;
        assert!(
            drain.is_err(),
            "it dies after it has claimed the document and before it has sent the message"
        );
        assert!(world.messages("").is_empty());
        world.end_faults();
        let worker = world.worker(&[]);
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            worker.drain().await;
        }
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn unreadable_sweep_state_restarts_the_sweep() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.drop_messages().await;
        world.put_blob("sweep-state", &b"\xff{"[..]);
        tokio::time::sleep(Duration::from_secs(1000)).await;
        assert_eq!(world.worker(&[]).drain().await["requeued"], 1);
        assert_eq!(world.worker(&[]).drain().await["completed"], 1);
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn documents_without_a_mark_are_swept() {
    run(|world| async move {
        let lost = world.submit("checksum", |_| {}).await;
        let later = world.now().plus(Duration::from_secs(7200));
        let scheduled = world.submit("checksum", |document| document.not_before = Some(later)).await;
        world.drop_messages().await;
        for id in [lost, scheduled] {
            let document = world.document(id);
            world.put_blob(&id.status_blob_name(), document.to_bytes());
        }
        let worker = world.worker(&[]);
        for _ in 0..1_000 {
            tokio::time::sleep(Duration::from_secs(100)).await;
            worker.drain().await;
        }
        for id in [lost, scheduled] {
            assert_eq!(world.document(id).state, TaskState::Completed);
        }
    });
}

#[test]
fn blocked_blob_is_skipped_and_the_others_are_swept() {
    for block in [Block::Leased, Block::Archived, Block::Immutable, Block::Snapshots] {
        run(|world| async move {
            let mut ids = Vec::new();
            for _ in 0..6 {
                ids.push(world.submit("checksum", |_| {}).await);
            }
            ids.sort_unstable();
            // Some have expired, the others have lost their message; the first of each kind is blocked.
            let worker = world.worker(&[("retention_days", "1")]);
            world.drop_messages().await;
            let (done, lost) = ids.split_at(3);
            for id in done {
                let mut document = world.document(*id);
                document.state = TaskState::Completed;
                document.expires_at = Some(world.now().plus(Duration::from_secs(2_000)));
                let documents = world.storage().store;
                let etag = world.blob(&id.status_blob_name()).unwrap().etag;
                documents.replace(&document, &etag).await.unwrap();
            }
            for id in [done[0], lost[0]] {
                world.block_blob(&id.status_blob_name(), Some(block));
            }
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_secs(100)).await;
                worker.drain().await;
            }
            for id in &done[1..] {
                assert!(world.blob(&id.status_blob_name()).is_none(), "{block:?}: purged");
            }
            for id in &lost[1..] {
                assert_eq!(world.document(*id).state, TaskState::Completed, "{block:?}: found and done");
            }
            assert!(world.has_logged("the sweep passed over a document"), "{block:?}");
            let noise = world.logged().lines().filter(|line| line.contains("the sweep passed over")).count();
            assert!(noise <= 3, "{block:?}: {noise} lines in an hour");
            // When it is not blocked any more, a later pass processes it.
            for id in [done[0], lost[0]] {
                world.block_blob(&id.status_blob_name(), None);
            }
            for _ in 0..30 {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                worker.drain().await;
            }
            worker.drain_until_quiet(&world).await;
            assert!(world.blob(&done[0].status_blob_name()).is_none(), "{block:?}");
        });
    }
}

#[test]
fn failing_document_delays_the_sweep_by_minutes_only() {
    run(|world| async move {
        let mut ids = [world.submit("checksum", |_| {}).await, world.submit("checksum", |_| {}).await];
        ids.sort_unstable();
        world.drop_messages().await;
        let broken = ids[0].status_blob_name();
        world.fail(move |request| {
            let is_meant = request.operation == Operation::GetBlob && request.path.ends_with(&broken);
            if is_meant { Fault::status(500) } else { Fault::None }
        });
        let worker = world.worker(&[]);
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            worker.drain().await;
        }
        assert_eq!(world.document(ids[1]).state, TaskState::Completed);
        assert!(world.has_logged("the sweep passed over a document"));
    });
}

#[test]
fn claim_with_a_lost_response_is_recognised() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.drop_messages().await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        // Each write of the sweep in turn: the claim of the step, and the write of the document.
        let mut lost = 0;
        world.fail(move |request| {
            let own = request.operation == Operation::PutBlob
                && (request.path == "/tasks/sweep-state" || request.path.ends_with("-202"));
            lost += usize::from(own);
            if own && lost % 2 == 1 { Fault::ResponseLost } else { Fault::None }
        });
        assert_eq!(world.worker(&[]).drain().await["requeued"], 1, "{:?}", world.requests());
        world.end_faults();
        world.worker(&[]).drain().await;
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}
