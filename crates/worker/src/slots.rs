//! The slots of a drain: a task occupies one from the receipt of its message to the end of its handler.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use service::env::Instant;

use crate::alarms::Alarms;
use crate::control::Released;

/// The slots of one drain. `lifecycle::drain` limits how many are taken.
pub(crate) struct Slots {
    released: Released,
    alarms: Alarms,
    taken: Cell<usize>,
    is_changed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Slots {
    /// Creates the slots of a drain whose handlers must stop when `released` is ready.
    pub(crate) fn new(released: Released) -> Rc<Self> {
        Rc::new(Self {
            released,
            alarms: Alarms::default(),
            taken: Cell::default(),
            is_changed: Cell::default(),
            waker: RefCell::default(),
        })
    }

    /// Takes a slot for one delivery.
    pub(crate) fn take(self: &Rc<Self>) -> Slot {
        self.taken.set(self.taken.get() + 1);
        Slot { slots: Rc::clone(self), is_taken: Cell::new(true) }
    }

    /// The number of slots that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.get()
    }

    /// Ends the alarms that are due `now`. Returns the time until the next one.
    pub(crate) fn ring(&self, now: Instant) -> Option<Duration> {
        self.alarms.ring(now)
    }

    /// Waits until a slot is freed or an alarm is set before all others, or returns at once if that happened since the last
    /// call.
    pub(crate) async fn changed(&self) {
        poll_fn(|context| {
            if self.is_changed.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn change(&self) {
        self.is_changed.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// One taken slot. It is freed when the handler has ended, at the latest with the delivery.
pub(crate) struct Slot {
    slots: Rc<Slots>,
    is_taken: Cell<bool>,
}

impl Slot {
    /// Becomes ready when the handler must stop.
    pub(crate) fn released(&self) -> Released {
        self.slots.released.clone()
    }

    /// Frees the slot. The delivery goes on without it.
    pub(crate) fn free(&self) {
        if self.is_taken.replace(false) {
            self.slots.taken.set(self.slots.taken.get().saturating_sub(1));
            self.slots.change();
        }
    }

    /// Returns what becomes ready when `due` has come, by the timer of the drain.
    pub(crate) fn alarm(&self, due: Instant) -> oneshot::Receiver<()> {
        let (alarm, is_new) = self.slots.alarms.set(due);
        if is_new {
            self.slots.change();
        }
        alarm
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free();
    }
}
