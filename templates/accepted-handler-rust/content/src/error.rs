//! How an attempt ends without a result.

/// Why an attempt ended. `?` makes a `Retry` of any other error.
#[derive(Debug)]
pub enum Error {
    /// The task fails, with this sentence.
    Fail(String),
    /// Another attempt follows while attempts are left: after the worker's back-off, or after so many seconds if that is later.
    Retry(String, Option<u32>),
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Retry(error.to_string(), None)
    }
}
