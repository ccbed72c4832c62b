//! A task from its submission to its end.

use serde_json::json;

use crate::harness::{Setup, header, id_of, json};

#[tokio::test(start_paused = true)]
async fn accepted_task_goes_through_the_queue_to_succeeded() {
    let world = Setup::with_account_key().start();
    let accepted = world.submit(&json!({"TaskName": "simulate", "Priority": 2})).await;
    let monitor = header(&accepted, "operation-location").to_owned();
    let id = id_of(&accepted);
    assert_eq!(monitor, format!("http://example.test/tasks/{id}"));

    let waiting = world.get(&format!("/tasks/{id}")).await;
    assert_eq!(json(&waiting)["status"], "NotStarted");
    assert!(waiting.headers().contains_key("retry-after"));

    let counts = world.drain().await;
    assert_eq!((&counts["received"], &counts["completed"]), (&json!(1), &json!(1)), "{counts}");
    let ended = world.get(&format!("/tasks/{id}")).await;
    assert_eq!(json(&ended)["status"], "Succeeded");
    assert_eq!(world.cloud.messages("taskqueue"), 0);
}

#[tokio::test(start_paused = true)]
async fn original_route_matches_any_letter_case() {
    let world = Setup::with_account_key().start();
    for path in ["/Tasks/QueueTask", "/tasks/queuetask", "/TASKS/QUEUETASK"] {
        let body = json!({"taskname": "simulate", "PRIORITY": 0}).to_string();
        let accepted = world.call(crate::harness::request("POST", path, body)).await;
        assert_eq!(accepted.status(), 202, "{path}");
        assert!(accepted.body().is_empty() && !header(&accepted, "location").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn location_reads_its_blob_until_it_expires() {
    let world = Setup::with_account_key().start();
    let first = world.submit(&json!({"TaskName": "first"})).await;
    let second = world.submit(&json!({"TaskName": "second"})).await;
    let (location, other) = (header(&first, "location").to_owned(), id_of(&second));

    let read = world.cloud.get(&location);
    assert_eq!(read.status(), 200, "{location}");
    assert_eq!(json(&read)["TaskName"], "first");

    let borrowed = location.replace(&id_of(&first), &other);
    assert_ne!(borrowed, location);
    assert_eq!(world.cloud.get(&borrowed).status(), 403);
    let bare = location.split('?').next().unwrap();
    assert_eq!(world.cloud.get(bare).status(), 409, "public access is not permitted");

    tokio::time::sleep(std::time::Duration::from_secs(11 * 60)).await;
    assert_eq!(world.cloud.get(&location).status(), 403);
}

#[tokio::test(start_paused = true)]
async fn names_survive_queue_and_blob_unchanged() {
    let world = Setup::with_account_key().start();
    let names = [
        "name".to_owned(),
        "n".repeat(4096),
        "Überprüfung 漢字 🚀 \u{202e}x".to_owned(),
        "\"quotes\" 'and' <&> ]]> &amp; \\ /".to_owned(),
        "controls \u{0} \u{1} \t \r\n \u{7f} \u{ffff}".to_owned(),
    ];
    let mut ids = Vec::new();
    for name in &names {
        ids.push(id_of(&world.submit(&json!({"TaskName": name, "TaskDescription": name})).await));
    }
    let counts = world.drain().await;
    assert_eq!(counts["completed"], names.len(), "{counts}");
    for (id, name) in ids.iter().zip(&names) {
        let blob =
            world.cloud.fake.lock().unwrap().blob(crate::harness::ACCOUNT, "tasks", &format!("{id}-202"));
        let document: serde_json::Value = serde_json::from_slice(&blob.unwrap().content).unwrap();
        assert_eq!(document["TaskName"], *name);
        assert_eq!(document["TaskDescription"], *name);
    }
}

#[tokio::test(start_paused = true)]
async fn document_too_large_for_a_message_still_works() {
    let world = Setup::with_account_key().start();
    let task = json!({"TaskName": "simulate", "Input": {"text": "x".repeat(200_000)}});
    let id = id_of(&world.submit(&task).await);
    let largest = {
        let fake = world.cloud.fake.lock().unwrap();
        fake.messages(crate::harness::ACCOUNT, "taskqueue").map(|message| message.text.len()).max()
    };
    assert!(largest.unwrap() < 65_536);
    assert_eq!(world.drain().await["completed"], 1);
    assert_eq!(json(&world.get(&format!("/tasks/{id}")).await)["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn no_key_token_or_signature_is_printed() {
    let world = Setup::with_account_key().start();
    let accepted = world.submit(&json!({"TaskName": "simulate"})).await;
    world.drain().await;
    let location = header(&accepted, "location");
    let signature = location.split("sig=").nth(1).unwrap().split('&').next().unwrap();
    let printed = world.printed();
    assert!(
        printed.contains("drain ended"),
        "something must be printed for this to prove anything: {printed}"
    );
    for secret in [signature, crate::harness::DRAIN_TOKEN, &fake_azure::EMULATOR_KEY[..20]] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
