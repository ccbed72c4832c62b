//! Unique tasks: whether a task still holds its key.
//!
//! A marker, stored under a name that is derived from caller and key, contains the id of the task that holds the key.
//! A submission changes the marker by conditional writes only, and creates its document under the id in the marker. Of
//! several concurrent submissions one therefore creates the task; the others find its document.

use std::time::Duration;

use models::{TaskStatus, Timestamp};

use crate::{delayed, intake};

/// What to do with a submission whose key another task has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// The task holds the key: respond as to its submission.
    Held,
    /// As [`Unique::Held`], but the message of the task may be missing: send it with this delay first.
    ResendMessage(Duration),
    /// The task has ended and its window is over: give the key to the new task.
    Released,
}

/// Decides on a submission, given the task in the marker of its key.
#[must_use]
pub fn unique(holder: &TaskStatus, now: Timestamp) -> Unique {
    if holder.state.is_terminal() && holder.unique_until.is_none_or(|until| until <= now) {
        Unique::Released
    } else if intake::may_lack_message(holder) {
        Unique::ResendMessage(delayed::delay(holder, now))
    } else {
        Unique::Held
    }
}
