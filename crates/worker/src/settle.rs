//! The end of an attempt: result, document, message, in this order.

use std::time::Duration;

use bytes::Bytes;
use lifecycle::outcome::{self, Effect, Outcome, Product, Standing, standing};
use lifecycle::redelivery::{backed_off, survived};
use models::{DeliveryNote, TaskStatus};
use storage::{Read, StorageError, Write};

use crate::attempt::Attempt;
use crate::counts::Verdict;
use crate::redelivery::give_back;

/// How often an end is tried to be written, and the first pause between two tries; pauses double.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// How one try of writing the document went.
enum Written {
    Done,
    /// Somebody else wrote; where the attempt stands now.
    Refused(Standing),
    Failed(StorageError),
}

/// Writes `outcome`, with the result's bytes when it has any, and deals with the message.
pub(crate) async fn settle(
    mut attempt: Attempt<'_>,
    mut outcome: Outcome,
    payload: Option<Bytes>,
) -> Verdict {
    let fraction = attempt.engine.env.fraction();
    let mut result = payload;
    let mut has_result_blob = false;
    // Whether the task's document is known to be without this attempt's result.
    let mut is_settled = true;
    let verdict = 'tries: {
        for n in 0..TRIES {
            let now = attempt.engine.env.timestamp();
            let effects =
                outcome::settle(&outcome, &attempt.stored.document, &attempt.engine.policy, now, fraction);
            let mut error = None;
            for effect in effects {
                match effect {
                    Effect::StoreResult(name) => {
                        let Some(bytes) = result.clone() else { continue };
                        match store_result(&attempt, &outcome, &name, bytes).await {
                            // Its name belongs to this attempt: once is enough.
                            Ok(()) => (result, has_result_blob) = (None, true),
                            Err(failed) => error = Some(failed),
                        }
                    }
                    Effect::Write(document) => match write(&mut attempt, &document).await {
                        Written::Done | Written::Refused(Standing::Written) => {}
                        Written::Failed(failed) => error = Some(failed),
                        Written::Refused(Standing::Terminal) => {
                            attempt.engine.discard(&attempt.delivery).await;
                            let own = outcome::is_recorded(&attempt.stored.document, &document);
                            break 'tries if own { verdict_of(&outcome) } else { Verdict::Discarded };
                        }
                        Written::Refused(Standing::Superseded) => break 'tries Verdict::Lost,
                        Written::Refused(standing) => {
                            if standing == Standing::CancelRequested {
                                outcome = Outcome::Cancelled;
                            }
                            // Again at once, on top of what was just read.
                            break;
                        }
                    },
                    Effect::BackOff { wait, attempt: number } => {
                        hide(&attempt, wait, backed_off(attempt.id.dequeue_count, number)).await;
                        break 'tries verdict_of(&outcome);
                    }
                    Effect::Release => {
                        let count = attempt.id.dequeue_count;
                        let note = DeliveryNote::of(&attempt.delivery.text, count);
                        hide(&attempt, Duration::ZERO, survived(count, note)).await;
                        break 'tries verdict_of(&outcome);
                    }
                    Effect::Delete => {
                        attempt.engine.discard(&attempt.delivery).await;
                        break 'tries verdict_of(&outcome);
                    }
                }
                if error.is_some() {
                    break;
                }
            }
            if let Some(error) = error {
                attempt.engine.note("the end of an attempt could not be written", &error);
                let asked = error.retry_after().unwrap_or_default();
                if asked > attempt.engine.policy.visibility {
                    // The lease does not last so long.
                    break;
                }
                attempt.engine.env.sleep(asked.max(PAUSE * 2u32.pow(n))).await;
            }
        }
        // The next delivery finds the attempt unfinished, or that the last try did arrive.
        is_settled = false;
        Verdict::Lost
    };
    if has_result_blob && is_settled && verdict != Verdict::Completed {
        remove_result(&attempt).await;
    }
    attempt.log(verdict);
    verdict
}

async fn store_result(
    attempt: &Attempt<'_>,
    outcome: &Outcome,
    name: &str,
    bytes: Bytes,
) -> Result<(), StorageError> {
    let Outcome::Completed(Some(Product::Blob(blob))) = outcome else { return Ok(()) };
    attempt.engine.store.put_attachment(name, &blob.content_type, bytes).await
}

async fn write(attempt: &mut Attempt<'_>, document: &TaskStatus) -> Written {
    match attempt.engine.store.replace(document, &attempt.stored.etag).await {
        Ok(Write::Done(etag)) => {
            attempt.stored.document = document.clone();
            attempt.stored.etag = etag;
            Written::Done
        }
        Ok(Write::Conflict) => match attempt.engine.store.read(document.task_id, None).await {
            Ok(Read::Found(stored)) => {
                attempt.stored = *stored;
                Written::Refused(standing(Some(&attempt.stored.document), &attempt.id))
            }
            Ok(Read::Missing | Read::Unchanged) => Written::Refused(standing(None, &attempt.id)),
            Err(error) => Written::Failed(error),
        },
        Err(error) => Written::Failed(error),
    }
}

/// Hides the message for `wait` with this note. If that fails, it stays hidden until the lease expires.
async fn hide(attempt: &Attempt<'_>, wait: Duration, note: DeliveryNote) {
    if let Err(error) = give_back(attempt.engine, &attempt.delivery, wait, note).await {
        attempt.engine.note("a message could not be given back early", &error);
    }
}

/// Removes this attempt's result, which no document refers to. When that fails it goes with the task.
async fn remove_result(attempt: &Attempt<'_>) {
    if let Err(error) = attempt.engine.store.delete_attachment(&attempt.result_name()).await {
        attempt.engine.note("a superseded result could not be removed", &error);
    }
}

fn verdict_of(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Completed(_) => Verdict::Completed,
        Outcome::Failed(_) => Verdict::Failed,
        Outcome::Retry { .. } => Verdict::Retried,
        Outcome::Cancelled => Verdict::Cancelled,
        Outcome::Released => Verdict::Released,
    }
}
