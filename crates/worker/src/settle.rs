//! The end of an attempt: result, document and message, in this order. `lifecycle::outcome` decides on the effects.

use std::time::Duration;

use lifecycle::outcome::{self, Effect, Outcome, Product, Standing, standing};
use lifecycle::redelivery::{backed_off, survived};
use models::{DeliveryNote, TaskStatus};
use storage::{Read, StorageError, Write};

use crate::attempt::Attempt;
use crate::events::put_event;
use crate::handlers::LargeResult;
use crate::outcome::DeliveryOutcome;
use crate::redelivery::give_back;

/// Tries to record the end of an attempt.
const MAX_TRIES: u32 = 5;
/// The pause after the first failed try; pauses double.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The end of an attempt while it is recorded.
struct Settlement<'a> {
    attempt: Attempt<'a>,
    outcome: Outcome,
    result: ResultBlob,
}

/// The blob of a result that does not fit into the document.
enum ResultBlob {
    None,
    /// Not stored yet, or only in part.
    Unstored(LargeResult),
    /// Stored. Only this attempt writes the blob, so once is enough.
    Stored,
}

/// How far the effects of a try were performed.
enum Applied {
    /// Completely, or the stored document leaves nothing to write.
    Ended(DeliveryOutcome),
    /// Another program has changed the document since this attempt read or wrote it. It was read again: decide again.
    DocumentChanged,
}

/// How one conditional write of the document ended.
enum Written {
    Done,
    /// Another program has written; this is the position of the attempt now.
    Conflict(Standing),
}

/// Records `outcome` and its result in storage, and deletes or hides the message. `result` is a result that gets a blob
/// of its own.
pub(crate) async fn settle(
    attempt: Attempt<'_>,
    outcome: Outcome,
    result: Option<LargeResult>,
) -> DeliveryOutcome {
    let result = result.map_or(ResultBlob::None, ResultBlob::Unstored);
    let mut settlement = Settlement { attempt, outcome, result };
    let recorded = apply_with_retry(&mut settlement).await;
    let Settlement { attempt, result, .. } = settlement;
    let is_unused = recorded.is_some_and(|outcome| outcome != DeliveryOutcome::Completed);
    if is_unused && matches!(result, ResultBlob::Stored) {
        remove_result(&attempt).await;
    }
    // Without a record, the next delivery finds the attempt unfinished, or finds that the last try has arrived.
    let outcome = recorded.unwrap_or(DeliveryOutcome::Lost);
    attempt.log(outcome);
    outcome
}

/// Applies the effects until one try succeeds. Returns `None` if storage failed for too long: the stored document may
/// or may not have the outcome.
async fn apply_with_retry(settlement: &mut Settlement<'_>) -> Option<DeliveryOutcome> {
    let engine = settlement.attempt.engine;
    let fraction = engine.env.fraction();
    for n in 0..MAX_TRIES {
        let document = &settlement.attempt.stored.document;
        let now = engine.env.timestamp();
        let policy = &settlement.attempt.policy;
        let effects = outcome::settle(&settlement.outcome, document, policy, now, fraction);
        match apply(settlement, effects).await {
            Ok(Applied::Ended(outcome)) => return Some(outcome),
            Ok(Applied::DocumentChanged) => {}
            Err(error) => {
                engine.log_failure("the end of an attempt could not be written", &error);
                let asked = error.retry_after().unwrap_or_default();
                if asked > engine.policy.visibility {
                    // The lease expires earlier.
                    return None;
                }
                engine.env.sleep(asked.max(FIRST_PAUSE * 2u32.pow(n))).await;
            }
        }
    }
    None
}

/// Performs the effects in their order, up to the first that fails or is refused.
async fn apply(settlement: &mut Settlement<'_>, effects: Vec<Effect>) -> Result<Applied, StorageError> {
    for effect in effects {
        let attempt = &mut settlement.attempt;
        match effect {
            Effect::StoreResult(name) => store_result(settlement, &name).await?,
            Effect::Write(document) => match write(attempt, &document).await? {
                Written::Done | Written::Conflict(Standing::Written) => {}
                Written::Conflict(Standing::Mine) => return Ok(Applied::DocumentChanged),
                Written::Conflict(Standing::CancelRequested) => {
                    settlement.outcome = Outcome::Cancelled;
                    return Ok(Applied::DocumentChanged);
                }
                Written::Conflict(Standing::Superseded) => return Ok(Applied::Ended(DeliveryOutcome::Lost)),
                Written::Conflict(Standing::Terminal) => {
                    discard_ended(attempt).await;
                    let is_own = outcome::is_recorded(&attempt.stored.document, &document);
                    let ended = if is_own { ended(&settlement.outcome) } else { DeliveryOutcome::Discarded };
                    return Ok(Applied::Ended(ended));
                }
            },
            Effect::PutEvent => {
                if !try_put_events(attempt).await {
                    break;
                }
            }
            Effect::BackOff { wait, attempt: number } => {
                hide(attempt, wait, backed_off(attempt.id.dequeue_count, number)).await;
                put_rest(attempt).await;
            }
            Effect::Release => {
                let count = attempt.id.dequeue_count;
                let note = DeliveryNote::of(&attempt.message.text, count);
                hide(attempt, Duration::ZERO, survived(count, note)).await;
                put_rest(attempt).await;
            }
            Effect::Delete => attempt.engine.discard(&attempt.message).await,
        }
    }
    Ok(Applied::Ended(ended(&settlement.outcome)))
}

/// Deletes the message of a task that has ended, after the message of its event is put. If that fails, the message of the
/// task stays, and its next delivery puts the event.
pub(crate) async fn discard_ended(attempt: &mut Attempt<'_>) {
    if try_put_events(attempt).await {
        attempt.engine.discard(&attempt.message).await;
    }
}

/// Puts the events that the attempt still owes, in vain if storage fails: the next attempt has a start of its own, and the
/// message says if the acceptance is owed.
async fn put_rest(attempt: &mut Attempt<'_>) {
    if let Err(error) = attempt.owed.put_rest(attempt.engine).await {
        attempt.engine.log_failure("an event could not be queued", &error);
    }
}

/// Puts the messages of the events that are due. Returns false if that failed.
async fn try_put_events(attempt: &mut Attempt<'_>) -> bool {
    let owed = attempt.owed.put_rest(attempt.engine).await;
    let put = match owed {
        Ok(()) => put_event(attempt.engine, &attempt.stored.document).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &put {
        attempt.engine.log_failure("an event could not be queued; the message of its task comes back", error);
    }
    put.is_ok()
}

async fn store_result(settlement: &mut Settlement<'_>, name: &str) -> Result<(), StorageError> {
    if let ResultBlob::Unstored(LargeResult { parts, last }) = &settlement.result
        && let Outcome::Completed(Some(Product::Blob(blob))) = &settlement.outcome
    {
        let store = &settlement.attempt.engine.store;
        if *parts == 0 {
            store.put_attachment(name, &blob.content_type, last.clone()).await?;
        } else {
            store.put_attachment_part(name, *parts, last.clone()).await?;
            store.complete_attachment(name, &blob.content_type, parts + 1).await?;
        }
        settlement.result = ResultBlob::Stored;
    }
    Ok(())
}

/// Writes the document over the version that the attempt knows. On a conflict, reads the document.
async fn write(attempt: &mut Attempt<'_>, document: &TaskStatus) -> Result<Written, StorageError> {
    let store = &attempt.engine.store;
    match store.replace(document, &attempt.stored.etag).await? {
        Write::Done(etag) => {
            attempt.stored.document = document.clone();
            attempt.stored.etag = etag;
            Ok(Written::Done)
        }
        Write::Conflict => match store.read(document.task_id, None).await? {
            Read::Found(stored) => {
                attempt.stored = *stored;
                Ok(Written::Conflict(standing(Some(&attempt.stored.document), &attempt.id)))
            }
            Read::Missing | Read::Unchanged => Ok(Written::Conflict(standing(None, &attempt.id))),
        },
    }
}

/// Hides the message for `wait` with this note. If that fails, it stays hidden until the lease expires.
async fn hide(attempt: &Attempt<'_>, wait: Duration, note: DeliveryNote) {
    if let Err(error) = give_back(attempt.engine, &attempt.message, wait, note).await {
        attempt.engine.log_failure("a message could not be given back early", &error);
    }
}

/// Deletes this attempt's result blob, which no document refers to. If that fails, it is deleted together with the
/// task.
async fn remove_result(attempt: &Attempt<'_>) {
    if let Err(error) = attempt.engine.store.delete_attachment(&attempt.result_name()).await {
        attempt.engine.log_failure("a superseded result could not be removed", &error);
    }
}

fn ended(outcome: &Outcome) -> DeliveryOutcome {
    match outcome {
        Outcome::Completed(_) => DeliveryOutcome::Completed,
        Outcome::Failed(_) => DeliveryOutcome::Failed,
        Outcome::Retry { .. } | Outcome::Interrupted(_) => DeliveryOutcome::Retried,
        Outcome::Cancelled => DeliveryOutcome::Cancelled,
        Outcome::Released => DeliveryOutcome::Released,
    }
}
