//! Long polling: `Prefer: wait=N` delays the response until the task is terminal.

use std::time::Duration;
use storage::{Read, StoredDocument};

use crate::http::headers;
use crate::http::request::ApiRequest;
use crate::tasks::Tasks;

/// Requests of one instance that wait at the same time. Further ones get their response without a wait.
pub(crate) const MAX_LONG_POLLS: usize = 64;

/// Waits if the request has `Prefer: wait`. Returns the latest version of the task, and the applied wait in
/// seconds for `Preference-Applied`.
pub(crate) async fn wait_if_preferred(
    tasks: &Tasks,
    request: &ApiRequest,
    stored: StoredDocument,
) -> (StoredDocument, Option<u64>) {
    let Some(seconds) = headers::preferred_wait(request.headers()) else { return (stored, None) };
    wait_until_terminal(tasks, stored, seconds).await
}

/// Waits until the task is terminal, at most `seconds`. Returns no applied wait if there are
/// [`MAX_LONG_POLLS`] already. If storage fails, the wait ends and the version read last is returned.
async fn wait_until_terminal(
    tasks: &Tasks,
    mut stored: StoredDocument,
    seconds: u64,
) -> (StoredDocument, Option<u64>) {
    let Some(_permit) = tasks.long_polls.try_acquire() else { return (stored, None) };
    let limit = Duration::from_secs(seconds);
    let start = tasks.env.instant();
    let reads = tasks.shared_reads.join(&stored, start);
    while !stored.document.state.is_terminal() {
        let now = tasks.env.instant();
        let pause = reads.pause(now).min(limit.saturating_sub(now.since(start)));
        if pause.is_zero() {
            break;
        }
        tasks.env.sleep(pause).await;
        match reads.read(&*tasks.store, &*tasks.env, &stored.etag, pause).await {
            Ok(Read::Found(newer)) => stored = *newer,
            Ok(Read::Unchanged) => {}
            Ok(Read::Missing) | Err(_) => break,
        }
    }
    (stored, Some(seconds))
}
