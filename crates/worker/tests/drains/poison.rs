//! Messages that are given up, and their copies.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::Operation;
use http::Response;
use models::{TaskId, TaskState, TaskStatus};
use serde_json::json;
use test_world::Fault;

use crate::world::run;

#[test]
fn poison_copy_has_the_whole_message_and_the_reason() {
    run(|world| async move {
        let text = "<&> \"quoted\" ünï \u{1F600} {\"not\": a task}";
        world.send(text).await;
        world.worker(&[]).drain().await;
        let [copy] = &world.poison()[..] else { panic!("one copy") };
        assert_eq!(copy.message.as_deref(), Some(text));
        assert_eq!((&copy.encoding, &copy.blob, copy.dequeue_count), (&None, &None, 1));
        assert!(copy.reason.starts_with("the message cannot be read: "), "{}", copy.reason);
        assert_eq!(copy.poisoned_at.since(world.now()).as_secs(), 0);
        assert!(world.has_logged("message given up"));
        assert!(!world.has_logged("quoted"), "bodies are not logged");
    });
}

#[test]
fn original_too_large_for_the_copy_is_a_blob() {
    run(|world| async move {
        let noise = "\"".repeat(60_000);
        world.send(&noise).await;
        world.worker(&[]).drain().await;
        let [copy] = &world.poison()[..] else { panic!("one copy") };
        assert_eq!(copy.message, None);
        let name = copy.blob.as_deref().unwrap();
        assert_eq!(name, format!("{}-poison", copy.message_id));
        assert_eq!(world.poisoned(name).unwrap().content, noise.as_bytes());
        assert!(world.blob(name).is_none(), "what is kept for longer is not among the tasks");
    });
}

#[test]
fn original_too_large_after_escaping_is_a_blob() {
    run(|world| async move {
        // Another program sends it in a CDATA section, which needs no escapes, so that it is within the limit.
        let noise = format!("not a task: {}", "&".repeat(30_000));
        world.put_message("", &noise);
        let counts = world.worker(&[]).drain().await;
        assert_eq!(counts["poisoned"], 1, "{counts}");
        let [copy] = &world.poison()[..] else { panic!("one copy") };
        assert_eq!(copy.message, None);
        let name = copy.blob.as_deref().unwrap();
        assert_eq!(world.poisoned(name).unwrap().content, noise.as_bytes());
        assert!(world.messages("").is_empty());
    });
}

#[test]
fn message_with_a_broken_member_fails_its_task() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.drop_messages().await;
        world.send(&format!("{{\"TaskId\":\"{id}\",\"Priority\":99999999999999999999}}")).await;
        assert_eq!(world.worker(&[]).drain().await["poisoned"], 1);
        let document = world.document(id);
        assert_eq!(document.state, TaskState::Failed);
        assert_eq!(document.error.unwrap().message, world.poison()[0].reason);
    });
}

#[test]
fn unreadable_document_is_unchanged_and_its_message_copied() {
    run(|world| async move {
        for garbage in ["{\"TaskName\":", "[]", "{\"TaskId\":\"11111111-2222-3333-4444-555555555555\"}"] {
            let id = world.submit("checksum", |_| {}).await;
            world.put_blob(&id.status_blob_name(), garbage.to_owned());
            assert_eq!(world.worker(&[]).drain().await["poisoned"], 1, "{garbage}");
            assert_eq!(world.blob(&id.status_blob_name()).unwrap().content, garbage);
        }
        assert_eq!(world.poison().len(), 3);
    });
}

#[test]
fn stored_document_wins_over_the_message() {
    run(|world| async move {
        let id = world.submit("checksum", |document| document.owner = Some("alice".to_owned())).await;
        let mut forged: serde_json::Value = serde_json::from_str(&world.messages("")[0].text).unwrap();
        world.drop_messages().await;
        forged["Owner"] = json!("mallory");
        forged["returnUri"] = json!("https://evil.example/");
        forged["Result"] = json!("forged");
        forged["TaskName"] = json!("simulate");
        for etag in ["*", "\"0xBAD\"", "\"1\"\r\nx: y\""] {
            forged["ETag"] = json!(etag);
            world.send(&forged.to_string()).await;
        }
        let genuine = world.document(id);
        world.worker(&[]).drain_until_quiet(&world).await;
        let document = world.document(id);
        assert_eq!(document.state, TaskState::Completed);
        assert_eq!((&document.owner, &document.return_uri), (&genuine.owner, &genuine.return_uri));
        assert_eq!(document.result.unwrap().value()["bytes"], 9, "the checksum of the stored input");
    });
}

#[test]
fn poison_copy_failure_keeps_the_message() {
    run(|world| async move {
        world.respond_to_tasks(|_| (Duration::from_secs(100), Response::new(Bytes::new())));
        let id = world.submit("routed", |_| {}).await;
        // The worker of the only attempt crashes.
        let doomed = world.worker(&[]);
        assert!(tokio::time::timeout(Duration::from_secs(5), doomed.drain()).await.is_err());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let refused = Cell::new(0);
        world.fail(move |request| {
            let is_copy = request.operation == Operation::PutMessage && request.path == "/taskqueue-poison";
            let fails = is_copy && refused.get() < 20;
            refused.set(refused.get() + u32::from(fails));
            if fails { Fault::status(500) } else { Fault::None }
        });
        let worker = world.worker(&[("max_dequeue_count", "1")]);
        assert_eq!(worker.drain().await["lost"], 1, "no copy, no deletion");
        assert_eq!(world.document(id).state, TaskState::Failed);
        assert_eq!(world.messages("").len(), 1);
        worker.drain_until_quiet(&world).await;
        assert!(!world.poison().is_empty(), "the copy is made up for");
        assert_eq!(world.document(id).error.unwrap().code, "TooManyDeliveries");
    });
}

#[test]
fn message_of_the_net_api_creates_a_missing_document() {
    run(|world| async move {
        let id: TaskId = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".parse().unwrap();
        let text = format!(
            "{{\"TaskName\":\"anything\",\"TaskDescription\":\"d\",\"Status\":2,\"TaskId\":\"{id}\",\"Priority\":0,\"returnUri\":null}}"
        );
        world.send(&text).await;
        assert_eq!(world.worker(&[]).drain().await["completed"], 1);
        let document = world.document(id);
        assert_eq!((document.state, document.task_name.as_str()), (TaskState::Completed, "anything"));
        assert!(document.is_ours());
    });
}

#[test]
fn document_of_the_net_api_counts_as_pending() {
    run(|world| async move {
        for state in 0..5 {
            let id = TaskId::from_random_bytes([state + 1; 16]);
            let text = json!({ "TaskName": "anything", "TaskDescription": "d", "Status": state, "TaskId": id.to_string(),
                "Priority": 2, "returnUri": "https://x.example/tasks/y-202" })
            .to_string();
            world.put_blob(&id.status_blob_name(), text.clone());
            world.send(&text).await;
            assert_eq!(world.worker(&[]).drain().await["completed"], 1, "{state}");
            assert_eq!(world.document(id).state, TaskState::Completed);
            // In Base64, as older .NET clients send it, and delivered again after its outcome.
            use base64::Engine as _;
            world.send(&base64::engine::general_purpose::STANDARD.encode(&text)).await;
            assert_eq!(world.worker(&[]).drain().await["discarded"], 1, "{state}");
        }
    });
}

#[test]
fn base64_message_with_line_breaks_is_completed() {
    run(|world| async move {
        use base64::Engine as _;
        for (byte, end) in [(1u8, "\n"), (2, "\r\n"), (3, " \t")] {
            let id = TaskId::from_random_bytes([byte; 16]);
            let text = json!({ "TaskName": "anything", "TaskDescription": "x".repeat(200), "Status": 0,
                "TaskId": id.to_string(), "Priority": 2, "returnUri": null })
            .to_string();
            let solid = base64::engine::general_purpose::STANDARD.encode(&text);
            let lines: Vec<_> =
                solid.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap()).collect();
            assert!(lines.len() > 3);
            world.send(&(lines.join(end) + end)).await;
            assert_eq!(world.worker(&[]).drain().await["completed"], 1, "{end:?}");
            assert_eq!(world.document(id).state, TaskState::Completed);
        }
        assert_eq!(world.poison(), []);
    });
}

#[test]
fn outcome_of_the_net_worker_is_kept() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        // The .NET worker writes the six members it knows, and crashes before it deletes the message.
        let ours = world.document(id);
        let theirs = TaskStatus {
            created_at: None,
            updated_at: None,
            input: None,
            state: TaskState::Completed,
            ..ours
        };
        world.put_blob(&id.status_blob_name(), theirs.to_bytes());
        assert_eq!(world.worker(&[]).drain().await["discarded"], 1);
        assert_eq!(world.document(id), theirs);
    });
}

#[test]
fn message_of_a_deleted_task_is_deleted() {
    run(|world| async move {
        let id = world.submit("checksum", |_| {}).await;
        world.remove_blob(&id.status_blob_name());
        assert_eq!(world.worker(&[]).drain().await["discarded"], 1);
        assert!(world.blob(&id.status_blob_name()).is_none());
        assert!(world.messages("").is_empty());
    });
}
