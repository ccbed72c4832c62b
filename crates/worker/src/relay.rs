//! `POST /handlers/{id}`: passes a task on to a handler in the same host process.
//!
//! Handlers that may not end run in a host process of their own, because nothing interrupts a guest that computes without
//! end. Their routes are private to that process, so a worker in it receives the calls of the worker that drains.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use azure::{Limits, Secret, Spill, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream::{self, StreamExt as _};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER,
};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request};
use lifecycle::handlers::Handlers;
use service::body::{Body, BodyError, RequestBody};
use service::env::Env;
use service::problem::{HttpError, ProblemKind};
use service::response::Response;
use service::settings::WorkerSettings;

use crate::handlers::{
    MAX_RESPONSE_BYTES, RELAY_BROKEN, RELAY_COMPLETE, RELAY_ERROR, RELAY_MAX_BYTES, RELAY_PARTS, TOO_LARGE,
    TRAP_REASON, Watch, component_url, is_json_lines, is_result,
};

/// The largest task, in bytes: the largest body that the API may accept, and the other members.
const MAX_TASK_BYTES: usize = 64 * 1024 * 1024 + 64 * 1024;
/// The time limit of a call that names none: the longest that an attempt may take.
const MAX_TIMEOUT: Duration = Duration::from_secs(604_800);
/// The time by which a call may take longer than the attempt: the worker that drains reports an overrun first. This one
/// reports a handler that goes on although its task was cancelled.
const MARGIN: Duration = Duration::from_secs(2);
/// The headers of the protocol that are passed on.
const REQUEST_HEADERS: [HeaderName; 8] = [
    CONTENT_TYPE,
    ACCEPT,
    ACCEPT_ENCODING,
    HeaderName::from_static("accepted-protocol"),
    HeaderName::from_static("accepted-deadline"),
    HeaderName::from_static("accepted-timeout-ms"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("traceparent"),
];
/// The headers of the response that have a meaning for the worker.
const RESPONSE_HEADERS: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_ENCODING, RETRY_AFTER, TRAP_REASON];

/// Passes tasks on to the handlers of this process. Needs no storage, so that the process needs no credentials.
pub(crate) struct Relay {
    pub(crate) token: Secret,
    handlers: Handlers,
    watch: Option<Rc<Watch>>,
}

/// The parts in which a large result is passed on, in bytes.
const PART_BYTES: usize = 64 * 1024;

/// A response that arrives.
#[derive(Default)]
struct Arriving {
    /// Set with the first chunk of a response with progress, or with the first part of a large result.
    head: Option<Parts>,
    /// What has arrived and was not passed on, at most [`MAX_RESPONSE_BYTES`].
    chunks: VecDeque<Bytes>,
    /// Whether a large result is passed on.
    is_in_parts: bool,
}

type Sending = LocalBoxFuture<'static, Result<http::Response<Bytes>, TransportError>>;

impl Relay {
    pub(crate) fn new(settings: &WorkerSettings) -> Self {
        let (token, handlers) = (settings.drain_token.clone(), settings.handlers.clone());
        Self { token, handlers, watch: Watch::of(settings).map(Rc::new) }
    }

    /// Passes the request on to the component `id`, and its response back. Progress is passed on when it arrives, and so is
    /// a large result if the caller allows one; any other response when it is complete, so that one that breaks off is not
    /// taken for a complete one.
    ///
    /// # Errors
    /// `id` is no handler, or there is no response.
    pub(crate) async fn pass_on<B: RequestBody>(
        &self,
        env: &Rc<dyn Env>,
        id: &str,
        headers: &HeaderMap,
        mut body: B,
    ) -> Result<Response, HttpError> {
        if !self.handlers.components().contains(&id) {
            let detail = format!("task_handlers names no component {id} as a handler.");
            return Err(HttpError::new(ProblemKind::NotFound, detail));
        }
        let task = body.read(MAX_TASK_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge(_) => HttpError::new(ProblemKind::BodyTooLarge, error.to_string()),
            BodyError::Broken(_) => HttpError::new(ProblemKind::InvalidBody, error.to_string()),
        })?;
        let max_bytes = headers.get(RELAY_MAX_BYTES).and_then(|value| value.to_str().ok()?.parse().ok());
        let (request, limits) = request(id, headers, task)
            .ok_or_else(|| HttpError::new(ProblemKind::NotFound, "The address of the handler is invalid."))?;
        let arriving = Rc::new(RefCell::new(Arriving::default()));
        let parts = max_bytes.map(|max_bytes| InParts { arriving: Rc::clone(&arriving), max_bytes });
        let mut sending =
            send(Rc::clone(env), request, limits, Rc::clone(&arriving), parts, self.watch.clone());
        let complete = poll_fn(|context| match sending.as_mut().poll(context) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending if arriving.borrow().head.is_some() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let complete = complete.await;
        let head = arriving.borrow_mut().head.take();
        match (complete, head) {
            (None, Some(head)) => Ok(streamed(&head, arriving, sending)),
            (Some(Ok(response)), _) => {
                let (head, body) = response.into_parts();
                Ok(with_head(&head, Body::Full(body)))
            }
            (Some(Err(error)), _) => Err(no_response(&error, id)),
            (None, None) => Err(no_response(&TransportError::Interrupted("no head".to_owned()), id)),
        }
    }
}

fn request(id: &str, headers: &HeaderMap, task: Bytes) -> Option<(Request<Bytes>, Limits)> {
    let asked = headers.get("accepted-timeout-ms").and_then(|value| value.to_str().ok()?.parse().ok());
    let timeout = asked.map_or(MAX_TIMEOUT, Duration::from_millis).min(MAX_TIMEOUT) + MARGIN;
    let length = task.len();
    let mut request = Request::post(component_url(id)).body(task).ok()?;
    for name in REQUEST_HEADERS {
        if let Some(value) = headers.get(&name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    request.headers_mut().insert(CONTENT_LENGTH, length.into());
    let limits = Limits {
        connect: Duration::from_secs(5),
        first_byte: timeout,
        between_bytes: timeout,
        total: timeout,
        max_response_bytes: MAX_RESPONSE_BYTES,
    };
    Some((request, limits))
}

fn send(
    env: Rc<dyn Env>,
    request: Request<Bytes>,
    limits: Limits,
    arriving: Rc<RefCell<Arriving>>,
    parts: Option<InParts>,
    watch: Option<Rc<Watch>>,
) -> Sending {
    Box::pin(async move {
        let observe = |head: &Parts, chunk: &[u8]| {
            if is_json_lines(head.status, &head.headers) {
                let mut arriving = arriving.borrow_mut();
                arriving.head.get_or_insert_with(|| head.clone());
                arriving.chunks.push_back(Bytes::copy_from_slice(chunk));
            }
        };
        let response = match &parts {
            Some(parts) => env.send_spilling(request, limits, &observe, parts).await,
            None => env.send(request, limits, &observe).await,
        };
        arriving.borrow_mut().end(response.as_ref().ok());
        if let (Err(TransportError::Timeout), Some(watch)) = (&response, watch) {
            watch.report(&*env, limits.total).await;
        }
        response
    })
}

/// Passes the parts of a large result on. Each is read when the previous one was taken.
struct InParts {
    arriving: Rc<RefCell<Arriving>>,
    max_bytes: usize,
}

impl Spill for InParts {
    fn part_bytes(&self, head: &Parts) -> Option<usize> {
        is_result(head).then_some(PART_BYTES)
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn take<'a>(&'a self, head: &'a Parts, part: Bytes) -> LocalBoxFuture<'a, Result<(), TransportError>> {
        {
            let mut arriving = self.arriving.borrow_mut();
            arriving.is_in_parts = true;
            arriving.head.get_or_insert_with(|| head.clone());
            arriving.chunks.push_back(part);
        }
        // The body polls the request before it takes a chunk, so this is polled again after the chunk was taken.
        Box::pin(poll_fn(move |_| {
            let is_taken = self.arriving.borrow().chunks.is_empty();
            if is_taken { Poll::Ready(Ok(())) } else { Poll::Pending }
        }))
    }
}

impl Arriving {
    /// Adds what follows the parts of a large result: the rest, and whether it is complete.
    fn end(&mut self, response: Option<&http::Response<Bytes>>) {
        if self.is_in_parts {
            self.chunks.extend(response.map(|response| response.body().clone()));
            let last = if response.is_some() { RELAY_COMPLETE } else { RELAY_BROKEN };
            self.chunks.push_back(Bytes::copy_from_slice(&[last]));
        }
    }
}

/// Returns a response whose body is passed on while it arrives. If it breaks off, the body ends: the worker sees that
/// the last line is missing.
fn streamed(head: &Parts, arriving: Rc<RefCell<Arriving>>, sending: Sending) -> Response {
    let is_in_parts = arriving.borrow().is_in_parts;
    let state = (arriving, Some(sending));
    let chunks = stream::unfold(state, |(arriving, mut sending)| async move {
        let chunk = poll_fn(|context| {
            if let Some(future) = &mut sending
                && future.as_mut().poll(context).is_ready()
            {
                sending = None;
            }
            match arriving.borrow_mut().chunks.pop_front() {
                Some(chunk) => Poll::Ready(Some(chunk)),
                None if sending.is_none() => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        let chunk = chunk.await?;
        Some((chunk, (arriving, sending)))
    });
    let mut response = with_head(head, Body::Stream(chunks.boxed_local()));
    if is_in_parts {
        response.headers_mut().insert(RELAY_PARTS, HeaderValue::from_static("1"));
    }
    response
}

fn with_head(head: &Parts, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    for name in RESPONSE_HEADERS {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Returns the problem whose detail becomes the error of the attempt. The kind makes the worker try again.
fn no_response(error: &TransportError, id: &str) -> HttpError {
    let detail = match error {
        TransportError::Denied(_) => format!("the application has no component {id}"),
        TransportError::Timeout => "the handler did not respond in time".to_owned(),
        TransportError::TooLarge(limit) => format!("the handler's response is larger than {limit} bytes"),
        TransportError::Connect(_) => "the handler cannot be reached".to_owned(),
        TransportError::Interrupted(_) => "the connection to the handler broke".to_owned(),
    };
    let problem = HttpError::new(ProblemKind::HandlerUnavailable, detail);
    match error {
        TransportError::TooLarge(_) => problem.header(RELAY_ERROR, TOO_LARGE),
        _ => problem,
    }
}
