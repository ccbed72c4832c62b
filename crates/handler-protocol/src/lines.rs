//! Progress and an outcome give lines of JSON.

use bytes::Bytes;
use serde_json::json;
use serde_json::value::RawValue;

use crate::response::{Failure, Retry};

/// The media type of a response with progress.
pub const MEDIA_TYPE: &str = "application/x-ndjson";

/// The longest message, in characters. The worker ignores lines above 64 KiB.
const MAX_MESSAGE_CHARACTERS: usize = 1024;

/// How far the work is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100; more counts as 100.
    pub percent: Option<u8>,
    /// What is done at present.
    pub message: Option<String>,
}

/// A line of progress.
#[must_use]
pub fn progress(progress: &Progress) -> Bytes {
    let mut line = serde_json::Map::new();
    if let Some(percent) = progress.percent {
        line.insert("percentComplete".to_owned(), percent.min(100).into());
    }
    if let Some(message) = &progress.message {
        let message: String = message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
        line.insert("message".to_owned(), message.into());
    }
    format!("{}\n", serde_json::Value::Object(line)).into()
}

/// A line without progress, by which the writer learns whether it is still read.
#[must_use]
pub fn heartbeat() -> Bytes {
    Bytes::from_static(b"{}\n")
}

/// The last line.
#[must_use]
pub fn last(result: Result<Option<String>, Failure>) -> Bytes {
    match result.and_then(|result| result.as_deref().map(one_line).transpose()) {
        Ok(result) => format!("{{\"result\":{}}}\n", result.as_deref().unwrap_or("null")).into(),
        Err(Failure { code, message, retry }) => {
            let error = match retry {
                Retry::Never => json!({"code": code, "message": message}),
                Retry::BackedOff => json!({"code": code, "message": message, "retryable": true}),
                Retry::After(seconds) => {
                    json!({"code": code, "message": message, "retryable": true, "retryAfterSeconds": seconds})
                }
            };
            format!("{}\n", json!({"error": error})).into()
        }
    }
}

/// JSON text in one line. Line ends are white space wherever JSON allows them, never part of a string.
fn one_line(text: &str) -> Result<String, Failure> {
    let value: &RawValue = serde_json::from_str(text).map_err(|error| Failure::invalid_json(&error))?;
    Ok(value.get().replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(retry: Retry) -> Result<Option<String>, Failure> {
        Err(Failure { code: "c".to_owned(), message: "m\n".to_owned(), retry })
    }

    #[test]
    fn progress_line_has_the_members_that_are_given() {
        for (percent, message, line) in [
            (Some(200), None, "{\"percentComplete\":100}\n"),
            (None, Some("a\nb"), "{\"message\":\"a\\nb\"}\n"),
            (Some(7), Some(""), "{\"message\":\"\",\"percentComplete\":7}\n"),
            (None, None, "{}\n"),
        ] {
            assert_eq!(progress(&Progress { percent, message: message.map(str::to_owned) }), line);
        }
        let long = Progress { percent: None, message: Some("x".repeat(100_000)) };
        assert!(progress(&long).len() < 2_000);
    }

    #[test]
    fn last_line_has_the_result_in_one_line() {
        assert_eq!(last(Ok(None)), "{\"result\":null}\n");
        assert_eq!(last(Ok(Some("{\r\n\"a\": 1.10}\n".to_owned()))), "{\"result\":{  \"a\": 1.10}}\n");
    }

    #[test]
    fn last_line_names_the_failure_and_whether_to_try_again() {
        for (retry, members) in [
            (Retry::Never, ""),
            (Retry::BackedOff, ",\"retryable\":true"),
            (Retry::After(9), ",\"retryAfterSeconds\":9,\"retryable\":true"),
        ] {
            let line = format!("{{\"error\":{{\"code\":\"c\",\"message\":\"m\\n\"{members}}}}}\n");
            assert_eq!(last(failure(retry)), line);
        }
    }

    #[test]
    fn result_that_is_not_json_fails_the_task() {
        let line = last(Ok(Some("nothing".to_owned())));
        assert!(line.starts_with(b"{\"error\":{\"code\":\"invalid-result\""), "{line:?}");
    }
}
