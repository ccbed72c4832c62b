//! Limits that a submission sets for its task.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use models::{TaskId, TaskState};
use storage::key_marker_name;

use crate::world::run;

fn busy() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

#[test]
fn task_that_did_not_start_in_time_is_cancelled_without_work() {
    run(|world| async move {
        let limit = world.now().plus(Duration::from_secs(60));
        let in_time = world.submit("checksum", |document| document.start_by = Some(limit)).await;
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["completed"], 1);
        assert_eq!(world.document(in_time).state, TaskState::Completed);

        let late = world.submit("checksum", |document| document.start_by = Some(limit)).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        // The clock of the worker does not matter.
        world.set_clock(-600);
        let counts = worker.drain().await;
        assert_eq!((&counts["cancelled"], &counts["completed"]), (&1.into(), &0.into()));
        let document = world.document(late);
        assert_eq!((document.state, document.attempt), (TaskState::Cancelled, 0));
        assert_eq!(document.error.unwrap().code, "Expired");
        assert!(world.messages("").is_empty());
    });
}

#[test]
fn attempt_stops_at_the_time_limit_of_its_task() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(600), busy()));
        let id = world.submit("routed", |document| document.timeout_seconds = Some(7)).await;
        let begin = world.now();
        assert_eq!(world.worker(&[]).drain().await["retried"], 1);
        assert!(world.now().since(begin) < Duration::from_secs(30));
        let error = world.document(id).error.unwrap();
        assert_eq!(error.code, "TimedOut");
        assert_eq!(error.message, "the attempt was stopped after 7 seconds (TimeoutSeconds)");
    });
}

#[test]
fn task_fails_after_the_attempts_that_it_allows() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::ZERO, busy()));
        let id = world.submit("routed", |document| document.max_attempts = Some(2)).await;
        let worker = world.worker(&[]);
        for (outcome, attempts) in [("retried", 1), ("retried", 2), ("poisoned", 2)] {
            assert_eq!(worker.drain().await[outcome], 1, "{attempts}");
            assert_eq!(world.document(id).attempt, attempts);
            tokio::time::sleep(Duration::from_secs(400)).await;
        }
        let document = world.document(id);
        assert_eq!(
            (document.state, document.error.unwrap().code.as_str()),
            (TaskState::Failed, "TooManyDeliveries")
        );
    });
}

#[test]
fn purge_deletes_the_marker_of_the_tasks_own_key() {
    run(|world| async move {
        let ended = async |key: &str| {
            let expired = world.now();
            let ended = world.submit("checksum", |document| {
                document.unique_key = Some(key.to_owned());
                document.state = TaskState::Completed;
                document.expires_at = Some(expired);
            });
            ended.await
        };
        let (own, taken) = (ended("own").await, ended("taken").await);
        let other = TaskId::from_random_bytes([7; 16]);
        for (key, holder) in [("own", own), ("taken", other)] {
            world.put_blob(&key_marker_name(None, key), holder.to_string());
        }
        world.drop_messages().await;
        tokio::time::sleep(Duration::from_secs(400)).await;
        let mut purged = 0;
        while purged < 2 {
            purged += world.worker(&[]).drain().await["purged"].as_u64().unwrap();
            tokio::time::sleep(Duration::from_secs(400)).await;
        }
        assert!(world.blob(&key_marker_name(None, "own")).is_none());
        assert!(world.blob(&key_marker_name(None, "taken")).is_some(), "another task holds that key");
        assert!(world.env.document(own).is_none() && world.env.document(taken).is_none());
    });
}
