use std::time::Duration;

use http::StatusCode;
use storage::StorageError;

use crate::memory::unavailable;
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn the_process_is_healthy_whatever_storage_and_configuration_are() {
    let world = World::with(&[("api_auth", "nonsense")]);
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz").await.kind(), (503, "misconfigured".to_owned()));
    assert_eq!(World::new().get("/healthz").await.json()["status"], "alive");
}

#[tokio::test(start_paused = true)]
async fn readiness_is_asked_of_storage_at_most_every_five_seconds() {
    let world = World::new();
    for _ in 0..10 {
        assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    }
    assert_eq!(world.memory.take_requests(), ["probe", "depth"]);
    world.memory.fail_once("depth", unavailable());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.get("/readyz").await.kind(), (503, "storage-unavailable".to_owned()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_not_told_to_strangers() {
    let wrong = || StorageError::Misconfigured("key vault answered 403".to_owned());
    let open = World::new();
    open.memory.fail_once("probe", wrong());
    assert_eq!(open.get("/readyz").await.problem().detail.as_deref(), Some("key vault answered 403"));
    let closed = World::with(&[("api_auth", "easy-auth")]);
    closed.memory.fail_once("probe", wrong());
    assert_eq!(closed.get("/readyz").await.problem().detail, None);
}
