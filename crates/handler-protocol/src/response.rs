//! An outcome or a failure gives a response.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::json;
use serde_json::value::RawValue;

use crate::task::Refusal;

/// How a task is completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Without a result.
    Nothing,
    /// With JSON text.
    Json(String),
    /// With plain text.
    Text(String),
    /// With any media type.
    Content {
        /// The media type.
        media_type: String,
        /// The result.
        bytes: Vec<u8>,
    },
}

/// Whether another attempt follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No.
    Never,
    /// Yes, after the worker's back-off.
    BackedOff,
    /// Yes, after at least so many seconds.
    After(u32),
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether to try again.
    pub retry: Retry,
}

impl Failure {
    /// What the handler calls JSON is not, which another attempt does not change.
    pub(crate) fn invalid_json(error: &serde_json::Error) -> Self {
        let message = format!("the handler returned a result that is not JSON: {error}");
        Self { code: "invalid-result".to_owned(), message, retry: Retry::Never }
    }
}

/// The response to a task that ended.
#[must_use]
pub fn ended(result: Result<Outcome, Failure>) -> Response<Bytes> {
    match result.and_then(completed) {
        Ok(response) => response,
        Err(failure) => failed(&failure),
    }
}

/// The response to `OPTIONS`, by which a worker sees at its start that the handler is there.
#[must_use]
pub fn present() -> Response<Bytes> {
    let mut response = respond(StatusCode::NO_CONTENT, None, Bytes::new());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    response
}

/// The response to a request that is no task.
#[must_use]
pub fn refused(refusal: &Refusal) -> Response<Bytes> {
    problem(refusal.status, "invalid-task", &refusal.detail)
}

/// The response to a request whose body broke off or is larger than [`MAX_REQUEST_BYTES`](crate::task::MAX_REQUEST_BYTES).
#[must_use]
pub fn unread() -> Response<Bytes> {
    problem(StatusCode::PAYLOAD_TOO_LARGE, "invalid-task", "the body broke off, or is too large")
}

fn completed(outcome: Outcome) -> Result<Response<Bytes>, Failure> {
    let (media_type, bytes) = match outcome {
        Outcome::Nothing => return Ok(respond(StatusCode::NO_CONTENT, None, Bytes::new())),
        Outcome::Json(text) => {
            serde_json::from_str::<&RawValue>(&text).map_err(|error| Failure::invalid_json(&error))?;
            (HeaderValue::from_static("application/json"), text.into_bytes())
        }
        Outcome::Text(text) => (HeaderValue::from_static("text/plain; charset=utf-8"), text.into_bytes()),
        Outcome::Content { media_type, bytes } => (media_type_header(&media_type)?, bytes),
    };
    Ok(respond(StatusCode::OK, Some(media_type), bytes.into()))
}

/// Media types that the worker reads as progress are refused: the result would be taken for a protocol that the handler
/// does not speak here.
fn media_type_header(media_type: &str) -> Result<HeaderValue, Failure> {
    let refuse = |reason: &str| Failure {
        code: "invalid-result".to_owned(),
        message: format!("the handler returned the media type {media_type:?}, which {reason}"),
        retry: Retry::Never,
    };
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let lines =
        ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];
    if lines.contains(&essence.as_str()) {
        return Err(refuse("the protocol of handlers reserves for progress"));
    }
    if media_type.len() > 255 || !essence.contains('/') {
        return Err(refuse("is none"));
    }
    HeaderValue::from_str(media_type).map_err(|_| refuse("is none"))
}

fn failed(failure: &Failure) -> Response<Bytes> {
    let status = match failure.retry {
        Retry::Never => StatusCode::UNPROCESSABLE_ENTITY,
        Retry::BackedOff | Retry::After(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = problem(status, &failure.code, &failure.message);
    if let Retry::After(seconds) = failure.retry {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// A problem document (RFC 9457) with the member `code`.
fn problem(status: StatusCode, code: &str, detail: &str) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or_default();
    let document = json!({"title": title, "status": status.as_u16(), "detail": detail, "code": code});
    let media_type = HeaderValue::from_static("application/problem+json");
    respond(status, Some(media_type), document.to_string().into())
}

fn respond(status: StatusCode, media_type: Option<HeaderValue>, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(media_type) = media_type {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn media_type(response: &Response<Bytes>) -> &str {
        response.headers().get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn outcome_keeps_its_bytes_and_gets_its_media_type() {
        let content = Outcome::Content { media_type: "image/png".to_owned(), bytes: vec![137, 80] };
        for (outcome, status, media, body) in [
            (Outcome::Nothing, 204, "", &b""[..]),
            (Outcome::Json("{\"a\": 1}".to_owned()), 200, "application/json", b"{\"a\": 1}"),
            (Outcome::Text("ä".to_owned()), 200, "text/plain; charset=utf-8", "ä".as_bytes()),
            (content, 200, "image/png", &[137, 80]),
        ] {
            let response = ended(Ok(outcome.clone()));
            assert_eq!(response.status(), status, "{outcome:?}");
            assert_eq!((media_type(&response), &response.body()[..]), (media, body), "{outcome:?}");
        }
    }

    #[test]
    fn unusable_result_fails_the_task_and_says_why() {
        for (outcome, words) in [
            (Outcome::Json("{'a'}".to_owned()), "not JSON"),
            (Outcome::Content { media_type: "png".to_owned(), bytes: vec![] }, "is none"),
            (Outcome::Content { media_type: "image/a\nb".to_owned(), bytes: vec![] }, "is none"),
            (
                Outcome::Content { media_type: "Application/NDJSON; a=b".to_owned(), bytes: vec![] },
                "reserves",
            ),
        ] {
            let response = ended(Ok(outcome.clone()));
            let document: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!((response.status().as_u16(), &document["code"]), (422, &"invalid-result".into()));
            assert!(document["detail"].as_str().unwrap().contains(words), "{outcome:?}: {document}");
        }
    }

    #[test]
    fn failure_is_a_problem_document_with_its_code() {
        for (retry, status, after) in
            [(Retry::Never, 422, None), (Retry::BackedOff, 503, None), (Retry::After(30), 503, Some("30"))]
        {
            let failure = Failure { code: "too-large".to_owned(), message: "\"9\" MB".to_owned(), retry };
            let response = ended(Err(failure));
            assert_eq!(response.status(), status);
            assert_eq!(media_type(&response), "application/problem+json");
            assert_eq!(response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap()), after);
            let document: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!((&document["code"], &document["detail"]), (&"too-large".into(), &"\"9\" MB".into()));
        }
    }

    #[test]
    fn request_that_is_no_task_gets_a_problem_document() {
        let refusal = Refusal { status: StatusCode::BAD_REQUEST, detail: "x".to_owned() };
        let response = refused(&refusal);
        assert_eq!((response.status().as_u16(), media_type(&response)), (400, "application/problem+json"));
    }
}
