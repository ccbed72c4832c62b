//! Cron expressions of five fields: minute, hour, day of the month, month, day of the week.
//!
//! Parsed here rather than by a crate: in a component of its own, `croner` 3 adds 59,115 bytes and `cron` 0.15 adds 92,721,
//! most of it `chrono`.

use std::fmt;

use super::calendar::{DAY, Date, date_of, number_of, weekday};

/// Days that are searched for one that matches: eight years, from 29 February to the next across a year like 2100.
const MAX_DAYS: i64 = 8 * 366;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A parsed expression.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// One bit for each value that a field names.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether both kinds of days are restricted; one of them then has to match.
    is_either_day: bool,
}

/// A field of an expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", min: 0, max: 59, names: &[] };
const HOUR: Field = Field { name: "hour", min: 0, max: 23, names: &[] };
const DAY_OF_MONTH: Field = Field { name: "day of the month", min: 1, max: 31, names: &[] };
const MONTH: Field = Field { name: "month", min: 1, max: 12, names: &MONTHS };
/// Both 0 and 7 are Sunday.
const DAY_OF_WEEK: Field = Field { name: "day of the week", min: 0, max: 7, names: &WEEKDAYS };

impl Cron {
    /// Parses an expression: `*`, numbers, names of months and weekdays, ranges `a-b`, steps `*/n` and `a-b/n`, and lists of
    /// these with commas; or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    ///
    /// # Errors
    /// A sentence for the client that names the field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expression = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        let [minute, hour, day, month, day_of_week] = fields[..] else {
            return Err(format!("must have 5 fields (minute hour day month weekday), not {}", fields.len()));
        };
        let weekdays = DAY_OF_WEEK.parse(day_of_week)?;
        let cron = Self {
            text: text.trim().to_owned(),
            minutes: MINUTE.parse(minute)?,
            hours: HOUR.parse(hour)?,
            days: DAY_OF_MONTH.parse(day)?,
            months: MONTH.parse(month)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            is_either_day: !day.starts_with('*') && !day_of_week.starts_with('*'),
        };
        // 2000 is a leap year, so that the next eight years have every date.
        let any = number_of(Date { year: 2000, month: 1, day: 1 }) * DAY;
        if cron.next_local(any).is_none() {
            return Err("names a day that no year has".to_owned());
        }
        Ok(cron)
    }

    /// Whether the hour field names every hour.
    pub(super) fn is_hourly(&self) -> bool {
        self.hours == 0xff_ffff
    }

    /// Returns the first local time after `after` that matches, both in seconds since 1970-01-01 00:00 local time.
    pub(super) fn next_local(&self, after: i64) -> Option<i64> {
        let start = (after.div_euclid(60) + 1) * 60;
        let first = start.div_euclid(DAY);
        let minute_of_day = start.rem_euclid(DAY) / 60;
        (first..=first + MAX_DAYS).find_map(|day| {
            let from = if day == first { minute_of_day } else { 0 };
            let minute = self.matches_day(day).then(|| self.minute_from(from)).flatten()?;
            Some(day * DAY + minute * 60)
        })
    }

    fn matches_day(&self, number: i64) -> bool {
        let date = date_of(number);
        let day = has(self.days, date.day);
        let weekday = has(self.weekdays, weekday(number));
        has(self.months, date.month) && if self.is_either_day { day || weekday } else { day && weekday }
    }

    /// The first minute of a day from `from` on that matches.
    fn minute_from(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        (hour..24).find_map(|this| {
            let start = if this == hour { minute } else { 0 };
            let is_named = |bits: u64, value: i64| u32::try_from(value).is_ok_and(|value| has(bits, value));
            let minute = (start..60).find(|minute| is_named(self.minutes, *minute));
            minute.filter(|_| is_named(self.hours, this)).map(|minute| this * 60 + minute)
        })
    }
}

impl fmt::Display for Cron {
    /// The expression as it was parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({})", self.text)
    }
}

fn has(bits: u64, value: u32) -> bool {
    bits.checked_shr(value).is_some_and(|bits| bits & 1 == 1)
}

impl Field {
    fn parse(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |all, part| {
            let wrong =
                || format!("has {part:?} as its {}; values are {} to {}", self.name, self.min, self.max);
            Ok(all | self.bits(part).ok_or_else(wrong)?)
        })
    }

    /// The values of one member of a list.
    fn bits(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| (1..=self.max).contains(step))?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.min, if self.max == 7 { 6 } else { self.max }),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            // A single value with a step means all from there on, as other implementations have it.
            None if part.contains('/') => (self.value(range)?, self.max),
            None => (self.value(range)?, self.value(range)?),
        };
        let values = (from..=to).step_by(usize::try_from(step).ok()?);
        (from <= to).then(|| values.fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match named {
            Some(index) => u32::try_from(index).ok().map(|index| index + self.min),
            None if text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|value| (self.min..=self.max).contains(value))
            }
            None => None,
        }
    }
}
