//! Batches of submissions, and actions on all tasks that filters select.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_azure::Operation;
use serde_json::{Value, json};

use crate::harness::{Setup, World, header, json, problem, request};

async fn batch(world: &World, tasks: &Value) -> Vec<Value> {
    let response = world.call(request("POST", "/tasks:batch", tasks.to_string())).await;
    assert_eq!(response.status(), 207, "{:?}", response.body());
    json(&response)["value"].as_array().unwrap().clone()
}

/// `count` tasks, bare.
fn tasks(count: u32) -> Value {
    (0..count).map(|number| json!({"TaskName": "simulate", "Input": number})).collect()
}

#[tokio::test(start_paused = true)]
async fn hundred_tasks_of_a_batch_are_accepted_and_run() {
    let world = Setup::with_account_key().start();
    let outcomes = batch(&world, &tasks(100)).await;
    assert_eq!(outcomes.len(), 100);
    for outcome in &outcomes {
        assert_eq!(outcome["status"], 202, "{outcome}");
        let address = format!("http://example.test/tasks/{}", outcome["id"].as_str().unwrap());
        assert_eq!(outcome["operationLocation"], address);
    }
    let mut completed = 0;
    while completed < 100 {
        let report = world.drain().await;
        assert!(report["completed"].as_u64().unwrap() > 0, "{report}");
        completed += report["completed"].as_u64().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn batch_makes_two_storage_requests_a_task_side_by_side() {
    let world = Setup::with_account_key().start();
    batch(&world, &tasks(1)).await; // Creates container and queue.
    world.cloud.forget();
    let slow = crate::harness::NetworkCondition::Slow(Duration::from_millis(10));
    for authority in ["127.0.0.1:10000", "127.0.0.1:10001"] {
        world.cloud.set_condition(authority, slow);
    }
    let begin = tokio::time::Instant::now();
    batch(&world, &tasks(32)).await;
    assert!(begin.elapsed() < Duration::from_millis(60), "{:?}", begin.elapsed());
    assert_eq!(world.cloud.counts(), BTreeMap::from([(Operation::PutBlob, 32), (Operation::PutMessage, 32)]));
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_independent_and_oversized_batches_store_nothing() {
    let world = Setup::with_account_key().start();
    let response = world.call(request("POST", "/tasks:batch", tasks(101).to_string())).await;
    assert_eq!(problem(&response, 400)["type"], "/problems/invalid-body");
    assert!(world.cloud.counts().is_empty());

    let id = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";
    let three = json!({"tasks": [{"TaskId": id}, {"Priority": 9}, {"TaskId": id, "Input": 1}]});
    for _ in 0..2 {
        let statuses: Vec<_> =
            batch(&world, &three).await.iter().map(|outcome| outcome["status"].clone()).collect();
        assert_eq!(statuses, [202, 400, 422]);
    }
}

#[tokio::test(start_paused = true)]
async fn actions_by_filter_cancel_retry_and_delete_page_by_page() {
    let world = Setup::with_account_key().start();
    batch(&world, &tasks(30)).await;
    world.submit(&json!({"TaskName": "checksum", "Input": 7})).await; // Fails: its input must be a string.
    let report = json(&world.call(request("POST", "/tasks:cancel?name=simulate&top=20", "")).await);
    assert_eq!(report["changed"], 20);
    let next = report["nextLink"].as_str().unwrap().replace("http://example.test", "");
    let report = json(&world.call(request("POST", &next, "")).await);
    assert_eq!((&report["changed"], report.get("nextLink")), (&json!(10), None));

    assert_eq!(world.drain().await["failed"], 1);
    let report = json(&world.call(request("POST", "/tasks:retry", "")).await);
    assert_eq!(report, json!({"changed": 1}));
    assert_eq!(world.drain().await["failed"], 1);
    let report = json(&world.call(request("POST", "/tasks:delete?top=200", "")).await);
    assert_eq!(report, json!({"changed": 31}));
    let list = world.get("/tasks").await;
    assert_eq!(json(&list)["value"], json!([]));
    assert_eq!(header(&list, "content-type"), "application/json");
}
