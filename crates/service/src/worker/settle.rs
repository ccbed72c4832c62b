//! The end of an attempt: result, document, message, in this order.

use std::time::Duration;

use bytes::Bytes;
use lifecycle::outcome::{Effect, Outcome, Product, Standing, settle, standing};
use lifecycle::redelivery::{backed_off, survived};
use lifecycle::retention::result_name;
use models::{DeliveryNote, TaskStatus};

use super::attempt::Attempt;
use super::counts::Verdict;
use crate::env::Env;
use crate::log::{Level, Line};
use crate::storage::{Read, StatusStore, StorageError, TaskQueue, Write};

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

impl<E: Env, S: StatusStore, Q: TaskQueue> Attempt<'_, E, S, Q> {
    /// Writes `outcome`, with the result's bytes when it has any, and deals with the message.
    pub(super) async fn settle(mut self, mut outcome: Outcome, payload: Option<Bytes>) -> Verdict {
        let fraction = self.engine.env.fraction();
        let mut result = payload;
        let mut has_result_blob = false;
        // Whether the task's document is known to be without this attempt's result.
        let mut is_settled = true;
        let verdict = 'tries: {
            for n in 0..TRIES {
                let now = self.engine.env.timestamp();
                let effects = settle(&outcome, &self.stored.document, &self.engine.policy, now, fraction);
                let mut error = None;
                for effect in effects {
                    match effect {
                        Effect::StoreResult(name) => {
                            let Some(bytes) = result.clone() else { continue };
                            match self.store_result(&outcome, &name, bytes).await {
                                // Its name belongs to this attempt: once is enough.
                                Ok(()) => (result, has_result_blob) = (None, true),
                                Err(failed) => error = Some(failed),
                            }
                        }
                        Effect::Write(document) => match self.write(&document).await {
                            Written::Done | Written::Refused(Standing::Written) => {}
                            Written::Failed(failed) => error = Some(failed),
                            Written::Refused(Standing::Terminal) => {
                                self.engine.discard(&self.delivery).await;
                                let own = is_written(&self.stored.document, &document);
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
                        Effect::Hide(wait) => {
                            self.hide(wait, &outcome).await;
                            break 'tries verdict_of(&outcome);
                        }
                        Effect::Delete => {
                            self.engine.discard(&self.delivery).await;
                            break 'tries verdict_of(&outcome);
                        }
                    }
                    if error.is_some() {
                        break;
                    }
                }
                if let Some(error) = error {
                    self.engine.note("the end of an attempt could not be written", &error);
                    let asked = error.retry_after().unwrap_or_default();
                    if asked > self.engine.policy.visibility {
                        // The lease does not last so long.
                        break;
                    }
                    self.engine.env.sleep(asked.max(PAUSE * 2u32.pow(n))).await;
                }
            }
            // The next delivery finds the attempt unfinished, or that the last try did arrive.
            is_settled = false;
            Verdict::Lost
        };
        if has_result_blob && is_settled && verdict != Verdict::Completed {
            self.remove_result().await;
        }
        self.log(verdict);
        verdict
    }

    async fn store_result(&self, outcome: &Outcome, name: &str, bytes: Bytes) -> Result<(), StorageError> {
        let Outcome::Completed(Some(Product::Blob(blob))) = outcome else { return Ok(()) };
        self.engine.store.put_attachment(name, &blob.content_type, bytes).await
    }

    async fn write(&mut self, document: &TaskStatus) -> Written {
        match self.engine.store.replace(document, &self.stored.etag).await {
            Ok(Write::Done(etag)) => {
                self.stored.document = document.clone();
                self.stored.etag = etag;
                Written::Done
            }
            Ok(Write::Conflict) => match self.engine.store.read(document.task_id, None).await {
                Ok(Read::Found(stored)) => {
                    self.stored = *stored;
                    Written::Refused(standing(Some(&self.stored.document), &self.id))
                }
                Ok(Read::Missing | Read::Unchanged) => Written::Refused(standing(None, &self.id)),
                Err(error) => Written::Failed(error),
            },
            Err(error) => Written::Failed(error),
        }
    }

    /// Gives the message back after `wait`. When that fails it comes back with the end of the lease.
    async fn hide(&self, wait: Duration, outcome: &Outcome) {
        let note = match outcome {
            Outcome::Retry { .. } => backed_off(self.id.dequeue_count, self.number),
            _ => {
                survived(self.id.dequeue_count, DeliveryNote::of(&self.delivery.text, self.id.dequeue_count))
            }
        };
        if let Err(error) = self.engine.give_back(&self.delivery, wait, note).await {
            self.engine.note("a message could not be given back early", &error);
        }
    }

    /// Where this attempt's result is kept when it gets a blob of its own.
    pub(super) fn result_name(&self) -> String {
        result_name(self.stored.document.task_id, self.number, &self.id)
    }

    /// Removes this attempt's result, which no document refers to. When that fails it goes with the task.
    async fn remove_result(&self) {
        if let Err(error) = self.engine.store.delete_attachment(&self.result_name()).await {
            self.engine.note("a superseded result could not be removed", &error);
        }
    }

    /// One line for each attempt.
    pub(super) fn log(&self, verdict: Verdict) {
        let document = &self.stored.document;
        let milliseconds = self.engine.env.instant().since(self.started_at).as_millis();
        let mut line = Line::info("attempt ended")
            .with("task_id", document.task_id.to_string())
            .with("attempt", self.number)
            .with("outcome", verdict.name())
            .with("dequeue_count", self.delivery.dequeue_count)
            .with("duration_ms", u64::try_from(milliseconds).unwrap_or(u64::MAX));
        if let Some(error) = &document.error {
            line = line.with("error_code", error.code.as_str());
        }
        if matches!(verdict, Verdict::Failed | Verdict::Retried | Verdict::Lost) {
            line.level = Level::Warn;
        }
        self.engine.env.log(&line);
    }
}

/// Whether the stored terminal document is what this attempt wrote in an earlier try: the reply was lost.
fn is_written(stored: &TaskStatus, intended: &TaskStatus) -> bool {
    let end = |document: &TaskStatus| {
        document.history.last().map(|record| (record.delivery.clone(), record.outcome))
    };
    stored.state == intended.state && end(stored) == end(intended)
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
