//! The state of the queue, pause and resume.

use fake_azure::Operation;
use http::{Method, StatusCode};
use models::QueueState;

use crate::world::{TestResponse, World};

const ENABLED: [(&str, &str); 1] = [("queue_pause", "true")];

fn state(response: &TestResponse) -> QueueState {
    assert_eq!(response.status, StatusCode::OK, "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn pause_and_resume_are_stored_and_can_be_repeated() {
    let world = World::with(&ENABLED);
    assert!(!state(&world.get("/queue").await).paused);
    let first = state(&world.post("/queue:pause", "").await);
    assert_eq!((first.paused, first.paused_date_time), (true, Some(world.now())));
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let second = state(&world.post("/queue:pause", "").await);
    assert_eq!(second.paused_date_time, first.paused_date_time, "the first pause counts");
    let other = World::around(world.env.clone(), &ENABLED);
    assert!(state(&other.get("/queue").await).paused, "seen by every instance");
    for _ in 0..2 {
        let resumed = state(&other.post("/queue:resume", "").await);
        assert_eq!((resumed.paused, resumed.paused_date_time), (false, None));
    }
    assert!(!state(&world.get("/queue").await).paused);
}

#[tokio::test(start_paused = true)]
async fn queue_cannot_be_paused_without_the_variable() {
    let world = World::new();
    for path in ["/queue:pause", "/queue:resume"] {
        assert_eq!(world.post(path, "").await.kind(), (409, "pause-disabled".to_owned()));
    }
    world.submit("{}").await;
    world.forget_requests();
    let found = state(&world.get("/queue").await);
    assert_eq!((found.can_pause, found.paused), (false, false));
    let lengths: Vec<_> = found.queues.iter().map(|queue| (queue.name.as_str(), queue.messages)).collect();
    assert_eq!(lengths, [("tasks", 1), ("scheduled", 0), ("poison", 0)]);
    assert!(!world.take_operations().contains(&Operation::GetBlob), "the pause is not read");
}

#[tokio::test(start_paused = true)]
async fn queue_is_shown_to_every_caller_and_paused_by_operators() {
    // SHA-256 of "secret".
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let world = World::with(&[("api_auth", "api-key"), ("api_key_hashes", hash), ("queue_pause", "true")]);
    let key = [("api-key", "secret")];
    assert_eq!(world.ask(Method::GET, "/queue", &key, "").await.status, StatusCode::OK);
    assert_eq!(world.get("/queue").await.kind(), (401, "unauthorized".to_owned()));
    for path in ["/queue:pause", "/queue:resume"] {
        let refused = world.ask(Method::POST, path, &key, "").await;
        assert_eq!(refused.kind(), (403, "operators-only".to_owned()));
    }
}
