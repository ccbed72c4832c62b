//! CPU time instead of time on the wall: a machine that does other things too does not lengthen it much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that all threads of this program have used, in user space and in the kernel.
pub(crate) fn used() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or_default())
}

/// CPU time that is not to be counted: that of the emulator, which only stands in for storage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Apart {
    nanoseconds: Arc<AtomicU64>,
}

impl Apart {
    /// Runs `work` and keeps its time apart. Only for programs that do one thing at a time.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = used();
        let outcome = work();
        let spent = used().saturating_sub(before).as_nanos();
        self.nanoseconds.fetch_add(u64::try_from(spent).unwrap_or(u64::MAX), Ordering::Relaxed);
        outcome
    }

    /// All that was kept apart so far.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}
