//! One delivery of the message of a task's end. `lifecycle::events` decides.

use std::time::Duration;

use lifecycle::events::{Called, Next, Step, decide, record};
use models::EventMessage;
use storage::{Read, ReceivedMessage, StorageError, StoredDocument, Write};

use crate::engine::Engine;
use crate::events::call::call;
use crate::events::sink;
use crate::events::{Ended, log_call, max_attempts};

/// Tries to record one call. Each further one follows a conflict with another writer of the document.
const MAX_WRITES: u32 = 4;
/// The pause of a message whose call could not be recorded because of such conflicts.
const CONTENDED_PAUSE: Duration = Duration::from_secs(5);

/// Decides, and calls the receiver or the sink if that is the decision. Returns what is to be done with the message.
pub(super) async fn process(
    engine: &Engine,
    received: &ReceivedMessage,
    message: &EventMessage,
) -> Result<Ended, StorageError> {
    let stored = match read(engine, message).await {
        Err(StorageError::Unreadable { reason, .. }) => {
            return Ok(Next::GiveUp(format!("the stored document cannot be read: {reason}")).into());
        }
        stored => stored?,
    };
    let document = stored.as_ref().map(|stored| &stored.document);
    match (decide(message, document, received.dequeue_count, engine.env.timestamp()), stored) {
        (Step::Call, Some(stored)) => {
            let started = engine.env.instant();
            let called = if message.is_for_sink {
                sink::call(engine, sink::text_of_end(engine, message, &stored.document)).await
            } else {
                call(&*engine.env, engine.settings.callbacks.as_ref(), message, &stored.document).await
            };
            let attempts = message.delivery(&stored.document).map_or(0, |record| record.attempts);
            log_call(engine, message.event_of, attempts, &called, started);
            record_call(engine, received, message, &called, stored).await
        }
        (Step::GiveUp { reason, document: Some(document) }, Some(stored)) => {
            match engine.store.replace(&document, &stored.etag).await? {
                Write::Done(_) => Ok(Next::GiveUp(reason).into()),
                Write::Conflict => Ok(Ended::Hide(CONTENDED_PAUSE)),
            }
        }
        (step, _) => Ok(without_call(step).into()),
    }
}

/// What a step without a call, and without a document to write, means for the message.
fn without_call(step: Step) -> Next {
    match step {
        Step::Wait(pause) => Next::Wait(pause),
        Step::GiveUp { reason, .. } => Next::GiveUp(reason),
        Step::Discard | Step::Call => Next::Delete,
    }
}

/// Records the call in the document. If the worker crashes before, the receiver is called again.
async fn record_call(
    engine: &Engine,
    received: &ReceivedMessage,
    message: &EventMessage,
    called: &Called,
    mut stored: StoredDocument,
) -> Result<Ended, StorageError> {
    let fraction = engine.env.fraction();
    let max_attempts = max_attempts(engine, message.is_for_sink);
    for _ in 0..MAX_WRITES {
        let now = engine.env.timestamp();
        let (document, next) = record(message, &stored.document, called, max_attempts, now, fraction);
        if let Write::Done(_) = engine.store.replace(&document, &stored.etag).await? {
            return Ok(next.into());
        }
        let Some(current) = read(engine, message).await? else { return Ok(Next::Delete.into()) };
        if current.document == document {
            // The response to the write was lost.
            return Ok(next.into());
        }
        stored = current;
        match decide(message, Some(&stored.document), received.dequeue_count, now) {
            // Another message of the event was called for as well. This call counts too.
            Step::Call | Step::Wait(_) => {}
            // Also if the message was received too often: the next delivery finds that again.
            Step::GiveUp { document: Some(_), .. } => break,
            step => return Ok(without_call(step).into()),
        }
    }
    Ok(Ended::Hide(CONTENDED_PAUSE))
}

async fn read(engine: &Engine, message: &EventMessage) -> Result<Option<StoredDocument>, StorageError> {
    match engine.store.read(message.event_of, None).await? {
        Read::Found(stored) => Ok(Some(*stored)),
        Read::Missing | Read::Unchanged => Ok(None),
    }
}
