//! What clients and operators are told when a part behind the API is out of order.

use std::rc::Rc;

use http::{Method, StatusCode};

use crate::azure::{EMULATOR, World};

/// What `POST /tasks` and `GET /readyz` say when identity and vault answer so.
async fn said(answers: &[(&'static str, u16, &str)], variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let cloud = World::new(EMULATOR).cloud;
    *cloud.instead.borrow_mut() =
        answers.iter().map(|(host, status, body)| (*host, *status, (*body).to_owned())).collect();
    let all: Vec<_> =
        [("identity_endpoint", "http://identity.test/msi/token"), ("identity_header", "hidden")]
            .iter()
            .chain(variables)
            .copied()
            .collect();
    let world = World::over(cloud, &all);
    let mut said = Vec::new();
    for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/readyz")] {
        let answer = world.ask(method, path, &[], "{}").await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        let kind = problem["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned();
        said.push((kind, problem["detail"].as_str().unwrap().to_owned()));
    }
    let log = world.cloud.log.borrow();
    assert!(!format!("{said:?}{log}").contains("hidden"), "{said:?} {log}");
    said
}

#[tokio::test(start_paused = true)]
async fn a_broken_key_vault_or_identity_is_named_with_its_status_and_what_to_check() {
    let token = r#"{"access_token":"hidden","expires_on":"1795200000"}"#;
    let expired = r#"{"access_token":"hidden","expires_on":"1700000000"}"#;
    let giant = format!(r#"{{"access_token":"{}","expires_on":"1795200000"}}"#, "hidden".repeat(9_000));
    let vault = [("key_vault_url", "https://vault.test")];
    let page = "<html>hidden</html>";
    for (answers, kind, words) in [
        (
            &[("identity.test", 500, page)][..],
            "credentials-unavailable",
            ["managed identity", "500", "identity_endpoint"],
        ),
        (
            &[("identity.test", 200, page)],
            "credentials-unavailable",
            ["managed identity", "200", "identity_endpoint"],
        ),
        (
            &[("identity.test", 200, "{}")],
            "credentials-unavailable",
            ["managed identity", "200", "identity_endpoint"],
        ),
        (
            &[("identity.test", 200, expired)],
            "credentials-unavailable",
            ["managed identity", "expired", "clock"],
        ),
        (
            &[("identity.test", 200, &giant)],
            "credentials-unavailable",
            ["managed identity", "200", "identity_endpoint"],
        ),
        (&[("identity.test", 403, "")], "misconfigured", ["managed identity", "403", "identity_header"]),
        (&[("identity.test", 405, "")], "misconfigured", ["managed identity", "405", "identity_endpoint"]),
        (
            &[("identity.test", 200, token), ("vault.test", 500, page)],
            "credentials-unavailable",
            ["Key Vault", "500", "key_vault_name"],
        ),
        (
            &[("identity.test", 200, token), ("vault.test", 200, page)],
            "credentials-unavailable",
            ["Key Vault", "200", "key_vault_name"],
        ),
        (
            &[("identity.test", 200, token), ("vault.test", 200, "{}")],
            "credentials-unavailable",
            ["Key Vault", "200", "key_vault_name"],
        ),
        (
            &[("identity.test", 200, token), ("vault.test", 429, "")],
            "credentials-unavailable",
            ["Key Vault", "429", "key_vault_name"],
        ),
        (
            &[("identity.test", 200, token), ("vault.test", 403, "")],
            "misconfigured",
            ["Key Vault", "403", "Key Vault Secrets User"],
        ),
        (
            &[("identity.test", 200, token), ("vault.test", 400, "")],
            "misconfigured",
            ["Key Vault", "400", "key_vault_name"],
        ),
    ] {
        for (found, detail) in said(answers, &vault).await {
            assert_eq!(found, kind, "{answers:?}: {detail}");
            for word in words {
                assert!(detail.contains(word), "{word} in {detail}");
            }
            assert!(!detail.contains("Storage does not"), "{detail}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_blob_or_queue_service_is_named_with_its_status() {
    let cloud = World::new(EMULATOR).cloud;
    let storage =
        "AccountName=acct;AccountKey=aGlkZGVu;BlobEndpoint=http://blob.test;QueueEndpoint=http://queue.test";
    for (answers, words) in [
        (vec![("blob.test", 503, String::new())], ["Blob Storage", "503", "blob_endpoint"]),
        (
            vec![("blob.test", 404, String::new()), ("queue.test", 500, String::new())],
            ["Blob Storage", "404", "blob_endpoint"],
        ),
    ] {
        *cloud.instead.borrow_mut() = answers;
        let world = World::over(Rc::clone(&cloud), &[("storage_connection_string", storage)]);
        let answer = world.ask(Method::POST, "/tasks", &[], "{}").await;
        let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(problem["type"], "/problems/storage-unavailable");
        let detail = problem["detail"].as_str().unwrap();
        assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    }
    // Blob Storage answers the probe, Queue Storage does not.
    let world = World::new(EMULATOR);
    world.cloud.azure.borrow_mut().reset_requests();
    let split = "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;\
                 BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://queue.test/devstoreaccount1";
    world.cloud.instead.borrow_mut().push(("queue.test", 503, String::new()));
    let world = World::over(Rc::clone(&world.cloud), &[("storage_connection_string", split)]);
    let answer = world.ask(Method::GET, "/readyz", &[], "").await;
    let detail = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(["Queue Storage", "503", "queue_endpoint"].iter().all(|word| detail.contains(word)), "{detail}");
}
