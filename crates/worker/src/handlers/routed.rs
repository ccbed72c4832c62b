//! Handlers in other components or services: the task is posted to their URL.

use std::time::Duration;

use azure::{Env, Limits, TransportError};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use lifecycle::handlers::MAX_RESULT_BYTES;
use models::{Timestamp, milliseconds};

use super::endpoint::{Endpoint, RELAY_COMPLETE, RELAY_ERROR, RELAY_MAX_BYTES, RELAY_PARTS, TOO_LARGE};
use super::parts::PartWriter;
use super::{HandlerOutcome, Work, response};
use crate::progress::Progress;

/// The version of the protocol of docs/handlers.md. A change that a handler could notice increases it.
const PROTOCOL_VERSION: &str = "1";

/// The largest response, in bytes: the largest result, and a problem document or progress lines.
pub(crate) const MAX_RESPONSE_BYTES: usize = MAX_RESULT_BYTES + 64 * 1024;

/// The time by which a request may take longer than an attempt.
const REQUEST_MARGIN: Duration = Duration::from_secs(30);

/// The bytes by which the worker in the process of the handlers passes on more than a result may have.
const RELAY_EXCESS_BYTES: usize = 1024 * 1024;

/// One call of a handler.
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    /// The time limit of the attempt.
    pub(super) timeout: Duration,
    pub(super) max_result_bytes: usize,
}

/// Posts the task to its handler. A result of more than [`MAX_RESULT_BYTES`], if the rule allows it, is stored by `parts`
/// while it arrives.
pub(super) async fn run(
    env: &dyn Env,
    call: Call,
    work: &Work,
    progress: &Progress,
    parts: Option<PartWriter<'_>>,
) -> HandlerOutcome {
    let Some(request) = request(env, &call, work) else {
        return HandlerOutcome::retry(
            "HandlerMisconfigured",
            "task_handlers holds no usable URL for this task",
        );
    };
    // The lease is renewed meanwhile. The time limit of the attempt drops the request earlier, so that it needs no timer of
    // its own for the whole.
    let longest = call.timeout + REQUEST_MARGIN;
    let limits = Limits {
        connect: Duration::from_secs(5),
        total: Duration::MAX,
        ..Limits::within(longest, MAX_RESPONSE_BYTES)
    };
    let lines = response::Lines::default();
    let observe = |head: &Parts, piece: &[u8]| lines.observe(head, piece, progress);
    let exchange = match &parts {
        Some(parts) => env.send_spilling(request, limits, &observe, parts).await,
        None => env.send(request, limits, &observe).await,
    };
    let stored = parts.as_ref().map(PartWriter::stored).unwrap_or_default();
    if let Some(error) = parts.as_ref().and_then(PartWriter::take_error) {
        let message = format!("a part of the result could not be stored: {error}");
        return HandlerOutcome::Interrupted(super::error("ResultNotStored", &message));
    }
    match exchange {
        Ok(response) if call.endpoint.token.is_some() && is_too_large(response.headers()) => {
            HandlerOutcome::Failed(super::too_large(call.max_result_bytes))
        }
        Ok(response) if call.endpoint.token.is_some() && response.headers().contains_key(RELAY_PARTS) => {
            match relayed(response) {
                Some(response) => response::outcome(response, stored, progress, env.now()),
                None => HandlerOutcome::retry("HandlerUnavailable", "the connection to the handler broke"),
            }
        }
        Ok(response) => response::outcome(response, stored, progress, env.now()),
        Err(error) => failure(&error, &call),
    }
}

/// Removes the last byte of a body that the worker in the process of the handlers passed on in parts: whether it was
/// complete.
fn relayed(response: Response<Bytes>) -> Option<Response<Bytes>> {
    let (head, mut body) = response.into_parts();
    let last = body.split_off(body.len().checked_sub(1)?);
    (*last == [RELAY_COMPLETE]).then(|| Response::from_parts(head, body))
}

/// Returns whether the worker in the process of the handlers gave up a response for its size.
fn is_too_large(headers: &HeaderMap) -> bool {
    headers.get(RELAY_ERROR).is_some_and(|value| value.as_bytes() == TOO_LARGE.as_bytes())
}

fn request(env: &dyn Env, call: &Call, work: &Work) -> Option<Request<Bytes>> {
    let body = serde_json::to_vec(work).unwrap_or_default();
    let length = body.len();
    let mut request = Request::post(&call.endpoint.url).body(body.into()).ok()?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length.into());
    // Without this header every coding is acceptable (RFC 9110, section 12.5.3).
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/x-ndjson, */*"));
    headers.insert("accepted-protocol", HeaderValue::from_static(PROTOCOL_VERSION));
    let deadline = Timestamp::from(env.now()).plus(call.timeout).to_string();
    headers.insert("accepted-timeout-ms", milliseconds(call.timeout).into());
    let texts = [
        ("accepted-deadline", Some(deadline)),
        // A string of RFC 9651, as the draft of the header has it.
        ("idempotency-key", Some(format!("\"{}\"", work.id))),
        ("traceparent", work.trace_parent.clone()),
    ];
    for (name, text) in texts {
        if let Some(Ok(value)) = text.as_deref().map(HeaderValue::from_str) {
            headers.insert(name, value);
        }
    }
    if let Some(token) = &call.endpoint.token {
        if call.max_result_bytes > MAX_RESULT_BYTES {
            // A little more, so that this worker is the one that sees a result that is too large.
            headers.insert(RELAY_MAX_BYTES, (call.max_result_bytes + RELAY_EXCESS_BYTES).into());
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Some(request)
}

/// Returns the outcome of a call without a response.
fn failure(error: &TransportError, call: &Call) -> HandlerOutcome {
    let unavailable = |message| HandlerOutcome::retry("HandlerUnavailable", message);
    match error {
        TransportError::TooLarge(_) => HandlerOutcome::Failed(super::too_large(call.max_result_bytes)),
        TransportError::Denied(_) => {
            let message = match &call.endpoint.component {
                Some(id) if call.endpoint.token.is_none() => {
                    format!("the application has no component {id}, or handler_hosts does not allow it")
                }
                _ => "the handler's host is not allowed; add it to the variable handler_hosts".to_owned(),
            };
            HandlerOutcome::retry("HandlerMisconfigured", &message)
        }
        // The worker in the process of the handlers responds to everything that a single handler does.
        TransportError::Connect(_) | TransportError::Interrupted(_) if call.endpoint.token.is_some() => {
            HandlerOutcome::Interrupted(super::error(
                "HandlerProcessEnded",
                "the process of the handlers ended during the attempt or is being started",
            ))
        }
        TransportError::Timeout => unavailable("the handler did not respond in time"),
        TransportError::Connect(_) => unavailable("the handler cannot be reached"),
        TransportError::Interrupted(_) => unavailable("the connection to the handler broke"),
    }
}
