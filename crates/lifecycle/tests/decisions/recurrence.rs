//! When recurring tasks are due. The instants of the table were computed with the `zoneinfo` module of Python, minute by
//! minute.

use std::time::Duration;

use lifecycle::recurrence::{Cron, Recurrence, Zone, parse_interval, zone_names};
use models::Timestamp;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(zone: &str, text: &str) -> Recurrence {
    Recurrence::Cron(Box::new(Cron::parse(text).unwrap()), Zone::named(zone).unwrap())
}

/// Zone, expression, moment, and the instants after it.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("Etc/UTC", "*/15 * * * *", "2026-11-20T10:00:00Z", &["2026-11-20T10:15:00Z", "2026-11-20T10:30:00Z", "2026-11-20T10:45:00Z"]),
    ("Etc/UTC", "0 9 * * 1-5", "2026-11-20T10:00:00Z", &["2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z", "2026-11-25T09:00:00Z"]),
    ("Etc/UTC", "30 6 13 * 5", "2026-11-20T10:00:00Z", &["2026-11-27T06:30:00Z", "2026-12-04T06:30:00Z", "2026-12-11T06:30:00Z", "2026-12-13T06:30:00Z"]),
    ("Etc/UTC", "0 0 29 2 *", "2026-11-20T10:00:00Z", &["2028-02-29T00:00:00Z"]),
    ("Europe/Berlin", "30 2 * * *", "2027-03-27T00:00:00Z", &["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]),
    ("Europe/Berlin", "30 * * * *", "2027-03-27T23:45:00Z", &["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z", "2027-03-28T02:30:00Z"]),
    ("Europe/Berlin", "0,30 2,3 * * *", "2027-03-28T00:00:00Z", &["2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:00:00Z", "2027-03-29T00:30:00Z"]),
    ("Europe/Berlin", "30 2 * * *", "2027-10-30T00:00:00Z", &["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]),
    ("Europe/Berlin", "30 * * * *", "2027-10-30T23:00:00Z", &["2027-10-30T23:30:00Z", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-10-31T02:30:00Z"]),
    ("Europe/Berlin", "*/20 1-3 * * *", "2027-10-31T00:00:00Z", &["2027-10-31T00:20:00Z", "2027-10-31T00:40:00Z", "2027-10-31T02:00:00Z", "2027-10-31T02:20:00Z", "2027-10-31T02:40:00Z", "2027-11-01T00:00:00Z", "2027-11-01T00:20:00Z"]),
    ("America/New_York", "0 9 * * *", "2027-03-13T00:00:00Z", &["2027-03-13T14:00:00Z", "2027-03-14T13:00:00Z", "2027-03-15T13:00:00Z"]),
    ("America/New_York", "30 1 * * *", "2027-11-06T12:00:00Z", &["2027-11-07T05:30:00Z", "2027-11-08T06:30:00Z"]),
    ("Australia/Lord_Howe", "15 2 * * *", "2027-10-01T00:00:00Z", &["2027-10-01T15:45:00Z", "2027-10-02T15:30:00Z", "2027-10-03T15:15:00Z"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2027-04-02T00:00:00Z", &["2027-04-02T14:45:00Z", "2027-04-03T14:45:00Z", "2027-04-04T15:15:00Z"]),
    ("Africa/Cairo", "0 0 * * *", "2027-04-28T12:00:00Z", &["2027-04-28T22:00:00Z", "2027-04-29T22:00:00Z", "2027-04-30T21:00:00Z"]),
    ("America/Santiago", "0 0 * * 0", "2027-08-30T00:00:00Z", &["2027-09-05T04:00:00Z", "2027-09-12T03:00:00Z"]),
    ("Europe/Dublin", "30 1 * * *", "2027-10-30T12:00:00Z", &["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]),
    ("Europe/Dublin", "30 1 * * *", "2027-03-27T12:00:00Z", &["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]),
    ("Asia/Kathmandu", "0 12 * * *", "2026-12-31T00:00:00Z", &["2026-12-31T06:15:00Z", "2027-01-01T06:15:00Z"]),
    ("Pacific/Chatham", "50 2 * * *", "2027-09-24T00:00:00Z", &["2027-09-24T14:05:00Z", "2027-09-25T14:00:00Z", "2027-09-26T13:05:00Z"]),
    ("America/Nuuk", "30 23 * * *", "2027-03-26T00:00:00Z", &["2027-03-26T01:30:00Z", "2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]),
    ("Antarctica/Troll", "30 1 * * *", "2027-03-27T12:00:00Z", &["2027-03-28T01:00:00Z", "2027-03-28T23:30:00Z"]),
    ("Asia/Jerusalem", "30 1 * * *", "2027-10-30T12:00:00Z", &["2027-10-30T22:30:00Z", "2027-10-31T23:30:00Z"]),
];

#[test]
fn instants_follow_the_documented_rules_across_changes_of_clocks() {
    for (zone, text, after, expected) in TABLE {
        let recurrence = cron(zone, text);
        let mut moment = at(after);
        for instant in *expected {
            moment = recurrence.next(moment).unwrap();
            assert_eq!(moment, at(instant), "{text} in {zone} after {after}");
        }
    }
}

#[test]
fn interval_counts_from_its_start() {
    let every = Recurrence::Every(parse_interval("PT90M").unwrap(), at("2026-11-20T10:00:00Z"));
    for (after, expected) in [
        ("2026-11-19T00:00:00Z", "2026-11-20T10:00:00Z"),
        ("2026-11-20T09:59:59.999Z", "2026-11-20T10:00:00Z"),
        ("2026-11-20T10:00:00Z", "2026-11-20T11:30:00Z"),
        ("2026-11-20T11:29:59.999Z", "2026-11-20T11:30:00Z"),
        ("2027-11-20T10:00:00Z", "2027-11-20T11:30:00Z"),
    ] {
        assert_eq!(every.next(at(after)), Some(at(expected)), "{after}");
    }
}

#[test]
fn intervals_are_durations_of_a_fixed_length() {
    for (text, seconds) in [
        ("PT10S", Some(10)),
        ("PT1M", Some(60)),
        ("PT15M", Some(900)),
        ("PT1H30M", Some(5400)),
        ("P1D", Some(86_400)),
        ("P1DT12H", Some(129_600)),
        ("P2W", Some(1_209_600)),
        ("PT90S", Some(90)),
        ("P366D", Some(31_622_400)),
        ("PT9S", None),
        ("P367D", None),
        ("P1M", None),
        ("P1Y", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("PT1M1H", None),
        ("P1W1D", None),
        ("PT1.5H", None),
        ("PT-5M", None),
        ("PT+5M", None),
        ("15", None),
        ("PT99999999999H", None),
        ("", None),
    ] {
        assert_eq!(parse_interval(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
    }
}

#[test]
fn expressions_are_refused_with_the_name_of_the_field() {
    for (text, words) in [
        ("* * * *", "5 fields"),
        ("* * * * * *", "5 fields"),
        ("", "5 fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of the week"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("1- * * * *", "minute"),
        ("+1 * * * *", "minute"),
        ("* * L * *", "day of the month"),
        ("* * * * FRI#2", "day of the week"),
        ("0 0 31 2 *", "no year"),
        ("0 0 30 FEB *", "no year"),
    ] {
        let error = Cron::parse(text).unwrap_err();
        assert!(error.contains(words), "{text:?}: {error}");
    }
    for text in ["@daily", " 0 0 * JAN-MAR SUN ", "0-59/5 */2 1,15 * 1-5", "0 0 * * 7", "5/15 * * * *"] {
        assert!(Cron::parse(text).is_ok(), "{text:?}");
    }
}

#[test]
fn zones_without_a_rule_and_unknown_ones_are_refused() {
    for (name, words) in [
        ("Africa/Casablanca", "Ramadan"),
        ("Asia/gaza", "Ramadan"),
        ("Europe/Nowhere", "IANA"),
        ("", "IANA"),
        ("CET-1CEST", "IANA"),
        ("+02:00", "IANA"),
    ] {
        assert!(Zone::named(name).unwrap_err().contains(words), "{name}");
    }
    assert_eq!(Zone::named("europe/berlin"), Zone::named("Europe/Berlin"));
}

#[test]
fn every_zone_of_the_table_has_a_readable_rule() {
    let mut zones = 0;
    for (name, rule) in zone_names() {
        let zone = Zone::named(&name).unwrap_or_else(|why| panic!("{name}: {rule} {why}"));
        let daily = Recurrence::Cron(Box::new(Cron::parse("30 2 * * *").unwrap()), zone);
        // Once a day in every year, whatever happens to the clocks.
        let (mut moment, end, mut days) = (at("2027-01-01T12:00:00Z"), at("2028-01-01T12:00:00Z"), 0);
        while let Some(next) = daily.next(moment).filter(|next| *next <= end) {
            (moment, days) = (next, days + 1);
        }
        assert_eq!(days, 365, "{name}");
        zones += 1;
    }
    assert!(zones > 550, "{zones}");
}

#[test]
fn latest_instant_of_a_year_of_minutes_is_found() {
    let now = at("2027-11-20T10:00:30Z");
    let minutely = cron("Etc/UTC", "* * * * *");
    assert_eq!(minutely.latest(at("2026-11-20T10:00:00Z"), now), Some(at("2027-11-20T10:00:00Z")));
    let in_january = cron("Etc/UTC", "* * * 1 *");
    assert_eq!(in_january.latest(at("2026-11-20T10:00:00Z"), now), Some(at("2027-01-31T23:59:00Z")));
    assert_eq!(in_january.latest(at("2027-02-01T00:00:00Z"), now), None);
    assert_eq!(minutely.latest(now, now), None);
}

proptest! {
    /// `latest` is the last of the instants that `next` returns one by one.
    #[test]
    fn latest_instant_is_the_last_of_all(
        zone in prop::sample::select(vec!["Europe/Berlin", "Australia/Lord_Howe", "Etc/UTC"]),
        text in prop::sample::select(vec!["30 2 * * *", "*/20 1-3 * * *", "0 0 1 * *", "17 * * * 0"]),
        start in 1_795_000_000_000_i64..1_850_000_000_000,
        span in 0_i64..4_000_000_000,
    ) {
        let recurrence = cron(zone, text);
        let (since, now) = (Timestamp::from_unix_millis(start), Timestamp::from_unix_millis(start + span));
        let (mut moment, mut last) = (since, None);
        while let Some(next) = recurrence.next(moment).filter(|next| *next <= now) {
            (moment, last) = (next, Some(next));
        }
        prop_assert_eq!(recurrence.latest(since, now), last);
    }
}
