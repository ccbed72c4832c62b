//! Health of the host: waits until it responds, and watches whether it still does.
//!
//! A host that does not respond is not killed here. `/healthz` turns to 503, and the liveness probe of the platform
//! restarts the container.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::connection::get;
use crate::metrics::Metrics;
use crate::stderr::WriteLine as _;
use logging::Line;

/// One request while waiting; a host that hangs gets the next one on a new connection.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Between requests while waiting: the host of a development machine is up within milliseconds.
const WAIT_INTERVAL: Duration = Duration::from_millis(50);

/// Failures in a row that make a host unhealthy.
const UNHEALTHY_AFTER_FAILURES: u32 = 3;
/// How long a response to a watch may take; the interval of the watch if that is shorter.
const WATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Between requests of a watch until the first 2xx.
const STARTUP_INTERVAL: Duration = Duration::from_millis(250);

/// Requests `url` once.
///
/// # Errors
/// The reason, when the response is not 2xx or takes longer than `limit`.
pub async fn probe(url: &Uri, limit: Duration) -> Result<(), String> {
    match get(url, limit).await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("it responded {}", response.status().as_u16())),
        Err(error) => Err(error.to_string()),
    }
}

/// Polls `url` until the response is 2xx.
///
/// # Errors
/// A sentence with the last reason, when `limit` is over.
pub async fn wait_until_healthy(url: &Uri, limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    loop {
        let Err(reason) = probe(url, WAIT_TIMEOUT).await else { return Ok(()) };
        if Instant::now() + WAIT_INTERVAL >= deadline {
            return Err(format!(
                "the host was not healthy within {} s at {}://{}{}: {reason}; raise --start-timeout if it needs \
                 longer",
                limit.as_secs_f32(),
                url.scheme_str().unwrap_or("http"),
                url.authority().map_or("", |authority| authority.as_str()),
                url.path(),
            ));
        }
        sleep(WAIT_INTERVAL).await;
    }
}

/// The state of a host after the responses so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    healthy: bool,
    failures: u32,
}

impl State {
    /// Counts one more request; returns the new health when it has changed.
    fn after(&mut self, responded: bool) -> Option<bool> {
        self.failures = if responded { 0 } else { self.failures.saturating_add(1) };
        let healthy = self.failures == 0 || self.healthy && self.failures < UNHEALTHY_AFTER_FAILURES;
        (std::mem::replace(&mut self.healthy, healthy) != healthy).then_some(healthy)
    }
}

/// A watch that goes on until this value is dropped.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Watch {
    /// Requests `url` every `interval`, starting at once, and updates `metrics` when the health changes.
    #[must_use]
    pub fn start(url: Uri, interval: Duration, metrics: Arc<Metrics>) -> Self {
        Self(tokio::spawn(watch(url, interval, metrics)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(url: Uri, interval: Duration, metrics: Arc<Metrics>) {
    let mut state = State { healthy: metrics.is_healthy(), failures: 0 };
    let mut responded_once = state.healthy;
    loop {
        let started = Instant::now();
        let result = probe(&url, WATCH_TIMEOUT.min(interval)).await;
        responded_once |= result.is_ok();
        match (state.after(result.is_ok()), result) {
            (Some(true), _) => {
                metrics.set_healthy(true);
                Line::info("the host responds").write();
            }
            (Some(false), result) => {
                metrics.set_healthy(false);
                let reason = result.err().unwrap_or_default();
                Line::error("the host does not respond")
                    .with("reason", reason)
                    .with("failures", UNHEALTHY_AFTER_FAILURES)
                    .write();
            }
            (None, _) => {}
        }
        sleep_until(started + if responded_once { interval } else { interval.min(STARTUP_INTERVAL) }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unhealthy_after_three_failures_and_healthy_after_one_response() {
        let mut state = State { healthy: false, failures: 0 };
        let changes: Vec<_> =
            [false, false, false, false, true, true, false, false, true, false, false, false, false, true]
                .into_iter()
                .map(|responded| state.after(responded))
                .collect();
        let (no, up, down) = (None, Some(true), Some(false));
        assert_eq!(changes, [no, no, no, no, up, no, no, no, no, no, no, down, no, up]);
    }
}
