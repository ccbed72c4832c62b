//! Byte ranges of a result (RFC 9110, section 14). Pure.

use std::ops::Range;

/// The bytes that the response contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The complete result, `200`: `Range` is absent or not supported.
    Full,
    /// A part of the result, `206`.
    Partial(Range<u64>),
    /// The range is outside the result, `416`.
    Unsatisfiable,
}

/// Parses the value of `Range` for a result of `size` bytes. Multiple ranges are not supported; the response is then
/// the complete result, which the RFC allows.
pub(crate) fn select(range: Option<&str>, size: u64) -> Selection {
    let Some((unit, set)) = range.and_then(|value| value.split_once('=')) else { return Selection::Full };
    let Some((first, last)) = set.trim().split_once('-') else { return Selection::Full };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selection::Full;
    }
    let part = match (number(first), number(last)) {
        (Number::Is(first), Number::Is(last)) if last < first => return Selection::Full,
        (Number::Is(first), Number::Is(last)) => first..last.saturating_add(1).min(size),
        (Number::Is(first), Number::Absent) => first..size,
        (Number::Absent, Number::Is(count)) => size.saturating_sub(count)..size,
        _ => return Selection::Full,
    };
    if part.is_empty() { Selection::Unsatisfiable } else { Selection::Partial(part) }
}

enum Number {
    Absent,
    Is(u64),
    Unreadable,
}

fn number(text: &str) -> Number {
    if text.is_empty() {
        Number::Absent
    } else if text.bytes().all(|b| b.is_ascii_digit()) {
        // Values that overflow `u64` saturate.
        Number::Is(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_selects_bytes_as_rfc_9110_requires() {
        let huge = format!("bytes={}-", u128::MAX);
        for (range, expected) in [
            ("bytes=0-0", Selection::Partial(0..1)),
            ("bytes=2-5", Selection::Partial(2..6)),
            ("Bytes=2-", Selection::Partial(2..10)),
            ("bytes=-3", Selection::Partial(7..10)),
            ("bytes=-99", Selection::Partial(0..10)),
            ("bytes=5-99", Selection::Partial(5..10)),
            ("bytes=10-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            (&huge, Selection::Unsatisfiable),
            ("bytes=5-2", Selection::Full),
            ("bytes=-", Selection::Full),
            ("bytes=0-1,4-5", Selection::Full),
            ("bytes=a-b", Selection::Full),
            ("lines=1-2", Selection::Full),
            ("", Selection::Full),
        ] {
            assert_eq!(select(Some(range), 10), expected, "{range}");
        }
        assert_eq!(select(None, 10), Selection::Full);
        assert_eq!(select(Some("bytes=0-0"), 0), Selection::Unsatisfiable);
    }
}
