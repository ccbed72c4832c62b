//! Virtual time: runs futures of many machines in one thread, in a random order, and jumps to
//! the next timer when none can go on.
//!
//! Every future belongs to a [`Group`], which stands for one process: killing the group drops all its
//! futures where they stand, which is what a crash at an await point is.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::random::Rng;

/// One process of the simulated world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group(pub u32);

type Timer = Rc<RefCell<Option<Waker>>>;

/// Ids of futures that can go on, and who wakes the thread when there are any.
#[derive(Default)]
struct Ready {
    slots: Mutex<Vec<usize>>,
    outer: futures::task::AtomicWaker,
}

struct SlotWaker {
    slot: usize,
    ready: Arc<Ready>,
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.slots.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
        self.ready.outer.wake();
    }
}

struct Slot {
    group: Group,
    /// `None` while it is being polled.
    future: Option<LocalBoxFuture<'static, ()>>,
    waker: Waker,
    /// Killed while it was being polled.
    killed: bool,
}

struct TimerEntry {
    due: Duration,
    number: u64,
    timer: Timer,
}

impl PartialEq for TimerEntry {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}
impl Eq for TimerEntry {}
impl PartialOrd for TimerEntry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for TimerEntry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// The scheduler and the clock. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Executor(Rc<Inner>);

struct Inner {
    now: Cell<Duration>,
    slots: RefCell<Vec<Option<Slot>>>,
    free: RefCell<Vec<usize>>,
    ready: Arc<Ready>,
    timers: RefCell<BinaryHeap<Reverse<TimerEntry>>>,
    timer_number: Cell<u64>,
    rng: RefCell<Rng>,
    polls: Cell<u64>,
}

impl Executor {
    /// An executor at time zero. `rng` chooses which future that can go on is polled first.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self(Rc::new(Inner {
            now: Cell::default(),
            slots: RefCell::default(),
            free: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            timer_number: Cell::default(),
            rng: RefCell::new(rng),
            polls: Cell::default(),
        }))
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.now.get()
    }

    /// How many times a future has been polled: a measure of work, to stop a run that spins.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.0.polls.get()
    }

    /// Starts `future` as part of `group`.
    pub fn spawn(&self, group: Group, future: impl Future<Output = ()> + 'static) {
        let slot = self.0.free.borrow_mut().pop();
        let mut slots = self.0.slots.borrow_mut();
        let slot = slot.unwrap_or_else(|| {
            slots.push(None);
            slots.len() - 1
        });
        let waker = Waker::from(Arc::new(SlotWaker { slot, ready: Arc::clone(&self.0.ready) }));
        if let Some(place) = slots.get_mut(slot) {
            *place =
                Some(Slot { group, future: Some(Box::pin(future)), waker: waker.clone(), killed: false });
        }
        drop(slots);
        waker.wake();
    }

    /// Drops every future of `group`. One that is being polled right now is dropped when it returns.
    pub fn kill(&self, group: Group) {
        let mut dead = Vec::new();
        for (index, place) in self.0.slots.borrow_mut().iter_mut().enumerate() {
            let Some(slot) = place.as_mut().filter(|slot| slot.group == group) else { continue };
            if slot.future.is_some() {
                self.0.free.borrow_mut().push(index);
                dead.push(place.take());
            } else {
                slot.killed = true;
            }
        }
        // Dropped outside the borrow: destructors wake others.
        drop(dead);
    }

    /// Drops every future: the end of a run.
    pub fn clear(&self) {
        loop {
            let slots: Vec<_> = std::mem::take(&mut *self.0.slots.borrow_mut());
            if slots.is_empty() {
                break;
            }
            drop(slots);
        }
        self.0.timers.borrow_mut().clear();
        self.0.free.borrow_mut().clear();
    }

    /// Waits for `duration` of virtual time.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep { executor: self.clone(), due: self.now().saturating_add(duration), timer: None }
    }

    /// `future`, unless `limit` passes first.
    pub async fn timeout<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let future = std::pin::pin!(future);
        match futures::future::select(future, self.sleep(limit)).await {
            futures::future::Either::Left((value, _)) => Some(value),
            futures::future::Either::Right(_) => None,
        }
    }

    /// Lets everything that can go on do so, without moving the clock.
    pub fn run_ready(&self) {
        loop {
            let slot = {
                let mut ready = self.0.ready.slots.lock().unwrap_or_else(PoisonError::into_inner);
                match ready.len() {
                    0 => return,
                    1 => ready.pop(),
                    length => Some(ready.swap_remove(self.0.rng.borrow_mut().index(length))),
                }
            };
            if let Some(slot) = slot {
                self.poll(slot);
            }
        }
    }

    fn poll(&self, index: usize) {
        let taken = self.0.slots.borrow_mut().get_mut(index).and_then(|place| {
            let slot = place.as_mut()?;
            Some((slot.future.take()?, slot.waker.clone()))
        });
        let Some((mut future, waker)) = taken else { return };
        self.0.polls.set(self.0.polls.get() + 1);
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut slots = self.0.slots.borrow_mut();
        let Some(place) = slots.get_mut(index) else { return };
        let killed = place.as_ref().is_none_or(|slot| slot.killed);
        if done || killed {
            *place = None;
            self.0.free.borrow_mut().push(index);
            drop(slots);
            drop(future);
        } else if let Some(slot) = place {
            slot.future = Some(future);
        }
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let mut timers = self.0.timers.borrow_mut();
        while let Some(Reverse(first)) = timers.peek() {
            if first.timer.borrow().is_some() {
                return Some(first.due);
            }
            timers.pop();
        }
        None
    }

    /// Moves the clock to `now` and wakes every future whose timer is due.
    pub fn advance_to(&self, now: Duration) {
        self.0.now.set(self.now().max(now));
        loop {
            let mut timers = self.0.timers.borrow_mut();
            if timers.peek().is_none_or(|Reverse(first)| first.due > self.now()) {
                return;
            }
            let entry = timers.pop();
            drop(timers);
            if let Some(waker) = entry.and_then(|Reverse(entry)| entry.timer.borrow_mut().take()) {
                waker.wake();
            }
        }
    }

    /// Runs until `done`, or until no future waits for a timer.
    pub fn run_until(&self, done: impl Fn() -> bool) {
        loop {
            self.run_ready();
            if done() {
                return;
            }
            match self.next_due() {
                Some(due) => self.advance_to(due),
                None => return,
            }
        }
    }

    /// Waits, inside another runtime, until a future can go on.
    #[cfg(feature = "wasm")]
    pub async fn woken(&self) {
        std::future::poll_fn(|context| {
            self.0.ready.outer.register(context.waker());
            let empty = self.0.ready.slots.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            if empty { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

/// See [`Executor::sleep`].
pub struct Sleep {
    executor: Executor,
    due: Duration,
    timer: Option<Timer>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.executor.now() >= self.due {
            return Poll::Ready(());
        }
        if let Some(timer) = &self.timer {
            *timer.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        let timer: Timer = Rc::new(RefCell::new(Some(context.waker().clone())));
        let inner = &self.executor.0;
        let number = inner.timer_number.get();
        inner.timer_number.set(number + 1);
        let entry = TimerEntry { due: self.due, number, timer: Rc::clone(&timer) };
        inner.timers.borrow_mut().push(Reverse(entry));
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.borrow_mut().take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executor() -> Executor {
        Executor::new(Rng::new(1))
    }

    #[test]
    fn hour_passes_at_once_and_in_order() {
        let executor = executor();
        let seen = Rc::new(RefCell::new(Vec::new()));
        for seconds in [3600, 5, 60] {
            let (clock, seen) = (executor.clone(), Rc::clone(&seen));
            executor.spawn(Group(0), async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                seen.borrow_mut().push(clock.now().as_secs());
            });
        }
        executor.run_until(|| false);
        assert_eq!(*seen.borrow(), [5, 60, 3600]);
    }

    #[test]
    fn killed_group_never_goes_on_and_others_do() {
        let executor = executor();
        let seen = Rc::new(RefCell::new(Vec::new()));
        for group in [1, 2] {
            let (clock, seen) = (executor.clone(), Rc::clone(&seen));
            executor.spawn(Group(group), async move {
                clock.sleep(Duration::from_secs(10)).await;
                seen.borrow_mut().push(group);
            });
        }
        let killer = executor.clone();
        executor.spawn(Group(0), async move {
            killer.sleep(Duration::from_secs(5)).await;
            killer.kill(Group(1));
        });
        executor.run_until(|| false);
        assert_eq!(*seen.borrow(), [2]);
    }

    #[test]
    fn future_that_kills_its_group_stops_at_its_next_await() {
        let executor = executor();
        let reached = Rc::new(Cell::new(0));
        let (own, seen) = (executor.clone(), Rc::clone(&reached));
        executor.spawn(Group(1), async move {
            own.kill(Group(1));
            seen.set(1);
            own.sleep(Duration::ZERO).await;
            seen.set(2);
            own.sleep(Duration::from_secs(1)).await;
            seen.set(3);
        });
        executor.run_until(|| false);
        assert_eq!(reached.get(), 2, "a sleep of zero does not wait, the next one does");
    }

    #[test]
    fn cancelled_timer_does_not_move_the_clock() {
        let executor = executor();
        let clock = executor.clone();
        executor.spawn(Group(0), async move {
            let in_time = clock.timeout(Duration::from_secs(60), clock.sleep(Duration::from_secs(1))).await;
            assert!(in_time.is_some());
        });
        executor.run_until(|| false);
        assert_eq!(executor.now(), Duration::from_secs(1));
    }
}
