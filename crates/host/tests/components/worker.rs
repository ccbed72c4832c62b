//! The worker when things go wrong around it.

use std::time::Duration;

use host::Failure;
use serde_json::json;

use crate::harness::{ACCOUNT, NetworkCondition, Setup, drain, id_of, json};

#[tokio::test(start_paused = true)]
async fn task_of_a_dead_worker_completes_after_its_lease() {
    let world = Setup::with_account_key().set("simulate_unit_ms", "60000").start();
    let id = id_of(&world.submit(&json!({"TaskName": "simulate"})).await);
    let death = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.app.drop_instances("worker");
    };
    let (unserved, ()) = futures::join!(world.app.call(drain()), death);
    unserved.unwrap_err();
    assert_eq!(json(&world.get(&format!("/tasks/{id}")).await)["status"], "Running");

    tokio::time::sleep(Duration::from_secs(120)).await;
    let counts = world.drain().await;
    assert_eq!(counts["completed"], 1, "{counts}");
    assert_eq!(json(&world.get(&format!("/tasks/{id}")).await)["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn killed_application_neither_responds_nor_sends() {
    let world = Setup::with_account_key().start();
    world.submit(&json!({"TaskName": "simulate"})).await;
    world.cloud.forget();
    world.cloud.set_condition("127.0.0.1:10000", NetworkCondition::Slow(Duration::from_secs(1)));
    let death = async {
        // The first write has ended; the second, of the outcome, is under way.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let sent = world.cloud.sent().len();
        world.app.kill();
        world.app.all_instances_ended().await;
        sent
    };
    let (unserved, sent) = futures::join!(world.app.call(drain()), death);
    assert!(matches!(unserved, Err(Failure::Dropped)), "{unserved:?}");
    let count = |method| world.cloud.sent().iter().filter(|request| request.method() == method).count();
    assert_eq!((count("PUT"), count("DELETE")), (2, 0), "both writes, and the message stays");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.cloud.sent().len(), sent);
    assert!(matches!(world.app.call(drain()).await, Err(Failure::Dropped)));
    assert_eq!(world.cloud.messages("taskqueue"), 1, "the task waits for another worker");
}

#[tokio::test(start_paused = true)]
async fn handler_component_is_called_only_when_allowed() {
    let handlers = json!({"routed": "http://api.spin.internal/healthz"}).to_string();
    let allowed = Setup::with_account_key()
        .set("task_handlers", &handlers)
        .set("handler_hosts", "http://api.spin.internal")
        .start();
    allowed.submit(&json!({"TaskName": "routed"})).await;
    // The API has no POST there: a 405 fails the task, which proves that it was asked.
    let counts = allowed.drain().await;
    assert_eq!(counts["failed"], 1, "{counts}");

    let denied = Setup::with_account_key()
        .set("task_handlers", &handlers)
        .set("handler_hosts", "https://elsewhere.example")
        .start();
    denied.submit(&json!({"TaskName": "routed"})).await;
    denied.drain().await;
    assert!(
        denied.printed().contains("denied a request to http://api.spin.internal"),
        "{}",
        denied.printed()
    );
    for world in [allowed, denied] {
        assert!(world.cloud.sent().iter().all(|request| request.uri().host() == Some("127.0.0.1")));
    }
}

#[tokio::test(start_paused = true)]
async fn high_task_starts_before_low_ones_that_came_earlier() {
    let world = Setup::with_account_key()
        .set("priority_queues", "true")
        .set("max_concurrency", "2")
        .set("simulate_unit_ms", "500")
        .start();
    let mut low = Vec::new();
    for _ in 0..40 {
        low.push(id_of(&world.submit(&json!({"TaskName": "simulate", "Priority": 0})).await));
    }
    let high = id_of(&world.submit(&json!({"TaskName": "simulate", "Priority": 2})).await);
    let counts = |queue| world.cloud.messages(queue);
    assert_eq!((counts("taskqueue-high"), counts("taskqueue"), counts("taskqueue-low")), (1, 0, 40));
    while world.drain().await["more"] == true {}
    assert_eq!(
        (counts("taskqueue-high"), counts("taskqueue-low")),
        (0, 0),
        "each was deleted from its own queue"
    );
    let mut earlier = 0;
    let started = json(&world.get(&format!("/tasks/{high}")).await)["startedDateTime"].to_string();
    for id in low {
        let other = json(&world.get(&format!("/tasks/{id}")).await)["startedDateTime"].to_string();
        earlier += usize::from(other < started);
    }
    assert!(earlier <= 1, "{earlier} Low tasks started earlier than the High task");
}

#[tokio::test(start_paused = true)]
async fn garbage_is_poisoned_and_the_batch_goes_on() {
    let world = Setup::with_account_key().start();
    let id = id_of(&world.submit(&json!({"TaskName": "simulate"})).await);
    let garbage = [
        "not json".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        json!({"TaskId": "../../other"}).to_string(),
        json!({"TaskId": 5}).to_string(),
        "bm90IGpzb24=".to_owned(),
        "\u{fffd}".repeat(10_000),
        "9".repeat(60_000),
    ];
    {
        let now = world.cloud.now();
        let mut fake = world.cloud.fake.lock().unwrap();
        for text in &garbage {
            fake.put_message(ACCOUNT, "taskqueue", text.clone(), now);
        }
    }
    let counts = world.drain().await;
    assert_eq!((&counts["completed"], &counts["poisoned"]), (&json!(1), &json!(garbage.len())), "{counts}");
    assert_eq!(world.cloud.messages("taskqueue"), 0);
    assert_eq!(world.cloud.messages("taskqueue-poison"), garbage.len());
    let reasons_given = {
        let fake = world.cloud.fake.lock().unwrap();
        fake.messages(ACCOUNT, "taskqueue-poison").all(|copy| {
            let copy: serde_json::Value = serde_json::from_str(&copy.text).unwrap();
            !copy["Reason"].as_str().unwrap().is_empty()
        })
    };
    assert!(reasons_given);
    assert_eq!(json(&world.get(&format!("/tasks/{id}")).await)["status"], "Succeeded");
}
