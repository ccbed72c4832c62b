use fake_azure::Operation;
use std::time::Duration;
use test_world::Fault;

use http::{Method, StatusCode};
use models::TaskState;

use crate::world::{ID, World, id};

#[tokio::test(start_paused = true)]
async fn metrics_report_queue_lengths_and_the_oldest_message() {
    let world = World::new();
    world.set_queue_length(7);
    tokio::time::sleep(Duration::from_millis(12_500)).await;
    let response = world.get("/metrics").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            "accepted_storage_up 1",
            "accepted_queue_messages{queue=\"tasks\"} 7",
            "accepted_queue_messages{queue=\"scheduled\"} 0",
            "accepted_queue_messages{queue=\"poison\"} 0",
            "accepted_queue_oldest_message_age_seconds{queue=\"tasks\"} 12.500",
        ]
    );
    assert_eq!(world.take_operations().len(), 4);
    world.get("/metrics").await;
    assert_eq!(world.take_operations().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn metrics_report_the_queue_of_each_priority() {
    let world = World::with(&[("priority_queues", "true")]);
    for priority in [0, 0, 1, 2] {
        world.ask(Method::POST, "/tasks", &[], &format!(r#"{{"Priority":{priority}}}"#)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let text = String::from_utf8(world.get("/metrics").await.body.to_vec()).unwrap();
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        samples,
        [
            "accepted_storage_up 1",
            "accepted_queue_messages{queue=\"high\"} 1",
            "accepted_queue_messages{queue=\"tasks\"} 1",
            "accepted_queue_messages{queue=\"low\"} 2",
            "accepted_queue_messages{queue=\"scheduled\"} 0",
            "accepted_queue_messages{queue=\"poison\"} 0",
            "accepted_queue_oldest_message_age_seconds{queue=\"high\"} 2.000",
            "accepted_queue_oldest_message_age_seconds{queue=\"tasks\"} 2.000",
            "accepted_queue_oldest_message_age_seconds{queue=\"low\"} 2.000",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn queue_of_events_is_counted_while_there_are_events() {
    for variable in [("event_sink_url", "https://sink.example/"), ("callback_hosts", "https://hooks.example")]
    {
        let world = World::with(&[variable]);
        world.put_message("-events", "an event");
        let text = String::from_utf8(world.get("/metrics").await.body.to_vec()).unwrap();
        assert!(text.contains("accepted_queue_messages{queue=\"events\"} 1\n"), "{text}");
        let queues = world.get("/queue").await.json()["queues"].clone();
        let events =
            queues.as_array().unwrap().iter().find(|queue| queue["name"] == "events").unwrap().clone();
        assert_eq!(events["messages"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn depth_limit_counts_the_queues_of_all_priorities() {
    let world = World::with(&[("priority_queues", "true"), ("queue_depth_limit", "2")]);
    for priority in [0, 1, 2] {
        let response = world.ask(Method::POST, "/tasks", &[], &format!(r#"{{"Priority":{priority}}}"#)).await;
        assert_eq!(response.status, StatusCode::ACCEPTED);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    let refused = world.ask(Method::POST, "/tasks", &[], "{}").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn retried_task_is_queued_by_its_priority() {
    let world = World::with(&[("priority_queues", "true")]);
    world.ask(Method::POST, "/tasks", &[], &format!(r#"{{"TaskId":"{ID}","Priority":2}}"#)).await;
    world.change_document(id(), |document| document.state = TaskState::Failed);
    assert_eq!(world.messages("-high").len(), 1);
    world.ask(Method::POST, &format!("/tasks/{ID}/retry"), &[], "").await;
    assert_eq!((world.messages("-high").len(), world.messages("").len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn metrics_omit_a_length_that_storage_did_not_report() {
    let world = World::new();
    world.fail_once(Operation::GetQueueMetadata, Fault::unavailable());
    let text = String::from_utf8(world.get("/metrics").await.body.to_vec()).unwrap();
    assert!(text.contains("accepted_storage_up 0\n"));
    assert!(!text.contains("{queue=\"tasks\"} 0\n"));
    assert!(text.contains("accepted_queue_messages{queue=\"poison\"} 0\n"));
}
