//! Delayed tasks.

use std::time::Duration;

use models::{TaskMessage, TaskState};
use storage::{QueueName, Read, WorkerStorage};

use crate::world::run;

#[test]
fn early_task_waits_in_the_scheduled_queue_until_due() {
    run(|world| async move {
        let due = world.now().plus(Duration::from_secs(3600));
        let id = world.submit("checksum", |document| document.not_before = Some(due)).await;
        let worker = world.worker(&[]);
        assert_eq!(worker.drain().await["deferred"], 1);
        assert_eq!((world.messages("").len(), world.messages("-scheduled").len()), (0, 1));
        assert_eq!(world.document(id).state, TaskState::Pending);

        tokio::time::sleep(Duration::from_secs(3590)).await;
        assert_eq!(worker.drain().await["promoted"], 0);
        tokio::time::sleep(Duration::from_secs(12)).await;
        let counts = worker.drain().await;
        assert_eq!((&counts["promoted"], &counts["completed"]), (&1.into(), &1.into()), "in one drain");
        let document = world.document(id);
        assert!(document.started_at.unwrap() >= due);
        assert!(world.messages("-scheduled").is_empty());
    });
}

#[test]
fn simultaneous_delayed_tasks_are_promoted_together() {
    run(|world| async move {
        let WorkerStorage { store: documents, queue: queues } = world.storage();
        for _ in 0..100 {
            let id = world.submit("checksum", |_| {}).await;
            let Read::Found(stored) = documents.read(id, None).await.unwrap() else { panic!("stored") };
            let text = TaskMessage::text_for(&stored.document, Some(&stored.etag));
            queues.send(QueueName::Scheduled, &text, Duration::ZERO).await.unwrap();
        }
        world.drop_messages().await;
        let counts = world.worker(&[]).drain().await;
        assert_eq!((&counts["promoted"], &counts["completed"]), (&100.into(), &100.into()));
    });
}

#[test]
fn busy_worker_promotes_at_intervals() {
    run(|world| async move {
        let due = world.submit("checksum", |_| {}).await;
        let text = world.messages("")[0].text.clone();
        world.drop_messages().await;
        world.storage().queue.send(QueueName::Scheduled, &text, Duration::from_secs(1)).await.unwrap();
        for _ in 0..60 {
            world.submit("simulate", |_| {}).await;
        }
        // One task at a time, of 0.5 to 10 s each: the worker is never idle.
        let worker = world.worker(&[("simulate_unit_ms", "500"), ("max_concurrency", "1")]);
        let counts = worker.drain().await;
        assert_eq!((&counts["promoted"], &counts["more"]), (&1.into(), &true.into()));
        let looks =
            world.requests().iter().filter(|l| l.starts_with("GetMessages /taskqueue-scheduled")).count();
        assert!((1..=4).contains(&looks), "{looks} looks in twenty seconds");
        worker.drain_until_quiet(&world).await;
        assert_eq!(world.document(due).state, TaskState::Completed);
    });
}

#[test]
fn message_that_grows_when_forwarded_is_promoted_and_deferred() {
    run(|world| async move {
        let later = world.now().plus(Duration::from_secs(600));
        let long = |document: &mut models::TaskStatus| {
            document.task_description = "&".repeat(20_000);
            document.not_before = Some(later);
        };
        let id = world.submit("checksum", long).await;
        let mut text: serde_json::Value = serde_json::from_str(&world.messages("")[0].text).unwrap();
        world.drop_messages().await;
        // Another program sends 45,000 bytes in a CDATA section. With escapes they are five times as many.
        text["Padding"] = "&".repeat(25_000).into();
        for (queue, column) in [("", "deferred"), ("-scheduled", "promoted")] {
            world.put_message(queue, &text.to_string());
            let counts = world.worker(&[]).drain().await;
            assert_eq!(counts[column], 1, "{queue}: {counts}");
        }
        assert!(world.poison().is_empty());
        tokio::time::sleep(Duration::from_secs(600)).await;
        world.worker(&[]).drain_until_quiet(&world).await;
        assert_eq!(world.document(id).state, TaskState::Completed);
    });
}
