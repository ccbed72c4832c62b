//! A response of a service, and the error it stands for.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::moment::{between, parse_any_http_date};
use crate::xml::{self, Document, Shape};
use crate::{Error, ErrorKind, Part, TransportError};

/// Maximum time that a service can ask to wait; longer ones are cut to it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Maximum size of an error body that is parsed for an error code.
const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;
const ERROR: Shape = Shape { root: "Error", record: "", leaves: &["Code"] };

/// A complete response with any status. No `Debug`, because it contains tokens, pop receipts and documents.
pub(crate) struct ServiceResponse {
    pub(crate) operation: &'static str,
    pub(crate) part: Part,
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) retry_after: Option<Duration>,
    /// Whether an earlier, failed try of the same call may have had its effect.
    pub(crate) ambiguous: bool,
}

impl ServiceResponse {
    pub(crate) fn new(
        operation: &'static str,
        part: Part,
        response: Response<Bytes>,
        now: impl FnOnce() -> OffsetDateTime,
    ) -> Self {
        let (head, body) = response.into_parts();
        let retry_after = retry_after_at(&head.headers, now).map(|wait| wait.min(MAX_RETRY_AFTER));
        Self {
            operation,
            part,
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            retry_after,
            ambiguous: false,
        }
    }

    /// A header's value; `None` when it is absent or not ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header that every such response of the service has.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.header(name).ok_or_else(|| self.unexpected(format!("no {name}")))
    }

    /// The body as XML.
    pub(crate) fn xml(&self, shape: Shape) -> Result<Document, Error> {
        xml::read(&self.body, shape).map_err(|reason| self.unexpected(reason))
    }

    /// The service's error code, from its header or else from the body. Empty if it has other characters than letters,
    /// digits, `.`, `_` and `-`, or more than 64 of them, so that it is safe to log.
    pub(crate) fn code(&self) -> String {
        let header = self.header("x-ms-error-code").unwrap_or_default();
        let code =
            if header.is_empty() { self.code_in_body().unwrap_or_default() } else { header.to_owned() };
        let shown =
            code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if shown { code } else { String::new() }
    }

    fn code_in_body(&self) -> Option<String> {
        if self.body.len() > MAX_ERROR_BODY_BYTES {
            return None;
        }
        if let Ok(document) = xml::read(&self.body, ERROR) {
            return document.fields.get("Code").map(|code| code.trim().to_owned());
        }
        #[derive(Deserialize)]
        struct Outer {
            error: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            code: String,
        }
        serde_json::from_slice::<Outer>(&self.body).ok().map(|outer| outer.error.code)
    }

    /// The error for a response that the service should not send.
    pub(crate) fn unexpected(&self, what: impl Into<String>) -> Error {
        let what = format!("{} (status {})", what.into(), self.status);
        Error::unexpected(self.operation, what).of(self.part)
    }

    /// The error that the status stands for, unless the operation defines another one.
    pub(crate) fn error(&self) -> Error {
        let code = self.code();
        let status = self.status;
        let kind = match status {
            401 | 403 => ErrorKind::Unauthorized { part: self.part, status, code },
            // The services always send a code. A 404 without one (of a proxy, or at a wrong address) must not be taken
            // for a missing blob or queue.
            404 if code.is_empty() => ErrorKind::Unexpected("status 404 without an error code".to_owned()),
            404 => ErrorKind::NotFound { code },
            409 | 412 => ErrorKind::Conflict { code },
            429 => ErrorKind::Throttled { retry_after: self.retry_after },
            408 | 500..=599 => ErrorKind::Unavailable { retry_after: self.retry_after },
            400..=499 => ErrorKind::Refused { status, code },
            _ => ErrorKind::Unexpected(format!("status {status}")),
        };
        let error = Error::new(self.operation, kind).of(self.part);
        if error.is_retryable() { error.with(format!("{} responded {status}", self.part)) } else { error }
    }
}

/// How long a response asks to wait: `x-ms-retry-after-ms`, `retry-after-ms`, or `Retry-After` in seconds or as a date
/// in any form of RFC 9110.
///
/// A date in the past is zero.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    retry_after_at(headers, || now)
}

/// [`retry_after`] that reads the clock only for a date.
fn retry_after_at(headers: &HeaderMap, now: impl FnOnce() -> OffsetDateTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A value that overflows `u64` counts as `u32::MAX`.
        plain.then(|| text.parse().unwrap_or(u64::from(u32::MAX)))
    };
    let millis = |name| text(name).and_then(number).map(Duration::from_millis);
    millis("x-ms-retry-after-ms").or_else(|| millis("retry-after-ms")).or_else(|| {
        let text = text("retry-after")?;
        let seconds = number(text).map(Duration::from_secs);
        seconds.or_else(|| {
            let now = now();
            parse_any_http_date(text, now).map(|date| between(now, date))
        })
    })
}

/// The error for a request without a response. `variable` is the host's variable in the manifest.
pub(crate) fn no_response(
    operation: &'static str,
    part: Part,
    variable: &str,
    error: &TransportError,
) -> Error {
    let kind = match error {
        TransportError::Denied(_) => {
            return Error::configuration(
                operation,
                format!(
                    "the address of {part} is not in allowed_outbound_hosts: set {variable} to its scheme, host and port"
                ),
            );
        }
        TransportError::TooLarge(limit) => {
            return Error::unexpected(operation, format!("more than {limit} bytes")).of(part);
        }
        TransportError::Connect(_) | TransportError::Timeout | TransportError::Interrupted(_) => {
            ErrorKind::Unavailable { retry_after: None }
        }
    };
    // The transport's own text is left out: it may contain the address with its query.
    let what = match error {
        TransportError::Connect(_) => "cannot connect",
        TransportError::Timeout => "no response in time",
        _ => "the connection broke",
    };
    Error::new(operation, kind).of(part).with(format!("{what} ({part})"))
}

#[cfg(test)]
mod tests;
