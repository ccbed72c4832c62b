//! `POST /tasks`, and `POST /Tasks/QueueTask` of the .NET sample: writes the document, sends the message, then
//! responds with `202`.

use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use lifecycle::intake::{self, Intake};
use lifecycle::overload::{self, Admission};
use lifecycle::schedule;
use models::{TaskId, TaskRequest, TaskStatus};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use sha2::{Digest as _, Sha256};
use storage::{Read, StoredDocument, Write};

use crate::http::headers::{IDEMPOTENCY_KEY, OPERATION_LOCATION, PREFERENCE_APPLIED};
use crate::http::request::ApiRequest;
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended, long_poll};

/// Maximum length of an `Idempotency-Key`.
const MAX_KEY_CHARS: usize = 255;

/// The body of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseBody {
    /// The status monitor.
    Monitor,
    /// None, like the response of the .NET sample.
    Empty,
}

/// The stored task, and whether this request created it.
struct Accepted {
    stored: StoredDocument,
    is_new: bool,
}

pub(crate) async fn submit(
    tasks: &Tasks,
    request: &ApiRequest,
    body: &[u8],
    response_body: ResponseBody,
) -> Result<Response, HttpError> {
    let begin = tasks.env.instant();
    let submission = TaskRequest::parse(body)?;
    let id = task_id(tasks, request, &submission)?;
    let address = request.task_url(&tasks.settings, id)?;
    let document = new_document(tasks, request, id, submission.clone())?;
    check_capacity(tasks).await?;
    // Both addresses are obtained before the first write, because the response needs them.
    let signed = tasks.store.signed_address(id, tasks.settings.sas_lifetime).await?;
    // A store whose credential is a SAS cannot sign links; `Location` is then the status monitor.
    let location = signed.unwrap_or_else(|| address.clone());
    let document = TaskStatus { return_uri: Some(tasks.store.address(id).await?), ..document };

    let Accepted { stored, is_new } = create_or_replay(tasks, request, &submission, document).await?;
    let milliseconds = tasks.env.instant().since(begin).as_millis();
    tasks.env.log(
        &Line::info("task accepted")
            .with("task_id", id.to_string())
            .with("new", is_new)
            .with("duration_ms", u64::try_from(milliseconds).unwrap_or(u64::MAX))
            .with("trace_id", request.trace_id.as_str()),
    );
    let (stored, waited) = long_poll::wait_if_preferred(tasks, request, stored).await;

    let mut response = match response_body {
        ResponseBody::Monitor => tasks.monitor_response(request, StatusCode::ACCEPTED, &stored)?,
        ResponseBody::Empty => response::empty(StatusCode::ACCEPTED),
    };
    tasks.set_monitor_headers(&mut response, &stored);
    if !response.headers().contains_key(RETRY_AFTER) {
        // Clients expect the header on every 202. A terminal task needs no wait.
        response::set(&mut response, RETRY_AFTER, "0");
    }
    response::set(&mut response, LOCATION, &location);
    response::set(&mut response, OPERATION_LOCATION, &address);
    if let Some(seconds) = waited {
        response::set(&mut response, PREFERENCE_APPLIED, &format!("wait={seconds}"));
    }
    Ok(response)
}

/// The id in the body, else the id derived from the `Idempotency-Key`, else a random one.
fn task_id(tasks: &Tasks, request: &ApiRequest, submission: &TaskRequest) -> Result<TaskId, HttpError> {
    if let Some(id) = submission.task_id {
        return Ok(id);
    }
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY).into_iter();
    let Some(key) = keys.next() else {
        return Ok(TaskId::from_random_bytes(tasks.env.random_bytes()));
    };
    let text = key.to_str().ok().filter(|_| keys.next().is_none()).map(str::trim);
    // The value is a quoted string (RFC 8941); many clients omit the quotes.
    let bare =
        text.map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text));
    match bare {
        Some(key) if (1..=MAX_KEY_CHARS).contains(&key.len()) => {
            Ok(id_from_key(request.caller.as_deref(), key))
        }
        _ => Err(HttpError::new(
            ProblemKind::InvalidHeader,
            format!("Idempotency-Key must be given once, as 1 to {MAX_KEY_CHARS} visible ASCII characters."),
        )),
    }
}

fn new_document(
    tasks: &Tasks,
    request: &ApiRequest,
    id: TaskId,
    submission: TaskRequest,
) -> Result<TaskStatus, HttpError> {
    let now = tasks.env.timestamp();
    let not_before = schedule::start_time(submission.schedule, now).map_err(|_| {
        HttpError::new(ProblemKind::InvalidBody, "NotBefore: must not be more than seven days away.")
    })?;
    let document = TaskStatus::accepted(id, submission, String::new(), now);
    Ok(TaskStatus {
        not_before,
        owner: request.caller.clone(),
        trace_parent: request.trace_parent(),
        ..document
    })
}

async fn check_capacity(tasks: &Tasks) -> Result<(), HttpError> {
    if tasks.settings.queue_depth_limit.is_none() {
        return Ok(());
    }
    // If the depth is unknown the task is admitted; if storage is down, the writes that follow fail.
    let depth = tasks.queue_depth().await.unwrap_or(0);
    match overload::admission(depth, tasks.settings.queue_depth_limit) {
        Admission::Admit => Ok(()),
        Admission::Refuse(wait) => {
            let detail = "The queue is longer than its limit. Send the same request again later.";
            Err(HttpError::new(ProblemKind::Overloaded, detail).retry_after(wait.as_secs()))
        }
    }
}

/// Creates the document and sends its message. If a document with this id exists, replays that submission.
async fn create_or_replay(
    tasks: &Tasks,
    request: &ApiRequest,
    submission: &TaskRequest,
    document: TaskStatus,
) -> Result<Accepted, HttpError> {
    let now = tasks.env.timestamp();
    for _ in 0..MAX_WRITE_TRIES {
        if let Write::Done(etag) = tasks.store.create(&document).await? {
            let stored = StoredDocument { document, etag };
            tasks.send_message(&stored, schedule::delay(&stored.document, now)).await?;
            return Ok(Accepted { stored, is_new: true });
        }
        let Read::Found(stored) = tasks.store.read(document.task_id, None).await? else {
            continue; // deleted since the create
        };
        match intake::intake(Some(&stored.document), submission, request.caller.as_deref(), now) {
            Intake::Accept => {}
            Intake::Replay => return Ok(Accepted { stored: *stored, is_new: false }),
            Intake::ResendMessage(delay) => {
                tasks.send_message(&stored, delay).await?;
                return Ok(Accepted { stored: *stored, is_new: false });
            }
            Intake::Different => {
                return Err(HttpError::new(
                    ProblemKind::ContentDiffers,
                    "Send another TaskId or Idempotency-Key for other work, or the same content to repeat \
                     a submission.",
                ));
            }
            Intake::AnotherCaller => {
                return Err(HttpError::new(ProblemKind::TaskIdTaken, "Send another TaskId, or none."));
            }
        }
    }
    Err(contended())
}

/// Derives a task id from the caller and the key.
fn id_from_key(caller: Option<&str>, key: &str) -> TaskId {
    let mut digest = Sha256::new();
    digest.update(b"idempotency-key\0");
    digest.update(caller.unwrap_or_default());
    digest.update(b"\0");
    digest.update(key);
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest) {
        *byte = from;
    }
    TaskId::from_digest(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_per_caller_and_key() {
        assert_eq!(id_from_key(Some("a"), "key"), id_from_key(Some("a"), "key"));
        assert_ne!(id_from_key(Some("a"), "key"), id_from_key(Some("b"), "key"));
        assert_ne!(id_from_key(Some("a"), "key"), id_from_key(None, "key"));
        assert_ne!(id_from_key(None, "key"), id_from_key(None, "Key"));
    }

    #[test]
    fn id_of_a_key_is_stable_between_releases() {
        assert_eq!(id_from_key(None, "order-4711").to_string(), "9b2888c2-88ad-8873-85e0-70da4647e3dc");
    }
}
