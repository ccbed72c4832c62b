use std::time::Duration;

use bytes::Bytes;
use http::Response;

/// What happens to a request to storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is served.
    None,
    /// It has no effect and is refused.
    Refused {
        /// The status of the response.
        status: u16,
        /// The error code of the response; empty for none.
        code: &'static str,
        /// How long the client is asked to wait.
        retry_after: Option<Duration>,
    },
    /// It takes effect, but the connection breaks before the response arrives.
    ResponseLost,
    /// It has no effect and gets no response: the client reaches its time limit.
    Silence,
    /// The connection cannot be opened.
    Unreachable,
}

impl Fault {
    /// A refusal with this status and nothing else.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::error(status, "")
    }

    /// A refusal with this status and error code.
    #[must_use]
    pub const fn error(status: u16, code: &'static str) -> Self {
        Self::Refused { status, code, retry_after: None }
    }

    /// `503 ServerBusy`, asking for so long a pause that the client does not try a second time.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self::error(503, "ServerBusy").retry_after(Duration::from_secs(30))
    }

    /// The same refusal, asking the client to wait.
    #[must_use]
    pub const fn retry_after(self, time: Duration) -> Self {
        match self {
            Self::Refused { status, code, .. } => Self::Refused { status, code, retry_after: Some(time) },
            other => other,
        }
    }

    /// The response of a refusal.
    pub(crate) fn response(self) -> Option<Response<Bytes>> {
        let Self::Refused { status, code, retry_after } = self else { return None };
        let mut response = Response::builder().status(status);
        if !code.is_empty() {
            response = response.header("x-ms-error-code", code);
        }
        if let Some(time) = retry_after {
            response = match time.subsec_millis() {
                0 => response.header("retry-after", time.as_secs()),
                _ => response.header("x-ms-retry-after-ms", time.as_millis().to_string()),
            };
        }
        Some(response.body(Bytes::new()).expect("a valid response"))
    }
}
