//! Receives messages from a task queue.

use service::env::Instant;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::engine::Engine;
use crate::pause::is_paused;
use crate::promote;

/// What to receive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) queue: QueueName,
    /// The most messages to receive.
    pub(crate) count: usize,
    /// Whether to promote the delayed tasks that are due if there is no message.
    pub(crate) is_idle: bool,
}

/// What a drain received at a time.
pub(crate) struct Batch {
    pub(crate) order: Order,
    /// Messages that were promoted because none was received.
    pub(crate) promoted: u32,
    /// When the leases of the messages began, or slightly earlier.
    pub(crate) leased_since: Instant,
    pub(crate) messages: Result<Vec<ReceivedMessage>, StorageError>,
}

/// Receives as `order` says; nothing while the queue is paused.
pub(crate) async fn receive_batch(engine: &Engine, order: Order) -> Batch {
    let messages = match is_paused(engine).await {
        Ok(false) => return receive(engine, order).await,
        Ok(true) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    Batch { order, promoted: 0, leased_since: engine.env.instant(), messages }
}

async fn receive(engine: &Engine, order: Order) -> Batch {
    let visibility = engine.settings.visibility;
    let requested_at = engine.env.instant();
    let count = u32::try_from(order.count).unwrap_or(1);
    let messages = engine.queue.receive(order.queue, count, visibility).await;
    // A lease begins when storage responds. The client may have repeated the request; the time of the first one then
    // says little.
    let leased_since = requested_at.max(engine.env.instant().minus(visibility / 4));
    let is_empty = messages.as_ref().is_ok_and(Vec::is_empty);
    let promotes = is_empty && order.is_idle && promote::is_due(engine, true);
    let promoted = if promotes { promote::promote(engine, true).await } else { 0 };
    Batch { order, promoted, leased_since, messages }
}
