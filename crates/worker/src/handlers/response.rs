//! The meaning of a routed handler's response.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::value::RawValue;
use service::media_type::MediaType;
use time::OffsetDateTime;

use super::endpoint::TRAP_REASON;
use super::{HandlerOutcome, Payload, Stored, error};
use crate::progress::Progress;

/// The longest progress line, in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Returns the outcome of a response that arrived `now`: 200 and 204 complete the task, 408, 429 and 5xx request another
/// attempt, and other statuses fail the task.
///
/// `stored` are the parts of a result that precede its body.
pub(super) fn outcome(
    response: Response<Bytes>,
    stored: Stored,
    progress: &Progress,
    now: OffsetDateTime,
) -> HandlerOutcome {
    let (head, body) = response.into_parts();
    let content_type = content_type(&head.headers);
    let status = head.status;
    match status {
        StatusCode::NO_CONTENT => HandlerOutcome::Completed(None),
        StatusCode::OK if is_coded(&head.headers) => HandlerOutcome::failed(
            "HandlerFailed",
            "the handler's response has a Content-Encoding, which was not asked for and is not understood; it \
             must respond without one",
        ),
        _ if is_json_lines(status, &head.headers) => last_line(&body, progress),
        StatusCode::OK => HandlerOutcome::Completed(Some(Payload { stored, bytes: body, content_type })),
        _ => {
            let explanation = explanation(&body, &content_type);
            failure(status, explanation, body.is_empty(), &head.headers, now)
        }
    }
}

/// Returns the outcome of a status that does not complete the task.
fn failure(
    status: StatusCode,
    explanation: Explanation,
    is_empty: bool,
    headers: &HeaderMap,
    now: OffsetDateTime,
) -> HandlerOutcome {
    let number = status.as_u16();
    let message = explanation.message.unwrap_or_else(|| {
        if status == StatusCode::INTERNAL_SERVER_ERROR && is_empty {
            trapped(headers).to_owned()
        } else {
            format!("the handler responded {number}")
        }
    });
    let is_temporary = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if is_temporary {
        let code = explanation.code.as_deref().unwrap_or("HandlerUnavailable");
        return HandlerOutcome::Retry {
            error: error(code, &message),
            after: azure::retry_after(headers, now),
        };
    }
    if status.is_client_error() {
        HandlerOutcome::failed(explanation.code.as_deref().unwrap_or("HandlerFailed"), &message)
    } else if status.is_redirection() {
        let message = format!(
            "the handler responded {number}, and redirects are not followed; task_handlers must name the final \
             address"
        );
        HandlerOutcome::failed("HandlerFailed", &message)
    } else {
        let message = format!("the handler responded {number}; only 200 and 204 complete a task");
        HandlerOutcome::failed("HandlerFailed", &message)
    }
}

/// Returns what to say of a 500 without a body, by which hosts respond for a handler that trapped. Spin does not say why.
fn trapped(headers: &HeaderMap) -> &'static str {
    match headers.get(TRAP_REASON).map(HeaderValue::as_bytes) {
        Some(b"memory") => "the handler used up its memory and trapped",
        Some(b"trap") => "the handler trapped",
        _ => "the handler trapped or used up its memory: its host responded 500 without a body",
    }
}

/// One line of a response with progress. The last one has the result or the error.
///
/// Member names are compared without case and underscores, because serialisers of other platforms write them
/// differently. A member that is `null` counts as absent, because many serialisers write every member of a type.
#[derive(Default)]
struct Line<'a> {
    percent: Option<u8>,
    message: Option<String>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut found = Self::default();
        for (name, value) in models::members(line).ok()? {
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

    /// Returns whether the work continues after this line.
    fn is_progress(&self) -> bool {
        self.error.is_none() && self.result.is_none_or(|result| result.get() == "null")
    }

    /// Returns whether a last line with a result of `null` completes the work without a result: it reports no progress,
    /// or 100 percent. Otherwise the handler crashed after a line of progress.
    fn is_final(&self) -> bool {
        self.percent == Some(100) || (self.percent.is_none() && self.message.is_none())
    }
}

/// Progress lines, reported while the response arrives.
#[derive(Default)]
pub(super) struct Lines {
    /// The beginning of a line that is not complete yet.
    incomplete: RefCell<Vec<u8>>,
}

impl Lines {
    /// Reports the progress in the lines that `piece` completes. [`outcome`] decides on the outcome.
    pub(super) fn observe(&self, head: &Parts, piece: &[u8], progress: &Progress) {
        if !is_json_lines(head.status, &head.headers) {
            return;
        }
        let mut line = self.incomplete.borrow_mut();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            // A longer line is not progress; it may be a result.
            if line.len() + part.len() <= MAX_LINE_BYTES {
                line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                if let Some(parsed) = Line::parse(trim(&line)).filter(Line::is_progress) {
                    progress.report(parsed.percent, parsed.message.as_deref());
                }
                line.clear();
            }
        }
    }
}

/// Removes the line break, white space around the line, and the byte order mark that some platforms write before the
/// first line.
fn trim(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii()
}

/// Returns the outcome of a response with progress lines. If its last line does not end the work, the handler has crashed,
/// and another attempt follows.
fn last_line(body: &[u8], progress: &Progress) -> HandlerOutcome {
    let mut lines = body.split(|byte| *byte == b'\n').map(trim).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let Some(line) = Line::parse(line) else {
            return HandlerOutcome::retry(
                "HandlerUnavailable",
                "a line of the handler's response is not a JSON object with the members of a progress line",
            );
        };
        if let Some(problem) = line.error {
            return error_line(problem.get());
        }
        match line.result {
            Some(result) if result.get() != "null" => {
                let bytes = result.get().as_bytes().to_vec().into();
                let content_type = "application/json".to_owned();
                return HandlerOutcome::Completed(Some(Payload {
                    stored: Stored::default(),
                    bytes,
                    content_type,
                }));
            }
            Some(_) if lines.peek().is_none() && line.is_final() => return HandlerOutcome::Completed(None),
            _ => progress.report(line.percent, line.message.as_deref()),
        }
    }
    HandlerOutcome::retry("HandlerUnavailable", "the handler's response ended without a result line")
}

fn percent(value: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100 before")]
    let percent = value.clamp(0.0, 100.0) as u8;
    percent
}

/// Returns the outcome of a line with an error, which may ask for another attempt.
fn error_line(json: &str) -> HandlerOutcome {
    let Explanation { code, message } = explained(json);
    let message = message.unwrap_or_else(|| "the handler gave no reason".to_owned());
    let members = models::members(json.as_bytes()).unwrap_or_default();
    if member(&members, "retryable") != Some("true") {
        return HandlerOutcome::failed(code.as_deref().unwrap_or("HandlerFailed"), &message);
    }
    let after = member(&members, "retryAfterSeconds").and_then(|seconds| seconds.parse().ok());
    let after = after.map(Duration::from_secs);
    HandlerOutcome::Retry { error: error(code.as_deref().unwrap_or("HandlerUnavailable"), &message), after }
}

/// What a handler says about a failure.
#[derive(Default)]
struct Explanation {
    /// The code of the task's error.
    code: Option<String>,
    message: Option<String>,
}

/// Returns the handler's explanation: a problem document, or plain text.
fn explanation(body: &[u8], content_type: &str) -> Explanation {
    let Ok(text) = std::str::from_utf8(body).map(str::trim) else { return Explanation::default() };
    let Some(media_type) = MediaType::parse(content_type) else { return Explanation::default() };
    if media_type.subtype.to_ascii_lowercase().ends_with("json") {
        let explained = explained(text);
        Explanation { message: explained.message.filter(|message| !message.is_empty()), ..explained }
    } else if media_type.is("text", "plain") {
        Explanation { code: None, message: Some(text.to_owned()).filter(|text| !text.is_empty()) }
    } else {
        Explanation::default()
    }
}

/// Returns a JSON string, or the code and the first of an object's members that usually describe an error.
fn explained(json: &str) -> Explanation {
    if let Ok(text) = serde_json::from_slice(json.as_bytes()) {
        return Explanation { code: None, message: Some(text) };
    }
    let members = models::members(json.as_bytes()).unwrap_or_default();
    let text = |name: &str| models::text(member(&members, name)?).map(Cow::into_owned);
    Explanation {
        code: text("code").filter(|code| is_code(code)),
        message: ["detail", "message", "error", "title"].iter().find_map(|name| text(name)),
    }
}

/// Returns the JSON text of the last member of this name, without case and underscores like the members of a [`Line`].
fn member<'a>(members: &[(Cow<'_, str>, &'a RawValue)], name: &str) -> Option<&'a str> {
    let found = members.iter().rev().find(|(other, _)| other.replace('_', "").eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.get())
}

/// Returns whether programs can compare the text: at most 64 letters, digits and `-_.`.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn content_type(headers: &HeaderMap) -> String {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let usable = given.filter(|text| (1..=255).contains(&text.len()) && text.contains('/'));
    usable.unwrap_or("application/octet-stream").to_owned()
}

/// Returns whether the response has JSON lines, under any media type in use for them.
pub(crate) fn is_json_lines(status: StatusCode, headers: &HeaderMap) -> bool {
    let subtypes = ["x-ndjson", "ndjson", "jsonl", "x-jsonlines"];
    status == StatusCode::OK
        && MediaType::parse(&content_type(headers))
            .is_some_and(|media_type| subtypes.iter().any(|subtype| media_type.is("application", subtype)))
}

/// Returns whether the body has a content coding such as gzip.
fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).into_iter();
    codings.map(HeaderValue::as_bytes).any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}
