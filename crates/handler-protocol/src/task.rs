//! A request gives a task.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The largest request body, in bytes: the largest submission that the API can be set to accept (`body_limit_bytes`), and the
/// members that the worker adds.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024 + 64 * 1024;

/// One attempt at a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The id, the same in every attempt.
    pub id: String,
    /// The name that selected the handler.
    pub name: String,
    /// JSON text.
    pub input: Option<String>,
    /// Counts from 1.
    pub attempt: u32,
    /// The end of the attempt, in milliseconds since 1970 (UTC).
    pub deadline: Option<u64>,
    /// W3C trace context of the submission.
    pub traceparent: Option<String>,
}

/// Why a request is no task, with the status of the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The detail of the problem document.
    pub detail: String,
}

#[derive(Deserialize)]
struct Written<'a> {
    id: String,
    name: String,
    attempt: u32,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

/// What the adapters use of the head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    method: Method,
    deadline: Option<u64>,
    traceparent: Option<String>,
}

impl Head {
    /// Reads a head. `field` returns the header field of a name, if it is text.
    #[must_use]
    pub fn read(method: Method, field: impl Fn(&str) -> Option<String>) -> Self {
        let deadline = field("accepted-deadline").as_deref().and_then(unix_milliseconds);
        Self { method, deadline, traceparent: field("traceparent") }
    }
}

impl Task {
    /// Reads a request. Unknown members are ignored, so that a newer worker can call an older adapter.
    ///
    /// # Errors
    /// [`Refusal`] with 405 for a method other than POST and 400 for a body that is not a task.
    pub fn read(head: Head, body: &[u8]) -> Result<Self, Refusal> {
        if head.method != Method::POST {
            let detail = "a task is sent with POST".to_owned();
            return Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, detail });
        }
        let written: Written<'_> = serde_json::from_slice(body).map_err(|error| Refusal {
            status: StatusCode::BAD_REQUEST,
            detail: format!("the body is not a task: {error}"),
        })?;
        Ok(Self {
            id: written.id,
            name: written.name,
            input: written.input.map(|input| input.get().to_owned()),
            attempt: written.attempt,
            deadline: head.deadline,
            traceparent: head.traceparent,
        })
    }
}

/// A date and time of RFC 3339, in milliseconds since 1970.
fn unix_milliseconds(text: &str) -> Option<u64> {
    let deadline = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(deadline.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Task, Refusal> {
        let head = Head::read(Method::POST, |name| match name {
            "accepted-deadline" => Some("2023-11-14T22:13:20.123Z".to_owned()),
            "traceparent" => Some("00-a-b-01".to_owned()),
            _ => None,
        });
        Task::read(head, body.as_bytes())
    }

    #[test]
    fn input_keeps_its_text() {
        let task =
            read(r#"{"id":"a","name":"n","attempt":2,"input":{"x": 1.10, "y":1e400},"priority":"High"}"#);
        assert_eq!(
            task.unwrap(),
            Task {
                id: "a".to_owned(),
                name: "n".to_owned(),
                input: Some(r#"{"x": 1.10, "y":1e400}"#.to_owned()),
                attempt: 2,
                deadline: Some(1_700_000_000_123),
                traceparent: Some("00-a-b-01".to_owned()),
            }
        );
    }

    #[test]
    fn task_without_input_has_none() {
        assert_eq!(read(r#"{"id":"a","name":"n","attempt":1}"#).unwrap().input, None);
    }

    #[test]
    fn body_that_is_no_task_is_refused() {
        for body in
            ["", "[]", "{}", r#"{"id":"a","name":"n","attempt":-1}"#, r#"{"id":"a","name":"n","attempt":1"#]
        {
            assert_eq!(read(body).unwrap_err().status, 400, "{body}");
        }
        let refusal = Task::read(Head::read(Method::GET, |_| None), b"").unwrap_err();
        assert_eq!(refusal.status, 405);
    }
}
