//! The next step of a drain: receive, wait, finish the running tasks, or end.
//!
//! A drain receives until its budget is used up. It then receives nothing, so that it can end once the running
//! tasks have ended. If a task runs longer, the free slots would stay idle, so the drain starts another round,
//! twice as long. While a slot is free, a visible message therefore waits at most [`SETTLING_TIME`] plus
//! [`MAX_EMPTY_QUEUE_PAUSE`], however long other tasks run. A drain ends after a round whose tasks all end within
//! [`SETTLING_TIME`].
//!
//! A task occupies a slot until its handler has ended. While its outcome is recorded, the next message is received
//! already, so that the slot is not idle for two further round trips to storage. As many tasks as there are slots may
//! be in that state, so a drain holds at most twice as many messages as it has slots.
//!
//! Times are durations since the start of the drain.

use std::time::Duration;

/// Messages per Get Messages, a limit of Storage Queue.
pub const MAX_BATCH_MESSAGES: usize = 32;
/// The time at the end of each round in which a drain receives nothing, so that it can end. It is at most the
/// budget.
pub const SETTLING_TIME: Duration = Duration::from_secs(20);
/// The longest pause between two checks of an empty queue while tasks of the drain run.
pub const MAX_EMPTY_QUEUE_PAUSE: Duration = Duration::from_secs(5);
/// The first of these pauses; they double.
const FIRST_EMPTY_QUEUE_PAUSE: Duration = Duration::from_secs(1);
/// While the queue is long, messages are received as soon as this part of the slots is free: with 32 slots, one Get Messages
/// for at least eight tasks. Waiting for more would leave slots idle when tasks end one by one.
const SMALL_BATCH_DIVISOR: usize = 4;
/// Fewer messages are not requested at once if there are twice as many slots: a batch of four adds a quarter of a request
/// to the three of a task.
const SMALL_BATCH_MESSAGES: usize = 4;
/// The time to collect free slots before a smaller batch is received.
const SMALL_BATCH_DELAY: Duration = Duration::from_millis(200);
/// The longest round, unless the budget is longer.
const MAX_ROUND: Duration = Duration::from_secs(600);
/// The time between two promotions or sweep steps beside running tasks.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The next step of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Receive up to this many messages.
    Receive(usize),
    /// Wait for this time, or until a slot is free or a task has ended.
    Wait(Duration),
    /// Wait until a slot is free or a task has ended.
    Finish,
    /// End: no task runs and nothing is to be received.
    End,
}

/// The state of one drain.
#[derive(Debug, Clone)]
pub struct Drain {
    slots: usize,
    budget: Duration,
    round: Duration,
    round_ends_at: Duration,
    rounds: u32,
    stopped: bool,
    rest_until: Duration,
    /// Whether the last batch had fewer messages than were requested.
    is_queue_empty: bool,
    /// Number of batches in a row without a message.
    empty_batches: u32,
    /// When the last batch arrived.
    received_at: Duration,
    /// When to receive a small batch, or to check an empty queue again.
    receive_at: Duration,
    upkeep_at: Duration,
    /// Whether something else than tasks goes on, for which the drain must not end.
    is_held: bool,
}

impl Drain {
    /// Starts a drain with `slots` tasks at a time that receives for at least `budget`.
    #[must_use]
    pub fn new(slots: usize, budget: Duration) -> Self {
        Self {
            slots,
            budget,
            round: budget,
            round_ends_at: budget,
            rounds: 1,
            stopped: false,
            rest_until: Duration::ZERO,
            is_queue_empty: false,
            empty_batches: 0,
            received_at: Duration::ZERO,
            receive_at: Duration::ZERO,
            upkeep_at: UPKEEP_INTERVAL,
            is_held: false,
        }
    }

    /// Returns the next step at `now`, while no receive is in progress, `running` tasks occupy slots and the outcomes of
    /// `ending` further tasks are recorded.
    pub fn next(&mut self, running: usize, ending: usize, now: Duration) -> Next {
        let rest = self.rest_until.saturating_sub(now);
        let is_over = self.stopped || self.is_queue_empty || !rest.is_zero() || now >= self.round_ends_at;
        let held = running.saturating_add(ending);
        if held == 0 && is_over && !self.is_held {
            return Next::End;
        }
        let free = self.slots.saturating_sub(running).min(self.slots.saturating_mul(2).saturating_sub(held));
        if self.stopped || free == 0 {
            return Next::Finish;
        }
        if !rest.is_zero() {
            return Next::Wait(rest);
        }
        if now >= self.round_ends_at {
            let settled_at = self.round_ends_at + SETTLING_TIME.min(self.budget);
            if now < settled_at {
                return Next::Wait(settled_at - now);
            }
            self.round = self.round.saturating_mul(2).min(MAX_ROUND.max(self.budget));
            self.round_ends_at = now + self.round;
            self.rounds = self.rounds.saturating_add(1);
        }
        // A small batch costs as many requests as a large one, and tasks often end together.
        let slots = self.slots.min(MAX_BATCH_MESSAGES);
        let enough = (slots / SMALL_BATCH_DIVISOR).max(SMALL_BATCH_MESSAGES.min(slots / 2)).max(1);
        if !self.is_queue_empty && free >= enough || now >= self.receive_at {
            Next::Receive(free.min(MAX_BATCH_MESSAGES))
        } else {
            Next::Wait(self.receive_at - now)
        }
    }

    /// Records that a receive of up to `requested` messages returned `received`.
    pub fn received(&mut self, requested: usize, received: usize, now: Duration) {
        self.round_received(received, received < requested, now);
    }

    /// Records the end of a round of [`crate::priority`], which received this many messages. `is_empty` says whether all
    /// queues count as empty.
    pub fn round_received(&mut self, received: usize, is_empty: bool, now: Duration) {
        self.is_queue_empty = is_empty;
        let is_nothing = is_empty && received == 0;
        self.empty_batches = if is_nothing { self.empty_batches.saturating_add(1) } else { 0 };
        let doublings = self.empty_batches.saturating_sub(1).min(10);
        let pause = if self.is_queue_empty {
            FIRST_EMPTY_QUEUE_PAUSE.saturating_mul(1 << doublings).min(MAX_EMPTY_QUEUE_PAUSE)
        } else {
            SMALL_BATCH_DELAY
        };
        (self.received_at, self.receive_at) = (now, now + pause);
    }

    /// Records that messages were promoted to the task queue: receive again at once.
    pub fn promoted(&mut self, now: Duration) {
        self.receive_at = self.receive_at.min(now);
    }

    /// Records that a queue is known or expected to have messages, although the last batch had fewer than were requested:
    /// receive at once, also if no task runs.
    pub fn receive_again(&mut self, now: Duration) {
        self.is_queue_empty = false;
        self.promoted(now);
    }

    /// Records that storage must not be called for `wait`.
    pub fn rest(&mut self, wait: Duration, now: Duration) {
        self.rest_until = self.rest_until.max(now + wait);
    }

    /// Returns how much longer storage must not be called; `None` if it may be called.
    #[must_use]
    pub fn rest_left(&self, now: Duration) -> Option<Duration> {
        Some(self.rest_until.saturating_sub(now)).filter(|rest| !rest.is_zero())
    }

    /// Says whether something else than tasks goes on, such as the delivery of events. Until it is over the drain does not
    /// end, and continues to receive.
    pub fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Stops receiving. Running tasks go on.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Returns whether [`Self::stop`] was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Returns whether the last batch had fewer messages than were requested.
    #[must_use]
    pub fn is_queue_empty(&self) -> bool {
        self.is_queue_empty
    }

    /// Returns the number of rounds so far. More than one means that tasks run longer than the budget.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Returns the time until promotion and sweep are due beside running tasks; `None` after [`Self::stop`].
    #[must_use]
    pub fn upkeep_in(&self, now: Duration) -> Option<Duration> {
        let wait = self.upkeep_at.max(self.rest_until).saturating_sub(now);
        (!self.stopped).then_some(wait)
    }

    /// Returns whether upkeep includes a sweep step. A drain within its budget leaves the sweep to an idle one. The
    /// queue must also have been empty recently: otherwise a task that lost its message cannot be distinguished
    /// from one that waits in a long queue. A drain without free slots does not receive and hence does not sweep.
    #[must_use]
    pub fn sweeps(&self, now: Duration) -> bool {
        let is_recent = now.saturating_sub(self.received_at) <= MAX_EMPTY_QUEUE_PAUSE;
        now >= self.budget && self.empty_batches > 0 && is_recent
    }

    /// Records that upkeep was done. If only a part of it was done (`is_part`), the rest is due at once.
    pub fn upkeep_done(&mut self, is_part: bool, now: Duration) {
        self.upkeep_at = if is_part { now } else { now + UPKEEP_INTERVAL };
    }
}
