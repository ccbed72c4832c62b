//! Which of the three task queues a drain receives from next, if each priority has a queue of its own.
//!
//! Free slots are given away in rounds. A round asks the queues from High to Low, each for the slots that are still free
//! less the reserves of the lower ones, so that High overtakes and no queue starves:
//!
//! - Of every 16 slots, [`MEDIUM_SHARE`] are reserved for Medium and [`LOW_SHARE`] for Low. A part of a slot is carried
//!   over to the next round as credit. What a lower queue receives beyond its reserve uses up its credit too.
//! - A queue that returned fewer messages than requested counts as empty. It has no reserve, loses its credit, and is
//!   not asked again for [`EMPTY_TIME`], unless every queue counts as empty.
//! - The credit of a drain starts at a random part of a slot. Drains of a single slot therefore keep the shares on
//!   average; every other drain keeps them to within one slot.
//!
//! A round sends at most three requests. While one queue has messages, each of the others costs at most one request a
//! second that returns nothing.

use std::time::Duration;

use models::TaskPriority;

/// Slots of every [`ALL_SHARES`] that are reserved for Medium while its queue has messages.
pub const MEDIUM_SHARE: usize = 4;
/// Slots of every [`ALL_SHARES`] that are reserved for Low while its queue has messages.
pub const LOW_SHARE: usize = 1;
/// The slots that the shares divide.
pub const ALL_SHARES: usize = 16;
/// The time for which a queue without further messages is not asked again while another one has messages.
pub const EMPTY_TIME: Duration = Duration::from_secs(1);

/// The queues in the order of a round.
const ORDER: [TaskPriority; 3] = [TaskPriority::High, TaskPriority::Medium, TaskPriority::Low];
const SHARES: [usize; 3] = [0, MEDIUM_SHARE, LOW_SHARE];

/// What a drain knows of one queue.
#[derive(Debug, Clone, Copy, Default)]
struct Queue {
    /// Slots owed to the queue, in parts of [`ALL_SHARES`].
    credit: usize,
    /// When the queue returned fewer messages than requested, if it did so last.
    empty_at: Option<Duration>,
    /// Slots of the present round that no higher queue gets.
    reserve: usize,
    /// Whether the present round still has to ask it.
    is_pending: bool,
    /// Whether it counts as empty in the present round.
    is_empty: bool,
}

/// A round that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundEnd {
    /// Messages received in the round.
    pub received: usize,
    /// Whether every queue counts as empty.
    pub is_empty: bool,
}

/// The rounds of one drain. Times are durations since its start.
#[derive(Debug, Clone)]
pub struct Rounds {
    queues: [Queue; 3],
    /// Slots of the present round without a message.
    left: usize,
    received: usize,
}

impl Rounds {
    /// Starts the rounds of a drain. `fraction` is uniform in `[0, 1]`.
    #[must_use]
    pub fn new(fraction: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at least 0 and less than ALL_SHARES"
        )]
        let part = ((fraction.clamp(0.0, 1.0) * 16.0) as usize).min(ALL_SHARES - 1);
        let mut queues = [Queue::default(); 3];
        // Opposite parts: a drain of one slot that serves Low first does not owe it to Medium as well.
        for (queue, credit) in queues.iter_mut().zip([0, ALL_SHARES - 1 - part, part]) {
            queue.credit = credit;
        }
        Self { queues, left: 0, received: 0 }
    }

    /// Returns the queue to ask next and the number of messages to request, at least 1, while `free` slots (at least 1)
    /// are free. Slots that became free since the start of the round belong to the next one, so that the reserves of a
    /// round are those of its slots.
    pub fn next(&mut self, free: usize, now: Duration) -> (TaskPriority, usize) {
        if self.is_at_last_queue() {
            self.start_round(free, now);
        }
        for index in 0..ORDER.len() {
            let reserved: usize = self.queues.iter().skip(index + 1).map(|queue| queue.reserve).sum();
            let Some(queue) = self.queues.get_mut(index).filter(|queue| queue.is_pending) else { continue };
            (queue.is_pending, queue.reserve) = (false, 0);
            let count = self.left.min(free).saturating_sub(reserved);
            if let Some(priority) = ORDER.get(index).filter(|_| count > 0) {
                return (*priority, count);
            }
        }
        // The lowest pending queue has nothing reserved below it, so only a round without slots comes here.
        (TaskPriority::High, free.max(1))
    }

    fn start_round(&mut self, free: usize, now: Duration) {
        if self.queues.iter().all(|queue| !may_have_messages(queue, now)) {
            self.forget_empty();
        }
        (self.left, self.received) = (free, 0);
        let mut left = free;
        // Low first: its share is the smallest, and Medium gets its own in one of the next rounds.
        for (queue, share) in self.queues.iter_mut().zip(SHARES).rev() {
            queue.is_pending = may_have_messages(queue, now);
            (queue.reserve, queue.is_empty) = (0, !queue.is_pending);
            if queue.is_pending {
                queue.credit = queue.credit.saturating_add(share.saturating_mul(free));
                queue.reserve = (queue.credit / ALL_SHARES).min(left);
                left -= queue.reserve;
            }
        }
    }

    /// Returns whether the queue that [`Self::next`] returned is the last one of the round.
    #[must_use]
    pub fn is_at_last_queue(&self) -> bool {
        !self.queues.iter().any(|queue| queue.is_pending)
    }

    /// Records that a request to `priority` for up to `requested` messages returned `received`. Returns the end of the
    /// round; `None` if slots are left for a further queue.
    pub fn received(
        &mut self,
        priority: TaskPriority,
        requested: usize,
        received: usize,
        now: Duration,
    ) -> Option<RoundEnd> {
        let index = ORDER.iter().position(|other| *other == priority).unwrap_or_default();
        if let Some(queue) = self.queues.get_mut(index) {
            queue.is_empty = received < requested;
            queue.empty_at = queue.is_empty.then_some(now);
            let used = received.saturating_mul(ALL_SHARES);
            queue.credit = if queue.is_empty { 0 } else { queue.credit.saturating_sub(used) };
        }
        self.received += received;
        self.left = self.left.saturating_sub(received);
        if self.left > 0 && !self.is_at_last_queue() {
            return None;
        }
        self.end_round();
        let is_empty = self.queues.iter().all(|queue| queue.is_empty);
        Some(RoundEnd { received: self.received, is_empty })
    }

    /// Ends the round: a request failed, or no slot is left. A reserve that was not used is lost, so that failures do not add
    /// up to slots owed to one queue.
    pub fn end_round(&mut self) {
        for queue in &mut self.queues {
            queue.credit %= ALL_SHARES;
            (queue.is_pending, queue.reserve) = (false, 0);
        }
    }

    /// Records that messages were promoted, to whichever queue.
    pub fn promoted(&mut self) {
        self.forget_empty();
    }

    fn forget_empty(&mut self) {
        for queue in &mut self.queues {
            queue.empty_at = None;
        }
    }
}

fn may_have_messages(queue: &Queue, now: Duration) -> bool {
    queue.empty_at.is_none_or(|at| now.saturating_sub(at) >= EMPTY_TIME)
}
