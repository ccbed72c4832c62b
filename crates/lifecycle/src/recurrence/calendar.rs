//! Days of the proleptic Gregorian calendar, counted from 1970-01-01.

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: u32,
    /// 1 to 31.
    pub(super) day: u32,
}

/// Returns the number of the day. The year is counted from March, so that 29 February is its last day.
pub(super) fn number_of(date: Date) -> i64 {
    let year = if date.month <= 2 { date.year - 1 } else { date.year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from((date.month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(date.day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns the date of the day with this number.
pub(super) fn date_of(number: i64) -> Date {
    let shifted = number + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    let small = |value: i64| u32::try_from(value).unwrap_or(1);
    Date { year, month: small(month), day: small(day) }
}

/// Returns the day of the week, 0 for Sunday.
pub(super) fn weekday(number: i64) -> u32 {
    u32::try_from((number + 4).rem_euclid(7)).unwrap_or(0)
}
