//! Building responses.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;

use crate::body::Body;

/// A response of a component.
pub type Response = http::Response<Body>;

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    full(status, Bytes::new())
}

/// An answer with all of its body; the caller names the media type.
pub fn full(status: StatusCode, body: Bytes) -> Response {
    let mut answer = Response::new(Body::Full(body));
    *answer.status_mut() = status;
    answer
}

/// An answer in JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // Serialising plain members into memory has no way to fail.
    let mut answer = full(status, serde_json::to_vec(value).unwrap_or_default().into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Sets a header; a value that no header can hold is left out.
pub fn set(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// What every answer has in common: headers that harden it, and no body for `HEAD`.
pub fn finish(mut answer: Response, method: &Method) -> Response {
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if method != Method::HEAD {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    if let Body::Full(bytes) = body
        && !bytes.is_empty()
    {
        parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    }
    Response::from_parts(parts, Body::empty())
}
