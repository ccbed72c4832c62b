//! What request headers mean. Pure.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, IF_NONE_MATCH};
use service::problem::{Kind, Refusal};

/// Longest `Prefer: wait` that is honoured, in seconds.
pub(crate) const LONGEST_WAIT: u64 = 30;

pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
pub(crate) const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The header's text; `None` when it is absent or not visible ASCII.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Items of a header that is a comma-separated list, over all of its lines.
pub(crate) fn items(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// How the text of a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    /// Little-endian unless a byte order mark says otherwise.
    Utf16,
}

/// Refuses a body that is announced as something other than JSON in UTF-8 or UTF-16, the two that ASP.NET
/// Core's JSON formatter reads. Unannounced is taken as JSON in UTF-8.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<Charset, Refusal> {
    let refused = |detail| Err(Refusal::new(Kind::UnsupportedMediaType, detail));
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return refused("Send the body without Content-Encoding.");
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Charset::Utf8) };
    let Ok(value) = value.to_str() else { return refused("Send Content-Type: application/json.") };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json = match essence.split_once('/') {
        Some((kind, subtype)) => {
            matches!(essence.as_str(), "application/json" | "text/json")
                || !kind.is_empty() && subtype.ends_with("+json")
        }
        None => false,
    };
    if !is_json {
        return refused("Send the task as JSON, with Content-Type: application/json.");
    }
    let mut charset = Charset::Utf8;
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.trim().eq_ignore_ascii_case("charset") {
            charset = match value.trim().trim_matches('"').to_ascii_lowercase().as_str() {
                "utf-8" | "utf8" => Charset::Utf8,
                "utf-16" | "utf-16le" | "unicode" | "ucs-2" | "iso-10646-ucs-2" => Charset::Utf16,
                _ => return refused("Send the body in UTF-8 (or UTF-16); no other charset is supported."),
            };
        }
    }
    Ok(charset)
}

/// A body in UTF-16 as UTF-8; `None` when it is not UTF-16.
pub(crate) fn from_utf16(body: &[u8]) -> Option<Vec<u8>> {
    let read = if body.starts_with(&[0xfe, 0xff]) { u16::from_be_bytes } else { u16::from_le_bytes };
    let (pairs, rest) = body.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
    rest.is_empty().then(|| String::from_utf16(&units).ok())?.map(String::into_bytes)
}

/// The announced size of the body in bytes; a number beyond all measure is as large as can be.
pub(crate) fn announced_size(headers: &HeaderMap) -> Option<u64> {
    let digits = text(headers, CONTENT_LENGTH)?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Seconds of `Prefer: wait=N`, at most [`LONGEST_WAIT`]. What is not a whole number is ignored.
pub(crate) fn wait(headers: &HeaderMap) -> Option<u64> {
    let wait = items(headers, PREFER).find_map(|item| {
        let (name, value) = item.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    })?;
    let is_number = !wait.is_empty() && wait.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| wait.parse().unwrap_or(u64::MAX).min(LONGEST_WAIT))
}

/// Whether `If-None-Match` names `etag` (weak comparison) or is `*`.
pub(crate) fn none_match(headers: &HeaderMap, etag: &str) -> bool {
    let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == etag;
    items(headers, IF_NONE_MATCH).any(|tag| tag == "*" || bare(tag))
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
    fn json_under_any_name_is_accepted_and_nothing_else() {
        for accepted in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"; x=y",
            "application/merge-patch+json",
            "text/vnd.task+json",
            "text/json",
            "Text/JSON;charset=utf-8",
            "application/problem+json; charset=\"UTF-8\"",
        ] {
            assert_eq!(require_json(&with(CONTENT_TYPE, accepted)).unwrap(), Charset::Utf8, "{accepted}");
        }
        for wide in [
            "application/json; charset=utf-16",
            "text/json;charset=\"UTF-16LE\"",
            "application/a+json; charset=unicode",
        ] {
            assert_eq!(require_json(&with(CONTENT_TYPE, wide)).unwrap(), Charset::Utf16, "{wide}");
        }
        assert_eq!(require_json(&HeaderMap::new()).unwrap(), Charset::Utf8);
        for refused in [
            "text/plain",
            "application/jsonp",
            "text/jsonx",
            "json",
            "",
            "application/json; charset=utf-16be",
            "application/json; charset=latin1",
            "/+json",
        ] {
            assert!(require_json(&with(CONTENT_TYPE, refused)).is_err(), "{refused}");
        }
        assert!(require_json(&with(CONTENT_ENCODING, "gzip")).is_err());
        assert!(require_json(&with(CONTENT_ENCODING, "Identity")).is_ok());
    }

    #[test]
    fn utf_16_is_read_in_both_orders_and_refused_when_it_is_none() {
        let text = "{\"TaskName\":\"ä\u{1F600}\"}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(from_utf16(&little).as_deref(), Some(text.as_bytes()));
        assert_eq!(from_utf16(&big).as_deref(), Some(format!("\u{feff}{text}").as_bytes()));
        assert_eq!(from_utf16(b""), Some(Vec::new()));
        for broken in [&little[..little.len() - 1], &[0x00, 0xd8], &[0x00, 0xdc, 0x41, 0x00]] {
            assert_eq!(from_utf16(broken), None);
        }
    }

    #[test]
    fn a_wait_counts_only_as_a_whole_number_and_is_capped() {
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
            assert_eq!(wait(&with(PREFER, value)), expected, "{value}");
        }
    }

    #[test]
    fn entity_tags_are_compared_weakly_and_one_by_one() {
        let etag = "\"0x8D\"";
        for matching in ["*", "\"0x8D\"", "W/\"0x8D\"", "\"a\", \"0x8D\""] {
            assert!(none_match(&with(IF_NONE_MATCH, matching), etag), "{matching}");
        }
        for other in ["\"0x8d\"", "0x8D", "", "\"a\",\"b\""] {
            assert!(!none_match(&with(IF_NONE_MATCH, other), etag), "{other}");
        }
    }
}
