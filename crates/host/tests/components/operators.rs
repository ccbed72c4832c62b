//! What operators do: the poison queue, and the pause of the queue.

use bytes::Bytes;
use http::{HeaderValue, Request};
use serde_json::json;

use crate::harness::{ACCOUNT, Setup, World, header, id_of, json, problem, request};

/// SHA-256 of `user`.
const USER: &str = "04f8996da763b7a969b1028ee3007569eaf3a635486ddab211d512c85b9df8fb";
/// SHA-256 of `operator`.
const OPERATOR: &str = "06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23";

fn with_key(method: &str, path: &str, body: &str, key: &'static str) -> Request<Bytes> {
    let mut request = request(method, path, body.to_owned());
    request.headers_mut().insert("api-key", HeaderValue::from_static(key));
    request
}

/// Fails a task whose message cannot be used; its id.
async fn give_up(world: &World, key: &'static str) -> String {
    let id = id_of(&world.call(with_key("POST", "/tasks", r#"{"TaskName":"simulate"}"#, key)).await);
    {
        let mut fake = world.cloud.fake.lock().unwrap();
        fake.remove_queue(ACCOUNT, "taskqueue");
        let text = format!(r#"{{"TaskId":"{id}","Priority":99}}"#);
        fake.put_message(ACCOUNT, "taskqueue", &text, world.cloud.now());
    }
    let report = world.drain().await;
    assert_eq!(report["poisoned"], 1, "{report}");
    id
}

#[tokio::test(start_paused = true)]
async fn poison_message_is_replayed_by_an_operator_only() {
    let world = Setup::with_account_key()
        .set("api_auth", "api-key")
        .set("api_key_hashes", USER)
        .set("api_operators", OPERATOR)
        .start();
    let id = give_up(&world, "user").await;
    let task = format!("/tasks/{id}");
    assert_eq!(json(&world.call(with_key("GET", &task, "", "user")).await)["status"], "Failed");

    let refused = world.call(with_key("GET", "/poison", "", "user")).await;
    assert_eq!(problem(&refused, 403)["type"], "/problems/operators-only");
    let list = json(&world.call(with_key("GET", "/poison", "", "operator")).await);
    assert_eq!((&list["count"], &list["value"][0]["taskId"]), (&json!(1), &json!(id)));
    let path = format!("/poison/{}", list["value"][0]["id"].as_str().unwrap());
    let shown = json(&world.call(with_key("GET", &path, "", "operator")).await);
    assert!(shown["original"].as_str().unwrap().contains(&id), "{shown}");

    let replayed = world.call(with_key("POST", &format!("{path}/replay"), "", "operator")).await;
    assert_eq!(
        (replayed.status().as_u16(), header(&replayed, "operation-location").ends_with(&id)),
        (202, true)
    );
    assert_eq!(world.cloud.messages("taskqueue-poison"), 0);
    assert_eq!(world.drain().await["completed"], 1);
    assert_eq!(json(&world.call(with_key("GET", &task, "", "user")).await)["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn all_poison_messages_are_replayed_or_removed() {
    let world = Setup::with_account_key().start();
    for _ in 0..3 {
        give_up(&world, "").await;
    }
    world.cloud.fake.lock().unwrap().put_message(
        ACCOUNT,
        "taskqueue-poison",
        "not a task",
        world.cloud.now(),
    );
    let report = json(&world.call(request("POST", "/poison:replay", "")).await);
    assert_eq!(report, json!({"changed": 3, "skipped": 1, "left": 1}));
    assert_eq!(world.drain().await["completed"], 3);
    let report = json(&world.call(request("POST", "/poison:delete", "")).await);
    assert_eq!(report, json!({"changed": 1, "left": 0}));
}

#[tokio::test(start_paused = true)]
async fn paused_queue_is_not_received_until_it_is_resumed() {
    let world = Setup::with_account_key().set("queue_pause", "true").start();
    let id = id_of(&world.submit(&json!({"TaskName": "simulate"})).await);
    let paused = json(&world.call(request("POST", "/queue:pause", "")).await);
    assert_eq!((&paused["paused"], &paused["queues"][0]["messages"]), (&json!(true), &json!(1)));
    let report = world.drain().await;
    assert_eq!((&report["received"], &report["paused"]), (&json!(0), &json!(true)));
    // The pause outlives every instance.
    world.app.drop_instances("worker");
    world.app.drop_instances("api");
    // The instances end when the runtime has run them once more.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.drain().await["paused"], true);
    assert_eq!(json(&world.get("/queue").await)["paused"], true);
    let resumed = json(&world.call(request("POST", "/queue:resume", "")).await);
    assert_eq!(resumed["paused"], false);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(world.drain().await["completed"], 1);
    assert_eq!(json(&world.get(&format!("/tasks/{id}")).await)["status"], "Succeeded");
}
