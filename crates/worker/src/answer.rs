//! The worker's answers.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use models::Problem;

use crate::counts::Counts;
use service::body::Body;
use storage::StorageError;

pub(crate) fn alive() -> Response<Body> {
    full(StatusCode::OK, "text/plain; charset=utf-8", b"ok\n".to_vec())
}

pub(crate) fn counts(counts: &Counts) -> Response<Body> {
    full(StatusCode::OK, "application/json", serde_json::to_vec(counts).unwrap_or_default())
}

/// A problem document (RFC 9457). `detail` says what to do about it.
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let (kind, title) = match status {
        StatusCode::UNAUTHORIZED => ("unauthorized", "The caller is not identified"),
        StatusCode::FORBIDDEN => ("drain-closed", "The drain route is closed"),
        StatusCode::NOT_FOUND => ("not-found", "There is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "The method is not allowed here"),
        _ => ("misconfigured", "The service is not configured correctly"),
    };
    let problem = Problem {
        kind: format!("/problems/{kind}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: Some(detail.to_owned()),
        instance: None,
        trace_id: None,
    };
    full(status, "application/problem+json", serde_json::to_vec(&problem).unwrap_or_default())
}

/// A drain that could not receive anything, for a reason that only an operator can remove.
pub(crate) fn storage_problem(error: &StorageError) -> Response<Body> {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
    answer
}

fn full(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
