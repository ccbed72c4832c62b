//! HTTP messages of WASI 0.3 for the adapters of handlers.
//!
//! In place of the SDK's conversions, which copy every header field several times and make twice as many calls to the host:
//! together they cost more than the rest of an adapter.

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::response::Parts;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, Response, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureWriter, StreamResult, StreamWriter};
use spin_sdk::wasip3::{wit_future, wit_stream};

/// Space for one read of a body of unknown length, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// Maximum space that an announced length reserves before any of it has arrived, in bytes.
const MAX_RESERVED_BYTES: usize = 64 * 1024;

/// The text of the first header field of this name; `None` if there is none, or if it is not UTF-8.
///
/// The few fields that an adapter needs cost less one by one than all of them in one call.
#[must_use]
pub fn field(fields: &Fields, name: &str) -> Option<String> {
    String::from_utf8(fields.get(name).into_iter().next()?).ok()
}

/// Reads the whole body of a request with these header fields; `None` if it breaks off or has more than `limit` bytes.
pub async fn read(request: Request, fields: &Fields, limit: usize) -> Option<Vec<u8>> {
    let length: Option<usize> = field(fields, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    // Dropped, it tells the host that there is no error to report.
    let (_consumed, consumed) = wit_future::new(|| Ok(()));
    let (mut contents, end) = Request::consume_body(request, consumed);
    let mut whole = Vec::with_capacity(length.unwrap_or(READ_BYTES).min(MAX_RESERVED_BYTES));
    // At the announced length the body is complete, and the host is not asked for its end.
    while length != Some(whole.len()) {
        if whole.len() == whole.capacity() {
            whole.reserve(READ_BYTES);
        }
        let (result, buffer) = contents.read(whole).await;
        whole = buffer;
        match result {
            _ if whole.len() > limit => return None,
            StreamResult::Complete(_) => {}
            StreamResult::Dropped => return end.await.is_ok().then_some(whole),
            StreamResult::Cancelled => return None,
        }
    }
    Some(whole)
}

/// Passes a response to the host, with its length. The body is written after the head was returned.
///
/// # Errors
/// If the host refuses a header field.
pub fn respond(response: http::Response<Bytes>) -> Result<Response, ErrorCode> {
    let (mut head, body) = response.into_parts();
    if !body.is_empty() {
        // Without a length the host sends chunks, in two segments.
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let (mut writer, response) = begin(&head, !body.is_empty())?;
    spin_sdk::wasip3::spawn(async move {
        if body.is_empty() || writer.chunk(body).await {
            writer.end().await;
        }
    });
    Ok(response)
}

/// Creates a response whose body follows. The writer is to be used also for a body without contents, which it ends.
///
/// # Errors
/// If the host refuses a header field.
pub fn begin(head: &Parts, has_contents: bool) -> Result<(Writer, Response), ErrorCode> {
    let fields: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let fields = Fields::from_list(&fields)
        .map_err(|_| ErrorCode::InternalError(Some("the host refuses a header field".to_owned())))?;
    // Without contents there is no stream: a host would send an empty one in chunks.
    let (contents, reader) = has_contents.then(wit_stream::new).unzip();
    // If the writer is dropped before the body is complete, the host learns that it is not.
    let (end, end_reader) =
        wit_future::new(|| Err(ErrorCode::InternalError(Some("the body is incomplete".to_owned()))));
    let (response, _sent) = Response::new(fields, reader, end_reader);
    if head.status != StatusCode::OK {
        let _ = response.set_status_code(head.status.as_u16());
    }
    Ok((Writer { contents, end }, response))
}

/// The sending end of a response's body.
pub struct Writer {
    contents: Option<StreamWriter<u8>>,
    end: FutureWriter<Result<Option<Trailers>, ErrorCode>>,
}

impl Writer {
    /// Writes a chunk. Returns whether all of it was accepted: otherwise the reader has gone away.
    pub async fn chunk(&mut self, chunk: Bytes) -> bool {
        match &mut self.contents {
            Some(contents) => contents.write_all(chunk.into()).await.is_empty(),
            None => chunk.is_empty(),
        }
    }

    /// Ends the body.
    pub async fn end(mut self) {
        self.contents = None;
        // An error means that the body is no longer read.
        let _ = self.end.write(Ok(None)).await;
    }
}
