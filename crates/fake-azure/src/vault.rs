//! Key Vault: Get Secret.
//! <https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret>

use http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::access::{Audience, TokenIssuer, bearer};
use crate::call::Call;
use crate::config::Config;
use crate::response::ServiceResponse;
use crate::rights::Action;

/// Responds to a request for a secret.
pub(crate) fn secret(
    call: &Call,
    config: &Config,
    issuer: &TokenIssuer,
    throttled: bool,
    now: OffsetDateTime,
) -> ServiceResponse {
    if !call.param("api-version").is_some_and(|version| version.starts_with("7.")) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "BadParameter",
            "api-version must be 7.4 or another stable 7.x.",
        );
    }
    if let Some(refusal) = refusal(call, config, issuer, now) {
        return refusal;
    }
    if throttled {
        return refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "Throttled",
            "Request was not processed because too many requests were received.",
        )
        .header("retry-after", "10");
    }
    let path = call.target.rest.as_deref().unwrap_or_default();
    let (name, version) = path.split_once('/').map_or((path, None), |(name, v)| (name, Some(v)));
    let Some((vault, name, value, current)) = find(call, config, name, version) else {
        return refuse(
            StatusCode::NOT_FOUND,
            "SecretNotFound",
            &format!("A secret with (name/id) {name} was not found in this key vault."),
        );
    };
    json_response(
        StatusCode::OK,
        &json!({
            "value": value,
            "id": format!("https://{vault}.vault.azure.net/secrets/{name}/{current}"),
            "attributes": {"enabled": true, "created": 1_700_000_000, "updated": 1_700_000_000,
                           "recoveryLevel": "Recoverable+Purgeable"},
            "tags": {},
        }),
    )
}

/// The response to a caller without a valid token or the right to read secrets.
fn refusal(
    call: &Call,
    config: &Config,
    issuer: &TokenIssuer,
    now: OffsetDateTime,
) -> Option<ServiceResponse> {
    let unauthorized = |message: &str| {
        refuse(StatusCode::UNAUTHORIZED, "Unauthorized", message)
            .header("www-authenticate", &issuer.vault_challenge())
    };
    let Some(token) = bearer(call) else {
        return Some(unauthorized("AKV10000: Request is missing a Bearer or PoP token."));
    };
    let object_id = match issuer.check(&token, Audience::Vault, now) {
        Ok(object_id) => object_id,
        Err(why) => return Some(unauthorized(&format!("AKV10022: {why}"))),
    };
    let allowed = config
        .identities
        .iter()
        .find(|identity| identity.object_id == object_id)
        .is_some_and(|i| i.allowed.as_ref().is_none_or(|allowed| allowed.contains(&Action::SecretsGet)));
    (!allowed).then(|| {
        refuse(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "Caller is not authorized to perform action on resource: Microsoft.KeyVault/vaults/secrets/getSecret/action",
        )
    })
}

/// The names of vault and secret, the value, and its version.
fn find<'a>(
    call: &Call,
    config: &'a Config,
    name: &str,
    version: Option<&str>,
) -> Option<(&'a str, &'a str, &'a str, String)> {
    // By address there is no vault name: then it is the only one there is.
    let (vault, secrets) = if call.target.account.is_empty() {
        config.vaults.iter().next()
    } else {
        config.vaults.get_key_value(&call.target.account)
    }?;
    let (name, value) = secrets.iter().find(|(secret, _)| secret.eq_ignore_ascii_case(name))?;
    let current = version_of(value);
    version.is_none_or(|v| v.is_empty() || v == current).then_some((vault, name, value, current))
}

/// Another value is another version: 32 hex digits that do not reveal it.
fn version_of(value: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(value.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn refuse(status: StatusCode, code: &str, message: &str) -> ServiceResponse {
    json_response(status, &json!({"error": {"code": code, "message": message}}))
}

fn json_response(status: StatusCode, value: &Value) -> ServiceResponse {
    let mut response = ServiceResponse::new(status).header("content-type", "application/json; charset=utf-8");
    response.body = value.to_string().into();
    response
}
