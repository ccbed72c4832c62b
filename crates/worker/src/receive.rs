//! Receives messages from the task queue.

use service::env::Instant;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::engine::Engine;
use crate::promote;

/// What a drain received at a time.
pub(crate) struct Batch {
    /// The most messages that were requested.
    pub(crate) requested: usize,
    /// Messages that were promoted before.
    pub(crate) promoted: u32,
    /// When the leases of the messages began, or slightly earlier.
    pub(crate) leased_since: Instant,
    pub(crate) messages: Result<Vec<ReceivedMessage>, StorageError>,
}

/// Receives up to `count` messages. If there is none and the drain has received none before (`is_idle`), promotes the
/// delayed tasks that are due and receives again.
pub(crate) async fn receive_batch(engine: &Engine, count: usize, is_idle: bool) -> Batch {
    let mut batch = receive(engine, count).await;
    let is_empty = batch.messages.as_ref().is_ok_and(Vec::is_empty);
    if is_empty && is_idle && promote::is_due(engine, true) {
        let promoted = promote::promote(engine).await;
        if promoted > 0 {
            batch = Batch { promoted, ..receive(engine, count).await };
        }
    }
    batch
}

async fn receive(engine: &Engine, requested: usize) -> Batch {
    let visibility = engine.settings.visibility;
    let requested_at = engine.env.instant();
    let count = u32::try_from(requested).unwrap_or(1);
    let messages = engine.queue.receive(QueueName::Tasks, count, visibility).await;
    // A lease begins when storage responds. The client may have repeated the request; the time of the first one then
    // says little.
    let leased_since = requested_at.max(engine.env.instant().minus(visibility / 4));
    Batch { requested, promoted: 0, leased_since, messages }
}
