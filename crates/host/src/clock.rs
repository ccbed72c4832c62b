//! The clocks of a component.
//!
//! Waiting always goes through tokio's timers. With tokio's time paused and a [`VirtualClock`], an hour of
//! waiting passes at once and the component's clocks agree with it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// The two clocks of a component.
pub trait Clock: Send + Sync + 'static {
    /// Time since the Unix epoch, UTC.
    fn unix_time(&self) -> Duration;
    /// Time since a fixed moment; never decreases, and runs as fast as tokio's timers.
    fn monotonic(&self) -> Duration;
}

/// This machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A wall clock that starts at a given moment and then follows tokio's time.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    unix_start: Duration,
    start: Instant,
}

impl VirtualClock {
    /// It is now `unix_start` after the Unix epoch.
    #[must_use]
    pub fn starting_at(unix_start: Duration) -> Self {
        Self { unix_start, start: Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn unix_time(&self) -> Duration {
        self.unix_start + self.start.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A [`Clock`] for wasmtime.
pub(crate) struct WasiClock(pub(crate) Arc<dyn Clock>);

impl HostWallClock for WasiClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.unix_time()
    }
}

impl HostMonotonicClock for WasiClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        // 584 years fit.
        u64::try_from(self.0.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }
}
