//! Byte ranges of a result (RFC 9110, section 14). Pure.

use std::ops::Range;

/// Which bytes to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selected {
    /// All of them, `200`: no range was asked for, or one that is not understood.
    Whole,
    /// These, `206`.
    Part(Range<u64>),
    /// None exist there, `416`.
    Outside,
}

/// Reads the value of `Range`, given the size of the result. Several ranges at once are not supported and
/// answered with the whole, as the RFC allows.
pub(crate) fn select(range: Option<&str>, size: u64) -> Selected {
    let Some((unit, set)) = range.and_then(|value| value.split_once('=')) else { return Selected::Whole };
    let Some((first, last)) = set.trim().split_once('-') else { return Selected::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selected::Whole;
    }
    let part = match (number(first), number(last)) {
        (Number::Is(first), Number::Is(last)) if last < first => return Selected::Whole,
        (Number::Is(first), Number::Is(last)) => first..last.saturating_add(1).min(size),
        (Number::Is(first), Number::Absent) => first..size,
        (Number::Absent, Number::Is(count)) => size.saturating_sub(count)..size,
        _ => return Selected::Whole,
    };
    if part.is_empty() { Selected::Outside } else { Selected::Part(part) }
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
        // Beyond all measure is beyond the end.
        Number::Is(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_range_selects_what_the_rfc_says() {
        let huge = format!("bytes={}-", u128::MAX);
        for (range, expected) in [
            ("bytes=0-0", Selected::Part(0..1)),
            ("bytes=2-5", Selected::Part(2..6)),
            ("Bytes=2-", Selected::Part(2..10)),
            ("bytes=-3", Selected::Part(7..10)),
            ("bytes=-99", Selected::Part(0..10)),
            ("bytes=5-99", Selected::Part(5..10)),
            ("bytes=10-", Selected::Outside),
            ("bytes=-0", Selected::Outside),
            (&huge, Selected::Outside),
            ("bytes=5-2", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=0-1,4-5", Selected::Whole),
            ("bytes=a-b", Selected::Whole),
            ("lines=1-2", Selected::Whole),
            ("", Selected::Whole),
        ] {
            assert_eq!(select(Some(range), 10), expected, "{range}");
        }
        assert_eq!(select(None, 10), Selected::Whole);
        assert_eq!(select(Some("bytes=0-0"), 0), Selected::Outside);
    }
}
