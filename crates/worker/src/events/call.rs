//! One call of a receiver or of the sink.

use azure::{Limits, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::request::Builder;
use http::{HeaderName, HeaderValue, Request};
use lifecycle::events::{CALL_TIMEOUT, Called, event_type};
use models::{EventMessage, Monitor, TaskStatus, Timestamp};
use serde::Serialize;
use service::callback::Callbacks;
use service::env::Env;

use crate::events::signature::signatures;

/// The largest response that is read, in bytes. Only its status and `Retry-After` are used.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The body: the form that Standard Webhooks recommends. It is the same for every attempt.
#[derive(Serialize)]
struct Event {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Monitor,
}

/// Posts the event of `document` to its receiver, once. A redirect is not followed.
pub(super) async fn call(
    env: &dyn Env,
    callbacks: Option<&Callbacks>,
    message: &EventMessage,
    document: &TaskStatus,
) -> Called {
    // Checked again: the operator may have removed the host, and other programs can write documents.
    let address = document.callback_uri.as_deref().unwrap_or_default();
    let allowed = callbacks.and_then(|callbacks| Some((callbacks, callbacks.hosts.check(address).ok()?)));
    let Some((callbacks, uri)) = allowed else {
        return Called::Refused("the receiver's host is not in callback_hosts".to_owned());
    };
    let event = Event {
        kind: event_type(document.state),
        timestamp: message.ended_at,
        data: Monitor { callback: None, event_sink: None, ..Monitor::of(document) },
    };
    let body = serde_json::to_vec(&event).unwrap_or_default();
    let (id, seconds) = (message.id(), env.timestamp().unix_millis().div_euclid(1000));
    let texts = [
        ("webhook-id", id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures(&callbacks.keys, &id, seconds, &body)),
    ];
    let mut request = Request::post(uri);
    for (name, text) in texts {
        request = request.header(HeaderName::from_static(name), text);
    }
    let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    post(env, request, body).await.1
}

/// Sends the request with this body. Returns the status of the response, if there is one, and what it means.
pub(super) fn post(
    env: &dyn Env,
    request: Builder,
    body: Vec<u8>,
) -> LocalBoxFuture<'_, (Option<u16>, Called)> {
    // Boxed, because two kinds of calls end in it.
    Box::pin(async move { send(env, request, body).await })
}

async fn send(env: &dyn Env, request: Builder, body: Vec<u8>) -> (Option<u16>, Called) {
    let request = request
        .header(CONTENT_LENGTH, body.len())
        .header(USER_AGENT, HeaderValue::from_static("accepted"))
        .body(Bytes::from(body));
    let Ok(request) = request else { return (None, failed("the request cannot be sent")) };
    // The status counts, even if the rest of the response does not arrive.
    let status = std::cell::Cell::new(None);
    let limits = Limits::within(CALL_TIMEOUT, MAX_RESPONSE_BYTES);
    match env.send(request, limits, &|head, _| status.set(Some(head.status.as_u16()))).await {
        Ok(response) => {
            let wait = azure::retry_after(response.headers(), env.now());
            let status = response.status().as_u16();
            (Some(status), Called::response(status, wait))
        }
        Err(error) => match status.get() {
            Some(status) => (Some(status), Called::response(status, None)),
            None => (None, failure(&error)),
        },
    }
}

fn failure(error: &TransportError) -> Called {
    failed(match error {
        TransportError::Denied(_) => "the receiver's host is not in allowed_outbound_hosts",
        TransportError::Timeout => "no response in time",
        TransportError::Connect(_) => "the receiver cannot be reached",
        TransportError::Interrupted(_) => "the connection broke",
        TransportError::TooLarge(_) => "the response is too large",
    })
}

fn failed(outcome: &str) -> Called {
    Called::Failed { outcome: outcome.to_owned(), retry_after: None }
}
