//! Work that another component or service does: the task is posted to its URL.

use std::time::Duration;

use azure::{Env, Limits, TransportError};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request};

use super::{Handled, LARGEST_RESULT, Work, reply};
use crate::progress::Progress;

/// Room for a problem document or progress lines beside the largest result.
const LARGEST_REPLY: usize = LARGEST_RESULT + 64 * 1024;

/// How much longer than an attempt a connection may last.
const MARGIN: Duration = Duration::from_secs(30);

/// Posts the task to `url`. `time` is what an attempt may take.
pub(super) async fn run(
    env: &dyn Env,
    url: &str,
    time: Duration,
    work: &Work,
    progress: &Progress,
) -> Handled {
    let body = serde_json::to_vec(work).unwrap_or_default();
    let length = body.len();
    let Ok(mut request) = Request::post(url).body(body.into()) else {
        return Handled::retry("HandlerMisconfigured", "task_handlers holds no usable URL for this task");
    };
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length.into());
    // Without it every coding would be acceptable (RFC 9110, section 12.5.3).
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/x-ndjson, */*"));
    if let Some(Ok(value)) = work.trace_parent.as_deref().map(HeaderValue::from_str) {
        headers.insert("traceparent", value);
    }
    let limits = Limits {
        connect: Duration::from_secs(5),
        // The lease is renewed meanwhile; the attempt's own cap comes first and ends the wait.
        first_byte: time + MARGIN,
        total: time + MARGIN,
        max_response_bytes: LARGEST_REPLY,
    };
    let lines = reply::Lines::default();
    match env.send(request, limits, &|head, piece| lines.observe(head, piece, progress)).await {
        Ok(answer) => reply::read(answer, progress, env.now()),
        Err(TransportError::TooLarge(_)) => Handled::Failed(super::too_large()),
        Err(TransportError::Denied(_)) => Handled::retry(
            "HandlerMisconfigured",
            "the handler's host is not allowed; add it to the variable handler_hosts",
        ),
        Err(TransportError::Timeout) => {
            Handled::retry("HandlerUnavailable", "the handler did not answer in time")
        }
        Err(TransportError::Connect(_)) => {
            Handled::retry("HandlerUnavailable", "the handler cannot be reached")
        }
        Err(TransportError::Interrupted(_)) => {
            Handled::retry("HandlerUnavailable", "the connection to the handler broke")
        }
    }
}
