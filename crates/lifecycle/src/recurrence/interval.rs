//! Intervals as ISO 8601 durations of a fixed length.

use std::time::Duration;

/// The shortest interval.
pub const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// The longest interval.
pub const MAX_INTERVAL: Duration = Duration::from_secs(366 * 86_400);

/// Parses a duration of weeks, or of days, hours, minutes and seconds: `P1W`, `P1DT12H`, `PT15M`. Years and months are refused,
/// because they have no fixed length; a cron expression names them.
///
/// # Errors
/// A sentence for the client.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let wrong =
        || "must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, such as PT15M".to_owned();
    let seconds = seconds_of(text).ok_or_else(wrong)?;
    let interval = Duration::from_secs(seconds);
    if (MIN_INTERVAL..=MAX_INTERVAL).contains(&interval) {
        Ok(interval)
    } else {
        Err("must be between 10 seconds (PT10S) and 366 days (P366D)".to_owned())
    }
}

fn seconds_of(text: &str) -> Option<u64> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    let date_units: &[(char, u64)] = &[('W', 604_800), ('D', 86_400)];
    let time_units: &[(char, u64)] = &[('H', 3600), ('M', 60), ('S', 1)];
    let is_mixed = date.contains('W') && (date.contains('D') || !time.is_empty());
    if is_mixed || date.is_empty() && time.is_empty() {
        return None;
    }
    sum(date, date_units)?.checked_add(sum(time, time_units)?)
}

/// The sum of numbers that are followed by their units, in the order of the units, each at most once.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    for (unit, seconds) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            let is_number =
                (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u64 = number.parse().ok().filter(|_| is_number)?;
            total = total.checked_add(number.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}
