//! The handlers. The task's name chooses one: a rule of `task_handlers` or a built-in handler (`lifecycle::handlers`).

mod checksum;
mod endpoint;
mod missing;
mod overrun;
mod parts;
mod response;
mod routed;
mod simulate;
mod statistics;

use std::time::Duration;

use azure::Env;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use lifecycle::handlers::MAX_RESULT_BYTES;
use lifecycle::outcome::{Outcome, Product};
use models::{Json, MAX_RESULT_LEVELS, ResultBlob, TaskError, TaskId, TaskPriority, TaskStatus};
use serde::Serialize;
use service::media_type::MediaType;
use service::trace;

pub(crate) use endpoint::{
    PROCESS_PATH, RELAY_BROKEN, RELAY_COMPLETE, RELAY_ERROR, RELAY_MAX_BYTES, RELAY_PARTS, TOO_LARGE,
    TRAP_REASON, component_url,
};
pub(crate) use missing::find_missing;
pub(crate) use overrun::Watch;
pub(crate) use parts::is_result;
pub(crate) use response::is_json_lines;
pub(crate) use routed::MAX_RESPONSE_BYTES;

use parts::PartWriter;

use crate::attempt::Attempt;
use crate::progress::Progress;

/// The largest JSON result that is stored in the document, in bytes.
const MAX_INLINE_RESULT_BYTES: usize = 16 * 1024;
/// The longest stored error message, in characters.
const MAX_ERROR_CHARS: usize = 2048;

/// What a handler receives about its task. For a routed handler it is the body of the request.
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
pub(crate) enum HandlerOutcome {
    /// The work is done, with this result if there is one.
    Completed(Option<Payload>),
    /// The work failed permanently.
    Failed(TaskError),
    /// The work failed temporarily. `after` is the wait that the handler asked for.
    Retry { error: TaskError, after: Option<Duration> },
    /// The process of the handler ended or is being started, which another task may have caused, or the result could not
    /// be stored.
    Interrupted(TaskError),
}

/// A result as the handler returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The beginning of a large result.
    pub(crate) stored: Stored,
    /// The result, or what follows the stored parts.
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
}

impl Payload {
    /// The size of the result in bytes.
    fn len(&self) -> usize {
        self.stored.bytes + self.bytes.len()
    }

    fn json(value: &impl Serialize) -> Self {
        let content_type = "application/json".to_owned();
        let bytes = serde_json::to_vec(value).unwrap_or_default().into();
        Self { stored: Stored::default(), bytes, content_type }
    }
}

/// The parts of a result that are stored already. They become a blob only with the end of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stored {
    pub(crate) parts: u32,
    pub(crate) bytes: usize,
}

/// A result that gets a blob of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LargeResult {
    /// The number of parts that are stored already.
    pub(crate) parts: u32,
    /// The bytes after them.
    pub(crate) last: Bytes,
}

impl HandlerOutcome {
    /// A permanent failure. The message is cut to [`MAX_ERROR_CHARS`].
    fn failed(code: &str, message: &str) -> Self {
        Self::Failed(error(code, message))
    }

    /// A temporary failure after which the handler asked for no particular wait.
    fn retry(code: &str, message: &str) -> Self {
        Self::Retry { error: error(code, message), after: None }
    }

    /// Returns the outcome to record, and a result that gets a blob of its own.
    ///
    /// A result of more than `max_result_bytes` fails the task.
    pub(crate) fn into_outcome(
        self,
        max_result_bytes: usize,
        result_name: impl FnOnce() -> String,
    ) -> (Outcome, Option<LargeResult>) {
        match self {
            Self::Completed(None) => (Outcome::Completed(None), None),
            Self::Completed(Some(payload)) if payload.len() == 0 => (Outcome::Completed(None), None),
            Self::Completed(Some(payload)) if payload.len() > max_result_bytes => {
                (Outcome::Failed(too_large(max_result_bytes)), None)
            }
            Self::Completed(Some(payload)) => match inline(&payload) {
                Some(value) => (Outcome::Completed(Some(Product::Inline(value))), None),
                None => {
                    let blob = ResultBlob {
                        name: result_name(),
                        size: payload.len() as u64,
                        content_type: payload.content_type,
                    };
                    let result = LargeResult { parts: payload.stored.parts, last: payload.bytes };
                    (Outcome::Completed(Some(Product::Blob(blob))), Some(result))
                }
            },
            Self::Failed(error) => (Outcome::Failed(error), None),
            Self::Retry { error, after } => (Outcome::Retry { error, after }, None),
            Self::Interrupted(error) => (Outcome::Interrupted(error), None),
        }
    }
}

/// Returns the result as a member of the document if it is small JSON by media type and content, and if every reader of
/// the document can parse it.
fn inline(payload: &Payload) -> Option<Json> {
    let is_json = MediaType::parse(&payload.content_type).is_some_and(|media_type| media_type.is_json());
    if !is_json || payload.len() > MAX_INLINE_RESULT_BYTES {
        return None;
    }
    let text = std::str::from_utf8(&payload.bytes).ok()?;
    // A byte order mark is a part of the encoding, not of the value.
    Json::parse_portable(text.strip_prefix('\u{feff}').unwrap_or(text), MAX_RESULT_LEVELS).ok()
}

pub(crate) fn error(code: &str, message: &str) -> TaskError {
    TaskError { code: code.to_owned(), message: message.chars().take(MAX_ERROR_CHARS).collect() }
}

fn too_large(limit: usize) -> TaskError {
    error("ResultTooLarge", &format!("the result is larger than {limit} bytes"))
}

/// A handler in this process.
trait Handler {
    /// Does the work. The future is dropped when the attempt is stopped.
    fn run<'a>(
        &'a self,
        env: &'a dyn Env,
        work: &'a Work,
        progress: &'a Progress,
    ) -> LocalBoxFuture<'a, HandlerOutcome>;
}

/// A handler that computes its result from the input in a short time.
struct Immediate(fn(&Work) -> HandlerOutcome);

impl Handler for Immediate {
    fn run<'a>(
        &'a self,
        _: &'a dyn Env,
        work: &'a Work,
        _: &'a Progress,
    ) -> LocalBoxFuture<'a, HandlerOutcome> {
        Box::pin(std::future::ready((self.0)(work)))
    }
}

/// Returns the largest result of the tasks called `name`, in bytes.
pub(crate) fn max_result_bytes(attempt: &Attempt<'_>, name: &str) -> usize {
    let rule = attempt.engine.settings.handlers.find(name);
    rule.and_then(|(_, rule)| rule.limits.max_result_bytes).unwrap_or(MAX_RESULT_BYTES)
}

/// Starts the handler of the attempt's task.
pub(crate) fn start<'a>(
    attempt: &Attempt<'a>,
    work: &'a Work,
    progress: &'a Progress,
) -> LocalBoxFuture<'a, HandlerOutcome> {
    let engine = attempt.engine;
    let settings = &engine.settings;
    let target = settings.handlers.find(&work.name).and_then(|(_, rule)| rule.handler.as_ref());
    if let Some(target) = target {
        let max_result_bytes = max_result_bytes(attempt, &work.name);
        let call = routed::Call {
            endpoint: endpoint::of(target, settings),
            timeout: attempt.policy.task_timeout,
            max_result_bytes,
        };
        let parts = (max_result_bytes > MAX_RESULT_BYTES).then(|| {
            PartWriter::new(
                &*engine.store,
                attempt.result_name(),
                settings.result_part_bytes,
                // Another worker may add a byte, see `RELAY_PARTS`.
                max_result_bytes + 1,
            )
        });
        return Box::pin(routed::run(&*engine.env, call, work, progress, parts));
    }
    let handler: Box<dyn Handler> = match work.name.as_str() {
        "checksum" => Box::new(Immediate(checksum::run)),
        "text-statistics" => Box::new(Immediate(statistics::run)),
        _ => Box::new(simulate::Simulate { unit: settings.simulate_unit }),
    };
    Box::pin(async move { handler.run(&*engine.env, work, progress).await })
}

/// Returns the input of a handler that works on text.
fn text_input(work: &Work) -> Result<String, HandlerOutcome> {
    match work.input.as_ref().and_then(Json::as_text) {
        Some(text) => Ok(text),
        None => Err(HandlerOutcome::failed(
            "InvalidInput",
            &format!("Input of a {} task must be a string", work.name),
        )),
    }
}
