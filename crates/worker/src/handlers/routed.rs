//! Handlers in other components or services: the task is posted to their URL.

use std::time::Duration;

use azure::{Env, Limits, TransportError};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request};

use super::{HandlerOutcome, MAX_RESULT_BYTES, Work, response};
use crate::progress::Progress;

/// The largest response, in bytes: the largest result, and a problem document or progress lines.
const MAX_RESPONSE_BYTES: usize = MAX_RESULT_BYTES + 64 * 1024;

/// The time by which a request may take longer than an attempt.
const REQUEST_MARGIN: Duration = Duration::from_secs(30);

/// Posts the task to `url`. `task_timeout` is the time limit of an attempt.
pub(super) async fn run(
    env: &dyn Env,
    url: &str,
    task_timeout: Duration,
    work: &Work,
    progress: &Progress,
) -> HandlerOutcome {
    let body = serde_json::to_vec(work).unwrap_or_default();
    let length = body.len();
    let Ok(mut request) = Request::post(url).body(body.into()) else {
        return HandlerOutcome::retry(
            "HandlerMisconfigured",
            "task_handlers holds no usable URL for this task",
        );
    };
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length.into());
    // Without this header every coding is acceptable (RFC 9110, section 12.5.3).
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/x-ndjson, */*"));
    if let Some(Ok(value)) = work.trace_parent.as_deref().map(HeaderValue::from_str) {
        headers.insert("traceparent", value);
    }
    let limits = Limits {
        connect: Duration::from_secs(5),
        // The lease is renewed meanwhile. The time limit of the attempt ends the request earlier.
        first_byte: task_timeout + REQUEST_MARGIN,
        between_bytes: task_timeout + REQUEST_MARGIN,
        total: task_timeout + REQUEST_MARGIN,
        max_response_bytes: MAX_RESPONSE_BYTES,
    };
    let lines = response::Lines::default();
    match env.send(request, limits, &|head, piece| lines.observe(head, piece, progress)).await {
        Ok(response) => response::outcome(response, progress, env.now()),
        Err(TransportError::TooLarge(_)) => HandlerOutcome::Failed(super::too_large()),
        Err(TransportError::Denied(_)) => HandlerOutcome::retry(
            "HandlerMisconfigured",
            "the handler's host is not allowed; add it to the variable handler_hosts",
        ),
        Err(TransportError::Timeout) => {
            HandlerOutcome::retry("HandlerUnavailable", "the handler did not answer in time")
        }
        Err(TransportError::Connect(_)) => {
            HandlerOutcome::retry("HandlerUnavailable", "the handler cannot be reached")
        }
        Err(TransportError::Interrupted(_)) => {
            HandlerOutcome::retry("HandlerUnavailable", "the connection to the handler broke")
        }
    }
}
