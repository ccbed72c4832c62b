use std::time::{Duration, SystemTime};

use azure::{Clock, Limits, Random, Transport, TransportError};
use bytes::Bytes;
use service::log::{Line, Log};
use spin_sdk::wasip3::random::random::get_random_u64;
use time::OffsetDateTime;

use crate::transport;

/// The surroundings of a component: WASI 0.3 HTTP, clocks and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasiEnv;

impl Transport for WasiEnv {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        transport::send(request, limits).await
    }
}

impl Clock for WasiEnv {
    fn now(&self) -> OffsetDateTime {
        SystemTime::now().into()
    }

    async fn sleep(&self, duration: Duration) {
        spin_sdk::time::sleep(duration).await;
    }
}

impl Random for WasiEnv {
    fn next_u64(&self) -> u64 {
        get_random_u64()
    }
}

impl Log for WasiEnv {
    fn log(&self, line: &Line) {
        // Spin passes a component's standard error on to its own log, line by line.
        eprintln!("{}", line.to_json(self.now().into()));
    }
}
