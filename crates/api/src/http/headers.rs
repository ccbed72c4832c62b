//! Request headers: names, list syntax and `Prefer`. Pure.

use http::HeaderMap;
use http::header::HeaderName;

/// Maximum wait that `Prefer: wait` can request, in seconds.
const MAX_WAIT_SECONDS: u64 = 30;

const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
pub(crate) const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The value of a header, without white space around it; `None` if it is absent or not visible ASCII.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The items of a comma-separated list, from all lines with this name.
pub(crate) fn list_items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// Seconds of `Prefer: wait=N` (RFC 7240), at most [`MAX_WAIT_SECONDS`]. Other values than whole numbers are
/// ignored.
pub(crate) fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    let wait = list_items(headers, PREFER).find_map(|item| {
        let (name, value) = item.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    })?;
    let is_number = !wait.is_empty() && wait.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| wait.parse().unwrap_or(u64::MAX).min(MAX_WAIT_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn wait_is_a_whole_number_and_capped() {
        for (value, expected) in [
            ("wait=5", Some(5)),
            ("respond-async, Wait = 7; x=y", Some(7)),
            ("wait=0", Some(0)),
            ("wait=31", Some(30)),
            ("wait=99999999999999999999999", Some(30)),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("wait=", None),
            ("wait", None),
            ("wait=ten", None),
            ("handling=lenient", None),
        ] {
            assert_eq!(preferred_wait(&with(PREFER, value)), expected, "{value}");
        }
    }
}
