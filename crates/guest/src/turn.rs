//! The clocks, read at most once in each turn of a request.
//!
//! A turn is one poll of a request: it begins when the host returns to the component, and ends when the component waits for
//! the host. No time passes in it but that of computing, so the first reading serves for all steps of the turn. Each
//! further one would be a call to the host.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use spin_sdk::wasip3::clocks::monotonic_clock;
use time::OffsetDateTime;

thread_local! {
    static READINGS: Cell<Readings> = const { Cell::new(Readings { in_turn: false, monotonic: None, wall: None }) };
}

#[derive(Clone, Copy)]
struct Readings {
    /// Outside of a turn nothing is kept, because it would not be known when it is outdated.
    in_turn: bool,
    monotonic: Option<Duration>,
    wall: Option<OffsetDateTime>,
}

/// Runs `work`. Each poll of it is a turn.
pub(crate) async fn in_turns<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        READINGS.set(Readings { in_turn: true, monotonic: None, wall: None });
        let polled = work.as_mut().poll(cx);
        READINGS.set(Readings { in_turn: false, monotonic: None, wall: None });
        polled
    })
    .await
}

/// The monotonic clock of the turn: the time since a moment before the instance started.
pub(crate) fn monotonic() -> Duration {
    let known = READINGS.get();
    known.monotonic.unwrap_or_else(|| {
        let now = Duration::from_nanos(monotonic_clock::now());
        READINGS.set(Readings { monotonic: Some(now).filter(|_| known.in_turn), ..known });
        now
    })
}

/// The wall clock of the turn.
pub(crate) fn wall() -> OffsetDateTime {
    let known = READINGS.get();
    known.wall.unwrap_or_else(|| {
        let now = SystemTime::now().into();
        READINGS.set(Readings { wall: Some(now).filter(|_| known.in_turn), ..known });
        now
    })
}
