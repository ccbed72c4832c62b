//! A started attempt, and what goes on beside its handler: renewing the lease, writing progress, noticing that
//! the task was cancelled.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use lifecycle::lease::{Renewal, renewal};
use lifecycle::outcome::{Standing, standing, with_progress};
use lifecycle::retention::result_name;
use models::DeliveryId;
use service::env::Instant;
use service::log::{Level, Line};
use storage::{LeaseLost, QueueName, Read, ReceivedMessage, StoredDocument, Write};

use crate::counts::Verdict;
use crate::engine::Engine;
use crate::progress::Progress;

/// Least time between two writes of progress.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// Why a handler is stopped before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The lease ran out or somebody else has the message.
    LeaseLost,
    /// The attempt took longer than one attempt may.
    TimedOut,
    /// The document says so.
    Document(Standing),
    /// The worker is to stop.
    Released,
}

/// A started attempt.
pub(crate) struct Attempt<'a> {
    pub(crate) engine: &'a Engine,
    /// The delivery, with the newest pop receipt.
    pub(crate) delivery: ReceivedMessage,
    /// Which delivery brought the attempt; this does not change.
    pub(crate) id: DeliveryId,
    /// The document as this attempt last read or wrote it.
    pub(crate) stored: StoredDocument,
    /// Its number; it belongs to this attempt alone.
    pub(crate) number: u32,
    pub(crate) started_at: Instant,
    /// When the hold on the message was last obtained, or a little earlier.
    held_since: Instant,
    /// A renewal that failed is not repeated before this.
    renew_at: Instant,
    /// Progress is not written before this.
    progress_at: Instant,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        delivery: ReceivedMessage,
        id: DeliveryId,
        stored: StoredDocument,
        held_since: Instant,
    ) -> Self {
        let started_at = engine.env.instant();
        Self {
            engine,
            delivery,
            id,
            number: stored.document.attempt,
            stored,
            started_at,
            held_since,
            renew_at: started_at,
            progress_at: started_at.plus(PROGRESS_PAUSE),
        }
    }

    /// Where this attempt's result is kept when it gets a blob of its own.
    pub(crate) fn result_name(&self) -> String {
        result_name(self.stored.document.task_id, self.number, &self.id)
    }

    /// One line for each attempt.
    pub(crate) fn log(&self, verdict: Verdict) {
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
    /// Waits for the next thing to do beside the handler, and does it. `is_busy` tells that a request is on
    /// its way, which must not be dropped.
    pub(crate) async fn tend(&mut self, progress: &Progress, is_busy: &Cell<bool>) -> Result<(), Stop> {
        let engine = self.engine;
        let (env, policy) = (&engine.env, &engine.policy);
        loop {
            let now = env.instant();
            let (held, worked) = (now.since(self.held_since), now.since(self.started_at));
            let wait = match renewal(held, worked, policy.visibility, policy.task_timeout) {
                Renewal::Lost => return Err(Stop::LeaseLost),
                Renewal::CapReached => return Err(Stop::TimedOut),
                Renewal::RenewNow if now >= self.renew_at => {
                    is_busy.set(true);
                    return self.renew(now).await;
                }
                Renewal::RenewNow => self.renew_at.since(now),
                Renewal::Hold(wait) => wait,
            };
            if !progress.is_new() {
                let told = pin!(progress.changed());
                select(told, pin!(env.sleep(wait))).await;
            } else if now >= self.progress_at {
                is_busy.set(true);
                return self.write_progress(progress).await;
            } else {
                env.sleep(wait.min(self.progress_at.since(now))).await;
            }
        }
    }

    /// Renews the lease with the newest receipt, then looks whether the task was cancelled.
    async fn renew(&mut self, now: Instant) -> Result<(), Stop> {
        let visibility = self.engine.policy.visibility;
        // A renewal that takes longer than the rest of the lease is none.
        let rest = self.held_since.plus(visibility).since(now);
        let renewed = {
            let renewal = pin!(self.engine.queue.update(QueueName::Tasks, &self.delivery, visibility, None));
            match select(renewal, pin!(self.engine.env.sleep(rest))).await {
                Either::Left((renewed, _)) => renewed,
                Either::Right(_) => return Err(Stop::LeaseLost),
            }
        };
        match renewed {
            Ok(Ok(receipt)) => {
                self.delivery.pop_receipt = receipt;
                self.held_since = now;
            }
            Ok(Err(LeaseLost)) => return Err(Stop::LeaseLost),
            Err(error) => {
                // The lease still holds for half its time; a receipt that is dead shows at the next try.
                self.engine.note("a lease could not be renewed", &error);
                let pause = (visibility / 10).max(error.retry_after().unwrap_or_default());
                self.renew_at = self.engine.env.instant().plus(pause);
                return Ok(());
            }
        }
        self.look().await
    }

    /// Reads the document if it has changed, and stops the attempt when it says so.
    async fn look(&mut self) -> Result<(), Stop> {
        match self.engine.store.read(self.stored.document.task_id, Some(&self.stored.etag)).await {
            Ok(Read::Unchanged) => Ok(()),
            Ok(Read::Missing) => Err(Stop::Document(standing(None, &self.id))),
            Ok(Read::Found(stored)) => {
                self.stored = *stored;
                match standing(Some(&self.stored.document), &self.id) {
                    Standing::Mine => Ok(()),
                    standing => Err(Stop::Document(standing)),
                }
            }
            Err(error) => {
                self.engine.note("a running task's document could not be read", &error);
                Ok(())
            }
        }
    }

    /// Writes what the handler told. Refused: somebody asked for something meanwhile; their write is kept,
    /// ours is repeated on top of it.
    async fn write_progress(&mut self, progress: &Progress) -> Result<(), Stop> {
        self.progress_at = self.engine.env.instant().plus(PROGRESS_PAUSE);
        let now = self.engine.env.timestamp();
        let (percent, message) = progress.take();
        let document = with_progress(&self.stored.document, percent, message.as_deref(), now);
        match self.engine.store.replace(&document, &self.stored.etag).await {
            Ok(Write::Done(etag)) => {
                self.stored = StoredDocument { document, etag };
                Ok(())
            }
            Ok(Write::Conflict) => {
                progress.renew();
                self.look().await
            }
            Err(error) => {
                progress.renew();
                self.engine.note("progress could not be written", &error);
                Ok(())
            }
        }
    }
}
