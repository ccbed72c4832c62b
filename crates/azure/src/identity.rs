//! Tokens from the managed-identity endpoint
//! (<https://learn.microsoft.com/azure/container-apps/managed-identity#rest-endpoint-reference>).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::cache::{Freshness, Now};
use crate::moment::between;
use crate::response::ServiceResponse;
use crate::send::{Target, send};
use crate::source::Identity;
use crate::{Env, Error, Instant, Limits, Part, RetryPolicy, Secret, encode};

/// The resource for tokens to Blob and Queue Storage of any account.
pub(crate) const STORAGE_RESOURCE: &str = "https://storage.azure.com/";
/// The resource for tokens to any Key Vault.
pub(crate) const KEY_VAULT_RESOURCE: &str = "https://vault.azure.net";

/// Refresh a token this long before it expires.
const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_secs(300);
/// Never use a token that expires sooner than this.
const UNUSABLE_BEFORE_EXPIRY: Duration = Duration::from_secs(10);
/// Maximum size of a token: larger ones do not fit the headers that services accept.
const MAX_TOKEN_BYTES: usize = 32 * 1024;

const TARGET: Target =
    Target { operation: "Get Token", part: Part::Identity, host_variable: "identity_host" };

/// Policy for fetching what a request needs before it can be sent, such as a token. Short, so that time is left for
/// the request itself.
pub(crate) const FETCH_POLICY: RetryPolicy = RetryPolicy {
    max_tries: 3,
    base: Duration::from_millis(200),
    cap: Duration::from_secs(2),
    deadline: Duration::from_secs(10),
    limits: Limits {
        connect: Duration::from_secs(3),
        first_byte: Duration::from_secs(8),
        between_bytes: Duration::from_secs(8),
        total: Duration::from_secs(10),
        max_response_bytes: 256 * 1024,
    },
};

/// A bearer token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: Secret,
    /// By the monotonic clock, so that setting the wall clock back does not extend it.
    expires_at: Instant,
}

impl Token {
    pub(crate) fn freshness(&self, now: Instant) -> Freshness {
        match self.expires_at.since(now) {
            left if left > REFRESH_BEFORE_EXPIRY => Freshness::Fresh,
            left if left > UNUSABLE_BEFORE_EXPIRY => Freshness::Stale,
            _ => Freshness::Expired,
        }
    }
}

/// Fetches a token for `resource`.
pub(crate) async fn fetch(env: &dyn Env, identity: &Identity, resource: &str) -> Result<Token, Error> {
    let request = request(identity, resource)?;
    let response = send(env, FETCH_POLICY, TARGET, &request).await?;
    token(&response, Now::of(env))
}

fn request(identity: &Identity, resource: &str) -> Result<Request<Bytes>, Error> {
    let mut uri =
        format!("{}?api-version=2019-08-01&resource={}", identity.endpoint.url(), encode::value(resource));
    if !identity.client_id.is_empty() {
        uri.push_str("&client_id=");
        uri.push_str(&encode::value(&identity.client_id));
    }
    let unusable =
        || Error::configuration(TARGET.operation, "identity_endpoint or identity_header cannot be sent");
    let mut header = HeaderValue::from_str(identity.header.expose()).map_err(|_| unusable())?;
    header.set_sensitive(true);
    Request::get(uri).header("x-identity-header", header).body(Bytes::new()).map_err(|_| unusable())
}

fn token(response: &ServiceResponse, now: Now) -> Result<Token, Error> {
    match response.status {
        200 => {}
        400 => {
            return Err(Error::configuration(
                TARGET.operation,
                "the managed identity endpoint responded 400: the identity is not assigned to this app, or \
                 managed_identity_client_id names another one (or none, where one is needed)",
            ));
        }
        404 => {
            return Err(Error::configuration(
                TARGET.operation,
                "the managed identity endpoint responded 404: identity_endpoint is not the address that the platform gave",
            ));
        }
        _ => return Err(response.error()),
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        access_token: String,
        /// A number or a string with one.
        #[serde(borrow)]
        expires_on: &'a RawValue,
    }
    let body: Body<'_> =
        serde_json::from_slice(&response.body).map_err(|_| response.unexpected("not a token document"))?;
    let seconds = body.expires_on.get().trim_matches('"').trim().parse();
    let expires_at = seconds
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| response.unexpected("a token without a usable expires_on"))?;
    if expires_at <= now.wall {
        return Err(response.unexpected("a token that has expired already"));
    }
    let text = body.access_token;
    if text.is_empty() || text.len() > MAX_TOKEN_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(response.unexpected("a token that does not fit a header"));
    }
    let lifetime = between(now.wall, expires_at);
    Ok(Token { text: Secret::new(text), expires_at: now.instant.plus(lifetime) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::account::Endpoint;
    use crate::moment::parse_iso;
    use http::Response;

    fn identity(client_id: &str) -> Identity {
        Identity {
            endpoint: Endpoint::parse("x", "http://localhost:42356/msi/token").unwrap(),
            header: Secret::new("hidden"),
            client_id: client_id.to_owned(),
        }
    }

    fn parse_response(status: u16, body: &str) -> Result<Token, Error> {
        let now = parse_iso("2026-11-20T10:00:00Z").unwrap();
        let response =
            Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let read = Now { wall: now, instant: Instant::default() };
        token(&ServiceResponse::new("Get Token", Part::Identity, response, || now), read)
    }

    #[test]
    fn request_has_resource_identity_and_header() {
        let user = request(&identity("5e29-x"), STORAGE_RESOURCE).unwrap();
        assert_eq!(
            user.uri().to_string(),
            "http://localhost:42356/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=5e29-x"
        );
        assert_eq!(user.headers()["x-identity-header"], "hidden");
        assert!(!format!("{user:?}").contains("hidden"));
        let system = request(&identity(""), KEY_VAULT_RESOURCE).unwrap();
        assert!(system.uri().query().unwrap().ends_with("resource=https%3A%2F%2Fvault.azure.net"));
    }

    #[test]
    fn expiry_is_parsed_as_text_and_as_number() {
        // 2026-11-20T11:00:00Z
        for expires_on in ["\"1795172400\"", "1795172400"] {
            let body =
                format!(r#"{{"access_token":"eyJ0","expires_on":{expires_on},"token_type":"Bearer"}}"#);
            let token = parse_response(200, &body).unwrap();
            assert_eq!(token.expires_at, Instant::since_origin(Duration::from_secs(3600)));
            assert_eq!(token.text.expose(), "eyJ0");
            assert!(!format!("{token:?}").contains("eyJ0"));
        }
    }

    #[test]
    fn token_is_stale_before_it_expires() {
        let token =
            Token { text: Secret::new("t"), expires_at: Instant::since_origin(Duration::from_secs(3600)) };
        let at = |seconds| token.freshness(Instant::since_origin(Duration::from_secs(seconds)));
        assert_eq!(at(3299), Freshness::Fresh);
        assert_eq!(at(3300), Freshness::Stale);
        assert_eq!(at(3589), Freshness::Stale);
        assert_eq!(at(3590), Freshness::Expired);
        assert_eq!(at(7200), Freshness::Expired);
    }

    #[test]
    fn bad_response_is_an_error_without_the_token() {
        let giant = format!(r#"{{"access_token":"{}","expires_on":1795172400}}"#, "hidden".repeat(10_000));
        let unexpected = [
            "",
            "<html>hidden</html>",
            "{}",
            r#"{"access_token":"hidden"}"#,
            r#"{"access_token":"hidden","expires_on":"soon"}"#,
            r#"{"access_token":"hidden","expires_on":null}"#,
            r#"{"access_token":"hidden","expires_on":99999999999999}"#,
            r#"{"access_token":"hidden","expires_on":"1795160000"}"#,
            r#"{"access_token":"hid\nden","expires_on":1795172400}"#,
            r#"{"access_token":"","expires_on":1795172400}"#,
            &giant,
        ];
        for body in unexpected {
            let error = parse_response(200, body).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unexpected(_)), "{body}: {error}");
            assert!(!error.to_string().contains("hid"), "{error}");
        }
        let refused = parse_response(400, "hidden").unwrap_err();
        assert!(
            matches!(refused.kind(), ErrorKind::Configuration(s) if s.contains("managed_identity_client_id"))
        );
        assert!(
            matches!(parse_response(404, "").unwrap_err().kind(), ErrorKind::Configuration(s) if s.contains("identity_endpoint"))
        );
        assert!(matches!(
            parse_response(403, "").unwrap_err().kind(),
            ErrorKind::Unauthorized { part: Part::Identity, status: 403, .. }
        ));
        assert!(parse_response(500, "<html>").unwrap_err().is_retryable());
    }
}
