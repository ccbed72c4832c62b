//! Server-sent events: `GET /tasks/{id}/events`, and `GET /tasks/{id}` with `Accept: text/event-stream`. Sends the
//! changes of a task until it is terminal.

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
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::{ETag, Read, StoredDocument};

use crate::http::headers::{LAST_EVENT_ID, text};
use crate::http::request::ApiRequest;
use crate::permit::Permit;
use crate::tasks::shared_reads::SharedRead;
use crate::tasks::{Tasks, monitor_at};

/// Open streams of one instance.
pub(crate) const MAX_EVENT_STREAMS: usize = 64;

/// Maximum duration of a stream. Container Apps ends requests after 240 seconds.
const MAX_STREAM_DURATION: Duration = Duration::from_secs(230);

/// Silence after which a comment is sent, so that proxies keep the connection open.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// Consecutive failed reads after which the stream ends and the client reconnects.
const MAX_FAILED_READS: u32 = 5;

/// Milliseconds after which a client reconnects when the stream has ended early.
const RECONNECT_MILLIS: u64 = 2000;

/// Disables response buffering in nginx and compatible proxies.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) async fn events(
    tasks: &Rc<Tasks>,
    request: &ApiRequest,
    id: TaskId,
) -> Result<Response, HttpError> {
    let stored = tasks.find(request, id).await?;
    let is_resumed = text(request.headers(), LAST_EVENT_ID) == Some(event_id(&stored.etag).as_str());
    if is_resumed && stored.document.state.is_terminal() {
        // The client has received the last event. After a 204 a browser does not reconnect.
        return Ok(response::empty(StatusCode::NO_CONTENT));
    }
    let Some(permit) = tasks.event_streams.try_acquire() else {
        let detail = "Poll the task instead, or open the stream again later.";
        return Err(HttpError::new(ProblemKind::TooManyStreams, detail).retry_after(5));
    };
    let stream = EventStream {
        address: request.task_url(&tasks.settings, id)?,
        tasks: Rc::clone(tasks),
        id,
        reads: tasks.shared_reads.join(&stored, tasks.env.instant()),
        etag: stored.etag.clone(),
        state: StreamState::First { stored: Box::new(stored), is_resumed },
        started: tasks.env.instant(),
        silence: Duration::ZERO,
        failed_reads: 0,
        _permit: permit,
    };
    let events = stream::unfold(stream, |mut stream| async move {
        let bytes = stream.next_event().await?;
        Some((bytes, stream))
    });
    let mut response = Response::new(Body::Stream(events.boxed_local()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// One open stream. It holds at most one event: the next read begins when the client has received the last event.
struct EventStream {
    tasks: Rc<Tasks>,
    id: TaskId,
    reads: Rc<SharedRead>,
    address: String,
    etag: ETag,
    state: StreamState,
    started: Instant,
    /// Time since the last event or comment.
    silence: Duration,
    failed_reads: u32,
    _permit: Permit,
}

enum StreamState {
    /// Nothing is sent yet. If `is_resumed`, the client has received this version already.
    First { stored: Box<StoredDocument>, is_resumed: bool },
    /// Waits for the next change.
    Following,
    /// The last event is sent.
    Ended,
}

impl EventStream {
    async fn next_event(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.state, StreamState::Following) {
            StreamState::First { stored, is_resumed } => {
                let retry = format!("retry: {RECONNECT_MILLIS}\n");
                let event = if is_resumed { ": resumed\n\n".to_owned() } else { self.status_event(&stored) };
                Some((retry + &event).into())
            }
            StreamState::Following => self.next_change().await,
            StreamState::Ended => None,
        }
    }

    async fn next_change(&mut self) -> Option<Bytes> {
        loop {
            let now = self.tasks.env.instant();
            if now.since(self.started) >= MAX_STREAM_DURATION || self.failed_reads >= MAX_FAILED_READS {
                return None;
            }
            let pause = self.reads.pause(now);
            self.tasks.env.sleep(pause).await;
            self.silence += pause;
            match self.reads.read(&*self.tasks.store, &*self.tasks.env, &self.etag, pause).await {
                Ok(Read::Found(stored)) => {
                    self.failed_reads = 0;
                    return Some(self.status_event(&stored).into());
                }
                Ok(Read::Missing) => {
                    self.state = StreamState::Ended;
                    return Some(format!("event: gone\ndata: {{\"id\":\"{}\"}}\n\n", self.id).into());
                }
                Ok(Read::Unchanged) => self.failed_reads = 0,
                Err(_) => self.failed_reads += 1,
            }
            if self.silence >= HEARTBEAT_INTERVAL {
                self.silence = Duration::ZERO;
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    /// The event with this version. The stream ends after it if the task is terminal.
    fn status_event(&mut self, stored: &StoredDocument) -> String {
        self.etag.clone_from(&stored.etag);
        self.silence = Duration::ZERO;
        if stored.document.state.is_terminal() {
            self.state = StreamState::Ended;
        }
        event(&stored.document, &stored.etag, self.address.clone())
    }
}

fn event(document: &TaskStatus, etag: &str, address: String) -> String {
    // The JSON contains no line breaks: serde_json escapes those in strings.
    let data = serde_json::to_string(&monitor_at(document, address)).unwrap_or_default();
    format!("id: {}\nevent: status\ndata: {data}\n\n", event_id(etag))
}

/// The ETag without the characters that are not allowed in `id` and `Last-Event-ID`.
fn event_id(etag: &str) -> String {
    etag.chars().filter(char::is_ascii_alphanumeric).collect()
}
