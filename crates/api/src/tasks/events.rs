//! `GET /tasks/{id}` for `text/event-stream`, and `GET /tasks/{id}/events`: every change of a task as a
//! server-sent event, until it is terminal.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::header::{CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderValue, StatusCode};
use models::{TaskId, TaskStatus};
use service::body::Body;
use service::env::Instant;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use storage::{ETag, Read, StoredDocument};

use crate::http::call::Call;
use crate::http::headers::{LAST_EVENT_ID, text};
use crate::tasks::wait::{Pauses, Place};
use crate::tasks::watched::Watched;
use crate::tasks::{Tasks, monitor_at};

/// Streams of one instance that may be open at a time.
pub(crate) const MOST_STREAMS: usize = 64;

/// Longest life of a stream, below the 240 seconds after which Container Apps cuts a request.
const LIFETIME: Duration = Duration::from_secs(230);

/// A comment is sent after so much silence, so that nobody on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Reads that may fail one after the other before the stream ends and the client has to come again.
const MOST_FAILURES: u32 = 5;

/// How soon a client comes back when the stream ends early, in milliseconds.
const RETRY_MILLIS: u64 = 2000;

/// Tells proxies of one widespread kind not to collect the answer before they pass it on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) async fn events(tasks: &Rc<Tasks>, call: &Call, id: TaskId) -> Result<Response, Refusal> {
    let stored = tasks.find(call, id).await?;
    let seen = text(call.headers(), LAST_EVENT_ID) == Some(event_id(&stored.etag).as_str());
    if seen && stored.document.state.is_terminal() {
        // There is nothing left to tell; this status keeps a browser from asking again.
        return Ok(response::empty(StatusCode::NO_CONTENT));
    }
    let Some(place) = Place::take(&tasks.streams, MOST_STREAMS) else {
        let detail = "Poll the task instead, or open the stream again later.";
        return Err(Refusal::new(Kind::TooManyStreams, detail).retry_after(5));
    };
    let watch = Watch {
        address: call.task_url(&tasks.settings, id)?,
        tasks: Rc::clone(tasks),
        id,
        watched: tasks.watchers.watch(&stored, tasks.env.instant()),
        etag: stored.etag.clone(),
        next: Next::First { stored: Box::new(stored), seen },
        started: tasks.env.instant(),
        silent: Duration::ZERO,
        failures: 0,
        pauses: Pauses::new(),
        _place: place,
    };
    let events = stream::unfold(watch, |mut watch| async move {
        let bytes = watch.next().await?;
        Some((bytes, watch))
    });
    let mut answer = Response::new(Body::Stream(events.boxed_local()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(answer)
}

/// One open stream. It holds one event at most: the next read waits until the client took the last one.
struct Watch {
    tasks: Rc<Tasks>,
    id: TaskId,
    watched: Rc<Watched>,
    address: String,
    etag: ETag,
    next: Next,
    started: Instant,
    silent: Duration,
    failures: u32,
    pauses: Pauses,
    _place: Place,
}

enum Next {
    /// Tell what is known, unless the client has seen it.
    First { stored: Box<StoredDocument>, seen: bool },
    /// Wait for a change.
    Change,
    /// End.
    Nothing,
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.next, Next::Change) {
            Next::First { stored, seen } => {
                let hello = format!("retry: {RETRY_MILLIS}\n");
                let event = if seen { ": resumed\n\n".to_owned() } else { self.told(&stored) };
                Some((hello + &event).into())
            }
            Next::Change => self.change().await,
            Next::Nothing => None,
        }
    }

    async fn change(&mut self) -> Option<Bytes> {
        loop {
            let spent = self.tasks.env.instant().since(self.started);
            if spent >= LIFETIME || self.failures >= MOST_FAILURES {
                return None;
            }
            let pause = self.pauses.next();
            self.tasks.env.sleep(pause).await;
            self.silent += pause;
            match self.watched.look(&*self.tasks.store, &*self.tasks.env, &self.etag, pause).await {
                Ok(Read::Found(stored)) => {
                    self.failures = 0;
                    self.pauses = Pauses::new();
                    return Some(self.told(&stored).into());
                }
                Ok(Read::Missing) => {
                    self.next = Next::Nothing;
                    return Some(format!("event: gone\ndata: {{\"id\":\"{}\"}}\n\n", self.id).into());
                }
                Ok(Read::Unchanged) => self.failures = 0,
                Err(_) => self.failures += 1,
            }
            if self.silent >= HEARTBEAT {
                self.silent = Duration::ZERO;
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    /// The event for a document, which is the last one when it is terminal.
    fn told(&mut self, stored: &StoredDocument) -> String {
        self.etag.clone_from(&stored.etag);
        self.silent = Duration::ZERO;
        if stored.document.state.is_terminal() {
            self.next = Next::Nothing;
        }
        event(&stored.document, &stored.etag, self.address.clone())
    }
}

fn event(document: &TaskStatus, etag: &str, address: String) -> String {
    // JSON without line breaks: serde_json escapes those inside strings.
    let data = serde_json::to_string(&monitor_at(document, address)).unwrap_or_default();
    format!("id: {}\nevent: status\ndata: {data}\n\n", event_id(etag))
}

/// The version of the document, in characters that are safe in a field and in a header.
fn event_id(etag: &str) -> String {
    etag.chars().filter(char::is_ascii_alphanumeric).collect()
}
