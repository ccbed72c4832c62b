//! The whole application under the embedded host: its configuration, its storage, and requests to it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, FakeAzure, Identity};
use http::Request;

use super::EMULATOR;

/// [`START`](super::START) since the Unix epoch, for the host's virtual clock.
pub const START_UNIX: Duration = Duration::from_secs(1_795_168_800);

/// The token of the worker's route.
pub const DRAIN_TOKEN: &str = "drain-token-of-the-tests";

/// The value that the identity endpoint expects in `X-IDENTITY-HEADER`.
pub const IDENTITY_HEADER: &str = "identity-header-of-the-tests";

/// Storage, vault and an identity endpoint that knows one identity.
///
/// # Panics
/// Never: the default keys are base64.
#[must_use]
pub fn services() -> FakeAzure {
    let config = Config {
        identities: vec![Identity::system_assigned("11111111-0000-4000-8000-000000000001")],
        identity_header: IDENTITY_HEADER.to_owned(),
        ..Config::default()
    };
    FakeAzure::new(config).expect("the default keys are base64")
}

/// The variables that reach storage with the account's key.
#[must_use]
pub fn shared_key_variables() -> BTreeMap<String, String> {
    variables(&[("storage_connection_string", EMULATOR)])
}

/// The variables that reach storage with a managed identity.
#[must_use]
pub fn keyless_variables() -> BTreeMap<String, String> {
    variables(&[
        ("storage_account_name", EMULATOR_ACCOUNT),
        ("blob_endpoint", "http://127.0.0.1:10000/devstoreaccount1"),
        ("queue_endpoint", "http://127.0.0.1:10001/devstoreaccount1"),
        ("identity_endpoint", "http://127.0.0.1:42356/msi/token"),
        ("identity_header", IDENTITY_HEADER),
        ("identity_host", "http://127.0.0.1:42356"),
    ])
}

fn variables(storage: &[(&str, &str)]) -> BTreeMap<String, String> {
    let all = storage.iter().chain(&[("drain_token", DRAIN_TOKEN)]);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request to the application at `example.test`. A body is JSON.
///
/// # Panics
/// When `method` or `path` is invalid.
pub fn request(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let body = body.into();
    let mut request = Request::builder().method(method).uri(path).header("host", "example.test");
    if !body.is_empty() {
        request = request.header("content-type", "application/json").header("content-length", body.len());
    }
    request.body(body).expect("a valid method and path")
}

/// The launcher's request to the worker.
///
/// # Panics
/// Never: the token is a valid header value.
#[must_use]
pub fn drain_request() -> Request<Bytes> {
    let mut drain = request("POST", "/drain", "");
    let authorization = format!("Bearer {DRAIN_TOKEN}").parse().expect("a header value");
    drain.headers_mut().insert("authorization", authorization);
    drain
}
