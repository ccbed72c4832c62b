//! One call of the operator's sink: an event by `CloudEvents` 1.0 in structured JSON
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).

use futures::future::LocalBoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request};
use lifecycle::events::Called;
use models::{EventMessage, MonitorState, SinkEvent, SinkMessage, TaskStatus};
use service::log::Line;
use service::sink::{Sink, SinkAuth};

use crate::engine::Engine;
use crate::events::call::post;

/// The longest text of an error in an event, in characters.
const MAX_TEXT_CHARS: usize = 1024;

/// The text of the event that `message` describes. It is the same for every attempt.
pub(super) fn text_of_message(engine: &Engine, message: &SinkMessage) -> String {
    let mut members = String::new();
    if let Some(percent) = message.percent_complete {
        members = format!(r#","percentComplete":{percent}"#);
    }
    if let Some(text) = &message.message {
        members = format!(r#"{members},"message":{}"#, quoted(text));
    }
    text(engine, message, message.status(), &members)
}

/// The text of the event of an end. It is the same for every attempt.
pub(super) fn text_of_end(engine: &Engine, message: &EventMessage, document: &TaskStatus) -> String {
    let mut members = String::new();
    if let Some(error) = &document.error {
        let reason: String = error.message.chars().take(MAX_TEXT_CHARS).collect();
        let (code, reason) = (quoted(&error.code), quoted(&reason));
        members = format!(r#","error":{{"code":{code},"message":{reason}}}"#);
    }
    let event = SinkMessage {
        kind: SinkEvent::Ended,
        event_of: document.task_id,
        at: message.ended_at,
        task_name: document.task_name.clone(),
        attempt: document.attempt,
        percent_complete: None,
        message: None,
        called: 0,
    };
    text(engine, &event, document.state.into(), &members)
}

/// The attributes and, as data, members of the status monitor. Written by hand, for the size of the component; every value is
/// quoted or cannot contain a character that JSON escapes.
fn text(engine: &Engine, event: &SinkMessage, status: MonitorState, members: &str) -> String {
    let (queue, id) = (&engine.settings.storage.queue_name, event.id());
    let (kind, name, status) = (event.kind.as_str(), quoted(&event.task_name), status.as_str());
    let (task, time, attempt) = (event.event_of, event.at, event.attempt);
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/accepted/{queue}\",\
         \"type\":\"accepted.task.{kind}\",\"subject\":\"{task}\",\"time\":\"{time}\",\
         \"datacontenttype\":\"application/json\",\"data\":{{\"id\":\"{task}\",\"name\":{name},\
         \"status\":\"{status}\",\"attempt\":{attempt}{members}}}}}"
    )
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Posts the event to the sink, once. A redirect is not followed.
pub(super) fn call(engine: &Engine, event: String) -> LocalBoxFuture<'_, Called> {
    // Boxed, because the deliveries of ends and of other events call it.
    Box::pin(post_event(engine, event))
}

async fn post_event(engine: &Engine, event: String) -> Called {
    let Some(sink) = &engine.settings.sink else {
        return Called::Refused("event_sink_url is not set".to_owned());
    };
    let mut token = None;
    if let Some(tokens) = &engine.sink_tokens {
        match tokens.token(&*engine.env).await {
            Ok(found) => token = Some(found),
            Err(error) => {
                engine.env.log(&Line::warn("no token for the event sink").with("cause", error.to_string()));
                let outcome = "no token of the managed identity".to_owned();
                return Called::Failed { outcome, retry_after: None };
            }
        }
    }
    let authorization = token.as_ref().and_then(azure::BearerToken::header);
    let (status, called) = post(&*engine.env, request(sink, authorization), event.into_bytes()).await;
    if let (Some(tokens), Some(token), Some(401)) = (&engine.sink_tokens, &token, status) {
        tokens.reject(&*engine.env, token);
    }
    called
}

fn request(sink: &Sink, authorization: Option<HeaderValue>) -> http::request::Builder {
    let mut request = Request::post(sink.url.clone())
        .header(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json; charset=utf-8"));
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    if let SinkAuth::Key(key) = &sink.auth
        && let Ok(mut value) = HeaderValue::from_str(key.expose())
    {
        value.set_sensitive(true);
        request = request.header(HeaderName::from_static("aeg-sas-key"), value);
    }
    request
}
