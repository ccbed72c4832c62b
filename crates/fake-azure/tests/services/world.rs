//! A fake with its own clock, and requests to it in one line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_KEY, FakeAzure, Identity};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const BLOB: &str = "https://myaccount.blob.core.windows.net";
pub(crate) const QUEUE: &str = "https://myaccount.queue.core.windows.net";
pub(crate) const VAULT: &str = "https://myvault.vault.azure.net";
pub(crate) const IDENTITY: &str = "http://localhost:42356/msi/token";
pub(crate) const CLIENT_ID: &str = "5e29463d-71da-4fe0-8e69-999b57db23b0";
pub(crate) const PUT_X: &str = "<QueueMessage><MessageText>x</MessageText></QueueMessage>";

/// One account, one vault, one user-assigned identity, all in order.
pub(crate) struct World {
    pub(crate) fake: FakeAzure,
    pub(crate) now: OffsetDateTime,
}

/// A response, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) body: String,
    pub(crate) raw: Response<Bytes>,
}

impl RawResponse {
    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code.as_str()), (status, code), "{}", self.body);
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.raw.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn identity() -> Identity {
    Identity::user_assigned(CLIENT_ID, "22222222-2222-2222-2222-222222222222")
}

pub(crate) fn config() -> Config {
    let mut config = Config {
        identities: vec![identity()],
        identity_header: "the-header".to_owned(),
        ..Config::default()
    };
    config.accounts.insert("myaccount".to_owned(), vec![EMULATOR_KEY.to_owned()]);
    config
        .vaults
        .entry("myvault".to_owned())
        .or_default()
        .insert("StorageCS".to_owned(), "s3cret".to_owned());
    config
}

impl World {
    pub(crate) fn new() -> Self {
        Self { fake: FakeAzure::new(config()).unwrap(), now: datetime!(2026-11-20 10:00 UTC) }
    }

    /// Sends a request as it is; `content-length` is set for bodies that may be there.
    pub(crate) fn send(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> RawResponse {
        let mut request = Request::builder().method(method).uri(url);
        let has_length = headers.iter().any(|(name, _)| *name == "content-length");
        if matches!(method, "PUT" | "POST") && !has_length {
            request = request.header("content-length", body.len());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.fake.handle(request.body(Bytes::from(body.to_owned())).unwrap(), self.now);
        RawResponse {
            status: response.status().as_u16(),
            code: response
                .headers()
                .get("x-ms-error-code")
                .map_or("", |code| code.to_str().unwrap())
                .to_owned(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
            raw: response,
        }
    }

    /// Sends a storage request with an account SAS that allows everything, made with `key`.
    pub(crate) fn with_key(&mut self, key: &str, method: &str, url: &str, body: &str) -> RawResponse {
        self.send(
            method,
            &signed(url, key),
            &[("x-ms-version", "2023-11-03"), ("x-ms-blob-type", "BlockBlob")],
            body,
        )
    }

    /// The same with the account's key.
    pub(crate) fn keyed(&mut self, method: &str, url: &str, body: &str) -> RawResponse {
        self.with_key(EMULATOR_KEY, method, url, body)
    }

    /// A token for `resource`.
    pub(crate) fn token(&mut self, resource: &str) -> String {
        let response =
            self.ask_for_token(&format!("resource={resource}&client_id={CLIENT_ID}"), "the-header");
        assert_eq!(response.status, 200, "{}", response.body);
        let token: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        token["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn ask_for_token(&mut self, query: &str, header: &str) -> RawResponse {
        let url = format!("{IDENTITY}?api-version=2019-08-01&{query}");
        self.send("GET", &url, &[("x-identity-header", header)], "")
    }

    /// Sends a storage request with a token.
    pub(crate) fn with_token(&mut self, token: &str, method: &str, url: &str, body: &str) -> RawResponse {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("x-ms-version", "2023-11-03"),
            ("x-ms-blob-type", "BlockBlob"),
        ];
        self.send(method, url, &headers, body)
    }

    /// Reads the vault's secret with a token.
    pub(crate) fn secret(&mut self, token: &str, name: &str) -> RawResponse {
        let authorization = format!("Bearer {token}");
        let url = format!("{VAULT}/secrets/{name}?api-version=7.4");
        self.send("GET", &url, &[("authorization", &authorization)], "")
    }
}

/// `url` with an account SAS that allows everything.
pub(crate) fn signed(url: &str, key: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{}", account_sas(key))
}

pub(crate) fn sign(key: &str, text: &str) -> String {
    let key = STANDARD.decode(key).unwrap();
    let mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap().chain_update(text.as_bytes());
    utf8_percent_encode(&STANDARD.encode(mac.finalize().into_bytes()), NON_ALPHANUMERIC).to_string()
}

fn account_sas(key: &str) -> String {
    let (permissions, expiry, version) = ("rwdlacup", "2999-01-01T00:00:00Z", "2023-11-03");
    let signature = sign(key, &format!("myaccount\n{permissions}\nbq\nsco\n\n{expiry}\n\n\n{version}\n\n"));
    format!("sv={version}&ss=bq&srt=sco&sp={permissions}&se={expiry}&sig={signature}")
}
