//! The work itself, chosen by the task's name: a URL of `task_handlers`, else a built-in handler of that
//! name, else `simulate`.

mod checksum;
mod reply;
mod routed;
mod simulate;
mod statistics;

use std::time::Duration;

use azure::Env;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use lifecycle::outcome::{Outcome, Product};
use models::{Json, MAX_RESULT_LEVELS, ResultBlob, TaskError, TaskId, TaskPriority, TaskStatus};
use serde::Serialize;
use service::trace;

use crate::engine::Engine;
use crate::progress::Progress;

/// Largest result, in bytes. A larger one fails the task.
pub(crate) const LARGEST_RESULT: usize = 8 * 1024 * 1024;
/// Largest JSON result that is kept in the document itself, in bytes.
const LARGEST_INLINE: usize = 16 * 1024;
/// Longest error message that is kept, in characters.
const LONGEST_ERROR: usize = 2048;

/// What a handler is told about its task; for a routed handler this is the body of the request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Work {
    pub(crate) id: TaskId,
    pub(crate) name: String,
    pub(crate) description: String,
    #[serde(serialize_with = "by_name")]
    pub(crate) priority: TaskPriority,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Json>,
    pub(crate) attempt: u32,
    #[serde(rename = "traceparent", skip_serializing_if = "Option::is_none")]
    pub(crate) trace_parent: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn by_name<S: serde::Serializer>(priority: &TaskPriority, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(priority.name())
}

impl Work {
    pub(crate) fn of(document: &TaskStatus) -> Self {
        Self {
            id: document.task_id,
            name: document.task_name.clone(),
            description: document.task_description.clone(),
            priority: document.priority,
            input: document.input.clone(),
            attempt: document.attempt,
            trace_parent: document.trace_parent.clone().filter(|text| trace::id_of(text).is_some()),
        }
    }
}

/// How a handler ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Handled {
    /// The work is done, with this result if any.
    Completed(Option<Payload>),
    /// The work cannot be done, now or later.
    Failed(TaskError),
    /// It did not work out this time. `after` is how long the handler wants to be left alone.
    Retry { error: TaskError, after: Option<Duration> },
}

/// A result as the handler gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
}

impl Payload {
    fn json(value: &serde_json::Value) -> Self {
        Self { bytes: value.to_string().into_bytes().into(), content_type: "application/json".to_owned() }
    }
}

impl Handled {
    /// The work cannot be done: `code` for programs, `message` for people, cut to a bounded length.
    fn failed(code: &str, message: &str) -> Self {
        Self::Failed(error(code, message))
    }

    fn retry(code: &str, message: &str) -> Self {
        Self::Retry { error: error(code, message), after: None }
    }

    /// What the end of the attempt writes, and the bytes of a result that gets a blob of its own.
    pub(crate) fn into_outcome(self, result_name: impl FnOnce() -> String) -> (Outcome, Option<Bytes>) {
        match self {
            Self::Completed(None) => (Outcome::Completed(None), None),
            Self::Completed(Some(payload)) if payload.bytes.is_empty() => (Outcome::Completed(None), None),
            Self::Completed(Some(payload)) if payload.bytes.len() > LARGEST_RESULT => {
                (Outcome::Failed(too_large()), None)
            }
            Self::Completed(Some(payload)) => match inline(&payload) {
                Some(value) => (Outcome::Completed(Some(Product::Inline(value))), None),
                None => {
                    let blob = ResultBlob {
                        name: result_name(),
                        size: payload.bytes.len() as u64,
                        content_type: payload.content_type,
                    };
                    (Outcome::Completed(Some(Product::Blob(blob))), Some(payload.bytes))
                }
            },
            Self::Failed(error) => (Outcome::Failed(error), None),
            Self::Retry { error, after } => (Outcome::Retry { error, after }, None),
        }
    }
}

/// The result as a member of the document: JSON by its media type, small, really JSON, and such that
/// everybody who reads the document reads it.
fn inline(payload: &Payload) -> Option<Json> {
    let media_type = payload.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json =
        matches!(media_type.as_str(), "application/json" | "text/json") || media_type.ends_with("+json");
    if !is_json || payload.bytes.len() > LARGEST_INLINE {
        return None;
    }
    let text = std::str::from_utf8(&payload.bytes).ok()?;
    // A byte order mark belongs to the encoding, not to the value.
    Json::parse_portable(text.strip_prefix('\u{feff}').unwrap_or(text), MAX_RESULT_LEVELS).ok()
}

pub(crate) fn error(code: &str, message: &str) -> TaskError {
    TaskError { code: code.to_owned(), message: message.chars().take(LONGEST_ERROR).collect() }
}

fn too_large() -> TaskError {
    error("ResultTooLarge", &format!("the result is larger than {LARGEST_RESULT} bytes"))
}

/// Work that is done in this process.
trait Handler {
    /// Does it. Dropped when the attempt is stopped.
    fn run<'a>(
        &'a self,
        env: &'a dyn Env,
        work: &'a Work,
        progress: &'a Progress,
    ) -> LocalBoxFuture<'a, Handled>;
}

/// Work that is a function of its input and takes no time worth mentioning.
struct Immediate(fn(&Work) -> Handled);

impl Handler for Immediate {
    fn run<'a>(&'a self, _: &'a dyn Env, work: &'a Work, _: &'a Progress) -> LocalBoxFuture<'a, Handled> {
        Box::pin(std::future::ready((self.0)(work)))
    }
}

/// Starts the handler of this task.
pub(crate) fn start<'a>(
    engine: &'a Engine,
    work: &'a Work,
    progress: &'a Progress,
) -> LocalBoxFuture<'a, Handled> {
    if let Some(url) = engine.settings.handlers.get(&work.name) {
        return Box::pin(routed::run(&*engine.env, url, engine.policy.task_timeout, work, progress));
    }
    let handler: Box<dyn Handler> = match work.name.as_str() {
        "checksum" => Box::new(Immediate(checksum::run)),
        "text-statistics" => Box::new(Immediate(statistics::run)),
        _ => Box::new(simulate::Simulate { unit: engine.settings.simulate_unit }),
    };
    Box::pin(async move { handler.run(&*engine.env, work, progress).await })
}

/// The text a handler works on.
fn text_input(work: &Work) -> Result<String, Handled> {
    match work.input.as_ref().and_then(Json::as_text) {
        Some(text) => Ok(text),
        None => {
            Err(Handled::failed("InvalidInput", &format!("Input of a {} task must be a string", work.name)))
        }
    }
}
