//! Queues of their own for High, Medium and Low tasks.

use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation;
use http::Response;
use models::{TaskId, TaskMessage, TaskPriority, TaskRequest, TaskState, TaskStatus};
use service::Env as _;
use test_world::Fault;

use crate::world::{World, run};

const ON: (&str, &str) = ("priority_queues", "true");

/// The suffixes of the queues' names.
fn suffix(priority: TaskPriority) -> &'static str {
    match priority {
        TaskPriority::High => "-high",
        TaskPriority::Medium => "",
        TaskPriority::Low => "-low",
    }
}

/// Stores `count` tasks and their messages in the queue of the priority, without requests.
fn submit(world: &World, count: usize, name: &str, priority: TaskPriority) -> Vec<TaskId> {
    let ids: Vec<_> = (0..count).map(|_| TaskId::from_random_bytes(world.env.random_bytes())).collect();
    for id in &ids {
        let body = serde_json::json!({ "TaskName": name, "Priority": priority as u8, "Input": "some text" })
            .to_string();
        let request = TaskRequest::parse(body.as_bytes()).unwrap();
        let address = format!("http://127.0.0.1:10000/devstoreaccount1/tasks/{}", id.status_blob_name());
        let document = TaskStatus::accepted(*id, request, address, world.now());
        let etag = world.put_document(&document);
        world.put_message(suffix(priority), &TaskMessage::text_for(&document, Some(&etag)));
    }
    ids
}

fn completed(world: &World, ids: &[TaskId]) -> usize {
    ids.iter().filter(|id| world.document(**id).state == TaskState::Completed).count()
}

/// Tasks called `routed` take one second.
fn tasks_take_a_second(world: &World) {
    world.respond_to_tasks(|_| (Duration::from_secs(1), Response::new(Bytes::new())));
}

#[test]
fn high_task_behind_10000_low_ones_starts_within_one_drain() {
    run(|world| async move {
        tasks_take_a_second(&world);
        let low = submit(&world, 10_000, "routed", TaskPriority::Low);
        let worker = world.worker(&[ON]);
        let later = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            let submitted = world.now();
            (submit(&world, 1, "routed", TaskPriority::High)[0], submitted)
        };
        let (_, (high, submitted)) = futures::future::join(worker.drain(), later).await;
        let waited = world.document(high).started_at.unwrap().since(submitted);
        assert!(waited < Duration::from_secs(3), "it waited {waited:?}");
        assert_eq!(world.document(high).state, TaskState::Completed);
        let advanced = completed(&world, &low);
        assert!((400..1000).contains(&advanced), "{advanced} Low tasks have ended");
    });
}

#[test]
fn low_tasks_advance_behind_thousands_of_high_ones() {
    run(|world| async move {
        tasks_take_a_second(&world);
        let high = submit(&world, 3000, "routed", TaskPriority::High);
        let medium = submit(&world, 1000, "routed", TaskPriority::Medium);
        let low = submit(&world, 1000, "routed", TaskPriority::Low);
        world.worker(&[ON]).drain().await;
        let counts = [&high, &medium, &low].map(|ids| completed(&world, ids));
        let all: usize = counts.iter().sum();
        for (count, share) in counts.into_iter().zip([11, 4, 1]) {
            let expected = all * share / 16;
            assert!(count.abs_diff(expected) <= 16, "{counts:?}: {count} instead of {expected}");
        }
    });
}

#[test]
fn three_long_queues_take_three_receives_for_each_batch() {
    run(|world| async move {
        let mut calls = 0;
        world.respond_to_tasks(move |_| {
            calls += 1;
            (Duration::from_millis(20 + calls * 7919 % 61), Response::new(Bytes::new()))
        });
        for priority in [TaskPriority::High, TaskPriority::Medium, TaskPriority::Low] {
            submit(&world, 320, "routed", priority);
        }
        world.forget_requests();
        let counts = world.worker(&[ON, ("drain_seconds", "600")]).drain().await;
        assert_eq!(counts["completed"], 960, "{counts}");
        let receives = world.requests().iter().filter(|line| line.starts_with("GetMessages")).count();
        println!("{receives} receives for 960 tasks");
        assert!(receives <= 270, "{receives} receives");
    });
}

#[test]
fn idle_drain_asks_each_queue_once() {
    run(|world| async move {
        let worker = world.worker(&[ON]);
        worker.drain().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.forget_requests();
        worker.drain().await;
        let requests = world.requests();
        let asked: Vec<_> = requests.iter().filter(|line| line.starts_with("GetMessages")).collect();
        assert_eq!(
            asked,
            [
                "GetMessages /taskqueue-high",
                "GetMessages /taskqueue",
                "GetMessages /taskqueue-low",
                "GetMessages /taskqueue-scheduled"
            ]
        );
    });
}

#[test]
fn message_is_renewed_hidden_and_deleted_in_its_own_queue() {
    for priority in [TaskPriority::High, TaskPriority::Medium, TaskPriority::Low] {
        run(move |world| async move {
            let mut calls = 0;
            world.respond_to_tasks(move |_| {
                calls += 1;
                let status = if calls == 1 { 503 } else { 200 };
                let response = Response::builder().status(status).body(Bytes::new()).unwrap();
                (Duration::from_secs(100), response)
            });
            let id = submit(&world, 1, "routed", priority)[0];
            world.forget_requests();
            let sums = world.worker(&[ON]).drain_until_quiet(&world).await;
            while world.document(id).state != TaskState::Completed {
                world.worker(&[ON]).drain().await;
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            assert_eq!(sums["lost"], 0, "{sums:?}");
            assert!(world.messages(suffix(priority)).is_empty());
            let own = format!("/taskqueue{}", suffix(priority));
            for line in world.requests() {
                if line.starts_with("UpdateMessage") || line.starts_with("DeleteMessage") {
                    assert_eq!(line.split_once(' ').unwrap().1, own);
                }
            }
            assert!(world.requests().iter().any(|line| line.starts_with("UpdateMessage")));
        });
    }
}

#[test]
fn poisoned_message_of_any_queue_is_copied_and_deleted() {
    run(|world| async move {
        for suffix in ["-high", "", "-low"] {
            world.put_message(suffix, "no task");
        }
        assert_eq!(world.worker(&[ON]).drain().await["poisoned"], 3);
        assert_eq!(world.poison().len(), 3);
        for suffix in ["-high", "", "-low"] {
            assert!(world.messages(suffix).is_empty(), "{suffix}");
        }
    });
}

#[test]
fn delayed_task_is_promoted_to_the_queue_of_its_priority() {
    for (priority, input_bytes) in [
        (TaskPriority::High, 10),
        (TaskPriority::High, 70_000),
        (TaskPriority::Low, 10),
        (TaskPriority::Low, 70_000),
    ] {
        run(move |world| async move {
            let id = world
                .submit("checksum", |document| {
                    document.priority = priority;
                    document.input =
                        Some(models::Json::parse(&format!("{:?}", "x".repeat(input_bytes))).unwrap());
                })
                .await;
            let text = world.messages("")[0].text.clone();
            world.drop_messages().await;
            world.put_message("-scheduled", &text);
            let counts = world.worker(&[ON]).drain().await;
            assert_eq!((&counts["promoted"], &counts["completed"]), (&1.into(), &1.into()), "in one drain");
            assert_eq!(world.document(id).state, TaskState::Completed);
            let sent: Vec<_> =
                world.requests().into_iter().filter(|line| line.starts_with("PutMessage")).collect();
            assert!(
                sent.iter().all(|line| *line == format!("PutMessage /taskqueue{}", suffix(priority))),
                "{sent:?}"
            );
            assert!(!sent.is_empty());
        });
    }
}

#[test]
fn sweep_sends_the_missing_message_to_the_queue_of_the_priority() {
    run(|world| async move {
        let id = world.submit("checksum", |document| document.priority = TaskPriority::Low).await;
        world.drop_messages().await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let worker = world.worker(&[ON]);
        assert_eq!(worker.drain().await["requeued"], 1);
        assert_eq!(world.messages("-low").len(), 1);
        worker.drain().await;
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn sweep_waits_until_all_three_queues_are_empty() {
    run(|world| async move {
        world.submit("checksum", |_| {}).await;
        world.drop_messages().await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        submit(&world, 1, "checksum", TaskPriority::Low);
        let worker = world.worker(&[ON]);
        let counts = worker.drain().await;
        assert_eq!((&counts["received"], &counts["requeued"]), (&1.into(), &0.into()));
        assert_eq!(worker.drain().await["requeued"], 1);
    });
}

#[test]
fn messages_received_before_a_failed_request_are_processed() {
    run(|world| async move {
        let high = submit(&world, 3, "checksum", TaskPriority::High);
        let low = submit(&world, 3, "checksum", TaskPriority::Low);
        world.fail(|request| match (request.operation, request.path.as_str()) {
            (Operation::GetMessages, "/taskqueue") => Fault::unavailable(),
            _ => Fault::None,
        });
        let counts = world.worker(&[ON]).drain().await;
        assert_eq!((completed(&world, &high), completed(&world, &low)), (3, 0), "{counts}");
        assert!(counts["retryAfterSeconds"].is_number(), "{counts}");
        world.end_faults();
        world.worker(&[ON]).drain().await;
        assert_eq!(completed(&world, &low), 3);
    });
}

#[test]
fn messages_in_the_common_queue_are_drained_after_switching_on() {
    run(|world| async move {
        let id = world.submit("checksum", |document| document.priority = TaskPriority::Low).await;
        assert_eq!(world.messages("").len(), 1);
        assert_eq!(world.worker(&[ON]).drain().await["completed"], 1);
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}

#[test]
fn tasks_left_in_a_queue_of_a_priority_are_swept_after_switching_off() {
    run(|world| async move {
        let ids = submit(&world, 2, "checksum", TaskPriority::High);
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["requeued"], 2);
        assert_eq!(worker.drain().await["completed"], 2);
        assert_eq!(completed(&world, &ids), 2);
        assert_eq!(world.messages("-high").len(), 2, "no worker receives from this queue");
        // Switched on again, they belong to tasks that have ended.
        assert_eq!(world.worker(&[ON]).drain().await["discarded"], 2);
    });
}
