//! Bodies of requests and responses, complete or streamed.
#![expect(async_fn_in_trait, reason = "single-threaded by design: no caller needs a Send bound")]

use bytes::Bytes;
use futures::stream::LocalBoxStream;

/// Why a request body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body is larger than the limit in bytes. The rest was not read.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client disconnected or violated the protocol.
    #[error("the body could not be read: {0}")]
    Broken(String),
}

/// A request body that is read in chunks, on demand.
pub trait RequestBody {
    /// Reads the next chunk; `None` at the end.
    ///
    /// # Errors
    /// [`BodyError::Broken`] if the client disconnected.
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError>;

    /// Reads the complete body.
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

/// Body of a response.
pub enum Body {
    /// A complete body. Its host adds `content-length`.
    Full(Bytes),
    /// A streamed body. Its length is unknown unless the headers contain `content-length`.
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
