//! The managed-identity endpoint of Container Apps.
//! <https://learn.microsoft.com/azure/container-apps/managed-identity>

use http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::access::TokenIssuer;
use crate::call::Call;
use crate::config::Config;
use crate::response::ServiceResponse;

/// The one version of the protocol.
const API_VERSION: &str = "2019-08-01";

/// Resources that there are tokens for, without the slash at the end.
const RESOURCES: [&str; 2] = ["https://storage.azure.com", "https://vault.azure.net"];

/// Responds to a request for a token.
pub(crate) fn token(
    call: &Call,
    config: &Config,
    issuer: &TokenIssuer,
    now: OffsetDateTime,
) -> ServiceResponse {
    let refuse = |status, code: &str, message: &str| {
        json_response(status, &json!({"statusCode": status.as_u16(), "code": code, "message": message}))
    };
    if call.raw_path != config.identity_path {
        return refuse(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.");
    }
    if call.header("x-identity-header").as_deref() != Some(config.identity_header.as_str()) {
        return refuse(StatusCode::UNAUTHORIZED, "unauthorized", "X-IDENTITY-HEADER is missing or wrong.");
    }
    if call.param("api-version") != Some(API_VERSION) {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "api-version must be 2019-08-01.");
    }
    let Some(resource) = call.param("resource") else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "resource is missing.");
    };
    let bare = resource.strip_suffix('/').unwrap_or(resource);
    if !RESOURCES.contains(&bare) && !bare.ends_with(".core.windows.net") {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_resource",
            "AADSTS500011: The resource principal was not found in the tenant.",
        );
    }
    let identity = match call.param("client_id") {
        Some(id) => config.identities.iter().find(|i| i.client_id.eq_ignore_ascii_case(id)),
        None => config.identities.iter().find(|identity| identity.system_assigned),
    };
    let Some(identity) = identity else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "Unable to load the proper Managed Identity: it is not assigned to this app.",
        );
    };
    let expires =
        now.saturating_add(time::Duration::try_from(config.token_lifetime).unwrap_or(time::Duration::MAX));
    let token = issuer.issue(resource, &identity.object_id, &identity.client_id, now, expires);
    json_response(
        StatusCode::OK,
        &json!({
            "access_token": token,
            // Text, although it is a number.
            "expires_on": expires.unix_timestamp().to_string(),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": identity.client_id,
        }),
    )
}

fn json_response(status: StatusCode, value: &Value) -> ServiceResponse {
    let mut response = ServiceResponse::new(status).header("content-type", "application/json; charset=utf-8");
    response.body = value.to_string().into();
    response
}
