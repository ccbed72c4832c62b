//! Asks whether the host answers: waits until it does, and watches whether it still does.
//!
//! A host that does not answer is not killed here. `/healthz` turns to 503, and the platform's liveness probe, which
//! knows what else it has to weigh, restarts the container.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::connection::get;
use crate::log::Line;
use crate::metrics::Metrics;

/// One try; a host that hangs is asked again on a new connection.
const TRY: Duration = Duration::from_secs(2);
/// Between tries: the host of a development machine is up within milliseconds.
const PAUSE: Duration = Duration::from_millis(50);

/// Failures in a row that make a host unhealthy.
const FAILURES: u32 = 3;
/// How long one answer may take to a watch, or the watch's interval if that is shorter.
const ANSWER: Duration = Duration::from_secs(5);
/// Between tries of a watch until the first answer.
const FIRST: Duration = Duration::from_millis(250);

/// Asks `url` once.
///
/// # Errors
/// The reason, when the answer is not 2xx or takes longer than `limit`.
pub async fn once(url: &Uri, limit: Duration) -> Result<(), String> {
    match get(url, limit).await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
        Err(broken) => Err(broken.to_string()),
    }
}

/// Polls `url` until it answers 2xx.
///
/// # Errors
/// A sentence with the last reason, when `limit` is over.
pub async fn wait(url: &Uri, limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    loop {
        let Err(reason) = once(url, TRY).await else { return Ok(()) };
        if Instant::now() + PAUSE >= deadline {
            return Err(format!(
                "the host was not healthy within {} s at {}://{}{}: {reason}; raise --start-timeout if it needs \
                 longer",
                limit.as_secs_f32(),
                url.scheme_str().unwrap_or("http"),
                url.authority().map_or("", |authority| authority.as_str()),
                url.path(),
            ));
        }
        sleep(PAUSE).await;
    }
}

/// What the answers so far make of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    healthy: bool,
    failures: u32,
}

impl Standing {
    /// Whether a host that answered, or did not, has by this become healthy or unhealthy; `None`: neither.
    fn after(&mut self, answered: bool) -> Option<bool> {
        self.failures = if answered { 0 } else { self.failures.saturating_add(1) };
        let healthy = self.failures == 0 || self.healthy && self.failures < FAILURES;
        (std::mem::replace(&mut self.healthy, healthy) != healthy).then_some(healthy)
    }
}

/// A watch that goes on until this value is dropped.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Watch {
    /// Asks `url` every `interval`, starting at once, and tells `metrics` when what they say is not right any more.
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
    let mut standing = Standing { healthy: metrics.is_healthy(), failures: 0 };
    let mut answered_once = standing.healthy;
    loop {
        let asked = Instant::now();
        let answer = once(&url, ANSWER.min(interval)).await;
        answered_once |= answer.is_ok();
        match (standing.after(answer.is_ok()), answer) {
            (Some(true), _) => {
                metrics.set_healthy(true);
                Line::info("the host answers").write();
            }
            (Some(false), answer) => {
                metrics.set_healthy(false);
                let reason = answer.err().unwrap_or_default();
                Line::error("the host does not answer")
                    .with("reason", reason)
                    .with("failures", FAILURES)
                    .write();
            }
            (None, _) => {}
        }
        sleep_until(asked + if answered_once { interval } else { interval.min(FIRST) }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_are_unhealthy_and_one_answer_is_healthy_again() {
        let mut standing = Standing { healthy: false, failures: 0 };
        let told: Vec<_> =
            [false, false, false, false, true, true, false, false, true, false, false, false, false, true]
                .into_iter()
                .map(|answered| standing.after(answered))
                .collect();
        let (no, up, down) = (None, Some(true), Some(false));
        assert_eq!(told, [no, no, no, no, up, no, no, no, no, no, no, down, no, up]);
    }
}
