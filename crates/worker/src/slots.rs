//! The slots of a drain: a task occupies one from the receipt of its message to the end of its handler.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::control::Released;

/// The slots of one drain. `lifecycle::drain` limits how many are taken.
pub(crate) struct Slots {
    released: Released,
    taken: Cell<usize>,
    is_one_freed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Slots {
    /// Creates the slots of a drain whose handlers must stop when `released` is ready.
    pub(crate) fn new(released: Released) -> Rc<Self> {
        Rc::new(Self {
            released,
            taken: Cell::default(),
            is_one_freed: Cell::default(),
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

    /// Waits until a slot is freed, or returns at once if one was freed since the last call.
    pub(crate) async fn freed(&self) {
        poll_fn(|context| {
            if self.is_one_freed.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
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
            self.slots.is_one_freed.set(true);
            if let Some(waker) = self.slots.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free();
    }
}
