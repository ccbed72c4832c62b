//! The operator's sink of events: its address, and how calls of it are authorised.

use azure::{Identity, Secret};
use http::Uri;
use std::time::Duration;

/// Where all events of tasks go. `Debug` does not show the address, which may contain a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Sink {
    /// `event_sink_url`.
    pub url: Uri,
    /// `event_sink_auth`.
    pub auth: SinkAuth,
    /// `event_sink_max_attempts`: calls of the sink for one event.
    pub max_attempts: u32,
    /// `event_sink_progress_seconds`: least time between two events of progress of one attempt; zero for none.
    pub progress_interval: Duration,
}

/// How calls of the sink are authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkAuth {
    /// They are not.
    None,
    /// `event_sink_key`, in the header `aeg-sas-key` of Event Grid.
    Key(Secret),
    /// A token of the managed identity for Event Grid.
    Identity(Identity),
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("host", &self.url.host())
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// Returns whether `origin` is scheme, host and port of `url`, as text that only differs in case.
pub(crate) fn is_origin_of(origin: &str, url: &Uri) -> bool {
    let (scheme, authority) = (url.scheme_str(), url.authority().map(http::uri::Authority::as_str));
    let expected = format!("{}://{}", scheme.unwrap_or_default(), authority.unwrap_or_default());
    origin.eq_ignore_ascii_case(&expected)
}

/// Returns whether a key or a token may be sent to `url`: only over TLS, except within the machine.
pub(crate) fn may_carry_secrets(url: &Uri) -> bool {
    let is_loopback = matches!(url.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    url.scheme_str() == Some("https") || is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn host_is_that_of_the_address() {
        let url = url("https://Topic.example:8443/api/events?x=1");
        assert!(is_origin_of("https://topic.example:8443", &url));
        for other in
            ["https://topic.example", "http://topic.example:8443", "https://topic.example:8443/api", ""]
        {
            assert!(!is_origin_of(other, &url), "{other}");
        }
    }

    #[test]
    fn secrets_travel_over_tls_or_within_the_machine() {
        let may = |text: &str| may_carry_secrets(&url(text));
        assert!(may("https://a.test/") && may("http://127.0.0.1:9/") && may("http://localhost/"));
        assert!(!may("http://a.test/") && !may("http://127.0.0.1.evil.test/"));
    }

    #[test]
    fn debug_does_not_show_the_address_or_the_key() {
        let sink = Sink {
            url: url("https://a.test/hidden?sig=hidden"),
            auth: SinkAuth::Key(Secret::new("hidden")),
            max_attempts: 1,
            progress_interval: Duration::ZERO,
        };
        assert!(!format!("{sink:?}").contains("hidden"));
    }
}
