//! One bounded drain: receives, keeps the slots filled, and counts.

use std::pin::pin;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Fuse, FusedFuture as _, FutureExt as _};
use futures::stream::{FuturesUnordered, LocalBoxStream, StreamExt as _};
use lifecycle::drain::{Drain, Next};
use service::env::Instant;
use service::log::Line;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::control::Order;
use crate::counts::{self, Counts, Report};
use crate::delivery::deliver;
use crate::engine::{Engine, OPERATOR_REST};
use crate::promote;
use crate::sweep::sweep;

/// One look at the task queue.
struct Round {
    asked: usize,
    promoted: u32,
    /// When the leases of what was received began, or a little earlier.
    held_since: Instant,
    received: Result<Vec<ReceivedMessage>, StorageError>,
}

/// Receives and does tasks until the queue is empty, the time is over, or an order says stop; then
/// finishes what runs. While a task runs longer than that, it goes on receiving into the slots that are
/// free. Ends early for no message, however bad. When what happens is decided by [`lifecycle::drain`].
///
/// # Errors
/// When nothing could be received for a reason that only an operator can remove.
pub(crate) async fn drain(
    engine: &Engine,
    orders: LocalBoxStream<'static, Order>,
) -> Result<Counts, StorageError> {
    let started = engine.env.instant();
    let elapsed = || engine.env.instant().since(started);
    let mut counts = Counts::default();
    let mut pace = Drain::new(engine.settings.max_concurrency, engine.settings.drain_budget);
    let mut orders = orders.fuse();
    let (release, released) = oneshot::channel();
    let (mut release, released) = (Some(release), released.shared());
    let mut running = FuturesUnordered::new();
    let mut round = pin!(Fuse::terminated());
    let mut upkeep = pin!(Fuse::terminated());
    let mut hopeless = None;

    loop {
        let now = elapsed();
        let rounds = pace.rounds();
        let mut wait = None;
        if round.is_terminated() {
            match pace.next(running.len(), now) {
                Next::Receive(count) => round.set(look(engine, count, counts.received == 0).fuse()),
                Next::Wait(pause) => wait = Some(pause),
                Next::End if upkeep.is_terminated() => break,
                Next::Finish | Next::End => {}
            }
        }
        if pace.rounds() > rounds {
            log_drain(engine, "drain goes on", &counts, started);
        }
        if let Some(due) = pace.upkeep_in(now).filter(|_| upkeep.is_terminated() && !running.is_empty()) {
            if due.is_zero() {
                upkeep.set(tend(engine, pace.sweeps(now)).fuse());
            } else {
                wait = Some(wait.map_or(due, |wait: Duration| wait.min(due)));
            }
        }
        let mut pause = pin!(match wait {
            Some(wait) => engine.env.sleep(wait).fuse(),
            None => Fuse::terminated(),
        });
        futures::select_biased! {
            order = orders.select_next_some() => {
                pace.stop();
                if order == Order::Release {
                    // The first order does it; handlers that start later see it at once.
                    release.take().map(|release| release.send(()));
                }
            }
            report = running.select_next_some() => {
                let report: Report = report;
                counts::add(&mut counts, report.verdict);
                if let Some(rest) = report.rest {
                    pace.rest(rest, elapsed());
                }
            }
            looked = round => {
                let looked: Round = looked;
                counts.promoted += looked.promoted;
                hopeless = None;
                match looked.received {
                    Ok(batch) => {
                        pace.received(looked.asked, batch.len(), elapsed());
                        for delivery in batch {
                            counts.received += 1;
                            running.push(deliver(engine, delivery, looked.held_since, released.clone()));
                        }
                    }
                    Err(error) => {
                        let rest = engine.note("messages could not be received", &error);
                        pace.rest(rest.unwrap_or(OPERATOR_REST), elapsed());
                        if !matches!(error, StorageError::Unavailable { .. }) {
                            hopeless = Some(error);
                        }
                    }
                }
            }
            tended = upkeep => {
                let tended: Counts = tended;
                include(&mut counts, &tended);
                let now = elapsed();
                pace.upkeep_done(tended.more, now);
                if tended.promoted > 0 {
                    pace.promoted(now);
                }
                if let Some(rest) = tended.retry_after() {
                    pace.rest(rest, now);
                }
            }
            () = pause => {}
        }
    }
    let rest = pace.rest_left(elapsed());
    if counts.received == 0 && !pace.is_stopped() && rest.is_none() {
        sweep(engine, &mut counts).await;
    }
    if let Some(rest) = rest {
        counts.slow_down(rest);
    }
    counts.more |= !pace.is_queue_empty() && counts.retry_after_seconds.is_none();
    log_drain(engine, "drain ended", &counts, started);
    match hopeless {
        Some(error) if counts.received == 0 => Err(error),
        _ => Ok(counts),
    }
}

/// Receives up to `count` messages; when there is none for an idle drain, looks at the scheduled queue.
async fn look(engine: &Engine, count: usize, is_idle: bool) -> Round {
    let mut promoted = 0;
    let (mut held_since, mut received) = receive(engine, count).await;
    let is_empty = received.as_ref().is_ok_and(Vec::is_empty);
    if is_empty && is_idle && promote::is_due(engine, true) {
        promoted = promote::promote(engine).await;
        if promoted > 0 {
            (held_since, received) = receive(engine, count).await;
        }
    }
    Round { asked: count, promoted, held_since, received }
}

/// What an idle drain does last, done by one whose tasks keep it from being idle.
async fn tend(engine: &Engine, sweeps: bool) -> Counts {
    let mut counts = Counts::default();
    if promote::is_due(engine, false) {
        counts.promoted = promote::promote(engine).await;
    }
    if sweeps {
        sweep(engine, &mut counts).await;
    }
    counts
}

async fn receive(engine: &Engine, count: usize) -> (Instant, Result<Vec<ReceivedMessage>, StorageError>) {
    let visibility = engine.settings.visibility;
    let asked_at = engine.env.instant();
    let count = u32::try_from(count).unwrap_or(1);
    let received = engine.queue.receive(QueueName::Tasks, count, visibility).await;
    // A lease begins when storage answers, which is after it was asked. The client may have asked more
    // than once; what it asked first then says little.
    let held_since = asked_at.max(engine.env.instant().minus(visibility / 4));
    (held_since, received)
}

/// A drain that did nothing is not worth a line: an idle worker is asked again and again.
fn log_drain(engine: &Engine, what: &'static str, counts: &Counts, started: Instant) {
    let upkeep = counts.promoted + counts.requeued + counts.purged;
    if counts.received + upkeep == 0 && counts.retry_after_seconds.is_none() {
        return;
    }
    let milliseconds = engine.env.instant().since(started).as_millis();
    engine.env.log(
        &Line::info(what)
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

/// Adds what upkeep did; the rest that it asks for is the drain's to judge.
fn include(counts: &mut Counts, upkeep: &Counts) {
    counts.promoted += upkeep.promoted;
    counts.requeued += upkeep.requeued;
    counts.purged += upkeep.purged;
}
