//! The pause of the queue, which an operator requests by the API.

use lifecycle::pause::is_current;
use service::log::Line;
use storage::{Pause, StorageError, read_pause};

use crate::engine::Engine;

/// Returns whether the queue is paused. Sends a request at most every 5 s, and none without `queue_pause`.
///
/// # Errors
/// The state cannot be read. Nothing is to be received then: an operator pauses a queue for a reason.
pub(crate) async fn is_paused(engine: &Engine) -> Result<bool, StorageError> {
    if !engine.settings.queue_pause {
        return Ok(false);
    }
    let begin = engine.env.instant();
    if let Some((read_at, is_paused)) = engine.pause.latest()
        && is_current(begin.since(read_at))
    {
        return Ok(is_paused);
    }
    let is_paused = read_pause(&*engine.store).await? != Pause::None;
    if is_paused != engine.pause.was_paused() {
        engine.env.log(&if is_paused {
            Line::info("the queue is paused")
        } else {
            Line::info("the queue is resumed")
        });
    }
    engine.pause.set(begin, is_paused);
    if is_current(engine.env.instant().since(begin)) {
        return Ok(is_paused);
    }
    Err(StorageError::Unavailable {
        detail: "whether the queue is paused could not be read in time".to_owned(),
        credentials: false,
        retry_after: None,
    })
}
