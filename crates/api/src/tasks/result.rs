//! `GET /tasks/{id}/result`: the result of the handler, with its media type.

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
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::{AttachmentPart, ETag, StoredDocument};

use crate::http::headers::text;
use crate::http::precondition;
use crate::http::range::{self, Selection};
use crate::http::request::ApiRequest;
use crate::tasks::{Tasks, public_name};

/// Maximum number of bytes of a result blob that a request holds in memory.
const MAX_CHUNK_BYTES: u64 = 1024 * 1024;

pub(crate) async fn result(
    tasks: &Rc<Tasks>,
    request: &ApiRequest,
    id: TaskId,
) -> Result<Response, HttpError> {
    let stored = tasks.find(request, id).await?;
    let document = &stored.document;
    match document.state {
        TaskState::Completed => {}
        TaskState::Pending | TaskState::InProgress => {
            let detail = format!("The task is {}. Its result comes later.", public_name(document.state));
            let wait = tasks.retry_after(&stored).unwrap_or(1);
            return Err(HttpError::new(ProblemKind::ResultNotReady, detail).retry_after(wait));
        }
        TaskState::Failed | TaskState::Cancelled => {
            let prefix = tasks.settings.prefix();
            let detail =
                format!("The task is {}; GET {prefix}/tasks/{id} says why.", public_name(document.state));
            return Err(HttpError::new(ProblemKind::NoResult, detail));
        }
    }
    if retention::is_expired(document, tasks.env.timestamp()) {
        let detail = "The task's retention is over and it is about to be purged.";
        return Err(HttpError::new(ProblemKind::ResultExpired, detail));
    }
    request.check_preconditions(&stored.etag)?;
    if precondition::if_none_match(request.headers(), &stored.etag) {
        let mut response = response::empty(StatusCode::NOT_MODIFIED);
        response::set(&mut response, ETAG, &stored.etag);
        return Ok(response);
    }
    result_response(tasks, request, &stored).await
}

async fn result_response(
    tasks: &Rc<Tasks>,
    request: &ApiRequest,
    stored: &StoredDocument,
) -> Result<Response, HttpError> {
    let (size, content_type) = match stored_result(&stored.document) {
        StoredResult::Empty => return Ok(response::empty(StatusCode::NO_CONTENT)),
        StoredResult::Inline(text) => (text.len() as u64, "application/json"),
        StoredResult::Blob(blob) => (blob.size, blob.content_type.as_str()),
    };
    // If-Range: for another version the response is the complete result. Only GET has ranges (RFC 9110, section 14.2).
    let has_ranges = request.method() == Method::GET
        && text(request.headers(), IF_RANGE).is_none_or(|version| version == stored.etag);
    let selection = range::select(text(request.headers(), RANGE).filter(|_| has_ranges), size);
    let (status, part) = match selection {
        Selection::Full => (StatusCode::OK, 0..size),
        Selection::Partial(part) => (StatusCode::PARTIAL_CONTENT, part),
        Selection::Unsatisfiable => {
            let error =
                HttpError::new(ProblemKind::RangeNotSatisfiable, format!("The result has {size} bytes."));
            return Err(error.header(CONTENT_RANGE, &format!("bytes */{size}")));
        }
    };
    let body = match stored_result(&stored.document) {
        StoredResult::Inline(text) => Body::Full(inline_bytes(text, &part)),
        // The headers do not depend on the content of the blob.
        StoredResult::Blob(_) if request.method() == Method::HEAD => Body::empty(),
        StoredResult::Blob(blob) => blob_body(tasks, stored, blob, part.clone()).await?,
        StoredResult::Empty => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // Results are untrusted: the CSP sandbox gives them a unique origin and disables scripts.
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
    response::set(&mut response, CONTENT_TYPE, content_type);
    response::set(&mut response, ETAG, &stored.etag);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        response::set(&mut response, CONTENT_RANGE, &range);
    }
    Ok(response)
}

/// Streams bytes `part` of a result blob. The first chunk is read before the response begins, so that a failure
/// still becomes a problem document. Further chunks are read as the client receives them.
async fn blob_body(
    tasks: &Rc<Tasks>,
    stored: &StoredDocument,
    blob: &ResultBlob,
    part: Range<u64>,
) -> Result<Body, HttpError> {
    if part.is_empty() {
        return Ok(Body::empty());
    }
    let first = tasks.store.read_attachment(&blob.name, chunk_range(&part), None).await?;
    let Some(AttachmentPart { bytes, etag, .. }) = first.filter(|first| first.total == blob.size) else {
        let id = stored.document.task_id;
        let detail = format!("The result of task {id} is not in storage as it was recorded.");
        return Err(HttpError::new(ProblemKind::DocumentUnreadable, detail));
    };
    let rest = part.start + bytes.len() as u64..part.end;
    if rest.is_empty() {
        return Ok(Body::Full(bytes));
    }
    let tasks = Rc::clone(tasks);
    let (name, first) = (blob.name.clone(), stream::once(async { bytes }));
    let others = stream::unfold((rest, etag), move |(rest, etag)| {
        let (tasks, name) = (Rc::clone(&tasks), name.clone());
        async move { next_chunk(&tasks, &name, rest, etag).await }
    });
    Ok(Body::Stream(first.chain(others).boxed_local()))
}

/// Reads the next chunk; `None` at the end. If storage fails or the blob has changed, the body ends before its
/// `Content-Length`, from which the client detects that it is incomplete.
async fn next_chunk(
    tasks: &Tasks,
    name: &str,
    rest: Range<u64>,
    etag: ETag,
) -> Option<(Bytes, (Range<u64>, ETag))> {
    if rest.is_empty() {
        return None;
    }
    let part = tasks.store.read_attachment(name, chunk_range(&rest), Some(&etag)).await.ok()??;
    let next = rest.start + part.bytes.len() as u64..rest.end;
    (!part.bytes.is_empty()).then_some((part.bytes, (next, etag)))
}

/// Where the result of a task is stored.
enum StoredResult<'a> {
    Empty,
    Inline(&'a str),
    Blob(&'a ResultBlob),
}

fn stored_result(document: &TaskStatus) -> StoredResult<'_> {
    match (&document.result_blob, &document.result) {
        (Some(blob), _) => StoredResult::Blob(blob),
        (None, Some(json)) => StoredResult::Inline(json.get()),
        (None, None) => StoredResult::Empty,
    }
}

fn chunk_range(rest: &Range<u64>) -> Range<u64> {
    rest.start..rest.end.min(rest.start.saturating_add(MAX_CHUNK_BYTES))
}

fn inline_bytes(text: &str, part: &Range<u64>) -> Bytes {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let bytes = text.as_bytes().get(index(part.start)..index(part.end)).unwrap_or_default();
    Bytes::copy_from_slice(bytes)
}
