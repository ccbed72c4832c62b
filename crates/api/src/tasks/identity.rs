//! The id of a submitted task: from the body, derived from the `Idempotency-Key`, or random.

use models::{TaskId, TaskRequest};
use service::problem::{HttpError, ProblemKind};
use sha2::{Digest as _, Sha256};

use crate::http::headers::IDEMPOTENCY_KEY;
use crate::http::request::ApiRequest;
use crate::tasks::Tasks;

/// Maximum length of an `Idempotency-Key`.
const MAX_KEY_CHARS: usize = 255;

/// The id in the body, else the id derived from `key`, else a random one. `position` is that of the task in a batch,
/// whose tasks share one key.
pub(crate) fn task_id(
    tasks: &Tasks,
    request: &ApiRequest,
    submission: &TaskRequest,
    key: Option<&str>,
    position: Option<usize>,
) -> TaskId {
    // The marker of a unique key contains the id of one submission, which no other one may have.
    let key = key.filter(|_| submission.unique.is_none());
    match (submission.task_id, key) {
        (Some(id), _) => id,
        (None, Some(key)) => id_from_key(request.caller.as_deref(), key, position),
        (None, None) => TaskId::from_random_bytes(tasks.env.random_bytes()),
    }
}

/// The id of the task that a request submits. A `TaskId` or `UniqueKey` in the body takes precedence over an
/// `Idempotency-Key`, whatever its value.
///
/// # Errors
/// As [`idempotency_key`].
pub(crate) fn single_task_id(
    tasks: &Tasks,
    request: &ApiRequest,
    submission: &TaskRequest,
) -> Result<TaskId, HttpError> {
    let has_precedence = submission.task_id.is_some() || submission.unique.is_some();
    let key = if has_precedence { None } else { idempotency_key(request)? };
    Ok(task_id(tasks, request, submission, key, None))
}

/// The `Idempotency-Key` of a request.
///
/// # Errors
/// If it is empty, too long, not visible ASCII or given twice.
pub(crate) fn idempotency_key(request: &ApiRequest) -> Result<Option<&str>, HttpError> {
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY).into_iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|_| keys.next().is_none()).map(str::trim);
    // The value is a quoted string (RFC 8941); many clients omit the quotes.
    let bare =
        text.map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text));
    bare.filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len())).map(Some).ok_or_else(|| {
        HttpError::new(
            ProblemKind::InvalidHeader,
            format!("Idempotency-Key must be given once, as 1 to {MAX_KEY_CHARS} visible ASCII characters."),
        )
    })
}

/// Derives a task id from the caller, the key and the position in a batch.
fn id_from_key(caller: Option<&str>, key: &str, position: Option<usize>) -> TaskId {
    let mut digest = Sha256::new();
    digest.update(b"idempotency-key\0");
    digest.update(caller.unwrap_or_default());
    digest.update(b"\0");
    digest.update(key);
    if let Some(position) = position {
        digest.update(format!("\0{position}"));
    }
    TaskId::from_digest(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_per_caller_and_key() {
        let id_from_key = |caller, key| id_from_key(caller, key, None);
        assert_eq!(id_from_key(Some("a"), "key"), id_from_key(Some("a"), "key"));
        assert_ne!(id_from_key(Some("a"), "key"), id_from_key(Some("b"), "key"));
        assert_ne!(id_from_key(Some("a"), "key"), id_from_key(None, "key"));
        assert_ne!(id_from_key(None, "key"), id_from_key(None, "Key"));
    }

    #[test]
    fn tasks_of_a_batch_have_ids_of_their_own() {
        let ids = [None, Some(0), Some(1)].map(|position| id_from_key(None, "key", position));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_eq!(id_from_key(None, "key", Some(1)), ids[2]);
    }

    #[test]
    fn id_of_a_key_is_stable_between_releases() {
        assert_eq!(id_from_key(None, "order-4711", None).to_string(), "9b2888c2-88ad-8873-85e0-70da4647e3dc");
    }
}
