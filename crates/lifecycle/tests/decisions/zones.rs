//! The table of time zones against the IANA database, which is a dependency of the tests only.

use jiff::Timestamp as Moment;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use lifecycle::recurrence::{Cron, Recurrence, Zone, zone_names};
use models::Timestamp;

/// Zones with a change that is no rule, and the moment until which it lasts: Cuba keeps summer time for one winter.
const EXCEPTIONS: [(&str, &str); 2] =
    [("America/Havana", "2027-11-08T00:00:00Z"), ("Cuba", "2027-11-08T00:00:00Z")];
/// Names of the database that are no places.
const NO_ZONES: [&str; 3] = ["Factory", "localtime", "posixrules"];
/// Zones that the table does not have, because their clocks follow no rule.
const WITHOUT_RULE: [&str; 4] = ["Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza", "Asia/Hebron"];

fn of(moment: Moment) -> Timestamp {
    Timestamp::from_unix_millis(moment.as_millisecond())
}

/// Whether an expression for the local time that the database has at `moment` is due at `moment`.
fn is_due_at(zone: &Zone, database: &TimeZone, moment: Moment) -> bool {
    let local = moment.to_zoned(database.clone());
    let text = format!("{} {} {} {} *", local.minute(), local.hour(), local.day(), local.month());
    let recurrence = Recurrence::Cron(Box::new(Cron::parse(&text).unwrap()), zone.clone());
    recurrence.next(Timestamp::from_unix_millis(moment.as_millisecond() - 10_800_000)) == Some(of(moment))
}

#[test]
fn every_zone_has_the_clock_changes_of_the_database_until_2037() {
    let database = TimeZoneDatabase::bundled();
    let (start, end): (Moment, Moment) =
        ("2026-12-01T00:00:00Z".parse().unwrap(), "2037-12-31T00:00:00Z".parse().unwrap());
    let minutes = |moment: Moment, count: i64| Moment::from_second(moment.as_second() + 60 * count).unwrap();
    let (mut compared, mut changes) = (0, 0);
    for name in database.available() {
        let name = name.as_str();
        let Ok(zone) = Zone::named(name) else {
            assert!(NO_ZONES.contains(&name) || WITHOUT_RULE.contains(&name), "{name} is refused");
            continue;
        };
        let iana = database.get(name).unwrap();
        let exception = EXCEPTIONS.iter().find(|(other, _)| *other == name);
        let start = exception.map_or(start, |(_, until)| until.parse().unwrap());
        for transition in iana.following(start).take_while(|transition| transition.timestamp() < end) {
            let moment = transition.timestamp();
            // Not in an hour that clocks show twice: an expression is due the first time only.
            for sample in [minutes(moment, -1), minutes(moment, 121)] {
                assert!(is_due_at(&zone, &iana, sample), "{name} at {sample}, changes at {moment}");
            }
            changes += 1;
        }
        for year in 2027..=2037 {
            for month in [1, 7] {
                let sample: Moment = format!("{year}-{month:02}-15T12:00:00Z").parse().unwrap();
                assert!(sample < start || is_due_at(&zone, &iana, sample), "{name} at {sample}");
            }
        }
        compared += 1;
    }
    assert!(compared > 550 && changes > 2_000, "{compared} zones, {changes} changes");
    for (name, _) in zone_names() {
        assert!(database.get(&name).is_ok(), "{name} is no zone of the database");
    }
}
