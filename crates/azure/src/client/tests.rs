use std::cell::Cell;

use bytes::Bytes;
use futures::future::join_all;
use http::Request;

use super::*;
use crate::script::{Script, ScriptedResponse, start};
use crate::{AccountConfig, ErrorKind, Secret, TransportError};

mod credentials;
mod links;
mod retries;

const CONNECTION: &str = "AccountName=acct;AccountKey=b2xk";

fn config() -> AccountConfig {
    AccountConfig {
        secret_name: "StorageCS".to_owned(),
        secret_max_age: Duration::from_secs(900),
        identity_endpoint: "http://localhost:42356/msi/token".to_owned(),
        identity_header: Secret::new("header"),
        ..AccountConfig::default()
    }
}

fn open(script: &Rc<Script>, config: &AccountConfig) -> StorageClient {
    StorageClient::new(script.clone(), AccountSource::decide(config).unwrap(), RetryPolicy::default())
}

/// An account with a key.
fn keyed(script: &Rc<Script>) -> StorageClient {
    open(script, &AccountConfig { connection_string: Secret::new(CONNECTION), ..config() })
}

/// An account without a key, used with a managed identity.
fn keyless(script: &Rc<Script>) -> StorageClient {
    open(script, &AccountConfig { account_name: "acct".to_owned(), ..config() })
}

/// An account whose connection string is in a vault.
fn vaulted(script: &Rc<Script>) -> StorageClient {
    open(script, &AccountConfig { key_vault_url: "https://vault.example".to_owned(), ..config() })
}

/// A token that expires `seconds` after the start of the test.
fn token(text: &str, seconds: i64) -> ScriptedResponse {
    let expires_on = start().unix_timestamp() + seconds;
    ScriptedResponse::status(200).body(&format!(r#"{{"access_token":"{text}","expires_on":"{expires_on}"}}"#))
}

fn secret(key: &str) -> ScriptedResponse {
    ScriptedResponse::status(200).body(&format!(r#"{{"value":"AccountName=acct;AccountKey={key}"}}"#))
}

fn is_for(request: &Request<Bytes>, host: &str) -> bool {
    request.uri().host().is_some_and(|known| known.starts_with(host))
}

fn authorization(request: &Request<Bytes>) -> &str {
    request.headers().get("authorization").map_or("", |value| value.to_str().unwrap())
}

/// Any call; the response is empty.
async fn some_call(storage: &StorageClient) -> Result<(), Error> {
    storage.queue("jobs").clear().await
}
