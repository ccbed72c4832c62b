//! Asks whether the host answers, and waits until it does.

use std::time::Duration;

use http::Uri;
use tokio::time::{Instant, sleep};

use crate::connection::get;

/// One try; a host that hangs is asked again on a new connection.
const TRY: Duration = Duration::from_secs(2);
/// Between tries: the host of a development machine is up within milliseconds.
const PAUSE: Duration = Duration::from_millis(50);

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
