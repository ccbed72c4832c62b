//! Whether this instance serves several requests at a time.
//!
//! The limits of instances are those of the host and hold for every component alike. So a worker that serves two requests
//! at a time shows that tasks of a handler share an instance too, where a trap of one ends all of them.

use std::cell::Cell;

/// The requests that this instance serves.
#[derive(Default)]
pub(crate) struct Sharing {
    in_flight: Cell<u32>,
    was_seen: Cell<bool>,
    was_logged: Cell<bool>,
}

/// A request in flight, until it is dropped.
pub(crate) struct InFlight<'a>(&'a Sharing);

impl Sharing {
    pub(crate) fn request(&self) -> InFlight<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        if self.in_flight.get() > 1 {
            self.was_seen.set(true);
        }
        InFlight(self)
    }

    /// Returns whether two requests were seen at a time.
    pub(crate) fn was_seen(&self) -> bool {
        self.was_seen.get()
    }

    /// Returns whether that was seen, at the first call after it.
    pub(crate) fn is_news(&self) -> bool {
        self.was_seen() && !self.was_logged.replace(true)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
    }
}
