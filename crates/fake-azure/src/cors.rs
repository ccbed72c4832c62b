//! Responses to browsers of other origins: refused as long as an account has no CORS rule, else allowed to all.

use http::{HeaderValue, StatusCode};

use crate::call::Call;
use crate::response::{ServiceError, ServiceResponse};

/// Responds whether a request may be sent.
///
/// # Errors
/// `403 CorsPreflightFailure` without a rule, `400` when the question is incomplete.
pub(crate) fn preflight(call: &Call, allowed: bool) -> Result<ServiceResponse, ServiceError> {
    let (Some(origin), Some(method)) = (call.header("origin"), call.header("access-control-request-method"))
    else {
        return Err(ServiceError::missing_header("Origin and Access-Control-Request-Method"));
    };
    if !allowed {
        return Err(ServiceError::forbidden(
            "CorsPreflightFailure",
            "CORS not enabled or no matching rule found for this request.",
        ));
    }
    let mut response = ServiceResponse::new(StatusCode::OK)
        .header("access-control-allow-origin", &origin)
        .header("access-control-allow-methods", &method)
        .header("access-control-max-age", "300");
    if let Some(headers) = call.header("access-control-request-headers") {
        response = response.header("access-control-allow-headers", &headers);
    }
    Ok(response)
}

/// Lets a page of `origin` read the response.
pub(crate) fn allow_reading(mut response: ServiceResponse, origin: &HeaderValue) -> ServiceResponse {
    response.headers.insert("access-control-allow-origin", origin.clone());
    response.header("access-control-expose-headers", "*").header("vary", "Origin")
}
