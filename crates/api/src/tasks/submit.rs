//! `POST /tasks`, and `POST /Tasks/QueueTask` as the .NET sample had it: design of the intake in order,
//! blob first, then message, then `202`.

use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use lifecycle::intake::{self, Intake};
use lifecycle::overload::{self, Admission};
use lifecycle::schedule;
use models::{TaskId, TaskRequest, TaskStatus};
use service::log::Line;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use sha2::{Digest as _, Sha256};
use storage::{Read, StoredDocument, Write};

use crate::http::call::Call;
use crate::http::headers::{IDEMPOTENCY_KEY, OPERATION_LOCATION, PREFERENCE_APPLIED};
use crate::tasks::wait;
use crate::tasks::{Tasks, WRITE_TRIES, contended};

/// Longest `Idempotency-Key`, in characters.
const LONGEST_KEY: usize = 255;

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// With the status monitor as its body.
    Modern,
    /// With an empty body, as the .NET sample answers.
    Original,
}

/// A task that is stored, and how it came to be.
struct Taken {
    stored: StoredDocument,
    is_new: bool,
}

pub(crate) async fn submit(
    tasks: &Tasks,
    call: &Call,
    body: &[u8],
    style: Style,
) -> Result<Response, Refusal> {
    let begin = tasks.env.instant();
    let request = TaskRequest::parse(body)?;
    let id = id_for(tasks, call, &request)?;
    let address = call.task_url(&tasks.settings, id)?;
    let document = document(tasks, call, id, request.clone())?;
    check_room(tasks).await?;
    // Both before anything is written: without them the task could not be answered for.
    let signed = tasks.store.signed_address(id, tasks.settings.sas_lifetime).await?;
    // An account reached by a SAS signs nothing; the status monitor then serves in its place.
    let location = signed.unwrap_or_else(|| address.clone());
    let document = TaskStatus { return_uri: Some(tasks.store.address(id).await?), ..document };

    let Taken { stored, is_new } = take(tasks, call, &request, document).await?;
    let milliseconds = tasks.env.instant().since(begin).as_millis();
    tasks.env.log(
        &Line::info("task accepted")
            .with("task_id", id.to_string())
            .with("new", is_new)
            .with("duration_ms", u64::try_from(milliseconds).unwrap_or(u64::MAX))
            .with("trace_id", call.trace_id.as_str()),
    );
    let (stored, waited) = wait::after_wait(tasks, call, stored).await;

    let mut answer = match style {
        Style::Modern => tasks.shown(call, StatusCode::ACCEPTED, &stored)?,
        Style::Original => response::empty(StatusCode::ACCEPTED),
    };
    tasks.describe(&mut answer, &stored);
    if !answer.headers().contains_key(RETRY_AFTER) {
        // A terminal task can be looked at right away; pollers expect the header on every 202.
        response::set(&mut answer, RETRY_AFTER, "0");
    }
    response::set(&mut answer, LOCATION, &location);
    response::set(&mut answer, OPERATION_LOCATION, &address);
    if let Some(seconds) = waited {
        response::set(&mut answer, PREFERENCE_APPLIED, &format!("wait={seconds}"));
    }
    Ok(answer)
}

/// The id in the body, else the one that stands for the caller's `Idempotency-Key`, else a random one.
fn id_for(tasks: &Tasks, call: &Call, request: &TaskRequest) -> Result<TaskId, Refusal> {
    if let Some(id) = request.task_id {
        return Ok(id);
    }
    let mut keys = call.headers().get_all(IDEMPOTENCY_KEY).into_iter();
    let Some(key) = keys.next() else {
        return Ok(TaskId::from_random_bytes(tasks.env.random_bytes()));
    };
    let text = key.to_str().ok().filter(|_| keys.next().is_none()).map(str::trim);
    // The header is a structured string, in quotes; many clients leave them out.
    let bare =
        text.map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text));
    match bare {
        Some(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(keyed_id(call.caller.as_deref(), key)),
        _ => Err(Refusal::new(
            Kind::InvalidHeader,
            format!("Idempotency-Key must be given once, as 1 to {LONGEST_KEY} visible ASCII characters."),
        )),
    }
}

fn document(tasks: &Tasks, call: &Call, id: TaskId, request: TaskRequest) -> Result<TaskStatus, Refusal> {
    let now = tasks.env.timestamp();
    let not_before = schedule::start_time(request.schedule, now)
        .map_err(|_| Refusal::new(Kind::InvalidBody, "NotBefore: must not be more than seven days away."))?;
    let document = TaskStatus::accepted(id, request, String::new(), now);
    Ok(TaskStatus { not_before, owner: call.caller.clone(), trace_parent: call.trace_parent(), ..document })
}

async fn check_room(tasks: &Tasks) -> Result<(), Refusal> {
    if tasks.settings.queue_depth_limit.is_none() {
        return Ok(());
    }
    // A depth that storage does not tell keeps nobody out: the writes that follow will say.
    let depth = tasks.queue_depth().await.unwrap_or(0);
    match overload::admission(depth, tasks.settings.queue_depth_limit) {
        Admission::Admit => Ok(()),
        Admission::Refuse(wait) => {
            let detail = "The queue is longer than its limit. Send the same request again later.";
            Err(Refusal::new(Kind::Overloaded, detail).retry_after(wait.as_secs()))
        }
    }
}

/// Stores the document and puts its message; what is stored already under the id decides otherwise.
async fn take(tasks: &Tasks, call: &Call, request: &TaskRequest, new: TaskStatus) -> Result<Taken, Refusal> {
    let now = tasks.env.timestamp();
    for _ in 0..WRITE_TRIES {
        if let Write::Done(etag) = tasks.store.create(&new).await? {
            let stored = StoredDocument { document: new, etag };
            tasks.put_message(&stored, schedule::delay(&stored.document, now)).await?;
            return Ok(Taken { stored, is_new: true });
        }
        let Read::Found(stored) = tasks.store.read(new.task_id, None).await? else {
            continue; // deleted in between
        };
        match intake::intake(Some(&stored.document), request, call.caller.as_deref(), now) {
            Intake::Accept => {}
            Intake::Replay => return Ok(Taken { stored: *stored, is_new: false }),
            Intake::ResendMessage(delay) => {
                tasks.put_message(&stored, delay).await?;
                return Ok(Taken { stored: *stored, is_new: false });
            }
            Intake::Different => {
                return Err(Refusal::new(
                    Kind::ContentDiffers,
                    "Send another TaskId or Idempotency-Key for other work, or the same content to repeat \
                     a submission.",
                ));
            }
            Intake::AnotherCaller => {
                return Err(Refusal::new(Kind::TaskIdTaken, "Send another TaskId, or none."));
            }
        }
    }
    Err(contended())
}

/// The id that stands for a caller's key: the same key of the same caller always gives the same id.
fn keyed_id(caller: Option<&str>, key: &str) -> TaskId {
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
    fn a_key_gives_one_id_per_caller() {
        assert_eq!(keyed_id(Some("a"), "key"), keyed_id(Some("a"), "key"));
        assert_ne!(keyed_id(Some("a"), "key"), keyed_id(Some("b"), "key"));
        assert_ne!(keyed_id(Some("a"), "key"), keyed_id(None, "key"));
        assert_ne!(keyed_id(None, "key"), keyed_id(None, "Key"));
    }

    #[test]
    fn the_id_of_a_key_never_changes_between_releases() {
        assert_eq!(keyed_id(None, "order-4711").to_string(), "9b2888c2-88ad-8873-85e0-70da4647e3dc");
    }
}
