//! One bounded drain: receives messages, keeps the handler slots filled, and counts the outcomes.
//! `lifecycle::drain` decides what happens when.

use std::pin::pin;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Fuse, FusedFuture as _, FutureExt as _};
use futures::stream::{FuturesUnordered, LocalBoxStream, StreamExt as _};
use lifecycle::drain::{Drain, Next};
use lifecycle::priority::Rounds;
use models::{DrainReport, milliseconds};
use service::env::Instant;
use service::log::Line;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::control::{Order, Released};
use crate::delivery::deliver;
use crate::engine::{Engine, OPERATOR_REST, rest_after};
use crate::events::{self, MAX_EVENTS, check_in};
use crate::outcome::DeliveryEnd;
use crate::places::Places;
use crate::promote;
use crate::receive::{self, Batch, receive_batch};
use crate::slots::Slots;
use crate::sweep::sweep;
use crate::timer::Timer;

/// The least number of events that a drain receives at a time while others are being delivered. With fewer, it would send
/// a Get Messages for nearly every event; with all, one receiver that does not respond would hold back the events of others.
const MIN_FREE_FOR_EVENTS: usize = 4;

/// Receives and processes messages until the queue is empty, the budget is used up, or an order stops it; then
/// finishes the running tasks. While a task runs longer than that, it continues to receive into the free slots. No
/// message ends it early.
///
/// # Errors
/// Nothing could be received, for a reason that only an operator can remove.
pub(crate) async fn drain(
    engine: &Engine,
    places: &Places,
    orders: LocalBoxStream<'static, Order>,
) -> Result<DrainReport, StorageError> {
    let (mut state, released) = State::new(engine);
    let slots = Slots::new(released);
    let mut orders = orders.fuse();
    let mut deliveries = FuturesUnordered::new();
    let mut receiving = pin!(Fuse::terminated());
    let mut upkeep = pin!(Fuse::terminated());
    let mut event_deliveries = FuturesUnordered::new();
    let mut receiving_events = pin!(Fuse::terminated());
    let mut timer = Timer::new(&*engine.env);
    loop {
        let now = state.elapsed();
        let running = slots.taken();
        let ending = deliveries.len().saturating_sub(running);
        // For how long nothing is due: of the events, the tasks and the upkeep.
        let mut waits = [None; 4];
        let free_for_events = MAX_EVENTS.saturating_sub(event_deliveries.len());
        if receiving_events.is_terminated() && free_for_events >= MIN_FREE_FOR_EVENTS {
            match state.events_in(running + ending == 0, now) {
                Some(Duration::ZERO) => {
                    state.has_checked_events = true;
                    receiving_events.set(events::receive(engine, free_for_events).fuse());
                }
                due => waits[0] = due,
            }
        }
        let has_events = !event_deliveries.is_empty() || !receiving_events.is_terminated();
        state.drain.hold(has_events);
        if receiving.is_terminated() {
            match state.next(running, ending, now) {
                Next::Receive(free) => receiving.set(receive_batch(engine, state.order(free, now)).fuse()),
                Next::Wait(pause) => waits[1] = Some(pause),
                Next::End if upkeep.is_terminated() => break,
                Next::Finish | Next::End => {}
            }
        }
        // Events can hold a drain without tasks, which does not check for delayed tasks when it receives.
        let is_held = !deliveries.is_empty() || has_events;
        let upkeep_in = state.drain.upkeep_in(now).filter(|_| upkeep.is_terminated() && is_held);
        match upkeep_in {
            Some(Duration::ZERO) => upkeep.set(promote_and_sweep(engine, state.drain.sweeps(now)).fuse()),
            due => waits[2] = due,
        }
        waits[3] = slots.ring(engine.env.instant());
        if let Some(wait) = waits.into_iter().flatten().min() {
            timer.end_within(wait, now);
        }
        let mut changed = pin!(slots.changed().fuse());
        futures::select_biased! {
            order = orders.select_next_some() => state.obey(order),
            end = deliveries.select_next_some() => state.delivery_ended(end),
            () = changed => {}
            batch = receiving => {
                let batch: Batch = batch;
                let leased_since = batch.leased_since;
                for message in state.batch_received(batch) {
                    deliveries.push(deliver(engine, places, message, leased_since, slots.take()));
                }
            }
            report = upkeep => state.upkeep_done(&report),
            received = receiving_events => match received {
                Ok(messages) => {
                    for message in messages {
                        event_deliveries.push(events::deliver(engine, message));
                    }
                }
                Err(rest) => state.events_delivered(rest),
            },
            rest = event_deliveries.select_next_some() => state.events_delivered(rest),
            () = timer.end() => {}
        }
    }
    state.finish().await
}

/// The state of one drain.
struct State<'a> {
    engine: &'a Engine,
    started: Instant,
    drain: Drain,
    /// `None` if there is one queue for all priorities.
    rounds: Option<Rounds>,
    report: DrainReport,
    /// Sending on it stops the handlers.
    release: Option<oneshot::Sender<()>>,
    /// Whether this drain has checked the queue of events.
    has_checked_events: bool,
    /// Why the last receive failed, if only an operator can remove the cause.
    operator_error: Option<StorageError>,
}

impl<'a> State<'a> {
    fn new(engine: &'a Engine) -> (Self, Released) {
        let (release, released) = oneshot::channel();
        let state = Self {
            engine,
            started: engine.env.instant(),
            drain: Drain::new(engine.settings.max_concurrency, engine.settings.drain_budget),
            rounds: engine.settings.storage.priority_queues.then(|| Rounds::new(engine.env.fraction())),
            report: DrainReport::default(),
            release: Some(release),
            has_checked_events: false,
            operator_error: None,
        };
        (state, released.shared())
    }

    /// The time since the start of the drain.
    fn elapsed(&self) -> Duration {
        self.engine.env.instant().since(self.started)
    }

    fn next(&mut self, running: usize, ending: usize, now: Duration) -> Next {
        let rounds = self.drain.rounds();
        let next = self.drain.next(running, ending, now);
        if self.drain.rounds() > rounds {
            log_drain(self.engine, "drain goes on", &self.report, self.started);
        }
        next
    }

    fn obey(&mut self, order: Order) {
        self.drain.stop();
        // The first order to release stops the handlers. Handlers that start later are stopped at once.
        if order == Order::Release
            && let Some(release) = self.release.take()
        {
            // Without a handler that runs, nothing is there to receive it.
            let _ = release.send(());
        }
    }

    fn delivery_ended(&mut self, end: DeliveryEnd) {
        end.outcome.count_in(&mut self.report);
        if let Some(rest) = end.rest {
            self.drain.rest(rest, self.elapsed());
        }
    }

    /// Returns what to receive into `free` slots.
    fn order(&mut self, free: usize, now: Duration) -> receive::Order {
        let is_unused = self.report.received == 0;
        match &mut self.rounds {
            None => receive::Order { queue: QueueName::Tasks, count: free, is_idle: is_unused },
            Some(rounds) => {
                let (priority, count) = rounds.next(free, now);
                let is_idle = is_unused && rounds.is_at_last_queue();
                receive::Order { queue: QueueName::of(priority), count, is_idle }
            }
        }
    }

    /// Returns the messages to process.
    fn batch_received(&mut self, batch: Batch) -> Vec<ReceivedMessage> {
        let now = self.elapsed();
        self.operator_error = None;
        match batch.messages {
            Ok(messages) => {
                self.count_received(batch.order, messages.len(), now);
                if batch.promoted > 0 {
                    self.report.promoted += batch.promoted;
                    self.promoted(now);
                    self.drain.receive_again(now);
                }
                self.report.received += u32::try_from(messages.len()).unwrap_or(u32::MAX);
                messages
            }
            Err(error) => {
                self.rounds.iter_mut().for_each(Rounds::end_round);
                self.engine.log_failure("messages could not be received", &error);
                self.drain.rest(rest_after(&error).unwrap_or(OPERATOR_REST), now);
                if !matches!(error, StorageError::Unavailable { .. }) {
                    self.operator_error = Some(error);
                }
                Vec::new()
            }
        }
    }

    fn count_received(&mut self, order: receive::Order, received: usize, now: Duration) {
        let Some(rounds) = &mut self.rounds else {
            return self.drain.received(order.count, received, now);
        };
        match rounds.received(order.queue.priority(), order.count, received, now) {
            Some(end) => self.drain.round_received(end.received, end.is_empty, now),
            None => self.drain.receive_again(now),
        }
    }

    fn promoted(&mut self, now: Duration) {
        self.drain.promoted(now);
        self.rounds.iter_mut().for_each(Rounds::promoted);
    }

    /// The time until events are delivered; `None` if events are off, or nothing more is to be received. Without tasks the
    /// drain checks once, and again only for what it knows to be there, so that it ends.
    fn events_in(&self, is_idle: bool, now: Duration) -> Option<Duration> {
        let is_over =
            self.drain.is_stopped() || is_idle && self.has_checked_events && !self.engine.is_event_put.get();
        let due = check_in(self.engine, is_idle).filter(|_| !is_over)?;
        Some(due.max(self.drain.rest_left(now).unwrap_or_default()))
    }

    fn events_delivered(&mut self, rest: Option<Duration>) {
        if let Some(rest) = rest {
            self.drain.rest(rest, self.elapsed());
        }
    }

    fn upkeep_done(&mut self, upkeep: &DrainReport) {
        let now = self.elapsed();
        self.report.promoted += upkeep.promoted;
        self.report.requeued += upkeep.requeued;
        self.report.purged += upkeep.purged;
        self.drain.upkeep_done(upkeep.more, now);
        if upkeep.promoted > 0 {
            self.promoted(now);
        }
        if let Some(rest) = upkeep.retry_after() {
            self.drain.rest(rest, now);
        }
    }

    /// Sweeps if the drain received nothing, and completes the report. While the queue is paused, messages wait in it as long
    /// as the pause lasts, so the sweep could not tell which are missing.
    async fn finish(mut self) -> Result<DrainReport, StorageError> {
        let rest = self.drain.rest_left(self.elapsed());
        self.report.paused = self.engine.pause.was_paused();
        if self.report.received == 0 && !self.report.paused && !self.drain.is_stopped() && rest.is_none() {
            sweep(self.engine, &mut self.report).await;
        }
        if let Some(rest) = rest {
            self.report.slow_down(rest);
        }
        self.report.more |= !self.drain.is_queue_empty() && self.report.retry_after_seconds.is_none();
        log_drain(self.engine, "drain ended", &self.report, self.started);
        match self.operator_error {
            Some(error) if self.report.received == 0 => Err(error),
            _ => Ok(self.report),
        }
    }
}

/// The upkeep of a drain whose tasks run for long. A drain without work does the same while it receives and at its end.
async fn promote_and_sweep(engine: &Engine, sweeps: bool) -> DrainReport {
    let mut report = DrainReport::default();
    if promote::is_due(engine, false) {
        report.promoted = promote::promote(engine, false).await;
    }
    if sweeps && !engine.pause.was_paused() {
        sweep(engine, &mut report).await;
    }
    report
}

/// Logs the counts, unless the drain did nothing: an idle worker drains again and again.
fn log_drain(engine: &Engine, message: &'static str, report: &DrainReport, started: Instant) {
    if !report.did_something() && report.retry_after_seconds.is_none() {
        return;
    }
    let took = engine.env.instant().since(started);
    engine.env.log(
        &Line::info(message)
            .with("received", report.received)
            .with("completed", report.completed)
            .with("failed", report.failed)
            .with("retried", report.retried)
            .with("poisoned", report.poisoned)
            .with("lost", report.lost)
            .with("released", report.released)
            .with("upkeep", report.promoted + report.requeued + report.purged)
            .with("more", report.more)
            .with("duration_ms", milliseconds(took)),
    );
}
