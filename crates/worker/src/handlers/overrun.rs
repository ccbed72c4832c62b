//! Reports to the launcher that a handler did not end in time.

use std::time::Duration;

use azure::{Limits, Secret, UNOBSERVED};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request};
use lifecycle::handlers::Target;
use lifecycle::outcome::HandlerProcess;
use models::milliseconds;
use service::env::Env;
use service::log::Line;
use service::settings::WorkerSettings;

/// How long a report may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The largest response that is read, in bytes.
const MAX_RESPONSE_BYTES: usize = 4 * 1024;

/// The launcher's address for reports. It ends the process of the handlers, because nothing else ends a handler that
/// computes without end.
pub(crate) struct Watch {
    url: String,
    token: Secret,
}

impl Watch {
    /// `None` if no launcher watches a process of the handlers.
    pub(crate) fn of(settings: &WorkerSettings) -> Option<Self> {
        let host = Some(&settings.handler_watch).filter(|host| !host.is_empty())?;
        Some(Self { url: format!("{host}/overrun"), token: settings.drain_token.clone() })
    }

    /// Returns whether the tasks called `name` have a handler in the watched process.
    pub(crate) fn covers(settings: &WorkerSettings, name: &str) -> bool {
        let rule = settings.handlers.find(name);
        let is_component = rule.is_some_and(|(_, rule)| matches!(rule.handler, Some(Target::Component(_))));
        is_component && !settings.handler_process.is_empty()
    }

    /// Reports a handler that was called `ago` and had to have ended. The launcher ends the process unless it is younger
    /// than that. Returns what the launcher knows of the process in that time.
    pub(crate) async fn report(&self, env: &dyn Env, ago: Duration) -> HandlerProcess {
        let Ok(mut token) = HeaderValue::from_str(&format!("Bearer {}", self.token.expose())) else {
            return HandlerProcess::Unknown;
        };
        token.set_sensitive(true);
        let request =
            Request::post(&self.url).header(AUTHORIZATION, token).header("overrun-ms", milliseconds(ago));
        let Ok(request) = request.body(Bytes::new()) else { return HandlerProcess::Unknown };
        let limits = Limits::within(TIMEOUT, MAX_RESPONSE_BYTES);
        match env.send(request, limits, UNOBSERVED).await {
            Ok(response) => process(response.headers()),
            Err(error) => {
                env.log(
                    &Line::error("the launcher was not told of a handler that runs too long")
                        .with("cause", error.to_string()),
                );
                HandlerProcess::Unknown
            }
        }
    }
}

/// Reads what the launcher says of the process. An older launcher says nothing.
fn process(headers: &HeaderMap) -> HandlerProcess {
    match headers.get("handler-process").map(HeaderValue::as_bytes) {
        Some(b"blocked") => HandlerProcess::Blocked,
        Some(b"responsive") => HandlerProcess::Responsive,
        _ => HandlerProcess::Unknown,
    }
}
