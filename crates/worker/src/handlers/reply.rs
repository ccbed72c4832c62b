//! What a routed handler's answer means.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{Handled, Payload, error};
use crate::progress::Progress;

/// Longest progress line, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Reads the answer, which arrived `now`: 200 and 204 complete the task; 408, 429 and 5xx ask for another
/// try; everything else fails it.
pub(super) fn read(answer: Response<Bytes>, progress: &Progress, now: OffsetDateTime) -> Handled {
    let (head, body) = answer.into_parts();
    let content_type = content_type(&head.headers);
    let status = head.status;
    match status {
        StatusCode::NO_CONTENT => Handled::Completed(None),
        StatusCode::OK if is_coded(&head.headers) => Handled::failed(
            "HandlerFailed",
            "the handler's answer has a Content-Encoding, which was not asked for and is not understood; it \
             must answer without one",
        ),
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
                    after: azure::retry_after(&head.headers, now),
                }
            } else if status.is_client_error() {
                Handled::failed("HandlerFailed", &message)
            } else if status.is_redirection() {
                Handled::failed(
                    "HandlerFailed",
                    &format!(
                        "the handler answered {}, and redirects are not followed; task_handlers must name the \
                         final address",
                        status.as_u16()
                    ),
                )
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
///
/// Names are compared without case and underscores, as the serialisers of other platforms write them, and
/// `null` is a member that says nothing: many write every member of a type in every line.
#[derive(Default)]
struct Line<'a> {
    percent: Option<u8>,
    message: Option<String>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let members: BTreeMap<String, &'a RawValue> = serde_json::from_slice(line).ok()?;
        let mut found = Self::default();
        for (name, value) in members {
            let bytes = value.get().as_bytes();
            match name.replace('_', "").to_ascii_lowercase().as_str() {
                "percentcomplete" => {
                    found.percent = serde_json::from_slice::<Option<f64>>(bytes).ok()?.map(percent);
                }
                "message" => found.message = serde_json::from_slice(bytes).ok()?,
                "result" => found.result = Some(value),
                "error" => found.error = Some(value).filter(|error| error.get() != "null"),
                _ => {}
            }
        }
        Some(found)
    }

    /// Whether the work goes on behind it.
    fn is_progress(&self) -> bool {
        self.error.is_none() && self.result.is_none_or(|result| result.get() == "null")
    }

    /// Whether a result of `null`, in the last line, ends the work without one: when the line tells nothing
    /// else, or that everything is done. Otherwise the handler died behind a line of progress.
    fn is_final(&self) -> bool {
        self.percent == Some(100) || (self.percent.is_none() && self.message.is_none())
    }
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
                if let Some(line) = Line::parse(bare(&rest)).filter(Line::is_progress) {
                    progress.tell(line.percent, line.message.as_deref());
                }
                rest.clear();
            }
        }
    }
}

/// A line without its end, without white space around it, and without the byte order mark that some
/// platforms put in front of the first.
fn bare(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii()
}

/// Progress lines, then the line that ends the work. An answer that breaks off before it is a handler that
/// died: another try follows.
fn lines(body: &[u8], progress: &Progress) -> Handled {
    let mut lines = body.split(|byte| *byte == b'\n').map(bare).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let Some(line) = Line::parse(line) else {
            return Handled::retry(
                "HandlerUnavailable",
                "a line of the handler's answer is not a JSON object with the members of a progress line",
            );
        };
        if let Some(problem) = line.error {
            let message =
                problem_text(problem.get()).unwrap_or_else(|| "the handler gave no reason".to_owned());
            return Handled::failed("HandlerFailed", &message);
        }
        match line.result {
            Some(result) if result.get() != "null" => {
                let bytes = result.get().as_bytes().to_vec().into();
                return Handled::Completed(Some(Payload {
                    bytes,
                    content_type: "application/json".to_owned(),
                }));
            }
            Some(_) if lines.peek().is_none() && line.is_final() => return Handled::Completed(None),
            _ => progress.tell(line.percent, line.message.as_deref()),
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

/// JSON lines under any of the names that are in use for them.
fn is_lines(status: StatusCode, content_type: &str) -> bool {
    let names =
        ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];
    let media_type = media_type(content_type);
    status == StatusCode::OK && names.iter().any(|name| media_type.eq_ignore_ascii_case(name))
}

/// Whether the body is compressed or coded otherwise.
fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).into_iter();
    codings.map(HeaderValue::as_bytes).any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
