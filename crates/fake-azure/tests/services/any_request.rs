//! Whatever is sent, there is a response.

use bytes::Bytes;
use fake_azure::{EMULATOR_KEY, FakeAzure};
use http::{Method, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

use crate::world::{World, config, signed};

/// Parts that mean something to the services, mixed with anything.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "tasks", "taskqueue", "messages", "myaccount", "secrets", "StorageCS", "msi", "token", "", "%", "%41", "%00", "%ff", "..",
            "a%2Fb", "ü",
        ])
        .prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| text.replace(['?', '#', ' ', '"', '<', '>', '`', '{', '}'], "_")),
    ]
}

fn parameter() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "comp",
        "restype",
        "popreceipt",
        "visibilitytimeout",
        "messagettl",
        "numofmessages",
        "peekonly",
        "marker",
        "maxresults",
        "prefix",
        "delimiter",
        "include",
        "sig",
        "sv",
        "sr",
        "se",
        "st",
        "sp",
        "spr",
        "sip",
        "ss",
        "srt",
        "skoid",
        "skt",
        "ske",
        "api-version",
        "resource",
        "client_id",
        "x",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "list",
            "metadata",
            "container",
            "service",
            "userdelegationkey",
            "0",
            "1",
            "-1",
            "99999999999999999999",
            "604800",
            "true",
            "2023-11-03",
            "2026-04-06",
            "b",
            "c",
            "r",
            "https",
            "10.0.0.1-",
            "2!1!YQ",
            "2!0!",
            "/",
            "9999-12-31T23:59:59Z",
            "0000-00-00",
            "%F0%9F%A6%80",
            "%E0",
            "7.4",
            "2019-08-01",
        ])
        .prop_map(str::to_owned),
        "[!-~]{0,10}".prop_map(|text| text.replace(['#', '"', '<', '>', '`', '{', '}'], "_")),
    ];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "authorization",
        "x-ms-date",
        "date",
        "x-ms-version",
        "x-ms-blob-type",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "range",
        "x-ms-range",
        "content-length",
        "content-type",
        "host",
        "x-ms-meta-a",
        "x-ms-meta-1",
        "x-identity-header",
        "origin",
        "access-control-request-method",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "*",
            "\"\"",
            "\"0x8D\"",
            "bytes=0-",
            "bytes=5-2",
            "bytes=18446744073709551615-",
            "BlockBlob",
            "2023-11-03",
            "SharedKey myaccount:AAAA",
            "SharedKey",
            "Bearer a.b.c",
            "Bearer ",
            "Basic x",
            "Fri, 20 Nov 2026 10:00:00 GMT",
            "Mon, 01 Jan 0000 00:00:00 GMT",
            "3",
            "the-header",
            "myaccount.blob.core.windows.net",
            "127.0.0.1:10001",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        vec(prop_oneof![Just(b'\t'), 0x20_u8..=0x7e, 0x80_u8..=0xff], 0..20),
    ];
    (name, value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(b"<QueueMessage><MessageText>x</MessageText></QueueMessage>".to_vec()),
        1 => Just(b"<KeyInfo><Start>2026-11-20</Start><Expiry>9999-12-31T23:59:59Z</Expiry></KeyInfo>".to_vec()),
        1 => "<QueueMessage><MessageText>[&<>;#x0-9a-z]{0,20}</MessageText></QueueMessage>".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..64),
    ]
}

fn request() -> impl Strategy<Value = Option<Request<Bytes>>> {
    let origin = prop::sample::select(vec![
        "http://127.0.0.1:10000",
        "http://127.0.0.1:10001",
        "http://127.0.0.1:42356",
        "http://localhost:1",
        "https://myaccount.blob.core.windows.net",
        "https://myaccount.queue.core.windows.net",
        "https://myvault.vault.azure.net",
        "https://[::1]:1",
        "",
    ]);
    let method = prop::sample::select(vec!["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "X"]);
    let rights = prop::bool::weighted(0.6);
    (origin, method, vec(piece(), 0..5), vec(parameter(), 0..4), vec(header(), 0..5), body(), rights)
        .prop_map(|(origin, method, path, query, headers, body, has_rights)| {
            let mut uri = format!("{origin}/{}?{}", path.join("/"), query.join("&"));
            if has_rights {
                // Behind the credentials is most of what could go wrong.
                uri = signed(&uri, EMULATOR_KEY);
            }
            let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).ok()?).uri(uri);
            if headers.iter().all(|(name, _)| *name != "content-length") {
                request = request.header("content-length", body.len());
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.body(Bytes::from(body)).ok()
        })
}

/// A fake that has something to find.
fn furnished() -> FakeAzure {
    let World { mut fake, now } = World::new();
    for name in ["", "a/b", "tasks", "ü"] {
        fake.put_blob("myaccount", "tasks", name, "content", "text/plain", now);
    }
    fake.put_message("myaccount", "taskqueue", "text", now);
    fake
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: prop::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_requests_has_responses(requests in vec((request(), any::<i64>()), 1..8)) {
        let mut fake = furnished();
        fake.start_journal();
        let mut journal = fake.snapshot().unwrap();
        let now = World::new().now;
        for (request, offset) in requests {
            let Some(request) = request else { continue };
            let is_head = request.method() == Method::HEAD;
            // Mostly near the present, now and then at the end of time.
            let now = match offset % 10 {
                0 => OffsetDateTime::from_unix_timestamp(offset % 253_402_300_800).unwrap_or(now),
                _ => now + Duration::seconds(offset % 1_000_000),
            };
            let response = fake.handle(request, now);
            let status = response.status().as_u16();
            prop_assert!((200..600).contains(&status) && status != 500, "{status}");
            if is_head || status == 204 || status == 304 {
                prop_assert!(response.body().is_empty());
            }
            if let Some(length) = response.headers().get("content-length") && !is_head {
                prop_assert_eq!(length.to_str().unwrap(), response.body().len().to_string());
            }
            journal.push_str(&fake.take_journal().unwrap());
        }
        let mut again = FakeAzure::new(config()).unwrap();
        again.replay(&journal).unwrap();
        // Expired messages are dropped when someone looks, on both sides; everything else is equal line by line.
        let lasting = |fake: &FakeAzure| -> Vec<String> {
            let snapshot = fake.snapshot().unwrap();
            snapshot.lines().filter(|line| !line.starts_with("{\"Message\"")).map(str::to_owned).collect()
        };
        prop_assert_eq!(lasting(&again), lasting(&fake));
    }
}
