//! Problems while Key Vault, the identity endpoint or a storage service does not work.

use std::rc::Rc;
use std::time::Duration;

use fake_azure::{EMULATOR_ACCOUNT, EMULATOR_KEY};
use http::{Method, Response};
use test_world::TestWorld;

use crate::world::World;

type Canned = (&'static str, u16, String);

/// Makes these hosts respond with a status and a body, whatever the request is.
fn serve(env: &TestWorld, responses: Vec<Canned>) {
    env.serve_other_hosts(move |request| {
        let host = request.uri().host().unwrap_or_default();
        let (_, status, body) = responses.iter().find(|(of, ..)| *of == host)?;
        Some((Duration::ZERO, Response::builder().status(*status).body(body.clone().into()).unwrap()))
    });
}

/// The problems of `POST /tasks` and `GET /readyz` when identity and vault respond so: type and detail.
async fn problems(
    responses: &[(&'static str, u16, &str)],
    variables: &[(&str, &str)],
) -> Vec<(String, String)> {
    let env = TestWorld::new();
    serve(&env, responses.iter().map(|(host, status, body)| (*host, *status, (*body).to_owned())).collect());
    let all: Vec<_> =
        [("identity_endpoint", "http://identity.test/msi/token"), ("identity_header", "hidden")]
            .iter()
            .chain(variables)
            .copied()
            .collect();
    let world = World::around(env, &all);
    let mut found = Vec::new();
    for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/readyz")] {
        let response = world.ask(method, path, &[], "{}").await;
        let (status, kind) = response.kind();
        assert_eq!(status, 503);
        assert!(response.headers.contains_key("retry-after"));
        found.push((kind, response.problem().detail.unwrap()));
    }
    let log = world.logged();
    assert!(!format!("{found:?}{log}").contains("hidden"), "{found:?} {log}");
    found
}

#[tokio::test(start_paused = true)]
async fn problem_names_a_broken_key_vault_or_identity_and_the_remedy() {
    let token = r#"{"access_token":"hidden","expires_on":"1795200000"}"#;
    let expired = r#"{"access_token":"hidden","expires_on":"1700000000"}"#;
    let giant = format!(r#"{{"access_token":"{}","expires_on":"1795200000"}}"#, "hidden".repeat(9_000));
    let vault = [("key_vault_url", "https://vault.test")];
    let page = "<html>hidden</html>";
    for (responses, kind, words) in [
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
        for (found, detail) in problems(responses, &vault).await {
            assert_eq!(found, kind, "{responses:?}: {detail}");
            for word in words {
                assert!(detail.contains(word), "{word} in {detail}");
            }
            assert!(!detail.contains("Storage does not"), "{detail}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn problem_names_a_broken_blob_or_queue_service() {
    let env = TestWorld::new();
    let storage =
        "AccountName=acct;AccountKey=aGlkZGVu;BlobEndpoint=http://blob.test;QueueEndpoint=http://queue.test";
    for (responses, words) in [
        (vec![("blob.test", 503, String::new())], ["Blob Storage", "503", "blob_endpoint"]),
        (
            vec![("blob.test", 404, String::new()), ("queue.test", 500, String::new())],
            ["Blob Storage", "404", "blob_endpoint"],
        ),
    ] {
        serve(&env, responses);
        let world = World::around(Rc::clone(&env), &[("storage_connection_string", storage)]);
        let response = world.post("/tasks", "{}").await;
        assert_eq!(response.kind().1, "storage-unavailable");
        let detail = response.problem().detail.unwrap();
        assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    }
    // Blob Storage responds to the probe, Queue Storage does not.
    let split = format!(
        "AccountName={EMULATOR_ACCOUNT};AccountKey={EMULATOR_KEY};\
         BlobEndpoint=http://127.0.0.1:10000/{EMULATOR_ACCOUNT};QueueEndpoint=http://queue.test/{EMULATOR_ACCOUNT}"
    );
    serve(&env, vec![("queue.test", 503, String::new())]);
    let world = World::around(env, &[("storage_connection_string", &split)]);
    let response = world.get("/readyz").await;
    let detail = response.text();
    assert!(["Queue Storage", "503", "queue_endpoint"].iter().all(|word| detail.contains(word)), "{detail}");
}
