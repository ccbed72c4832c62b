//! Bodies as WASI streams.
//!
//! By hand instead of `wasip3::http_compat`, which creates a stream for an empty body, reads the headers of a message
//! twice, and reads on after the announced length. Each of these is a host call, and calls to the host are the larger
//! part of the cost of a request.

use bytes::Bytes;
use spin_sdk::wasip3::http::types::{ErrorCode, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{wit_future, wit_stream};

/// What follows a body: trailers, or why the body is incomplete.
pub(crate) type End = Result<Option<Trailers>, ErrorCode>;

/// Space for one read of a body of unknown length, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// Maximum space that an announced length reserves before any of it has arrived, in bytes.
const MAX_RESERVED_BYTES: usize = 64 * 1024;

/// The guest's end of a body that it sends.
pub(crate) struct Writer {
    contents: Option<StreamWriter<u8>>,
    end: FutureWriter<End>,
}

impl Writer {
    /// The two ends of a body. Without contents there is no stream: a host would send an empty one in chunks.
    pub(crate) fn new(has_contents: bool) -> (Self, Option<StreamReader<u8>>, FutureReader<End>) {
        let (contents, reader) = has_contents.then(wit_stream::new).unzip();
        // If the guest drops the writer before the body is complete, the host learns that it is not.
        let (end, end_reader) =
            wit_future::new(|| Err(ErrorCode::InternalError(Some("the body is incomplete".to_owned()))));
        (Self { contents, end }, reader, end_reader)
    }

    /// Writes a chunk. Returns whether all of it was accepted.
    pub(crate) async fn chunk(&mut self, chunk: Bytes) -> bool {
        match &mut self.contents {
            Some(contents) => contents.write_all(chunk.into()).await.is_empty(),
            None => chunk.is_empty(),
        }
    }

    /// Ends the body.
    pub(crate) async fn end(mut self) {
        self.contents = None;
        // An error means that the host is no longer interested in the body.
        let _ = self.end.write(Ok(None)).await;
    }

    /// Writes a complete body, unless the host drops its end earlier.
    pub(crate) async fn whole(mut self, body: Bytes) {
        if body.is_empty() || self.chunk(body).await {
            self.end().await;
        }
    }
}

/// The guest's end of a body that it receives.
pub(crate) struct Reader {
    contents: StreamReader<u8>,
    end: Option<FutureReader<End>>,
    /// Bytes that the announced length still promises; `None` if it is unknown.
    remaining: Option<u64>,
    /// Tells the host, when it is dropped, that the guest has no error to report.
    _consumed: FutureWriter<Result<(), ErrorCode>>,
}

impl Reader {
    /// Begins to read a body of `length` bytes, if that is known. `consume` takes it from its message.
    pub(crate) fn new(
        length: Option<u64>,
        consume: impl FnOnce(FutureReader<Result<(), ErrorCode>>) -> (StreamReader<u8>, FutureReader<End>),
    ) -> Self {
        let (consumed, reader) = wit_future::new(|| Ok(()));
        let (contents, end) = consume(reader);
        Self { contents, end: Some(end), remaining: length, _consumed: consumed }
    }

    /// A buffer for the whole body, if its length is known, or for the first chunk.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        let announced =
            self.remaining.map_or(READ_BYTES, |length| usize::try_from(length).unwrap_or(usize::MAX));
        Vec::with_capacity(announced.min(MAX_RESERVED_BYTES))
    }

    /// Appends the next chunk to `buffer`. Returns whether there was one.
    ///
    /// At the announced length the body is complete, and the host is not asked for its end.
    pub(crate) async fn append(&mut self, mut buffer: Vec<u8>) -> (Vec<u8>, Result<bool, ErrorCode>) {
        if self.remaining == Some(0) {
            return (buffer, Ok(false));
        }
        if buffer.len() == buffer.capacity() {
            buffer.reserve(READ_BYTES);
        }
        let (result, buffer) = self.contents.read(buffer).await;
        match (result, self.end.take()) {
            (StreamResult::Complete(bytes), end) => {
                self.end = end;
                self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(bytes as u64));
                (buffer, Ok(true))
            }
            (StreamResult::Dropped, Some(end)) => (buffer, end.await.map(|_| false)),
            (StreamResult::Dropped | StreamResult::Cancelled, _) => (buffer, Ok(false)),
        }
    }
}
