//! The two date formats of the storage services: RFC 1123 in headers, ISO 8601 in SAS and XML requests.

use httpdate::fmt_http_date;
use time::macros::datetime;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// What the services print as the expiry of a message that never expires.
pub(crate) const NEVER: &str = "Fri, 31 Dec 9999 23:59:59 GMT";

/// The last second that a header can name.
const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// `Fri, 20 Nov 2026 10:00:00 GMT`. Times outside 1970 to 9999 become the nearest of these.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    let at = at.clamp(OffsetDateTime::UNIX_EPOCH, LAST);
    fmt_http_date(at.into())
}

/// Reads what [`http_date`] writes; `None` for anything else, the older formats of HTTP among it.
pub(crate) fn parse_http_date(text: &str) -> Option<OffsetDateTime> {
    let at = httpdate::parse_http_date(text).ok()?.into();
    // The weekday too must be right.
    (http_date(at) == text).then_some(at)
}

/// `2026-11-20T10:00:00Z`.
pub(crate) fn iso(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let (hour, minute, second) = at.to_hms();
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", at.year(), u8::from(at.month()), at.day())
}

/// Reads the ISO 8601 forms that the services accept in UTC: a date, minutes, seconds, fractions of a second.
pub(crate) fn parse_iso(text: &str) -> Option<OffsetDateTime> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let mut parts = date.splitn(3, '-');
    let year = i32::try_from(number(parts.next()?, 4)?).ok()?;
    let month = Month::try_from(u8::try_from(number(parts.next()?, 2)?).ok()?).ok()?;
    let day = u8::try_from(number(parts.next()?, 2)?).ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    let Some(time) = time else { return Some(date.with_time(Time::MIDNIGHT).assume_utc()) };
    let time = time.strip_suffix('Z')?;
    let (whole, fraction) = time.split_once('.').map_or((time, None), |(whole, f)| (whole, Some(f)));
    if fraction.is_some_and(|f| f.is_empty() || f.len() > 7 || !f.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    Some(date.with_time(clock(whole)?).assume_utc())
}

/// `10:00:00` or `10:00`.
fn clock(text: &str) -> Option<Time> {
    let mut parts = text.splitn(3, ':');
    let mut part = || parts.next().map(|part| number(part, 2).and_then(|n| u8::try_from(n).ok()));
    let hour = part()??;
    let minute = part()??;
    let second = part().map_or(Some(0), |second| second)?;
    Time::from_hms(hour, minute, second).ok()
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_back_and_other_texts_are_refused() {
        let text = "Fri, 20 Nov 2026 10:00:00 GMT";
        assert_eq!(http_date(parse_http_date(text).unwrap()), text);
        assert_eq!(iso(parse_iso("2026-11-20T10:00:00.1234567Z").unwrap()), "2026-11-20T10:00:00Z");
        assert_eq!(iso(parse_iso("2026-11-20").unwrap()), "2026-11-20T00:00:00Z");
        for wrong in
            ["", "Thu, 20 Nov 2026 10:00:00 GMT", "Fri, 20 Nov 2026 10:00:00 UTC", "2026-11-20T10:00:00Z"]
        {
            assert_eq!(parse_http_date(wrong), None, "{wrong}");
        }
        for wrong in ["", "2026-11-20T10:00:00", "2026-13-20T10:00:00Z", "2026-11-20T10:00:00.Z", "T", "é-é"]
        {
            assert_eq!(parse_iso(wrong), None, "{wrong}");
        }
    }
}
