//! Accounts: keys, names, lengths, counters, other origins.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake_azure::{Config, EMULATOR_KEY, FakeAzure, Operation};
use time::Duration;

use crate::world::{BLOB, PUT_X, QUEUE, World, config, sign, signed};

#[test]
fn rotated_key_is_refused_and_two_keys_work() {
    let mut world = World::new();
    let url = format!("{QUEUE}/taskqueue");
    let second = STANDARD.encode([9; 64]);
    world.with_key(&second, "PUT", &url, "").is(403, "AuthenticationFailed");
    world.fake.set_keys("myaccount", &[EMULATOR_KEY, &second]).unwrap();
    world.keyed("PUT", &url, "").is(201, "");
    world.with_key(&second, "PUT", &url, "").is(204, "");
    world.fake.set_keys("myaccount", &[&second]).unwrap();
    world.keyed("PUT", &url, "").is(403, "AuthenticationFailed");
    world.with_key(&second, "PUT", &url, "").is(204, "");
    let error = world.fake.set_keys("myaccount", &["not base64!"]).unwrap_err();
    assert_eq!(error.to_string(), "the key of account myaccount is not base64");
    world.with_key(&second, "PUT", &url, "").is(204, "");
}

#[test]
fn deleted_name_stays_taken_for_30_s() {
    let mut world = World::new();
    let container = format!("{BLOB}/tasks?restype=container");
    let queue = format!("{QUEUE}/taskqueue");
    world.keyed("PUT", &container, "").is(201, "");
    world.keyed("PUT", &queue, "").is(201, "");
    world.keyed("DELETE", &container, "").is(202, "");
    world.keyed("DELETE", &queue, "").is(204, "");
    world.now += Duration::seconds(29);
    world.keyed("PUT", &container, "").is(409, "ContainerBeingDeleted");
    world.keyed("PUT", &queue, "").is(409, "QueueBeingDeleted");
    world.keyed("GET", &container, "").is(404, "ContainerNotFound");
    world.now += Duration::SECOND;
    world.keyed("PUT", &container, "").is(201, "");
    world.keyed("PUT", &queue, "").is(201, "");
}

#[test]
fn body_must_announce_its_length() {
    let mut world = World::new();
    world.keyed("PUT", &format!("{BLOB}/tasks?restype=container"), "").is(201, "");
    let url = format!("{BLOB}/tasks/blob");
    let wrong = [("content-length", "3"), ("x-ms-blob-type", "BlockBlob")];
    let sas = signed(&url, EMULATOR_KEY);
    world.send("PUT", &sas, &wrong, "four").is(400, "InvalidHeaderValue");
    let none = http::Request::put(&sas).header("x-ms-blob-type", "BlockBlob").body("four".into()).unwrap();
    assert_eq!(world.fake.handle(none, world.now).status(), 411);
    world.keyed("PUT", &url, "four").is(201, "");
}

#[test]
fn requests_are_counted_by_operation_refused_ones_too() {
    let mut world = World::new();
    world.keyed("PUT", &format!("{BLOB}/tasks?restype=container"), "");
    world.keyed("PUT", &format!("{QUEUE}/taskqueue"), "");
    world.fake.reset_requests();
    world.keyed("PUT", &format!("{BLOB}/tasks/one"), "{}").is(201, "");
    world.keyed("POST", &format!("{QUEUE}/taskqueue/messages"), PUT_X).is(201, "");
    world.keyed("POST", &format!("{QUEUE}/nowhere/messages"), PUT_X).is(404, "QueueNotFound");
    let counted: Vec<_> =
        world.fake.requests().iter().map(|(operation, count)| (*operation, *count)).collect();
    assert_eq!(counted, [(Operation::PutBlob, 1), (Operation::PutMessage, 2)]);
}

#[test]
fn tests_see_what_is_stored_hidden_messages_too() {
    let mut world = World::new();
    world.fake.put_message("myaccount", "taskqueue", "first", world.now);
    world.fake.put_message("myaccount", "taskqueue", "second", world.now);
    world.fake.put_blob("myaccount", "tasks", "blob", "content", "text/plain", world.now);
    world.keyed("GET", &format!("{QUEUE}/taskqueue/messages?visibilitytimeout=60"), "").is(200, "");
    let messages: Vec<_> = world.fake.messages("myaccount", "taskqueue").collect();
    let seen: Vec<_> =
        messages.iter().map(|m| (m.text.as_str(), m.dequeue_count, m.visible_at - world.now)).collect();
    assert_eq!(seen, [("first", 1, Duration::minutes(1)), ("second", 0, Duration::ZERO)]);
    assert_eq!(world.fake.blob("myaccount", "tasks", "blob").unwrap().content, "content");
    world.fake.reveal_messages("myaccount", "taskqueue", world.now);
    let response = world.keyed("GET", &format!("{QUEUE}/taskqueue/messages?numofmessages=32"), "");
    assert_eq!(response.body.matches("<MessageId>").count(), 2);
}

#[test]
fn order_and_existence_can_be_disturbed() {
    let mut world = World::new();
    for number in 0..20 {
        world.fake.put_message("myaccount", "taskqueue", number.to_string(), world.now);
    }
    world.fake.reorder_messages("myaccount", "taskqueue", 3, world.now);
    let response =
        world.keyed("GET", &format!("{QUEUE}/taskqueue/messages?peekonly=true&numofmessages=32"), "");
    let texts = response.body.split("<MessageText>").skip(1).map(|rest| rest.split('<').next().unwrap());
    let mut order: Vec<u32> = texts.map(|text| text.parse().unwrap()).collect();
    assert!(!order.is_sorted(), "{order:?}");
    order.sort_unstable();
    assert!(order.iter().copied().eq(0..20));
    world.fake.remove_queue("myaccount", "taskqueue");
    world.keyed("GET", &format!("{QUEUE}/taskqueue/messages"), "").is(404, "QueueNotFound");
    world.keyed("PUT", &format!("{QUEUE}/taskqueue"), "").is(201, "");
    world.fake.put_blob("myaccount", "tasks", "blob", "content", "text/plain", world.now);
    world.fake.remove_container("myaccount", "tasks");
    world.keyed("GET", &format!("{BLOB}/tasks/blob"), "").is(404, "ContainerNotFound");
    world.keyed("PUT", &format!("{BLOB}/tasks?restype=container"), "").is(201, "");
}

#[test]
fn same_seed_and_requests_give_the_same_responses() {
    let run = |seed| {
        let mut world = World { fake: FakeAzure::new(Config { seed, ..config() }).unwrap(), ..World::new() };
        let mut said = Vec::new();
        for (method, url) in
            [("PUT", "taskqueue"), ("POST", "taskqueue/messages"), ("GET", "taskqueue/messages")]
        {
            let response =
                world.keyed(method, &format!("{QUEUE}/{url}"), if method == "POST" { PUT_X } else { "" });
            said.push(format!("{:?} {}", response.raw.headers(), response.body));
        }
        said
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn other_origins_read_only_with_cors() {
    let ask = |cors| {
        let mut world = World { fake: FakeAzure::new(Config { cors, ..config() }).unwrap(), ..World::new() };
        let headers = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
        world.send("OPTIONS", &format!("{BLOB}/tasks/blob"), &headers, "")
    };
    ask(false).is(403, "CorsPreflightFailure");
    assert_eq!(ask(true).header("access-control-allow-origin"), "https://app.example");
}

#[test]
fn link_is_bound_to_its_address_and_start() {
    let mut world = World::new();
    world.fake.put_blob("myaccount", "tasks", "blob", "content", "text/plain", world.now);
    let mut ask = |start: &str, range: &str, peer: Option<&str>| {
        let expiry = "2027-01-01T00:00:00Z";
        let text = format!(
            "r\n{start}\n{expiry}\n/blob/myaccount/tasks/blob\n\n{range}\n\n2023-11-03\nb\n\n\n\n\n\n\n"
        );
        let signature = sign(EMULATOR_KEY, &text);
        let url = format!(
            "{BLOB}/tasks/blob?sv=2023-11-03&sr=b&sp=r&st={start}&se={expiry}&sip={range}&sig={signature}"
        );
        let mut request = http::Request::get(url).body(bytes::Bytes::new()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(fake_azure::PeerAddress(peer.parse().unwrap()));
        }
        let response = world.fake.handle(request, world.now);
        response.headers().get("x-ms-error-code").map_or("ok", |code| code.to_str().unwrap()).to_owned()
    };
    assert_eq!(ask("", "", None), "ok");
    assert_eq!(ask("2026-11-20T10:00:00Z", "10.0.0.1-10.0.0.9", Some("10.0.0.9")), "ok");
    assert_eq!(ask("2026-11-20T10:00:01Z", "", None), "AuthenticationFailed");
    assert_eq!(ask("", "10.0.0.1-10.0.0.9", Some("10.0.0.10")), "AuthorizationSourceIPMismatch");
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let mut world = World::new();
    world.fake.set_secret("myvault", "StorageCS", Some("s3cret"));
    let shown = format!("{:?}", world.fake);
    for secret in [EMULATOR_KEY, "s3cret", "the-header"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
