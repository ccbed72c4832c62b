use std::time::{Duration, SystemTime};

use azure::{Clock, Instant, Limits, Observer, Random, Transport, TransportError};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use service::log::{Line, Log};
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random::get_random_u64;
use time::OffsetDateTime;

use crate::transport;

/// The environment of a component: WASI 0.3 HTTP, clocks and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasiEnv;

impl Transport for WasiEnv {
    fn send<'a>(
        &'a self,
        request: http::Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(transport::send(request, limits, observe))
    }
}

impl Clock for WasiEnv {
    fn now(&self) -> OffsetDateTime {
        SystemTime::now().into()
    }

    fn instant(&self) -> Instant {
        // Nanoseconds since a point in time before the instance started.
        Instant::since_origin(Duration::from_nanos(monotonic_clock::now()))
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(spin_sdk::time::sleep(duration))
    }
}

impl Random for WasiEnv {
    fn next_u64(&self) -> u64 {
        get_random_u64()
    }
}

impl Log for WasiEnv {
    fn log(&self, line: &Line) {
        // Spin copies the standard error of a component to its own log, line by line.
        eprintln!("{}", line.to_json(self.now().into()));
    }
}
