//! What one drain does next: receive, wait, finish what runs, or end.
//!
//! A drain receives for its budget and then settles: it receives nothing, and ends when what runs has
//! ended. When a task runs longer than that, free slots would be idle for as long as it takes, so the drain
//! goes on with another round, twice as long. A message therefore waits for a free slot no longer than
//! [`SETTLE`] and one [`LONGEST_LOOK`], however long other tasks run, and a drain ends as soon as one round
//! leaves nothing behind that runs longer than [`SETTLE`].
//!
//! Time is what has passed since the drain began.

use std::time::Duration;

/// Most messages of one Get Messages.
pub const LARGEST_BATCH: usize = 32;
/// How long a drain receives nothing at the end of a round, so that it can end; at most its budget.
pub const SETTLE: Duration = Duration::from_secs(20);
/// The longest pause between two looks at a queue that was empty, while tasks of the drain run.
pub const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// The first of these pauses.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How long to gather free slots before a small batch is received.
const GATHER: Duration = Duration::from_millis(200);
/// Rounds get no longer than this.
const LONGEST_ROUND: Duration = Duration::from_secs(600);
/// How often a drain with running tasks looks after what is not in the task queue.
const UPKEEP: Duration = Duration::from_secs(5);

/// What a drain does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Receive up to so many messages.
    Receive(usize),
    /// Nothing before this time has passed or a task has ended.
    Wait(Duration),
    /// Nothing before a task has ended.
    Finish,
    /// End: nothing runs and nothing is to be received.
    End,
}

/// Where one drain stands.
#[derive(Debug, Clone)]
pub struct Drain {
    slots: usize,
    budget: Duration,
    round: Duration,
    round_ends: Duration,
    rounds: u32,
    stopped: bool,
    rest_until: Duration,
    /// The last look found fewer messages than it asked for.
    dry: bool,
    /// Looks in a row that found nothing.
    empty: u32,
    /// When the last look ended.
    looked_at: Duration,
    /// When a small batch, or another look at an empty queue, is worth a request.
    look_at: Duration,
    upkeep_at: Duration,
}

impl Drain {
    /// A drain that begins, with `slots` tasks at a time, and receives for `budget` at least.
    #[must_use]
    pub fn new(slots: usize, budget: Duration) -> Self {
        Self {
            slots,
            budget,
            round: budget,
            round_ends: budget,
            rounds: 1,
            stopped: false,
            rest_until: Duration::ZERO,
            dry: false,
            empty: 0,
            looked_at: Duration::ZERO,
            look_at: Duration::ZERO,
            upkeep_at: UPKEEP,
        }
    }

    /// What to do at `now` while `running` tasks run and no look is under way.
    pub fn next(&mut self, running: usize, now: Duration) -> Next {
        let rest = self.rest_until.saturating_sub(now);
        let is_over = self.stopped || self.dry || !rest.is_zero() || now >= self.round_ends;
        if running == 0 && is_over {
            return Next::End;
        }
        let free = self.slots.saturating_sub(running);
        if self.stopped || free == 0 {
            return Next::Finish;
        }
        if !rest.is_zero() {
            return Next::Wait(rest);
        }
        if now >= self.round_ends {
            let settled = self.round_ends + SETTLE.min(self.budget);
            if now < settled {
                return Next::Wait(settled - now);
            }
            self.round = self.round.saturating_mul(2).min(LONGEST_ROUND.max(self.budget));
            self.round_ends = now + self.round;
            self.rounds = self.rounds.saturating_add(1);
        }
        // Small batches cost as many requests as large ones; tasks that end together free many slots.
        let enough = (self.slots.min(LARGEST_BATCH) / 2).max(1);
        if !self.dry && free >= enough || now >= self.look_at {
            Next::Receive(free.min(LARGEST_BATCH))
        } else {
            Next::Wait(self.look_at - now)
        }
    }

    /// A look that asked for `asked` messages found `found`.
    pub fn received(&mut self, asked: usize, found: usize, now: Duration) {
        self.dry = found < asked;
        self.empty = if found == 0 { self.empty.saturating_add(1) } else { 0 };
        let doublings = self.empty.saturating_sub(1).min(10);
        let pause =
            if self.dry { FIRST_LOOK.saturating_mul(1 << doublings).min(LONGEST_LOOK) } else { GATHER };
        (self.looked_at, self.look_at) = (now, now + pause);
    }

    /// Messages were moved to the task queue: it is worth a look.
    pub fn promoted(&mut self, now: Duration) {
        self.look_at = self.look_at.min(now);
    }

    /// Storage needs a rest.
    pub fn rest(&mut self, wait: Duration, now: Duration) {
        self.rest_until = self.rest_until.max(now + wait);
    }

    /// How long storage needs to be left alone yet.
    #[must_use]
    pub fn rest_at(&self, now: Duration) -> Option<Duration> {
        Some(self.rest_until.saturating_sub(now)).filter(|rest| !rest.is_zero())
    }

    /// Nothing new is received any more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the last look found fewer messages than it asked for.
    #[must_use]
    pub fn is_dry(&self) -> bool {
        self.dry
    }

    /// Rounds so far; above one, tasks run longer than the drain's budget.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// How long until upkeep is due beside running tasks; `None` while there is to be none.
    #[must_use]
    pub fn upkeep_in(&self, now: Duration) -> Option<Duration> {
        let wait = self.upkeep_at.max(self.rest_until).saturating_sub(now);
        (!self.stopped).then_some(wait)
    }

    /// Whether the sweep belongs to the upkeep. A short drain leaves it to one that finds nothing. And only who has
    /// just seen the queue empty can tell a task that lost its message from one that waits in a long queue: a
    /// drain without a free slot does not look, and does not sweep.
    #[must_use]
    pub fn sweeps(&self, now: Duration) -> bool {
        now >= self.budget && self.empty > 0 && now.saturating_sub(self.looked_at) <= LONGEST_LOOK
    }

    /// Upkeep was done, or a part of it, and the rest is due at once.
    pub fn tended(&mut self, is_part: bool, now: Duration) {
        self.upkeep_at = if is_part { now } else { now + UPKEEP };
    }
}
