//! The identity endpoint and Key Vault.

use crate::world::{CLIENT_ID, VAULT, World, identity};
use fake_azure::{Action, Identity};

const VAULT_RESOURCE: &str = "https%3A%2F%2Fvault.azure.net";

#[test]
fn token_comes_with_its_expiry_as_text() {
    let mut world = World::new();
    let response =
        world.ask_for_token(&format!("resource={VAULT_RESOURCE}&client_id={CLIENT_ID}"), "the-header");
    let token: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    let expected = (world.now + time::Duration::days(1)).unix_timestamp().to_string();
    assert_eq!(token["expires_on"], expected);
    assert_eq!(token["token_type"], "Bearer");
    assert_eq!(token["resource"], "https://vault.azure.net");
}

#[test]
fn who_asks_wrongly_gets_no_token() {
    let mut world = World::new();
    let good = format!("resource={VAULT_RESOURCE}&client_id={CLIENT_ID}");
    assert_eq!(world.ask_for_token(&good, "another header").status, 401);
    assert_eq!(world.ask_for_token(&good, "").status, 401);
    for wrong in [
        format!("client_id={CLIENT_ID}"),
        format!("resource={VAULT_RESOURCE}&client_id=00000000-0000-0000-0000-000000000000"),
        // There is no system-assigned identity.
        format!("resource={VAULT_RESOURCE}"),
        format!("resource=https%3A%2F%2Fexample.org&client_id={CLIENT_ID}"),
        format!("{good}&api-version=2017-09-01").replacen("api-version=2019-08-01&", "", 1),
    ] {
        let url = format!("{}?{wrong}", crate::world::IDENTITY);
        let url = if wrong.contains("2017") { url } else { url + "&api-version=2019-08-01" };
        let response = world.send("GET", &url, &[("x-identity-header", "the-header")], "");
        assert_eq!(response.status, 400, "{wrong}: {}", response.body);
    }
    world.fake.set_identity(Identity::system_assigned("33333333-3333-3333-3333-333333333333"));
    assert_eq!(world.ask_for_token(&format!("resource={VAULT_RESOURCE}"), "the-header").status, 200);
    world.fake.set_identity_header("rotated");
    assert_eq!(world.ask_for_token(&good, "the-header").status, 401);
    assert_eq!(world.ask_for_token(&good, "rotated").status, 200);
}

#[test]
fn secret_is_read_with_a_token_for_the_vault() {
    let mut world = World::new();
    let token = world.token(VAULT_RESOURCE);
    let response = world.secret(&token, "StorageCS");
    assert_eq!(response.status, 200);
    let secret: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(secret["value"], "s3cret");
    let id = secret["id"].as_str().unwrap();
    assert!(id.starts_with("https://myvault.vault.azure.net/secrets/StorageCS/"), "{id}");

    let response = world.send("GET", &format!("{VAULT}/secrets/StorageCS?api-version=7.4"), &[], "");
    assert_eq!(response.status, 401);
    assert!(response.header("www-authenticate").contains("resource=\"https://vault.azure.net\""));
    let storage_token = world.token("https%3A%2F%2Fstorage.azure.com%2F");
    assert_eq!(world.secret(&storage_token, "StorageCS").status, 401);
    assert_eq!(world.secret("no.token.atall", "StorageCS").status, 401);
    let response = world.secret(&token, "Other");
    assert_eq!(response.status, 404);
    assert!(response.body.contains("SecretNotFound"), "{}", response.body);
}

#[test]
fn vault_refuses_missing_roles_and_too_many_requests() {
    let mut world = World::new();
    let token = world.token(VAULT_RESOURCE);
    world.fake.set_vault_throttled(true);
    let response = world.secret(&token, "StorageCS");
    assert_eq!((response.status, response.header("retry-after")), (429, "10"));
    world.fake.set_vault_throttled(false);
    world.fake.set_identity(identity().allowing([Action::BlobsRead]));
    assert_eq!(world.secret(&token, "StorageCS").status, 403);
    world.fake.set_identity(identity().allowing([Action::SecretsGet]));
    assert_eq!(world.secret(&token, "StorageCS").status, 200);
}

#[test]
fn secret_can_change_and_go() {
    let mut world = World::new();
    let token = world.token(VAULT_RESOURCE);
    let first = world.secret(&token, "StorageCS").body;
    world.fake.set_secret("myvault", "StorageCS", Some("rotated"));
    let second = world.secret(&token, "storagecs").body;
    assert!(second.contains("\"rotated\""), "{second}");
    assert_ne!(first, second);
    world.fake.set_secret("myvault", "StorageCS", None);
    assert_eq!(world.secret(&token, "StorageCS").status, 404);
}
