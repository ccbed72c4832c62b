//! The two date formats of the services (RFC 9110 and ISO 8601), in UTC and whole seconds, and arithmetic on dates.
//!
//! HTTP dates are not left to the crate `httpdate`: with version 1.0.3 the API component has 6,155 bytes more and the
//! worker component 6,670. It also panics on a year outside of 1970 to 9999, and does not resolve years of two digits as
//! RFC 9110 requires.

use std::time::Duration;

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn utc(moment: OffsetDateTime) -> OffsetDateTime {
    moment.checked_to_offset(UtcOffset::UTC).unwrap_or(moment)
}

/// `Fri, 20 Nov 2026 10:00:00 GMT` (RFC 9110, IMF-fixdate), for `x-ms-date`.
pub(crate) fn http_date(moment: OffsetDateTime) -> String {
    let moment = utc(moment);
    let weekday = usize::from(moment.weekday().number_days_from_monday());
    let month = usize::from(u8::from(moment.month())).wrapping_sub(1);
    let mut text = String::with_capacity(29);
    text.push_str(WEEKDAYS.get(weekday).unwrap_or(&""));
    push(&mut text, ", ", moment.day().into(), 2);
    text.push(' ');
    text.push_str(MONTHS.get(month).unwrap_or(&""));
    push(&mut text, " ", moment.year().unsigned_abs(), 4);
    push(&mut text, " ", moment.hour().into(), 2);
    push(&mut text, ":", moment.minute().into(), 2);
    push(&mut text, ":", moment.second().into(), 2);
    text.push_str(" GMT");
    text
}

/// Parses the format of [`http_date`]. The name of the weekday is not checked.
pub(crate) fn parse_http_date(text: &str) -> Option<OffsetDateTime> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let clock = words.next()?;
    if words.next() != Some("GMT") || words.next().is_some() {
        return None;
    }
    assemble(year.parse().ok()?, month, day, clock)
}

/// Parses a date in any of the three formats that RFC 9110 (section 5.6.7) requires recipients to accept:
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
///
/// A year of two digits is the latest possible one that is at most fifty years after `now`.
pub(crate) fn parse_any_http_date(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    parse_http_date(text).or_else(|| parse_rfc850(text, now)).or_else(|| parse_asctime(text))
}

fn parse_rfc850(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let (_, rest) = text.split_once(", ")?;
    let (date, clock) = rest.strip_suffix(" GMT")?.split_once(' ')?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 2 {
        return None;
    }
    let latest = utc(now).year() + 50;
    let year: i32 = year.parse().ok()?;
    assemble(latest - (latest - year).rem_euclid(100), month, day, clock)
}

fn parse_asctime(text: &str) -> Option<OffsetDateTime> {
    let mut words = text.split_ascii_whitespace().skip(1);
    let (month, day, clock, year) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || year.len() != 4 {
        return None;
    }
    assemble(year.parse().ok()?, month, day, clock)
}

fn assemble(year: i32, month: &str, day: &str, clock: &str) -> Option<OffsetDateTime> {
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
    let mut clock = clock.splitn(3, ':');
    let mut part = || clock.next()?.parse::<u8>().ok();
    let time = Time::from_hms(part()?, part()?, part()?).ok()?;
    let date = Date::from_calendar_date(year, month, day.parse().ok()?).ok()?;
    Some(date.with_time(time).assume_utc())
}

/// `2026-11-20T10:00:00Z`, for signatures and delegation keys.
pub(crate) fn iso(moment: OffsetDateTime) -> String {
    let moment = utc(moment);
    let mut text = String::with_capacity(20);
    push(&mut text, "", moment.year().unsigned_abs(), 4);
    push(&mut text, "-", u8::from(moment.month()).into(), 2);
    push(&mut text, "-", moment.day().into(), 2);
    push(&mut text, "T", moment.hour().into(), 2);
    push(&mut text, ":", moment.minute().into(), 2);
    push(&mut text, ":", moment.second().into(), 2);
    text.push('Z');
    text
}

/// Appends `before` and the last `digits` digits of `value`. By hand: a date is written for each signature, and the formatting of
/// the standard library takes ten times as many instructions.
fn push(text: &mut String, before: &str, value: u32, digits: u32) {
    text.push_str(before);
    for place in (0..digits).rev() {
        text.push(char::from_digit(value / 10u32.pow(place) % 10, 10).unwrap_or('0'));
    }
}

/// Parses the format of [`iso`], also with a fraction or an offset.
pub(crate) fn parse_iso(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()
}

/// `moment + duration`, saturating at the latest representable date.
pub(crate) fn plus(moment: OffsetDateTime, duration: Duration) -> OffsetDateTime {
    let latest = Date::MAX.with_time(Time::MIDNIGHT).assume_utc();
    time::Duration::try_from(duration).ok().and_then(|span| moment.checked_add(span)).unwrap_or(latest)
}

/// `moment - duration`; `moment` itself if the difference is not representable.
pub(crate) fn minus(moment: OffsetDateTime, duration: Duration) -> OffsetDateTime {
    time::Duration::try_from(duration).ok().and_then(|span| moment.checked_sub(span)).unwrap_or(moment)
}

/// The time from `earlier` to `later`; zero if `earlier` is later.
pub(crate) fn between(earlier: OffsetDateTime, later: OffsetDateTime) -> Duration {
    Duration::try_from(later - earlier).unwrap_or_default()
}

/// Rounds up to a whole second.
pub(crate) fn round_up(moment: OffsetDateTime) -> OffsetDateTime {
    let whole = round_down(moment);
    if whole == moment { moment } else { plus(whole, Duration::from_secs(1)) }
}

/// Rounds down to a whole second.
pub(crate) fn round_down(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_nanosecond(0).unwrap_or(moment)
}

/// The duration in whole seconds, rounded up.
pub(crate) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_written_and_read_back() {
        let moment = parse_iso("2026-11-20T10:00:07Z").unwrap();
        assert_eq!(http_date(moment), "Fri, 20 Nov 2026 10:00:07 GMT");
        assert_eq!(iso(moment), "2026-11-20T10:00:07Z");
        assert_eq!(parse_http_date("Fri, 20 Nov 2026 10:00:07 GMT"), Some(moment));
        assert_eq!(iso(parse_http_date("Fri, 31 Dec 9999 23:59:59 GMT").unwrap()), "9999-12-31T23:59:59Z");
        assert_eq!(http_date(parse_iso("2024-02-29T00:00:00Z").unwrap()), "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(http_date(parse_iso("2026-11-20T12:00:07+02:00").unwrap()), http_date(moment));
    }

    #[test]
    fn invalid_date_is_refused() {
        for text in [
            "",
            "Fri, 20 Nov 2026",
            "Fri, 31 Feb 2026 10:00:00 GMT",
            "Fri, 20 Nov 2026 24:00:00 GMT",
            "Fri, 20 Nov 2026 10:00:00 CET",
            "20 Nov 2026 10:00:00 GMT",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn all_three_formats_of_rfc_9110_are_read() {
        let now = parse_iso("2026-11-20T10:00:00Z").unwrap();
        let read = |text| parse_any_http_date(text, now).map(iso);
        let expected = Some("1994-11-06T08:49:37Z".to_owned());
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(read(text), expected, "{text}");
        }
        for (text, expected) in [
            ("Friday, 20-Nov-26 11:00:00 GMT", "2026-11-20T11:00:00Z"),
            ("Friday, 20-Nov-76 11:00:00 GMT", "2076-11-20T11:00:00Z"),
            ("Friday, 20-Nov-77 11:00:00 GMT", "1977-11-20T11:00:00Z"),
            ("Fri Nov 20 11:00:00 2026", "2026-11-20T11:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 CET",
            "Sun Nov  6 08:49:37 94",
            "Sun Nov 31 08:49:37 1994",
            "Nov  6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn rounding_is_to_whole_seconds() {
        let whole = parse_iso("2026-11-20T10:00:07Z").unwrap();
        let later = parse_iso("2026-11-20T10:00:07.000001Z").unwrap();
        assert_eq!(round_up(whole), whole);
        assert_eq!(iso(round_up(later)), "2026-11-20T10:00:08Z");
        assert_eq!(round_down(later), whole);
        assert_eq!(seconds_up(Duration::from_millis(1500)), 2);
        assert_eq!(seconds_up(Duration::from_secs(2)), 2);
        assert_eq!(iso(plus(whole, Duration::MAX)), "9999-12-31T00:00:00Z");
    }
}
