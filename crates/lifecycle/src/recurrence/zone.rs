//! Time zones by their present rules.
//!
//! Schedules ask for future times only, so the history of a zone is not needed: `zones.txt` has, for each rule that any zone of
//! the IANA database follows, the rule in the form of POSIX `TZ` and the names of its zones, by region. All rules
//! are 91 lines of text, 7.4 KB, of version 2026f of the database; a test compares them with its clock changes until 2037. Parsed
//! here, because `TimeZone::posix` of the crate `jiff` 0.2 adds 36,204 bytes to a component.
//!
//! A change of one year that is no rule is not in the table. At present there is one: Cuba keeps summer time in the winter of
//! 2026, so that firings in `America/Havana` are an hour late until November 2027.
//!
//! Four zones are refused, because their clocks follow Ramadan and not a rule.

use std::fmt;

use super::calendar::{DAY, Date, date_of, number_of, weekday};

const ZONES: &str = include_str!("zones.txt");
/// The zones that are refused.
const WITHOUT_RULE: [&str; 4] = ["Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza", "Asia/Hebron"];

/// A time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// Seconds east of UTC.
    standard: i64,
    summer: Option<Summer>,
}

/// When clocks are set forward and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summer {
    /// Seconds east of UTC.
    offset: i64,
    start: Change,
    end: Change,
}

/// A day of each year, and a local time before the change in seconds since its midnight, which may be on another day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    month: u32,
    /// 1 to 5; 5 is the last one of the month.
    week: u32,
    weekday: u32,
    time: i64,
}

/// The instants at which clocks show a local time, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instants {
    One(i64),
    /// Clocks are set back over it.
    Two(i64, i64),
    /// Clocks are set forward over it, at this instant.
    Gap(i64),
}

impl Zone {
    /// Returns the zone with this name of the IANA database, compared without case.
    ///
    /// # Errors
    /// A sentence for the client if there is none, or it follows no rule.
    pub fn named(name: &str) -> Result<Self, &'static str> {
        if WITHOUT_RULE.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(
                "is a zone whose clocks follow Ramadan and no rule; use UTC, or a zone without changes",
            );
        }
        let (region, place) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
        let zone = groups().find_map(|(rule, other, places)| {
            let is_place = |known: &&str| known.eq_ignore_ascii_case(place);
            let place = places.split(',').find(is_place).filter(|_| other.eq_ignore_ascii_case(region))?;
            Self::of_rule(&format!("{other}{place}"), rule)
        });
        zone.ok_or("must be a name of the IANA time zone database, such as Europe/Berlin")
    }

    /// Parses a rule: the name and the offset of standard time, and of summer time if there is one, with its two changes. The
    /// offsets count westwards, as POSIX has them.
    fn of_rule(name: &str, rule: &str) -> Option<Self> {
        let mut parts = rule.split(',');
        let (standard, rest) = offset(after_name(parts.next()?)?)?;
        let standard = -standard;
        let summer = match (rest, parts.next(), parts.next()) {
            ("", None, None) => None,
            (rest, Some(start), Some(end)) => {
                let offset = match after_name(rest)? {
                    "" => standard + 3600,
                    text => -offset(text).filter(|(_, rest)| rest.is_empty())?.0,
                };
                Some(Summer { offset, start: Change::parse(start)?, end: Change::parse(end)? })
            }
            _ => return None,
        };
        Some(Self { name: name.to_owned(), standard, summer })
    }

    /// The least number of seconds east of UTC.
    pub(super) fn earliest_offset(&self) -> i64 {
        self.summer.map_or(self.standard, |summer| summer.offset.min(self.standard))
    }

    /// Returns the instants at which clocks show the local time `local`.
    pub(super) fn instants_of(&self, local: i64) -> Instants {
        let Some(summer) = self.summer else { return Instants::One(local - self.standard) };
        let by_standard = local - self.standard;
        let by_summer = local - summer.offset;
        match (self.offset_at(by_standard) == self.standard, self.offset_at(by_summer) == summer.offset) {
            (true, true) => Instants::Two(by_standard.min(by_summer), by_standard.max(by_summer)),
            (true, false) => Instants::One(by_standard),
            (false, true) => Instants::One(by_summer),
            (false, false) => Instants::Gap(self.change_near(local, summer)),
        }
    }

    /// Seconds east of UTC at an instant.
    fn offset_at(&self, instant: i64) -> i64 {
        let Some(summer) = self.summer else { return self.standard };
        let year = date_of((instant + self.standard).div_euclid(DAY)).year;
        let (start, end) = self.changes_of(year, summer);
        // In the south the year begins and ends in summer.
        let is_summer =
            if start <= end { (start..end).contains(&instant) } else { !(end..start).contains(&instant) };
        if is_summer { summer.offset } else { self.standard }
    }

    /// The instants of the two changes of a year.
    fn changes_of(&self, year: i64, summer: Summer) -> (i64, i64) {
        (summer.start.local(year) - self.standard, summer.end.local(year) - summer.offset)
    }

    /// The change that is nearest to a local time.
    fn change_near(&self, local: i64, summer: Summer) -> i64 {
        let year = date_of(local.div_euclid(DAY)).year;
        let changes = (year - 1..=year + 1).flat_map(|year| <[i64; 2]>::from(self.changes_of(year, summer)));
        changes.min_by_key(|change| (change + self.standard).abs_diff(local)).unwrap_or(local - self.standard)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

/// Each rule with a region of its zones (empty, or up to the last slash of a name) and the places of that region.
fn groups() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let parts = ZONES.lines().filter_map(|line| line.split_once(' '));
    parts.flat_map(|(rule, groups)| {
        groups.split(' ').map(move |group| {
            let (region, places) = group.split_at(group.rfind('/').map_or(0, |at| at + 1));
            (rule, region, places)
        })
    })
}

/// Returns the names of all zones, and the rule of each.
pub fn zone_names() -> impl Iterator<Item = (String, &'static str)> {
    groups().flat_map(|(rule, region, places)| {
        places.split(',').map(move |place| (format!("{region}{place}"), rule))
    })
}

impl Change {
    /// Parses `Mm.w.d` with a time, by default two o'clock. No zone uses the other forms.
    fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('/').unwrap_or((text, "2"));
        let mut numbers = day.strip_prefix('M')?.split('.').map(|number| number.parse::<u32>().ok());
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let (time, rest) = offset(time)?;
        let is_valid = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6;
        (is_valid && rest.is_empty() && numbers.next().is_none()).then_some(Self {
            month,
            week,
            weekday,
            time,
        })
    }

    /// The local time of the change in a year, in seconds since 1970-01-01 00:00 local time.
    fn local(self, year: i64) -> i64 {
        let first = number_of(Date { year, month: self.month, day: 1 });
        let (next_year, next_month) = if self.month == 12 { (year + 1, 1) } else { (year, self.month + 1) };
        let after = number_of(Date { year: next_year, month: next_month, day: 1 });
        let mut day =
            first + i64::from((self.weekday + 7 - weekday(first)) % 7) + i64::from(self.week - 1) * 7;
        if day >= after {
            day -= 7;
        }
        day * DAY + self.time
    }
}

/// The text after the name of a standard or summer time: letters, or anything within `<>`.
fn after_name(text: &str) -> Option<&str> {
    match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>').map(|(_, rest)| rest),
        None => Some(text.trim_start_matches(|c: char| c.is_ascii_alphabetic())),
    }
}

/// Parses `[+-]h[:m[:s]]` as seconds. Returns the rest too.
fn offset(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | ':' | '+' | '-')).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let mut seconds = 0;
    for (part, unit) in digits.split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i64>().ok().filter(|value| (0..=167).contains(value))? * unit;
    }
    Some((sign * seconds, rest))
}
