//! What clients do with an accepted task besides polling it.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Setup, World, header, id_of, json, problem, request};

async fn accepted(world: &World, task: serde_json::Value) -> String {
    format!("/tasks/{}", id_of(&world.submit(&task).await))
}

#[tokio::test(start_paused = true)]
async fn long_poll_returns_as_soon_as_the_task_ends() {
    let world = Setup::with_account_key().start();
    let path = accepted(&world, json!({"TaskName": "checksum", "Input": "x"})).await;
    let mut poll = request("GET", &path, "");
    poll.headers_mut().insert("prefer", "wait=30".parse().unwrap());
    let drained = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.drain().await
    };
    let begin = tokio::time::Instant::now();
    let (response, _) = tokio::join!(world.call(poll), drained);
    assert_eq!(json(&response)["status"], "Succeeded");
    assert_eq!(header(&response, "preference-applied"), "wait=30");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn unchanged_task_is_304_and_result_has_its_states() {
    let world = Setup::with_account_key().start();
    let path = accepted(&world, json!({"TaskName": "checksum", "Input": "hello"})).await;
    let first = world.get(&path).await;
    let mut again = request("GET", &path, "");
    again.headers_mut().insert("if-none-match", header(&first, "etag").parse().unwrap());
    assert_eq!(world.call(again).await.status(), 304);

    let early = world.get(&format!("{path}/result")).await;
    problem(&early, 409);
    assert!(early.headers().contains_key("retry-after"));
    world.drain().await;
    let result = world.get(&format!("{path}/result")).await;
    assert_eq!((result.status().as_u16(), &json(&result)["bytes"]), (200, &json!(5)));
    let elsewhere = world.get(&format!("{path}?redirect=true")).await;
    assert_eq!(elsewhere.status(), 303);
    assert!(header(&elsewhere, "location").ends_with("/result"));
}

#[tokio::test(start_paused = true)]
async fn pending_task_is_cancelled_without_work() {
    let world = Setup::with_account_key().start();
    let path = accepted(&world, json!({"TaskName": "simulate"})).await;
    assert_eq!(world.call(request("POST", &format!("{path}/cancel"), "")).await.status(), 200);
    assert_eq!(json(&world.get(&path).await)["status"], "Canceled");
    assert_eq!(world.drain().await["completed"], 0);
    assert_eq!(world.cloud.messages("taskqueue"), 0);
    problem(&world.call(request("POST", &format!("{path}/cancel"), "")).await, 409);
    assert_eq!(world.call(request("DELETE", &path, "")).await.status(), 204);
    problem(&world.get(&path).await, 404);
}

#[tokio::test(start_paused = true)]
async fn failed_task_can_be_retried_and_keeps_its_history() {
    let world = Setup::with_account_key().start();
    let path = accepted(&world, json!({"TaskName": "checksum", "Input": 1})).await;
    assert_eq!(world.drain().await["failed"], 1);
    let failed = json(&world.get(&path).await);
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("Failed"), &json!("InvalidInput")));
    assert_eq!(world.call(request("POST", &format!("{path}/retry"), "")).await.status(), 202);
    assert_eq!(world.drain().await["failed"], 1);
    let history = json(&world.get(&path).await)["history"].clone();
    let outcomes: Vec<_> = history.as_array().unwrap().iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("Failed"), json!("RetryRequested"), json!("Failed")]);
}

#[tokio::test(start_paused = true)]
async fn delayed_task_stays_out_of_the_queue_until_due() {
    let world = Setup::with_account_key().start();
    let path = accepted(&world, json!({"TaskName": "checksum", "Input": "x", "DelaySeconds": 3600})).await;
    assert_eq!((world.cloud.messages("taskqueue"), world.cloud.messages("taskqueue-scheduled")), (0, 1));
    assert_eq!(world.drain().await["completed"], 0);
    tokio::time::sleep(Duration::from_secs(3601)).await;
    world.drain().await;
    assert_eq!(json(&world.get(&path).await)["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn list_is_filtered_and_continues_where_it_stopped() {
    let world = Setup::with_account_key().start();
    for number in 0..5 {
        world.submit(&json!({"TaskName": "checksum", "Input": number.to_string()})).await;
    }
    world.submit(&json!({"TaskName": "other", "DelaySeconds": 60})).await;
    let mut seen = Vec::new();
    let mut next = "/tasks?name=checksum&top=2".to_owned();
    for _ in 0..10 {
        let page = json(&world.get(&next).await);
        seen.extend(
            page["value"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()),
        );
        let Some(link) = page["nextLink"].as_str() else { break };
        next = link.trim_start_matches("http://example.test").to_owned();
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    problem(&world.get("/tasks?continuation=forged").await, 400);
    problem(&world.get("/tasks?top=0").await, 400);
    assert_eq!(json(&world.get("/tasks?status=Succeeded").await)["value"], json!([]));
}
