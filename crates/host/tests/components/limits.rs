//! Limits that a submission sets for its task.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Setup, id_of, json, request};

#[tokio::test(start_paused = true)]
async fn concurrent_submissions_of_a_unique_key_run_one_task() {
    let world = Setup::keyless().start();
    let submit = async || {
        let task = json!({"TaskName": "simulate", "UniqueKey": "nightly"});
        id_of(&world.submit(&task).await)
    };
    let ids = futures::future::join_all((0..20).map(|_| submit())).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(world.drain().await["completed"], 1);

    // It has ended, so the key is free again.
    let second = submit().await;
    assert_ne!(second, ids[0]);
    assert_eq!(world.drain().await["completed"], 1);
    let deleted = world.call(request("DELETE", &format!("/tasks/{second}"), "")).await;
    assert_eq!(deleted.status(), 204);
    assert_ne!(submit().await, second);
}

#[tokio::test(start_paused = true)]
async fn expired_task_is_canceled_with_its_reason() {
    let world = Setup::with_account_key().start();
    let task = json!({"TaskName": "simulate", "ExpiresAt": "2026-11-20T10:01:00Z"});
    let (first, second) = (id_of(&world.submit(&task).await), world.submit(&task));
    assert_eq!(world.drain().await["completed"], 1);
    let second = id_of(&second.await);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(world.drain().await["cancelled"], 1);
    let monitor = json(&world.get(&format!("/tasks/{second}")).await);
    assert_eq!((&monitor["status"], &monitor["error"]["code"]), (&json!("Canceled"), &json!("Expired")));
    assert_eq!(json(&world.get(&format!("/tasks/{first}")).await)["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn task_fails_after_the_attempts_that_it_allows() {
    // No one listens there, so each attempt fails temporarily.
    let world = Setup::with_account_key()
        .set("task_handlers", r#"{"routed":"http://127.0.0.1:9/"}"#)
        .set("handler_hosts", "http://127.0.0.1:9")
        .start();
    world.cloud.set_condition("127.0.0.1:9", crate::harness::NetworkCondition::Down);
    let id = id_of(&world.submit(&json!({"TaskName": "routed", "MaxAttempts": 2})).await);
    for outcome in ["retried", "retried", "poisoned"] {
        assert_eq!(world.drain().await[outcome], 1);
        tokio::time::sleep(Duration::from_secs(400)).await;
    }
    let monitor = json(&world.get(&format!("/tasks/{id}")).await);
    assert_eq!((&monitor["attempt"], &monitor["error"]["code"]), (&json!(2), &json!("TooManyDeliveries")));
    assert_eq!(monitor["maxAttempts"], 2);
}
