use fake_azure::Operation;
use std::time::Duration;
use test_world::Fault;

use http::StatusCode;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn healthz_is_200_whatever_the_configuration() {
    let world = World::with(&[("api_auth", "nonsense")]);
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz").await.kind(), (503, "misconfigured".to_owned()));
    assert_eq!(World::new().get("/healthz").await.json()["status"], "alive");
}

#[tokio::test(start_paused = true)]
async fn readiness_probes_storage_at_most_every_five_seconds() {
    let world = World::new();
    for _ in 0..10 {
        assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    }
    assert_eq!(world.take_operations(), [Operation::GetBlobProperties, Operation::GetQueueMetadata]);
    world.fail_once(Operation::GetQueueMetadata, Fault::unavailable());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.get("/readyz").await.kind(), (503, "storage-unavailable".to_owned()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn readiness_hides_details_when_authentication_is_on() {
    let refused = Fault::error(403, "AuthenticationFailed");
    let open = World::new();
    open.fail_once(Operation::GetBlobProperties, refused);
    let detail = open.get("/readyz").await.problem().detail.unwrap();
    assert!(detail.contains("403 AuthenticationFailed"), "{detail}");
    let closed = World::with(&[("api_auth", "easy-auth")]);
    closed.fail_once(Operation::GetBlobProperties, refused);
    assert_eq!(closed.get("/readyz").await.problem().detail, None);
}

#[tokio::test(start_paused = true)]
async fn readiness_lists_the_rules_of_handlers_unless_authentication_is_on() {
    let rules = r#"{"image.*":{"handler":"images","task_timeout_seconds":60}}"#;
    let open = World::with(&[("task_handlers", rules)]).get("/readyz").await.json();
    let expected = serde_json::json!({"image.*": {"handler": "images", "task_timeout_seconds": 60}});
    assert_eq!(open["handlers"], expected);
    let closed =
        World::with(&[("task_handlers", rules), ("api_auth", "easy-auth")]).get("/readyz").await.json();
    assert_eq!(closed, serde_json::json!({"status": "ready"}));
}

#[tokio::test(start_paused = true)]
async fn invalid_rule_of_a_handler_is_named_by_readiness() {
    let world = World::with(&[("task_handlers", r#"{"image.*":{"handler":"images","time":60}}"#)]);
    let detail = world.get("/readyz").await.problem().detail.unwrap();
    assert!(detail.contains(r#"the member "image.*" has the unknown member "time""#), "{detail}");
}
