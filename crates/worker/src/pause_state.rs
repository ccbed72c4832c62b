//! What an instance knows about the pause of the queue.

use std::cell::Cell;

use service::env::Instant;

/// What this instance read last, and when the read began; `None` before the first read.
#[derive(Default)]
pub(crate) struct PauseState(Cell<Option<(Instant, bool)>>);

impl PauseState {
    /// When the last read began, and whether the queue was paused.
    pub(crate) fn latest(&self) -> Option<(Instant, bool)> {
        self.0.get()
    }

    /// Records a read that began then.
    pub(crate) fn set(&self, begin: Instant, is_paused: bool) {
        self.0.set(Some((begin, is_paused)));
    }

    /// Whether the queue was paused at the last read.
    pub(crate) fn was_paused(&self) -> bool {
        self.latest().is_some_and(|(_, is_paused)| is_paused)
    }
}
