//! The routes of schedules on the shipped components.

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};

use crate::harness::{Setup, World, header, id_of, json, problem, request};

const NIGHTLY: &str = "/schedules/nightly";

/// Six o'clock in New York, which is eleven o'clock UTC in winter.
fn daily() -> Value {
    json!({"Cron": "0 6 * * *", "TimeZone": "America/New_York", "Task": {"TaskName": "checksum", "Input": "a"}})
}

async fn put(world: &World, condition: &'static str, etag: &str, schedule: &Value) -> Response<Bytes> {
    let mut put: Request<Bytes> = request("PUT", NIGHTLY, schedule.to_string());
    put.headers_mut().insert(condition, HeaderValue::from_str(etag).unwrap());
    world.call(put).await
}

#[tokio::test(start_paused = true)]
async fn schedule_outlives_instances_and_changes_by_its_version() {
    let world = Setup::with_account_key().set("schedules", "true").start();
    let created = put(&world, "if-none-match", "*", &daily()).await;
    assert_eq!(created.status(), 201, "{:?}", created.body());
    let etag = header(&created, "etag").to_owned();
    world.app.drop_instances("api");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let found = world.get(NIGHTLY).await;
    assert_eq!((json(&found), header(&found, "etag")), (json(&created), etag.as_str()));
    let firings = json(&found)["nextFirings"].as_array().unwrap().clone();
    assert_eq!(firings.len(), 5);
    assert!(firings.iter().all(|firing| firing.as_str().unwrap().contains(":00:00.000Z")), "{firings:?}");

    let every = json!({"Interval": "PT1H", "StartsAt": "2100-01-01T00:00:00Z", "Task": {}});
    assert_eq!(put(&world, "if-match", &etag, &every).await.status(), 200);
    let stale = put(&world, "if-match", &etag, &daily()).await;
    assert_eq!(problem(&stale, 412)["type"], "/problems/precondition-failed");
    let listed = json(&world.get("/schedules").await);
    assert_eq!(listed["value"][0]["nextFirings"], json!(["2100-01-01T00:00:00.000Z"]));
    let refused = world.call(request("PUT", NIGHTLY, r#"{"Cron":"0 6 31 2 *","Task":{}}"#)).await;
    assert!(problem(&refused, 400)["detail"].as_str().unwrap().starts_with("Cron: "));
}

#[tokio::test(start_paused = true)]
async fn schedule_is_paused_run_resumed_and_deleted() {
    let world = Setup::with_account_key().set("schedules", "true").start();
    put(&world, "if-none-match", "*", &daily()).await;
    let paused = json(&world.call(request("POST", "/schedules/nightly:pause", "")).await);
    assert_eq!((&paused["status"], &paused["nextFirings"]), (&json!("Paused"), &json!([])));
    let run = world.call(request("POST", "/schedules/nightly:run", "")).await;
    assert_eq!(run.status(), 202, "{:?}", run.body());
    assert_eq!(world.drain().await["completed"], 1);
    let task = json(&world.get(&format!("/tasks/{}", id_of(&run))).await);
    assert_eq!((&task["status"], &task["name"]), (&json!("Succeeded"), &json!("checksum")));
    let resumed = json(&world.call(request("POST", "/schedules/nightly:resume", "")).await);
    assert_eq!(resumed["status"], "Active");
    assert_eq!(world.call(request("DELETE", NIGHTLY, "")).await.status(), 204);
    assert_eq!(problem(&world.get(NIGHTLY).await, 404)["type"], "/problems/schedule-not-found");
}

#[tokio::test(start_paused = true)]
async fn each_firing_becomes_one_completed_task_across_restarts() {
    let world = Setup::with_account_key().set("schedules", "true").start();
    let every = json!({"Interval": "PT30S", "Missed": "All", "Task": {"TaskName": "checksum", "Input": "a"}});
    assert_eq!(put(&world, "if-none-match", "*", &every).await.status(), 201);
    let mut completed = 0;
    for round in 0..36 {
        if round % 10 == 5 {
            world.app.drop_instances("worker");
        }
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        completed += world.drain().await["completed"].as_u64().unwrap();
    }
    let stored = json(&world.get(NIGHTLY).await);
    let tasks = json(&world.get("/tasks?status=Succeeded").await)["value"].as_array().unwrap().len();
    // 180 s, and what drains take; a firing is up to 5 s late.
    assert!((5..=6).contains(&completed), "{completed}");
    assert_eq!(tasks as u64, completed);
    let last = json(&world.get(&format!("/tasks/{}", stored["lastTaskId"].as_str().unwrap())).await);
    assert_eq!(last["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn schedules_are_off_unless_they_are_enabled() {
    let world = Setup::with_account_key().start();
    for (method, path) in [("GET", "/schedules"), ("PUT", NIGHTLY), ("POST", "/schedules/nightly:run")] {
        let refused = world.call(request(method, path, daily().to_string())).await;
        assert_eq!(problem(&refused, 409)["type"], "/problems/schedules-disabled");
    }
    assert!(world.cloud.counts().is_empty());
}
