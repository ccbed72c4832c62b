//! One attempt: the handler, and what goes on beside it — renewing the lease, writing progress, noticing
//! that the task was cancelled or that the worker is to stop.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, FutureExt as _, select};
use lifecycle::lease::{Renewal, renewal};
use lifecycle::outcome::{Outcome, Standing, standing, with_progress};
use models::{DeliveryId, TaskError};

use super::counts::Verdict;
use super::drain::Released;
use super::engine::Engine;
use super::handlers::{Handled, Work};
use super::progress::Progress;
use crate::env::{Env, Instant};
use crate::storage::{Delivery, Held, QueueName, Read, StatusStore, Stored, TaskQueue, Write};

/// Least time between two writes of progress.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// Why a handler is stopped before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
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
pub(super) struct Attempt<'a, E, S, Q> {
    pub(super) engine: &'a Engine<E, S, Q>,
    /// The delivery, with the newest pop receipt.
    pub(super) delivery: Delivery,
    /// Which delivery brought the attempt; this does not change.
    pub(super) id: DeliveryId,
    /// The document as this attempt last read or wrote it.
    pub(super) stored: Stored,
    /// Its number; it belongs to this attempt alone.
    pub(super) number: u32,
    pub(super) started_at: Instant,
    /// When the hold on the message was last obtained, or a little earlier.
    held_since: Instant,
    /// A renewal that failed is not repeated before this.
    renew_at: Instant,
    /// Progress is not written before this.
    progress_at: Instant,
}

impl<'a, E: Env, S: StatusStore, Q: TaskQueue> Attempt<'a, E, S, Q> {
    pub(super) fn new(
        engine: &'a Engine<E, S, Q>,
        delivery: Delivery,
        id: DeliveryId,
        stored: Stored,
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

    /// Runs the handler to its end, or to the reason to stop it, and writes what became of it.
    pub(super) async fn run(mut self, released: Released) -> Verdict {
        let work = Work::of(&self.stored.document);
        let progress = Progress::default();
        match self.work(&work, &progress, released).await {
            Ok(handled) => {
                let (outcome, payload) = handled.into_outcome(|| self.result_name());
                self.settle(outcome, payload).await
            }
            Err(Stop::TimedOut) => {
                let seconds = self.engine.policy.task_timeout.as_secs();
                let message =
                    format!("the attempt was stopped after {seconds} seconds (task_timeout_seconds)");
                let error = TaskError { code: "TimedOut".to_owned(), message };
                self.settle(Outcome::Retry { error, after: None }, None).await
            }
            Err(Stop::Released) => self.settle(Outcome::Released, None).await,
            Err(Stop::Document(Standing::CancelRequested)) => self.settle(Outcome::Cancelled, None).await,
            Err(Stop::Document(Standing::Terminal)) => {
                self.engine.discard(&self.delivery).await;
                self.log(Verdict::Discarded);
                Verdict::Discarded
            }
            Err(Stop::LeaseLost | Stop::Document(_)) => {
                self.log(Verdict::Lost);
                Verdict::Lost
            }
        }
    }

    async fn work(&mut self, work: &Work, progress: &Progress, released: Released) -> Result<Handled, Stop> {
        let engine = self.engine;
        let mut handler = engine.handle(work, progress);
        let mut released = released.map(|_| ());
        loop {
            let is_busy = Cell::new(false);
            let handled = {
                let mut step = pin!(self.tend(progress, &is_busy));
                let handled = match select(select(&mut handler, &mut released), &mut step).await {
                    Either::Right((Err(stop), _)) => return Err(stop),
                    Either::Right((Ok(()), _)) => continue,
                    Either::Left((Either::Left((handled, _)), _)) => Ok(handled),
                    Either::Left((Either::Right(((), _)), _)) => Err(Stop::Released),
                };
                // A renewal in flight replaces the receipt that the end of the attempt needs.
                if is_busy.get()
                    && let Err(stop) = step.as_mut().await
                {
                    return Err(stop);
                }
                handled
            };
            return handled;
        }
    }

    /// Waits for the next thing to do beside the handler, and does it. `is_busy` tells that a request is on
    /// its way, which must not be dropped.
    async fn tend(&mut self, progress: &Progress, is_busy: &Cell<bool>) -> Result<(), Stop> {
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
            Ok(Held::Yes(receipt)) => {
                self.delivery.pop_receipt = receipt;
                self.held_since = now;
            }
            Ok(Held::Lost) => return Err(Stop::LeaseLost),
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
                self.stored = Stored { document, etag };
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
