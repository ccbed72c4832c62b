//! What a scenario runs on: a client for an account, raw requests to it, and a way to let time pass.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use azure::{
    AccountConfig, AccountSource, Blobs, ConnectionString, Env, Limits, Queue, RetryPolicy, Secret,
    StorageClient, UNOBSERVED,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fake_azure::EMULATOR_KEY;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    FakeAzure,
    Azurite,
}

/// How the client of the ground gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    SharedKey,
    Identity,
}

/// The identity endpoint that grounds with [`Credential::Identity`] serve themselves, and its header.
pub(crate) const IDENTITY_ENDPOINT: &str = "http://127.0.0.1:42356/msi/token";
pub(crate) const IDENTITY_HEADER: &str = "conformance";

/// One account to run scenarios on. Every scenario uses containers and queues of its own.
pub(crate) struct Ground {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) kind: Kind,
    pub(crate) storage: StorageClient,
    pub(crate) account: String,
    pub(crate) blob_url: String,
    pub(crate) queue_url: String,
    names: Cell<u32>,
}

/// A raw response.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    /// `x-ms-error-code`, or empty.
    pub(crate) code: String,
    pub(crate) body: String,
    pub(crate) raw: Response<Bytes>,
}

impl Ground {
    pub(crate) fn new(
        env: Rc<dyn Env>,
        kind: Kind,
        credential: Credential,
        account: &str,
        blob_url: &str,
        queue_url: &str,
    ) -> Self {
        let mut config = AccountConfig {
            account_name: account.to_owned(),
            blob_endpoint: blob_url.to_owned(),
            queue_endpoint: queue_url.to_owned(),
            identity_endpoint: IDENTITY_ENDPOINT.to_owned(),
            identity_header: Secret::new(IDENTITY_HEADER),
            ..AccountConfig::default()
        };
        if credential == Credential::SharedKey {
            let text = format!("AccountName={account};AccountKey={EMULATOR_KEY}");
            config.connection_string = Secret::new(text);
        }
        let source = AccountSource::decide(&config).unwrap();
        let storage = StorageClient::new(Rc::clone(&env), source, RetryPolicy::default());
        let (account, blob_url, queue_url) = (account.to_owned(), blob_url.to_owned(), queue_url.to_owned());
        Self { env, kind, storage, account, blob_url, queue_url, names: Cell::new(0) }
    }

    /// A client with another credential.
    pub(crate) fn storage_with(&self, credential: &str) -> StorageClient {
        let text = format!(
            "AccountName={};{credential};BlobEndpoint={};QueueEndpoint={}",
            self.account, self.blob_url, self.queue_url
        );
        let source = AccountSource::ConnectionString(ConnectionString::parse(&text).unwrap());
        StorageClient::new(Rc::clone(&self.env), source, RetryPolicy::default())
    }

    /// A name that no other scenario uses.
    pub(crate) fn name(&self) -> String {
        self.names.set(self.names.get() + 1);
        format!("scenario-{}", self.names.get())
    }

    /// A new container.
    pub(crate) async fn container(&self) -> Blobs {
        let blobs = self.storage.blobs(&self.name());
        blobs.create_container().await.unwrap();
        blobs
    }

    /// A new queue, and its name.
    pub(crate) async fn queue(&self) -> (Queue, String) {
        let name = self.name();
        let queue = self.storage.queue(&name);
        queue.create().await.unwrap();
        (queue, name)
    }

    /// Lets time pass: at once in virtual time.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.env.sleep(Duration::from_secs(seconds)).await;
    }

    /// Sends a request without a word of the client.
    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> RawResponse {
        let mut request = Request::builder().method(method).uri(url);
        if matches!(method, "PUT" | "POST") {
            request = request.header("content-length", body.len());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let response = self.env.send(request, Limits::default(), UNOBSERVED).await.unwrap();
        let code = response.headers().get("x-ms-error-code");
        RawResponse {
            status: response.status().as_u16(),
            code: code.map_or("", |code| code.to_str().unwrap()).to_owned(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
            raw: response,
        }
    }

    /// Sends a request to a queue with an account SAS that allows everything. `path` may hold a query.
    pub(crate) async fn queue_request(&self, method: &str, path: &str, body: &str) -> RawResponse {
        let joint = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}/{path}{joint}{}", self.queue_url, self.account_sas());
        self.send(method, &url, &[("x-ms-version", "2023-11-03")], body).await
    }

    /// The query of an account SAS that allows everything and does not expire.
    pub(crate) fn account_sas(&self) -> String {
        const VERSION: &str = "2023-11-03";
        let (permissions, services, types, expiry) = ("rwdlacup", "bq", "sco", "2999-01-01T00:00:00Z");
        let account = &self.account;
        let text = format!("{account}\n{permissions}\n{services}\n{types}\n\n{expiry}\n\n\n{VERSION}\n\n");
        let key = STANDARD.decode(EMULATOR_KEY).unwrap();
        let mac =
            Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap().chain_update(text.as_bytes()).finalize();
        let signature = STANDARD.encode(mac.into_bytes());
        let signature = utf8_percent_encode(&signature, NON_ALPHANUMERIC);
        let expiry = utf8_percent_encode(expiry, NON_ALPHANUMERIC);
        format!("sv={VERSION}&ss={services}&srt={types}&sp={permissions}&se={expiry}&sig={signature}")
    }
}

/// Percent-encodes a value for a query.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}
