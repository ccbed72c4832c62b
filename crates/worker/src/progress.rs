//! How a handler tells how far it is.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Longest progress message that is stored, in characters.
const LONGEST_MESSAGE: usize = 1024;

/// The latest word of a handler about its progress. Telling it costs nothing; it is written to storage at
/// most once a second.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    percent: Cell<Option<u8>>,
    message: RefCell<Option<String>>,
    is_new: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Progress {
    /// Notes progress; `None` leaves what was told before.
    pub(crate) fn tell(&self, percent: Option<u8>, message: Option<&str>) {
        if percent.is_none() && message.is_none() {
            return;
        }
        if percent.is_some() {
            self.percent.set(percent);
        }
        if let Some(message) = message {
            *self.message.borrow_mut() = Some(message.chars().take(LONGEST_MESSAGE).collect());
        }
        self.is_new.set(true);
        if let Some(waker) = self.waiting.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whether something was told since [`Self::take`].
    pub(crate) fn is_new(&self) -> bool {
        self.is_new.get()
    }

    /// What was told; it is not new any more.
    pub(crate) fn take(&self) -> (Option<u8>, Option<String>) {
        self.is_new.set(false);
        (self.percent.get(), self.message.borrow().clone())
    }

    /// Something could not be written: it is new again.
    pub(crate) fn renew(&self) {
        self.is_new.set(true);
    }

    /// Waits until something is new.
    pub(crate) async fn changed(&self) {
        poll_fn(|context| {
            if self.is_new.get() {
                return Poll::Ready(());
            }
            *self.waiting.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
