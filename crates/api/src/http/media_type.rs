//! The `Content-Type` of a body, and content negotiation by `Accept` (RFC 9110, sections 8.3 and 12.5.1). Pure.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use service::media_type::MediaType;
use service::problem::{HttpError, ProblemKind};

use crate::http::headers::list_items;

/// The encoding of the text of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    /// Little-endian unless the text begins with a big-endian byte order mark.
    Utf16,
}

/// Returns the charset of a JSON body. JSON in UTF-8 is the default if there is no `Content-Type`.
///
/// # Errors
/// If the media type is not JSON, or the charset is neither UTF-8 nor UTF-16, the two that ASP.NET Core accepts.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<Charset, HttpError> {
    let refused = |detail| Err(HttpError::new(ProblemKind::UnsupportedMediaType, detail));
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Charset::Utf8) };
    let Ok(value) = value.to_str() else { return refused("Send Content-Type: application/json.") };
    let Some(media_type) = MediaType::parse(value).filter(MediaType::is_json) else {
        return refused("Send JSON, with Content-Type: application/json.");
    };
    let mut charset = Charset::Utf8;
    for (name, value) in media_type.parameters() {
        if name.eq_ignore_ascii_case("charset") {
            charset = match value.unwrap_or_default().trim_matches('"').to_ascii_lowercase().as_str() {
                "utf-8" | "utf8" => Charset::Utf8,
                "utf-16" | "utf-16le" | "unicode" | "ucs-2" | "iso-10646-ucs-2" => Charset::Utf16,
                _ => return refused("Send the body in UTF-8 (or UTF-16); no other charset is supported."),
            };
        }
    }
    Ok(charset)
}

/// Whether the client prefers an event stream to JSON. If it prefers neither, or accepts neither, the response is
/// JSON, because a response in another media type is more useful than an error.
pub(crate) fn prefers_event_stream(headers: &HeaderMap) -> bool {
    preference(headers, "text", "event-stream") > preference(headers, "application", "json")
}

/// How much the client prefers a media type. With equal quality, a type that `Accept` names is preferred to one that
/// only a wildcard covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Preference {
    quality: u16,
    specificity: u8,
}

/// The preference for a media type. The most specific range that covers it applies; of several equally specific
/// ranges, the one with the highest quality.
fn preference(headers: &HeaderMap, kind: &str, subtype: &str) -> Preference {
    let ranges = list_items(headers, ACCEPT).filter_map(|item| {
        let range = MediaType::parse(item)?;
        let specificity = match (range.kind, range.subtype) {
            ("*", "*") => 1,
            (k, "*") if k.eq_ignore_ascii_case(kind) => 2,
            _ if range.is(kind, subtype) => 3,
            _ => return None,
        };
        // Other parameters (charset, profiles) are ignored.
        let weight =
            range.parameters().find_map(|(name, value)| value.filter(|_| name.eq_ignore_ascii_case("q")));
        Some((specificity, weight.map_or(Some(MAX_QUALITY), quality)?))
    });
    // A quality of 0 means that the type is not acceptable.
    let best = ranges.max().filter(|(_, quality)| *quality > 0);
    best.map(|(specificity, quality)| Preference { quality, specificity }).unwrap_or_default()
}

/// A quality of 1, in thousandths.
const MAX_QUALITY: u16 = 1000;

/// Parses a weight of RFC 9110, 0 to 1 with at most three decimals, into thousandths.
fn quality(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(MAX_QUALITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn only_json_media_types_are_accepted() {
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
    }

    fn is_event_stream(lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        prefers_event_stream(&headers)
    }

    #[test]
    fn event_stream_for_clients_that_prefer_it() {
        for accept in [
            "text/event-stream",
            "Text/Event-Stream",
            "text/event-stream;q=0.01",
            "text/event-stream; charset=utf-8",
            "application/json;q=0.5, Text/Event-Stream;q=0.9",
            "text/event-stream, */*",
            "text/event-stream, */*;q=0.1",
            "text/*",
            "application/json;q=0, */*;q=0.1",
            "application/*;q=0.2, text/*;q=0.3",
        ] {
            assert!(is_event_stream(&[accept]), "{accept}");
        }
        assert!(is_event_stream(&["application/json;q=0.1", "text/event-stream"]));
    }

    #[test]
    fn json_for_all_other_clients() {
        for accept in [
            "application/json, text/event-stream;q=0.1",
            "application/json, text/event-stream",
            "text/event-stream, application/json",
            "text/event-stream, application/json, application/problem+json",
            "text/event-stream;q=0.9, application/*",
            "text/event-stream;q=0",
            "text/event-stream; q=0.000, */*;q=0.001",
            "text/event-stream;q=0.5, */*",
            "*/*",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "text/html",
            "text/event-stream;q=high",
            "text/event-stream;q=2",
            "text/event-stream;q=0.1234",
            "event-stream",
            "",
        ] {
            assert!(!is_event_stream(&[accept]), "{accept}");
        }
        assert!(!is_event_stream(&[]));
        assert!(!is_event_stream(&["text/event-stream", "application/json"]));
    }
}
