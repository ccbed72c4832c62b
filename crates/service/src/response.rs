//! Creating responses.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;

use crate::body::Body;

/// Space for most JSON bodies, in bytes.
const TYPICAL_JSON_BYTES: usize = 512;

/// A response of a component.
pub type Response = http::Response<Body>;

/// Creates a response without a body.
pub fn empty(status: StatusCode) -> Response {
    full(status, Bytes::new())
}

/// Creates a response with a complete body. The caller sets the media type.
pub fn full(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::Full(body));
    *response.status_mut() = status;
    response
}

/// Creates a response with a JSON body.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(TYPICAL_JSON_BYTES);
    // Serialising these types into memory cannot fail.
    let _ = serde_json::to_writer(&mut bytes, value);
    let mut response = full(status, bytes.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Sets a header. A value that is not a valid header value is ignored.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Completes a response: adds the security headers and removes the body for `HEAD`.
pub fn finish(mut response: Response, method: &Method) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if method != Method::HEAD {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    if let Body::Full(bytes) = body
        && !bytes.is_empty()
    {
        parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    }
    Response::from_parts(parts, Body::empty())
}
