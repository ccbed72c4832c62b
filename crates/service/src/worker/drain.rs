//! One bounded drain: receives, keeps the slots filled, and counts.

use std::pin::pin;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Fuse, FutureExt as _, Shared};
use futures::stream::{FuturesUnordered, StreamExt as _};
use models::Timestamp;

use super::control::{Control, Order};
use super::counts::{Counts, Verdict};
use super::engine::Engine;
use crate::body::RequestBody;
use crate::env::Env;
use crate::log::Line;
use crate::storage::{Delivery, QueueName, StatusStore, StorageError, TaskQueue};

/// Most messages of one Get Messages.
const LARGEST_BATCH: usize = 32;
/// How long to gather free slots before a small batch is received.
const GATHER: Duration = Duration::from_millis(200);
/// How long a queue that was empty is left alone while tasks of this drain still run.
const RECHECK: Duration = Duration::from_secs(1);

/// Becomes ready when handlers must stop; the sender says so or is dropped with the drain.
pub(super) type Released = Shared<oneshot::Receiver<()>>;

/// How a delivery ended, and how long to leave storage alone when it was busy or broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub(super) verdict: Verdict,
    pub(super) rest: Option<Duration>,
}

impl From<Verdict> for Report {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, rest: None }
    }
}

/// One look at the queues.
struct Round {
    asked: usize,
    promoted: u32,
    /// When the leases of what was received began, or a little earlier.
    held_since: Timestamp,
    received: Result<Vec<Delivery>, StorageError>,
}

/// When to receive next.
struct Pace {
    /// After this nothing new is received.
    deadline: Timestamp,
    /// Told to stop, or storage needs a rest.
    stopped: bool,
    /// The last look found fewer messages than it asked for.
    dry: bool,
    /// When a small batch, or another look at an empty queue, is worth a request.
    patience: Timestamp,
}

impl Pace {
    fn is_over(&self, now: Timestamp) -> bool {
        self.stopped || now >= self.deadline
    }

    /// How long to wait before receiving into `free` of `slots`; `None` when nothing is to be received.
    fn wait(&self, free: usize, slots: usize, now: Timestamp) -> Option<Duration> {
        if self.is_over(now) || free == 0 || (self.dry && free == slots) {
            return None;
        }
        // Small batches cost as many requests as large ones; tasks that end together free many slots.
        let enough = (slots.min(LARGEST_BATCH) / 2).max(1);
        if !self.dry && free >= enough { Some(Duration::ZERO) } else { Some(self.patience.since(now)) }
    }
}

impl<E: Env, S: StatusStore, Q: TaskQueue> Engine<E, S, Q> {
    /// Receives and does tasks until the queue is empty, the time is over, or an order says stop; then
    /// finishes what runs. Ends early for no message, however bad.
    ///
    /// # Errors
    /// When nothing could be received for a reason that only an operator can remove.
    pub(super) async fn drain<B: RequestBody + 'static>(
        &self,
        control: Control<B>,
    ) -> Result<Counts, StorageError> {
        let started = self.env.timestamp();
        let slots = self.settings.max_concurrency;
        let mut counts = Counts::default();
        let mut pace = Pace {
            deadline: started.plus(self.settings.drain_budget),
            stopped: false,
            dry: false,
            patience: started,
        };
        let mut orders = control.orders().fuse();
        let (release, released) = oneshot::channel();
        let (mut release, released) = (Some(release), released.shared());
        let mut running = FuturesUnordered::new();
        let mut round = pin!(Fuse::terminated());
        let mut hopeless = None;

        loop {
            let now = self.env.timestamp();
            let free = slots.saturating_sub(running.len());
            let mut pause = pin!(Fuse::terminated());
            if futures::future::FusedFuture::is_terminated(&round) {
                match pace.wait(free, slots, now) {
                    Some(Duration::ZERO) => {
                        round.set(self.look(free.min(LARGEST_BATCH), counts.received == 0).fuse());
                    }
                    Some(wait) => pause.set(self.env.sleep(wait).fuse()),
                    None if running.is_empty() => break,
                    None => {}
                }
            }
            futures::select_biased! {
                order = orders.select_next_some() => {
                    pace.stopped = true;
                    if order == Order::Release {
                        // The first order does it; handlers that start later see it at once.
                        release.take().map(|release| release.send(()));
                    }
                }
                report = running.select_next_some() => {
                    let report: Report = report;
                    counts.add(report.verdict);
                    if let Some(rest) = report.rest {
                        counts.slow_down(rest);
                        pace.stopped = true;
                    }
                }
                looked = round => {
                    let looked: Round = looked;
                    counts.promoted += looked.promoted;
                    let now = self.env.timestamp();
                    match looked.received {
                        Ok(batch) => {
                            pace.dry = batch.len() < looked.asked;
                            pace.patience = now.plus(if pace.dry { RECHECK } else { GATHER });
                            for delivery in batch {
                                counts.received += 1;
                                running.push(self.deliver(delivery, looked.held_since, released.clone()));
                            }
                        }
                        Err(error) => {
                            pace.stopped = true;
                            let rest = self.note("messages could not be received", &error);
                            if let (Some(rest), StorageError::Unavailable { .. }) = (rest, &error) {
                                counts.slow_down(rest);
                            } else {
                                hopeless = Some(error);
                            }
                        }
                    }
                }
                () = pause => {}
            }
        }
        counts.more = !pace.dry && counts.retry_after_seconds.is_none();
        if counts.received == 0 && !pace.stopped {
            self.sweep(&mut counts).await;
        }
        self.log_drain(&counts, started);
        match hopeless {
            Some(error) if counts.received == 0 => Err(error),
            _ => Ok(counts),
        }
    }

    /// Receives up to `count` messages, and looks after the scheduled queue when that is due.
    async fn look(&self, count: usize, is_idle: bool) -> Round {
        let mut promoted = 0;
        if self.promotion_is_overdue() {
            promoted += self.promote().await;
        }
        let (mut held_since, mut received) = self.receive(count).await;
        let is_empty = received.as_ref().is_ok_and(Vec::is_empty);
        if is_empty && is_idle && promoted == 0 && self.promotion_is_due() {
            promoted += self.promote().await;
            if promoted > 0 {
                (held_since, received) = self.receive(count).await;
            }
        }
        Round { asked: count, promoted, held_since, received }
    }

    async fn receive(&self, count: usize) -> (Timestamp, Result<Vec<Delivery>, StorageError>) {
        let visibility = self.settings.visibility;
        let asked_at = self.env.timestamp();
        let count = u32::try_from(count).unwrap_or(1);
        let received = self.queue.receive(QueueName::Tasks, count, visibility).await;
        // A lease begins when storage answers, which is after it was asked. The client may have asked more
        // than once; what it asked first then says little.
        let held_since = asked_at.max(self.env.timestamp().minus(visibility / 4));
        (held_since, received)
    }

    /// A drain that did nothing is not worth a line: an idle worker is asked again and again.
    fn log_drain(&self, counts: &Counts, started: Timestamp) {
        let upkeep = counts.promoted + counts.requeued + counts.purged;
        if counts.received + upkeep == 0 && counts.retry_after_seconds.is_none() {
            return;
        }
        let milliseconds = self.env.timestamp().since(started).as_millis();
        self.env.log(
            &Line::info("drain ended")
                .with("received", counts.received)
                .with("completed", counts.completed)
                .with("failed", counts.failed)
                .with("retried", counts.retried)
                .with("poisoned", counts.poisoned)
                .with("lost", counts.lost)
                .with("released", counts.released)
                .with("upkeep", upkeep)
                .with("more", counts.more)
                .with("duration_ms", u64::try_from(milliseconds).unwrap_or(u64::MAX)),
        );
    }
}
