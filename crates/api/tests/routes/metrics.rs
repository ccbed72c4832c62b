use std::time::Duration;

use http::StatusCode;

use crate::memory::unavailable;
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn metrics_tell_what_storage_answers() {
    let world = World::new();
    world.memory.0.depth.set(7);
    world.memory.0.oldest.set(Some(world.now().minus(Duration::from_millis(12_500))));
    let reply = world.get("/metrics").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
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
    assert_eq!(world.memory.take_requests().len(), 4);
    world.get("/metrics").await;
    assert_eq!(world.memory.take_requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_storage_does_not_tell_is_left_out() {
    let world = World::new();
    world.memory.fail_once("depth", unavailable());
    let text = String::from_utf8(world.get("/metrics").await.body.to_vec()).unwrap();
    assert!(text.contains("accepted_storage_up 0\n"));
    assert!(!text.contains("{queue=\"tasks\"} 0\n"));
    assert!(text.contains("accepted_queue_messages{queue=\"poison\"} 0\n"));
}
