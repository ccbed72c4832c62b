//! Bodies of requests and answers, whole or streamed.
#![expect(async_fn_in_trait, reason = "single-threaded by design: no caller needs a Send bound")]

use bytes::Bytes;
use futures::stream::LocalBoxStream;

/// Why a request body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than the limit; the rest was not read.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client went away or broke the protocol.
    #[error("the body could not be read: {0}")]
    Broken(String),
}

/// A request body that is read only when, and only as far as, it is wanted.
pub trait RequestBody {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`BodyError::Broken`] when the client went away.
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError>;

    /// The whole body.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] as soon as `limit` bytes are exceeded, without reading the rest.
    async fn read(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        let mut whole: Vec<u8> = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > limit {
                return Err(BodyError::TooLarge(limit));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.into())
    }
}

impl RequestBody for Bytes {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let whole = std::mem::take(self);
        Ok((!whole.is_empty()).then_some(whole))
    }
}

/// The body of an answer.
pub enum Body {
    /// All of it; the shell sends `content-length`.
    Full(Bytes),
    /// Piece by piece; ends with the stream. The size is unknown unless the head says so.
    Stream(LocalBoxStream<'static, Bytes>),
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::Full(Bytes::new())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Full(bytes.into())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
