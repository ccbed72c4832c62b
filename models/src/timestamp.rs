use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, Time};

/// A UTC timestamp in milliseconds, written as RFC 3339 (`2026-11-20T10:00:00.000Z`).
///
/// It is between the years 0001 and 9999, the common range of .NET and RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MIN_MILLIS: i64 = -62_135_596_800_000;
const MAX_MILLIS: i64 = 253_402_300_799_999;

/// Returns `duration` in whole milliseconds, rounded down; the largest number for a longer one.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Timestamp {
    /// Creates a timestamp from milliseconds since 1970-01-01T00:00:00Z, clamped to the supported years.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(MIN_MILLIS, MAX_MILLIS))
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Returns the timestamp `duration` later, clamped to the supported years.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// Returns the timestamp `duration` earlier, clamped to the supported years.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }

    /// Returns the time from `earlier` to `self`; zero if `earlier` is later, which happens with clocks of two
    /// machines.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the calendar date and time in UTC.
    #[must_use]
    pub fn to_date_time(self) -> OffsetDateTime {
        // Not by nanoseconds, which have 128 bits: WebAssembly has no instructions for them.
        let whole = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000));
        let millis = time::Duration::milliseconds(self.0.rem_euclid(1000));
        whole.unwrap_or(OffsetDateTime::UNIX_EPOCH).saturating_add(millis)
    }

    /// Parses the form in which this project writes timestamps. Almost every timestamp has it, and the general parser takes
    /// several times as many instructions.
    fn of_own_form(text: &str) -> Option<Self> {
        let text: &[u8; 24] = text.as_bytes().try_into().ok()?;
        let mut numbers = [0_u16; 7];
        let mut others = numbers.iter_mut();
        let mut number = others.next()?;
        for (byte, form) in text.iter().zip(FORM) {
            match (byte, form) {
                (b'0'..=b'9', b'0') => *number = *number * 10 + u16::from(byte - b'0'),
                (b'0'..=b'9', _) | (_, b'0') => return None,
                _ if byte != form => return None,
                _ => number = others.next().unwrap_or(number),
            }
        }
        let [year, month, day, hour, minute, second, millisecond] = numbers;
        let small = |number: u16| u8::try_from(number).ok();
        let month = Month::try_from(small(month)?).ok()?;
        let date = Date::from_calendar_date(year.into(), month, small(day)?).ok()?;
        let time = Time::from_hms_milli(small(hour)?, small(minute)?, small(second)?, millisecond).ok()?;
        Some(date.with_time(time).assume_utc().into())
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(date_time: OffsetDateTime) -> Self {
        Self::from_unix_millis(date_time.unix_timestamp() * 1000 + i64::from(date_time.millisecond()))
    }
}

impl FromStr for Timestamp {
    type Err = time::error::Parse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::of_own_form(text) {
            Some(timestamp) => Ok(timestamp),
            None => OffsetDateTime::parse(text, &Rfc3339).map(Self::from),
        }
    }
}

/// The form of a [`Timestamp`], with a zero for each digit.
const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";

/// The text of a [`Timestamp`].
struct Text([u8; 24]);

impl Text {
    /// By hand: a document has several timestamps, and the formatting of the standard library takes ten times as many
    /// instructions.
    fn of(timestamp: Timestamp) -> Self {
        let t = timestamp.to_date_time();
        let mut text = *FORM;
        for (end, value) in [
            (4, t.year().unsigned_abs()),
            (7, u8::from(t.month()).into()),
            (10, t.day().into()),
            (13, t.hour().into()),
            (16, t.minute().into()),
            (19, t.second().into()),
            (23, t.millisecond().into()),
        ] {
            let mut rest = value;
            for digit in text.iter_mut().take(end).rev().take_while(|byte| byte.is_ascii_digit()) {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        Self(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Text::of(*self).as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Text::of(*self).as_str())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
