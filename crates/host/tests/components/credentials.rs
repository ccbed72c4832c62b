//! Every way to get at storage, from submission to result, and credentials that change meanwhile.

use std::time::Duration;

use fake_azure::EMULATOR_KEY;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Setup, World, header, json, problem, request};

const VAULT: &str = "accepted";
const NEW_KEY: &str = "bmV3IGtleSBvZiB0aGUgYWNjb3VudCwgZm9yIHRlc3Rz";

fn connection_string(key: &str) -> String {
    format!(
        "AccountName={ACCOUNT};AccountKey={key};BlobEndpoint=http://127.0.0.1:10000/{ACCOUNT};\
         QueueEndpoint=http://127.0.0.1:10001/{ACCOUNT}"
    )
}

/// The connection string as secret StorageCS of a vault, read with the managed identity.
fn with_key_vault() -> World {
    let world = Setup::keyless()
        .set("storage_account_name", "")
        .set("blob_endpoint", "")
        .set("queue_endpoint", "")
        .set("key_vault_name", VAULT)
        .set("key_vault_host", "https://accepted.vault.azure.net")
        .start();
    set_secret(&world, Some(&connection_string(EMULATOR_KEY)));
    world
}

fn set_secret(world: &World, value: Option<&str>) {
    world.cloud.fake.lock().unwrap().set_secret(VAULT, "StorageCS", value);
}

/// From 202 to the result, and the signed link.
async fn one_task(world: &World) {
    let accepted = world.submit(&json!({"TaskName": "checksum", "Input": "hello"})).await;
    assert_eq!(world.cloud.get(header(&accepted, "location")).status(), 200, "the link opens the document");
    let counts = world.drain().await;
    assert_eq!(counts["completed"], 1, "{counts}");
    let id = json(&accepted)["id"].as_str().unwrap().to_owned();
    let ended = json(&world.get(&format!("/tasks/{id}")).await);
    assert_eq!((&ended["status"], &ended["result"]["bytes"]), (&json!("Succeeded"), &json!(5)), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn task_completes_with_each_kind_of_credential() {
    for world in [Setup::with_account_key().start(), with_key_vault(), Setup::keyless().start()] {
        one_task(&world).await;
        let printed = world.printed();
        assert!(!printed.contains(EMULATOR_KEY) && !printed.contains("sig="), "{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn rotated_account_key_loses_no_task() {
    let world = with_key_vault();
    let before = world.submit(&json!({"TaskName": "checksum", "Input": "a"})).await;
    world.cloud.fake.lock().unwrap().set_keys(ACCOUNT, &[NEW_KEY]).unwrap();
    set_secret(&world, Some(&connection_string(NEW_KEY)));
    tokio::time::sleep(Duration::from_secs(10)).await;
    // The instance still holds the old key: storage refuses it, and the secret is read again.
    world.submit(&json!({"TaskName": "checksum", "Input": "b"})).await;
    assert_eq!(world.drain().await["completed"], 2);
    let id = json(&before)["id"].as_str().unwrap().to_owned();
    assert_eq!(json(&world.get(&format!("/tasks/{id}")).await)["status"], "Succeeded");
    assert!(!world.printed().contains(NEW_KEY));
}

#[tokio::test(start_paused = true)]
async fn revoked_tokens_lose_no_task() {
    let world = Setup::keyless().start();
    one_task(&world).await;
    world.cloud.fake.lock().unwrap().revoke_tokens();
    tokio::time::sleep(Duration::from_secs(10)).await;
    one_task(&world).await;
}

#[tokio::test(start_paused = true)]
async fn unusable_secret_is_503_naming_the_part_and_not_the_value() {
    for (secret, part) in [
        (None, "storage_secret_name"),
        (Some("AccountName=hidden"), "AccountKey"),
        (Some("AccountName=hidden;AccountKey=not base64!"), "AccountKey"),
    ] {
        let world = with_key_vault();
        set_secret(&world, secret);
        let refused = world.call(request("POST", "/tasks", json!({"TaskName": "x"}).to_string())).await;
        let detail = problem(&refused, 503)["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(part) && !detail.contains("hidden"), "{detail}");
        assert!(!world.printed().contains("hidden"), "{}", world.printed());
    }
}

#[tokio::test(start_paused = true)]
async fn key_opens_only_the_tasks_of_its_caller() {
    // SHA-256 of "alice" and of "bob".
    let hashes = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90,\
                  81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9";
    let world = Setup::with_account_key().set("api_auth", "api-key").set("api_key_hashes", hashes).start();
    let ask = |method: &str, path: &str, key: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut asked = request(method, path, body);
        asked.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        world.call(asked)
    };
    let task = json!({"TaskName": "checksum", "Input": "secret of alice"});
    assert_eq!(ask("POST", "/tasks", "eve", &task).await.status(), 401);
    let accepted = ask("POST", "/tasks", "alice", &task).await;
    assert_eq!(accepted.status(), 202);
    let path = format!("/tasks/{}", json(&accepted)["id"].as_str().unwrap());
    assert_eq!(ask("GET", &path, "alice", &Value::Null).await.status(), 200);
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/result")),
        ("POST", format!("{path}/cancel")),
        ("DELETE", path.clone()),
    ] {
        assert_eq!(ask(method, &path, "bob", &Value::Null).await.status(), 404, "{method} {path}");
    }
    assert_eq!(json(&ask("GET", "/tasks", "bob", &Value::Null).await)["value"], json!([]));
    assert_eq!(world.get("/healthz").await.status(), 200);
    assert_eq!(world.get("/metrics").await.status(), 401);
}
