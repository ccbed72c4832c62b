use std::io::Write as _;
use std::time::Duration;

use azure::{Clock, Instant, Limits, Observer, Random, Spill, Transport, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use service::log::{Level, Line, Log};
use time::OffsetDateTime;

use crate::{random, transport, turn};

/// The environment of a component: WASI 0.3 HTTP, clocks, randomness and the log.
#[derive(Debug, Clone, Copy)]
pub struct WasiEnv {
    min_level: Level,
}

impl WasiEnv {
    /// An environment that writes log lines of `min_level` and above.
    #[must_use]
    pub fn new(min_level: Level) -> Self {
        Self { min_level }
    }
}

impl Transport for WasiEnv {
    fn send<'a>(
        &'a self,
        request: http::Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(transport::send(request, limits, observe, None))
    }

    fn send_spilling<'a>(
        &'a self,
        request: http::Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
        spill: &'a dyn Spill,
    ) -> LocalBoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(transport::send(request, limits, observe, Some(spill)))
    }
}

impl Clock for WasiEnv {
    fn now(&self) -> OffsetDateTime {
        turn::wall()
    }

    fn instant(&self) -> Instant {
        Instant::since_origin(turn::monotonic())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(spin_sdk::time::sleep(duration))
    }
}

impl Random for WasiEnv {
    fn next_u64(&self) -> u64 {
        random::next_u64()
    }
}

impl Log for WasiEnv {
    fn log(&self, line: &Line) {
        if line.level < self.min_level {
            return;
        }
        // Spin copies the standard error of a component to its own log, line by line. One write: `eprintln!` would write
        // the line break separately, and each write is three host calls.
        let mut text = line.to_json(self.now().into());
        text.push('\n');
        // There is nowhere to report a failure.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
