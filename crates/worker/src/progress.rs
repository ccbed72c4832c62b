//! The progress that a handler reports.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// The longest stored progress message, in characters.
const MAX_MESSAGE_CHARS: usize = 1024;

/// The latest progress of a handler. The attempt writes it to storage at most once a second.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    percent: Cell<Option<u8>>,
    message: RefCell<Option<String>>,
    is_unwritten: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Progress {
    /// Reports progress. A value that is `None` stays as it is.
    pub(crate) fn report(&self, percent: Option<u8>, message: Option<&str>) {
        if percent.is_none() && message.is_none() {
            return;
        }
        if percent.is_some() {
            self.percent.set(percent);
        }
        if let Some(message) = message {
            *self.message.borrow_mut() = Some(message.chars().take(MAX_MESSAGE_CHARS).collect());
        }
        self.is_unwritten.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Returns whether progress was reported since [`Self::latest`] was called, or could not be written.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.is_unwritten.get()
    }

    /// Returns percentage and message to write them.
    pub(crate) fn latest(&self) -> (Option<u8>, Option<String>) {
        self.is_unwritten.set(false);
        (self.percent.get(), self.message.borrow().clone())
    }

    /// Records that what [`Self::latest`] returned could not be written.
    pub(crate) fn not_written(&self) {
        self.is_unwritten.set(true);
    }

    /// Waits until there is progress to write.
    pub(crate) async fn reported(&self) {
        poll_fn(|context| {
            if self.is_unwritten.get() {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
