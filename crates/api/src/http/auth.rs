//! Authentication of the caller, and access to the tasks of an owner.

use http::HeaderMap;
use http::header::{HeaderName, WWW_AUTHENTICATE};
use service::auth::{bearer, is_known};
use service::problem::{HttpError, ProblemKind};
use service::settings::{ApiAuth, ApiSettings};
use sha2::{Digest as _, Sha256};

use crate::http::headers::text;

const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// Set by the authentication sidecar of Container Apps, which removes the header from incoming requests.
const PRINCIPAL_ID: HeaderName = HeaderName::from_static("x-ms-client-principal-id");

/// Maximum length of a principal id.
const MAX_PRINCIPAL_BYTES: usize = 256;

/// Identifier of the caller, stored as the owner of its tasks; `None` if callers are not authenticated.
pub(crate) type Caller = Option<String>;

/// Authenticates the caller.
///
/// # Errors
/// [`ProblemKind::Unauthorized`] without a known key or principal.
pub(crate) fn identify(auth: &ApiAuth, headers: &HeaderMap) -> Result<Caller, HttpError> {
    match auth {
        ApiAuth::None => Ok(None),
        ApiAuth::ApiKey(hashes) => {
            let known = key_digest(headers).filter(|digest| is_known(digest, hashes));
            let Some(digest) = known else {
                return Err(unauthorized("Send a known key as Authorization: Bearer, or as api-key."));
            };
            let prefix: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            Ok(Some(format!("key:{prefix}")))
        }
        ApiAuth::EasyAuth => {
            let principal = text(headers, PRINCIPAL_ID)
                .filter(|id| (1..=MAX_PRINCIPAL_BYTES).contains(&id.len()))
                .ok_or_else(|| {
                    unauthorized("Sign in first; the platform's authentication names no caller.")
                })?;
            Ok(Some(principal.to_owned()))
        }
    }
}

/// The digest of the key that the request presents.
fn key_digest(headers: &HeaderMap) -> Option<[u8; 32]> {
    let presented = bearer(headers).or_else(|| text(headers, API_KEY).map(str::as_bytes));
    presented.filter(|key| !key.is_empty()).map(|key| Sha256::digest(key).into())
}

/// Requires the rights of an operator of `caller`, who was identified by these headers.
///
/// # Errors
/// [`ProblemKind::OperatorsOnly`] if the caller is not in `api_operators`. Without authentication every caller has the
/// rights.
pub(crate) fn require_operator(
    settings: &ApiSettings,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<(), HttpError> {
    let operators = &settings.operators;
    let is_operator = match settings.auth {
        ApiAuth::None => true,
        ApiAuth::ApiKey(_) => key_digest(headers).is_some_and(|digest| is_known(&digest, &operators.keys)),
        ApiAuth::EasyAuth => caller.as_ref().is_some_and(|caller| operators.principals.contains(caller)),
    };
    if is_operator {
        return Ok(());
    }
    let detail = "This address is for operators. The variable api_operators names them.";
    Err(HttpError::new(ProblemKind::OperatorsOnly, detail))
}

/// Whether `caller` may see a task of `owner`. An authenticated caller only sees its own tasks: a task without an owner
/// (accepted without authentication, or created by the .NET sample) is hidden.
pub(crate) fn may_see(owner: Option<&str>, caller: &Caller) -> bool {
    caller.is_none() || owner == caller.as_deref()
}

fn unauthorized(detail: &str) -> HttpError {
    HttpError::new(ProblemKind::Unauthorized, detail).header(WWW_AUTHENTICATE, "Bearer realm=\"accepted\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn known_key_identifies_its_caller_in_both_headers() {
        let keys = ApiAuth::ApiKey(vec![Sha256::digest("first").into(), Sha256::digest("second").into()]);
        let one = identify(&keys, &headers("authorization", "bearer second")).unwrap();
        assert_eq!(one, identify(&keys, &headers("api-key", "second")).unwrap());
        assert_ne!(one, identify(&keys, &headers("api-key", "first")).unwrap());
        assert!(one.unwrap().starts_with("key:16367aacb67a4a01"));
        for (name, value) in [
            ("api-key", "third"),
            ("api-key", ""),
            ("authorization", "Basic second"),
            ("authorization", "second"),
            ("x-ms-client-principal-id", "a-principal"),
        ] {
            assert!(identify(&keys, &headers(name, value)).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn principal_header_counts_only_with_easy_auth() {
        let caller = headers("x-ms-client-principal-id", "a-principal");
        assert_eq!(identify(&ApiAuth::EasyAuth, &caller).unwrap().as_deref(), Some("a-principal"));
        assert_eq!(identify(&ApiAuth::None, &caller).unwrap(), None);
        assert!(identify(&ApiAuth::EasyAuth, &HeaderMap::new()).is_err());
    }

    #[test]
    fn task_without_owner_is_hidden_from_authenticated_callers() {
        let me = Some("me".to_owned());
        assert!(may_see(Some("me"), &me));
        assert!(!may_see(Some("you"), &me));
        assert!(!may_see(None, &me));
        assert!(may_see(Some("you"), &None));
    }
}
