//! Content negotiation (RFC 9110, section 12.5.1): whether a task is told as JSON or as a stream. Pure.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::http::headers::items;

/// A quality of one, in thousandths.
const FULL: u16 = 1000;

/// How much a representation is wanted, and how exactly it was named: what is named counts before what
/// only a wildcard covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Wish {
    quality: u16,
    exactness: u8,
}

/// Whether a stream of events is wanted more than JSON. Equally wanted and equally named is JSON; so is
/// what asks for neither, because an answer in JSON is better than none.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    wish(headers, "text", "event-stream") > wish(headers, "application", "json")
}

/// What the client says about a media type. The most exact range that covers it decides, whatever the
/// others say; of several that are equally exact the kindest.
fn wish(headers: &HeaderMap, kind: &str, subtype: &str) -> Wish {
    let ranges = items(headers, ACCEPT).filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let (of_kind, of_subtype) = parts.next()?.split_once('/')?;
        let exactness = match (of_kind, of_subtype) {
            ("*", "*") => 1,
            (k, "*") if k.eq_ignore_ascii_case(kind) => 2,
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => 3,
            _ => return None,
        };
        let weight = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        // Other parameters (charset, profiles) are not told apart.
        Some((exactness, weight.map_or(Some(FULL), thousandths)?))
    });
    // What is refused is not wanted, however exactly it is named.
    let best = ranges.max().filter(|(_, quality)| *quality > 0);
    best.map(|(exactness, quality)| Wish { quality, exactness }).unwrap_or_default()
}

/// A weight as RFC 9110 writes it: 0 to 1 with at most three decimals; `None` for anything else.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn streams(lines: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_str(line).unwrap());
        }
        wants_events(&headers)
    }

    #[test]
    fn a_stream_is_opened_for_clients_that_want_it_more_than_json() {
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
            assert!(streams(&[accept]), "{accept}");
        }
        assert!(streams(&["application/json;q=0.1", "text/event-stream"]));
    }

    #[test]
    fn json_is_the_answer_to_everybody_else() {
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
            assert!(!streams(&[accept]), "{accept}");
        }
        assert!(!streams(&[]));
        assert!(!streams(&["text/event-stream", "application/json"]));
    }
}
