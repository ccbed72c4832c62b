//! `GET /tasks/{id}/result`: what the handler made, with its own media type.

use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_RANGE,
    RANGE,
};
use http::{HeaderValue, Method, StatusCode};
use lifecycle::retention;
use models::{ResultBlob, TaskId, TaskState, TaskStatus};
use service::body::Body;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use storage::{ETag, ResultPart, StoredDocument};

use crate::http::call::Call;
use crate::http::headers::{self, text};
use crate::http::range::{self, Selected};
use crate::tasks::{Tasks, word};

/// Most bytes of a result that are in memory for one request.
const CHUNK: u64 = 1024 * 1024;

pub(crate) async fn result(tasks: &Rc<Tasks>, call: &Call, id: TaskId) -> Result<Response, Refusal> {
    let stored = tasks.find(call, id).await?;
    let document = &stored.document;
    match document.state {
        TaskState::Completed => {}
        TaskState::Pending | TaskState::InProgress => {
            let detail = format!("The task is {}. Its result comes later.", word(document.state));
            let wait = tasks.retry_after(&stored).unwrap_or(1);
            return Err(Refusal::new(Kind::ResultNotReady, detail).retry_after(wait));
        }
        TaskState::Failed | TaskState::Cancelled => {
            let prefix = tasks.settings.prefix();
            let detail = format!("The task is {}; GET {prefix}/tasks/{id} says why.", word(document.state));
            return Err(Refusal::new(Kind::NoResult, detail));
        }
    }
    if retention::is_expired(document, tasks.env.timestamp()) {
        let detail = "The task's retention is over and it is about to be purged.";
        return Err(Refusal::new(Kind::ResultExpired, detail));
    }
    call.check_version(&stored.etag)?;
    if headers::none_match(call.headers(), &stored.etag) {
        let mut answer = response::empty(StatusCode::NOT_MODIFIED);
        response::set(&mut answer, ETAG, &stored.etag);
        return Ok(answer);
    }
    send(tasks, call, &stored).await
}

async fn send(tasks: &Rc<Tasks>, call: &Call, stored: &StoredDocument) -> Result<Response, Refusal> {
    let (size, content_type) = match kept(&stored.document) {
        Kept::Nothing => return Ok(response::empty(StatusCode::NO_CONTENT)),
        Kept::Inline(text) => (text.len() as u64, "application/json"),
        Kept::Blob(blob) => (blob.size, blob.content_type.as_str()),
    };
    // A part of another version than the client has is of no use to it.
    let same = text(call.headers(), IF_RANGE).is_none_or(|version| version == stored.etag);
    let wanted = range::select(text(call.headers(), RANGE).filter(|_| same), size);
    let (status, part) = match wanted {
        Selected::Whole => (StatusCode::OK, 0..size),
        Selected::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Selected::Outside => {
            let refusal = Refusal::new(Kind::RangeNotSatisfiable, format!("The result has {size} bytes."));
            return Err(refusal.header(CONTENT_RANGE, &format!("bytes */{size}")));
        }
    };
    let body = match kept(&stored.document) {
        Kept::Inline(text) => Body::Full(slice(text, &part)),
        // The head of the answer is known without it.
        Kept::Blob(_) if call.method() == Method::HEAD => Body::empty(),
        Kept::Blob(blob) => blob_body(tasks, stored, blob, part.clone()).await?,
        Kept::Nothing => Body::empty(),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    // Written by handlers: shown by browsers at most as an inert document of no origin.
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
    response::set(&mut answer, CONTENT_TYPE, content_type);
    response::set(&mut answer, ETAG, &stored.etag);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        response::set(&mut answer, CONTENT_RANGE, &range);
    }
    Ok(answer)
}

/// Bytes `part` of a result blob: the first piece is read before the answer begins, so that what is
/// wrong with it can still be said; the others as the client takes them.
async fn blob_body(
    tasks: &Rc<Tasks>,
    stored: &StoredDocument,
    blob: &ResultBlob,
    part: Range<u64>,
) -> Result<Body, Refusal> {
    if part.is_empty() {
        return Ok(Body::empty());
    }
    let first = tasks.store.read_attachment(&blob.name, piece(&part), None).await?;
    let Some(ResultPart { bytes, etag, .. }) = first.filter(|first| first.total == blob.size) else {
        let id = stored.document.task_id;
        let detail = format!("The result of task {id} is not in storage as it was recorded.");
        return Err(Refusal::new(Kind::DocumentUnreadable, detail));
    };
    let rest = part.start + bytes.len() as u64..part.end;
    if rest.is_empty() {
        return Ok(Body::Full(bytes));
    }
    let tasks = Rc::clone(tasks);
    let (name, first) = (blob.name.clone(), stream::once(async { bytes }));
    let others = stream::unfold((rest, etag), move |(rest, etag)| {
        let (tasks, name) = (Rc::clone(&tasks), name.clone());
        async move { next_piece(&tasks, &name, rest, etag).await }
    });
    Ok(Body::Stream(first.chain(others).boxed_local()))
}

/// `None` at the end, and when storage fails or the blob has changed: the answer then ends before its
/// announced length, which tells the client that it is not whole.
async fn next_piece(
    tasks: &Tasks,
    name: &str,
    rest: Range<u64>,
    etag: ETag,
) -> Option<(Bytes, (Range<u64>, ETag))> {
    if rest.is_empty() {
        return None;
    }
    let part = tasks.store.read_attachment(name, piece(&rest), Some(&etag)).await.ok()??;
    let next = rest.start + part.bytes.len() as u64..rest.end;
    (!part.bytes.is_empty()).then_some((part.bytes, (next, etag)))
}

/// Where a document keeps its result.
enum Kept<'a> {
    Nothing,
    Inline(&'a str),
    Blob(&'a ResultBlob),
}

fn kept(document: &TaskStatus) -> Kept<'_> {
    match (&document.result_blob, &document.result) {
        (Some(blob), _) => Kept::Blob(blob),
        (None, Some(json)) => Kept::Inline(json.get()),
        (None, None) => Kept::Nothing,
    }
}

fn piece(rest: &Range<u64>) -> Range<u64> {
    rest.start..rest.end.min(rest.start.saturating_add(CHUNK))
}

fn slice(text: &str, part: &Range<u64>) -> Bytes {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let bytes = text.as_bytes().get(index(part.start)..index(part.end)).unwrap_or_default();
    Bytes::copy_from_slice(bytes)
}
