//! Tokens on storage: lifetime, revocation, roles; and links made with a delegation key.

use std::time::Duration;

use fake_azure::{Action, Role};

use crate::world::{BLOB, PUT_X, QUEUE, World, identity, sign};

const STORAGE: &str = "https%3A%2F%2Fstorage.azure.com%2F";

#[test]
fn token_works_until_it_expires_or_is_revoked() {
    let mut world = World::new();
    world.fake.set_token_lifetime(Duration::from_secs(600));
    let token = world.token(STORAGE);
    let url = format!("{QUEUE}/taskqueue");
    world.with_token(&token, "PUT", &url, "").is(201, "");
    world.now += Duration::from_secs(599);
    world.with_token(&token, "PUT", &url, "").is(204, "");
    world.now += Duration::from_secs(1);
    let response = world.with_token(&token, "PUT", &url, "");
    response.is(401, "InvalidAuthenticationInfo");
    assert!(response.header("www-authenticate").starts_with("Bearer authorization_uri="));

    let token = world.token(STORAGE);
    world.with_token(&token, "PUT", &url, "").is(204, "");
    world.fake.revoke_tokens();
    world.with_token(&token, "PUT", &url, "").is(401, "InvalidAuthenticationInfo");
    let token = world.token(STORAGE);
    world.with_token(&token, "PUT", &url, "").is(204, "");
}

#[test]
fn token_needs_tls_and_a_version_except_on_loopback() {
    let mut world = World::new();
    let token = world.token(STORAGE);
    let plain = QUEUE.replace("https", "http") + "/taskqueue";
    world.with_token(&token, "PUT", &plain, "").is(403, "AuthenticationFailed");
    world.with_token(&token, "PUT", "http://127.0.0.1:10001/myaccount/taskqueue", "").is(201, "");
    let authorization = format!("Bearer {token}");
    for version in [&[][..], &[("x-ms-version", "2016-05-31")][..]] {
        let headers = [&[("authorization", authorization.as_str())][..], version].concat();
        world.send("PUT", &format!("{QUEUE}/taskqueue"), &headers, "").is(403, "AuthenticationFailed");
    }
}

#[test]
fn role_allows_its_actions_and_no_others() {
    let mut world = World::new();
    let messages = format!("{QUEUE}/taskqueue/messages");
    world.fake.put_message("myaccount", "taskqueue", "text", world.now);
    world.fake.put_blob("myaccount", "tasks", "blob", "content", "text/plain", world.now);
    let token = world.token(STORAGE);
    let denied = (403, "AuthorizationPermissionMismatch");

    world
        .fake
        .set_identity(identity().allowing(Role::StorageQueueDataMessageSender.actions().iter().copied()));
    world.with_token(&token, "POST", &messages, PUT_X).is(201, "");
    world.with_token(&token, "GET", &messages, "").is(denied.0, denied.1);
    world.with_token(&token, "PUT", &format!("{QUEUE}/another"), "").is(denied.0, denied.1);
    world.with_token(&token, "GET", &format!("{BLOB}/tasks/blob"), "").is(denied.0, denied.1);

    world
        .fake
        .set_identity(identity().allowing(Role::StorageQueueDataMessageProcessor.actions().iter().copied()));
    world.with_token(&token, "GET", &messages, "").is(200, "");
    world.with_token(&token, "POST", &messages, PUT_X).is(denied.0, denied.1);

    world.fake.set_identity(identity().allowing(Role::StorageBlobDataReader.actions().iter().copied()));
    world.with_token(&token, "GET", &format!("{BLOB}/tasks/blob"), "").is(200, "");
    world.with_token(&token, "PUT", &format!("{BLOB}/tasks/blob"), "x").is(denied.0, denied.1);
    world.with_token(&token, "DELETE", &format!("{BLOB}/tasks/blob"), "").is(denied.0, denied.1);
}

/// The members of a new delegation key that is valid for a day.
fn delegation_key(world: &mut World, token: &str) -> Vec<String> {
    let url = format!("{BLOB}/?restype=service&comp=userdelegationkey");
    let body = "<KeyInfo><Start>2026-11-20T10:00:00Z</Start><Expiry>2026-11-21T10:00:00Z</Expiry></KeyInfo>";
    let response = world.with_token(token, "POST", &url, body);
    response.is(200, "");
    ["SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion", "Value"]
        .map(|name| {
            let from = response.body.split_once(&format!("<{name}>")).unwrap().1;
            from.split_once('<').unwrap().0.to_owned()
        })
        .to_vec()
}

fn delegated_link(key: &[String]) -> String {
    let [oid, tid, start, expiry, service, version, value] = key else { unreachable!("seven members") };
    let end = "2026-11-22T10:00:00Z";
    let text = format!(
        "r\n\n{end}\n/blob/myaccount/tasks/blob\n{oid}\n{tid}\n{start}\n{expiry}\n{service}\n{version}\n\n\n\n\n\n\
         2023-11-03\nb\n\n\n\n\n\n\n"
    );
    let signature = sign(value, &text);
    format!(
        "{BLOB}/tasks/blob?sv=2023-11-03&sr=b&sp=r&se={end}&skoid={oid}&sktid={tid}&skt={start}&ske={expiry}\
         &sks={service}&skv={version}&sig={signature}"
    )
}

#[test]
fn delegated_link_ends_with_its_key_and_its_rights() {
    let mut world = World::new();
    world.fake.put_blob("myaccount", "tasks", "blob", "content", "text/plain", world.now);
    let token = world.token(STORAGE);
    let link = delegated_link(&delegation_key(&mut world, &token));
    world.send("GET", &link, &[], "").is(200, "");

    world.fake.set_identity(identity().allowing([Action::GenerateUserDelegationKey]));
    world.send("GET", &link, &[], "").is(403, "AuthorizationPermissionMismatch");
    world.fake.set_identity(identity());
    world.send("GET", &link, &[], "").is(200, "");

    let before = world.now;
    world.now += Duration::from_secs(24 * 60 * 60);
    // The link itself would be valid for another day.
    world.send("GET", &link, &[], "").is(403, "AuthenticationFailed");
    world.now = before;
    world.fake.revoke_delegation_keys();
    world.send("GET", &link, &[], "").is(403, "AuthenticationFailed");
    let link = delegated_link(&delegation_key(&mut world, &token));
    world.send("GET", &link, &[], "").is(200, "");
}

#[test]
fn delegation_key_lives_whole_seconds_and_at_most_seven_days() {
    let mut world = World::new();
    let token = world.token(STORAGE);
    let url = format!("{BLOB}/?restype=service&comp=userdelegationkey");
    let mut ask = |start: &str, expiry: &str| {
        let body = format!("<KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>");
        let response = world.with_token(&token, "POST", &url, &body);
        (response.status, response.code)
    };
    assert_eq!(ask("2026-11-20T10:00:00Z", "2026-11-27T10:00:00Z").0, 200);
    for (start, expiry) in [
        ("2026-11-20T10:00:00Z", "2026-11-27T10:00:01Z"),
        ("2026-11-20T10:00:00.5Z", "2026-11-21T10:00:00Z"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("2026-11-19T10:00:00Z", "2026-11-20T10:00:00Z"),
        ("2026-11-20T10:00:00Z", "tomorrow"),
    ] {
        assert_eq!(ask(start, expiry), (400, "InvalidXmlNodeValue".to_owned()), "{start} {expiry}");
    }
}
