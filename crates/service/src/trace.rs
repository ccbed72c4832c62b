//! Trace ids (W3C Trace Context).

use http::HeaderMap;
use http::header::HeaderName;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Returns the `traceparent` header if it is valid.
#[must_use]
pub fn parent(headers: &HeaderMap) -> Option<&str> {
    text(headers).filter(|value| id_of(value).is_some())
}

fn text(headers: &HeaderMap) -> Option<&str> {
    headers.get(TRACEPARENT)?.to_str().ok().map(str::trim)
}

/// Returns the trace id of the `traceparent` header, otherwise one made from `random`.
#[must_use]
pub fn id(headers: &HeaderMap, random: [u8; 16]) -> String {
    let given = text(headers).and_then(id_of);
    given.map_or_else(|| format!("{:032x}", u128::from_be_bytes(random)), str::to_owned)
}

/// Returns the trace id of a `traceparent` value; `None` if the value is invalid.
#[must_use]
pub fn id_of(traceparent: &str) -> Option<&str> {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let nonzero = |part: &str| part.bytes().any(|b| b != b'0');
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let valid = known
        && (hex(trace, 32) && nonzero(trace))
        && (hex(parent, 16) && nonzero(parent))
        && hex(flags, 2)
        && traceparent.len() <= 512;
    valid.then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_traceparent_has_no_trace_id() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(id_of(valid), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(
            id_of("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x").map(str::len),
            Some(32)
        );
        for invalid in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(id_of(invalid), None, "{invalid}");
        }
    }
}
