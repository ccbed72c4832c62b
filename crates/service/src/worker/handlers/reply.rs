//! What a routed handler's answer means.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Handled, Payload, error};
use crate::worker::progress::Progress;

/// Longest progress line, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Reads the answer: 200 and 204 complete the task; 408, 429 and 5xx ask for another try; everything else
/// fails it.
pub(super) fn read(answer: Response<Bytes>, progress: &Progress) -> Handled {
    let (head, body) = answer.into_parts();
    let content_type = content_type(&head.headers);
    let status = head.status;
    match status {
        StatusCode::NO_CONTENT => Handled::Completed(None),
        _ if is_lines(status, &content_type) => lines(&body, progress),
        StatusCode::OK => Handled::Completed(Some(Payload { bytes: body, content_type })),
        _ => {
            let is_temporary = status.is_server_error()
                || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            let message = explanation(&body, &content_type)
                .unwrap_or_else(|| format!("the handler answered {}", status.as_u16()));
            if is_temporary {
                Handled::Retry {
                    error: error("HandlerUnavailable", &message),
                    after: retry_after(&head.headers),
                }
            } else if status.is_client_error() {
                Handled::failed("HandlerFailed", &message)
            } else {
                Handled::failed(
                    "HandlerFailed",
                    &format!("the handler answered {}; only 200 and 204 complete a task", status.as_u16()),
                )
            }
        }
    }
}

/// One line of a progress answer. The last one carries the result or the error.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "percentComplete")]
    percent_complete: Option<f64>,
    message: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Progress lines, told while the rest of the answer is still to come.
#[derive(Default)]
pub(super) struct Lines {
    /// What arrived of a line that is not complete yet.
    rest: RefCell<Vec<u8>>,
}

impl Lines {
    /// Tells the lines that `piece` completes. What they mean for the outcome is for [`read`] to say.
    pub(super) fn observe(&self, head: &Parts, piece: &[u8], progress: &Progress) {
        if !is_lines(head.status, &content_type(&head.headers)) {
            return;
        }
        let mut rest = self.rest.borrow_mut();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            // A longer line is no progress; it may be a result.
            if rest.len() + part.len() <= LONGEST_LINE {
                rest.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                if let Ok(Line { percent_complete, message, result: None, error: None }) =
                    serde_json::from_slice(rest.trim_ascii())
                {
                    progress.tell(percent_complete.map(percent), message.as_deref());
                }
                rest.clear();
            }
        }
    }
}

/// A member that is there, also when it is `null`: a result may be.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Progress lines, then the line that ends the work. An answer that breaks off before it is a handler that
/// died: another try follows.
fn lines(body: &[u8], progress: &Progress) -> Handled {
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            return Handled::retry(
                "HandlerUnavailable",
                "a line of the handler's answer is not a JSON object",
            );
        };
        if let Some(problem) = line.error {
            let message =
                problem_text(problem.get()).unwrap_or_else(|| "the handler gave no reason".to_owned());
            return Handled::failed("HandlerFailed", &message);
        }
        match line.result {
            Some(result) if result.get() == "null" => return Handled::Completed(None),
            Some(result) => {
                let bytes = result.get().as_bytes().to_vec().into();
                return Handled::Completed(Some(Payload {
                    bytes,
                    content_type: "application/json".to_owned(),
                }));
            }
            None => progress.tell(line.percent_complete.map(percent), line.message.as_deref()),
        }
    }
    Handled::retry("HandlerUnavailable", "the handler's answer ended without a result line")
}

fn percent(value: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100 before")]
    let percent = value.clamp(0.0, 100.0) as u8;
    percent
}

/// Why, in the handler's own words: a problem document's detail or title, or plain text.
fn explanation(body: &[u8], content_type: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let media_type = media_type(content_type).to_ascii_lowercase();
    let words = if media_type.ends_with("json") {
        problem_text(text)
    } else if media_type == "text/plain" {
        Some(text.to_owned())
    } else {
        None
    };
    words.filter(|words| !words.is_empty())
}

/// A JSON string, or the most telling member of an object.
fn problem_text(json: &str) -> Option<String> {
    match serde_json::from_slice(json.as_bytes()).ok()? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Object(members) => ["detail", "message", "error", "title"]
            .iter()
            .find_map(|name| members.get(*name)?.as_str().map(str::to_owned)),
        _ => None,
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let usable = given.filter(|text| (1..=255).contains(&text.len()) && text.contains('/'));
    usable.unwrap_or("application/octet-stream").to_owned()
}

fn is_lines(status: StatusCode, content_type: &str) -> bool {
    status == StatusCode::OK && media_type(content_type).eq_ignore_ascii_case("application/x-ndjson")
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whole seconds; a date is not understood and counts as none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
