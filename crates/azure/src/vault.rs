//! The connection string in a Key Vault secret
//! (<https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret>).

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use serde::Deserialize;

use crate::account::Account;
use crate::cache::Freshness;
use crate::identity::FETCH_POLICY;
use crate::response::ServiceResponse;
use crate::send::{Target, send};
use crate::source::VaultSecret;
use crate::{ConnectionString, Env, Error, Instant, Part, Secret, encode};

const TARGET: Target =
    Target { operation: "Get Secret", part: Part::KeyVault, host_variable: "key_vault_host" };

/// The account of the connection string in the secret.
#[derive(Debug)]
pub(crate) struct VaultAccount {
    pub(crate) account: Rc<Account>,
    read_at: Instant,
}

impl VaultAccount {
    /// Never expires: an outage of the vault must not stop the use of a key that storage still accepts.
    pub(crate) fn freshness(&self, max_age: Duration, now: Instant) -> Freshness {
        if now.since(self.read_at) < max_age { Freshness::Fresh } else { Freshness::Stale }
    }
}

/// Reads the secret. The response may have any status.
pub(crate) async fn read(
    env: &dyn Env,
    secret: &VaultSecret,
    token: &Secret,
) -> Result<ServiceResponse, Error> {
    let request = request(secret, token)?;
    send(env, FETCH_POLICY, TARGET, &request).await
}

fn request(secret: &VaultSecret, token: &Secret) -> Result<Request<Bytes>, Error> {
    let uri = format!("{}/secrets/{}?api-version=7.4", secret.vault.url(), encode::value(&secret.name));
    let unusable = || Error::configuration(TARGET.operation, "key_vault_url cannot be used as an address");
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| unusable())?;
    bearer.set_sensitive(true);
    Request::get(uri).header(AUTHORIZATION, bearer).body(Bytes::new()).map_err(|_| unusable())
}

/// Reads the account from the response.
pub(crate) fn parse_secret(
    response: &ServiceResponse,
    secret: &VaultSecret,
    now: Instant,
) -> Result<VaultAccount, Error> {
    match response.status {
        200 => {}
        404 => {
            return Err(Error::configuration(
                TARGET.operation,
                "the Key Vault has no secret of the name in storage_secret_name: add it, or correct the name",
            ));
        }
        _ => return Err(response.error()),
    }
    #[derive(Deserialize)]
    struct Body {
        value: String,
    }
    let body: Body =
        serde_json::from_slice(&response.body).map_err(|_| response.unexpected("not a secret document"))?;
    let parsed = ConnectionString::parse_with(&body.value, &secret.blob_endpoint, &secret.queue_endpoint);
    match parsed {
        Ok(connection) => Ok(VaultAccount { account: Rc::new(connection.0), read_at: now }),
        Err(reason) => Err(Error::configuration(
            TARGET.operation,
            format!(
                "the Key Vault secret that storage_secret_name names is not a connection string: {reason}"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::account::Endpoint;
    use crate::moment::parse_iso;
    use http::Response;

    fn secret() -> VaultSecret {
        VaultSecret {
            vault: Endpoint::parse("key_vault_url", "https://v.vault.azure.net/").unwrap(),
            name: "StorageCS".to_owned(),
            max_age: Duration::from_secs(900),
            blob_endpoint: String::new(),
            queue_endpoint: "https://q.example".to_owned(),
        }
    }

    fn parse_response(status: u16, body: &str) -> Result<VaultAccount, Error> {
        let now = parse_iso("2026-11-20T10:00:00Z").unwrap();
        let response =
            Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        parse_secret(
            &ServiceResponse::new("Get Secret", Part::KeyVault, response, || now),
            &secret(),
            Instant::default(),
        )
    }

    #[test]
    fn request_is_the_documented_one() {
        let request = request(&secret(), &Secret::new("eyJ0")).unwrap();
        assert_eq!(request.uri().to_string(), "https://v.vault.azure.net/secrets/StorageCS?api-version=7.4");
        assert_eq!(request.headers()["authorization"], "Bearer eyJ0");
        assert!(!format!("{request:?}").contains("eyJ0"));
    }

    #[test]
    fn endpoints_of_the_secret_can_be_replaced() {
        let account =
            parse_response(200, r#"{"value":"AccountName=acct;AccountKey=aGlkZGVu\n","id":"x"}"#).unwrap();
        assert_eq!(account.account.blob.url(), "https://acct.blob.core.windows.net");
        assert_eq!(account.account.queue.url(), "https://q.example");
        let max_age = Duration::from_secs(900);
        let after = |seconds| account.freshness(max_age, Instant::since_origin(Duration::from_secs(seconds)));
        assert_eq!((after(899), after(900)), (Freshness::Fresh, Freshness::Stale));
    }

    #[test]
    fn bad_response_names_the_service_and_no_value() {
        let sentence = |status, body: &str| parse_response(status, body).unwrap_err().to_string();
        let wrong = sentence(200, r#"{"value":"hidden"}"#);
        assert!(wrong.contains("storage_secret_name") && !wrong.contains("hidden"), "{wrong}");
        assert!(sentence(404, r#"{"error":{"code":"SecretNotFound"}}"#).contains("storage_secret_name"));
        assert_eq!(
            sentence(403, r#"{"error":{"code":"Forbidden","message":"hidden"}}"#),
            "Get Secret: Key Vault refused the credentials (403 Forbidden)"
        );
        assert!(parse_response(429, "").unwrap_err().is_retryable());
        assert!(parse_response(500, "<html>").unwrap_err().is_retryable());
        for body in ["", "<html>hidden</html>", "{}", r#"{"value":7}"#] {
            let error = parse_response(200, body).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unexpected(_)), "{error}");
        }
    }
}
