//! Limits on requests that stay open.

use std::cell::Cell;
use std::rc::Rc;

/// A fixed number of permits.
pub(crate) struct Permits {
    used: Rc<Cell<usize>>,
    max: usize,
}

impl Permits {
    pub(crate) fn new(max: usize) -> Self {
        Self { used: Rc::default(), max }
    }

    /// Returns `None` if all permits are in use.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        if self.used.get() >= self.max {
            return None;
        }
        self.used.set(self.used.get() + 1);
        Some(Permit(Rc::clone(&self.used)))
    }
}

/// One permit; dropping it returns it.
pub(crate) struct Permit(Rc<Cell<usize>>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
