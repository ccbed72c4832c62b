//! Changes of schedules, steps, and wake-up messages.

use std::time::Duration;

use lifecycle::recurring::{
    Arrival, MAX_STEP_FIRINGS, Put, Refused, arrival, check_is_due, is_overdue, next_firings, pause, put,
    remove, resume, step, task_id, wake_up,
};
use models::{MAX_SCHEDULES, ScheduleDefinition, Schedules, Timestamp, WakeUp};
use proptest::prelude::*;

const DAY: u64 = 86_400;

fn at(seconds: u64) -> Timestamp {
    "2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap().plus(Duration::from_secs(seconds))
}

fn definition(members: &str) -> ScheduleDefinition {
    ScheduleDefinition::parse(format!(r#"{{{members},"Task":{{}}}}"#).as_bytes()).unwrap()
}

/// One schedule, stored at the start with 1 as its random number.
fn one(members: &str) -> Schedules {
    let mut schedules = Schedules::default();
    assert_eq!(put(&mut schedules, "a", definition(members), None, 1, at(0)), Ok(Put::Created));
    schedules
}

fn firings(schedules: &mut Schedules, now: Timestamp) -> Vec<Timestamp> {
    step(schedules, now).into_iter().flat_map(|due| due.firings).map(|firing| firing.at).collect()
}

#[test]
fn first_firing_of_an_interval_is_one_interval_after_any_part_of_a_second() {
    for millis in [0, 1, 32, 999] {
        let now = at(0).plus(Duration::from_millis(millis));
        let mut schedules = Schedules::default();
        let stored = put(&mut schedules, "a", definition(r#""Interval":"PT90S""#), None, 1, now);
        assert_eq!((stored, schedules.entries[0].next_at), (Ok(Put::Created), Some(at(90))), "{millis}");
        let changed = put(&mut schedules, "a", definition(r#""Interval":"PT5M""#), None, 2, now);
        assert_eq!((changed, schedules.entries[0].next_at), (Ok(Put::Replaced), Some(at(300))), "{millis}");
    }
}

#[test]
fn next_firing_follows_the_recurrence_and_its_limits() {
    for (members, expected) in [
        (r#""Cron":"*/15 * * * *""#, Some(900)),
        (r#""Interval":"PT90S""#, Some(90)),
        (r#""Interval":"PT1H","StartsAt":"2026-11-20T10:30:00Z""#, Some(1_800)),
        (r#""Interval":"PT1H","StartsAt":"2026-11-20T09:59:59.5Z""#, Some(3_600)),
        (r#""Cron":"* * * * *","StartsAt":"2026-11-21T10:00:00Z""#, Some(DAY)),
        (r#""Cron":"* * * * *","EndsAt":"2026-11-20T10:00:59Z""#, None),
        (r#""Cron":"* * * * *","EndsAt":"2026-11-20T10:01:00Z""#, Some(60)),
    ] {
        let schedules = one(members);
        assert_eq!(schedules.entries[0].next_at, expected.map(at), "{members}");
    }
    let schedules = one(r#""Interval":"PT1M","EndsAt":"2026-11-20T10:02:00Z""#);
    assert_eq!(next_firings(&schedules.entries[0], 5), [at(60), at(120)]);
}

#[test]
fn change_of_the_recurrence_alone_starts_it_anew() {
    for (members, generation, next) in [
        (r#""Interval":"PT1M""#, 1, 60),
        (r#""Interval":"PT1M","Missed":"All","Overlap":"Skip""#, 1, 60),
        (r#""Interval":"PT2M""#, 2, 150),
        (r#""Interval":"PT1M","EndsAt":"2026-12-01T00:00:00Z""#, 2, 90),
        (r#""Cron":"* * * * *""#, 2, 60),
    ] {
        let mut schedules = one(r#""Interval":"PT1M""#);
        let owner = Some("bob".to_owned());
        let outcome = put(&mut schedules, "a", definition(members), owner.clone(), 2, at(30));
        let entry = &schedules.entries[0];
        assert_eq!(outcome, Ok(Put::Replaced), "{members}");
        assert_eq!((entry.version, entry.owner.clone(), entry.changed_at), (2, owner, at(30)), "{members}");
        assert_eq!((entry.generation, entry.next_at), (generation, Some(at(next))), "{members}");
    }
}

#[test]
fn changes_are_refused_by_name_number_size_and_content() {
    let mut schedules = one(r#""Interval":"PT1M""#);
    assert_eq!(remove(&mut schedules, "b"), Err(Refused::NotFound));
    assert_eq!(pause(&mut schedules, "b", 2, at(1)), Err(Refused::NotFound));
    assert_eq!(resume(&mut schedules, "b", 2, at(1)), Err(Refused::NotFound));
    for (members, words) in [
        (r#""Cron":"60 * * * *""#, "Cron: "),
        (r#""Interval":"PT1S""#, "Interval: "),
        (r#""Cron":"* * * * *","TimeZone":"Europe/Nowhere""#, "TimeZone: "),
    ] {
        let refused = put(&mut schedules, "b", definition(members), None, 2, at(1));
        let Err(Refused::Invalid(sentence)) = refused else { panic!("{refused:?}") };
        assert!(sentence.starts_with(words), "{sentence}");
    }
    let large = format!(r#"{{"Interval":"PT1M","Task":{{"Input":"{}"}}}}"#, "x".repeat(530_000));
    let large = ScheduleDefinition::parse(large.as_bytes()).unwrap();
    assert_eq!(put(&mut schedules.clone(), "b", large, None, 2, at(1)), Err(Refused::TooLarge));
    for number in 1..MAX_SCHEDULES {
        let added =
            put(&mut schedules, &format!("n{number}"), definition(r#""Interval":"PT1M""#), None, 2, at(1));
        assert_eq!(added, Ok(Put::Created));
    }
    let added = put(&mut schedules, "b", definition(r#""Interval":"PT1M""#), None, 2, at(1));
    assert_eq!(added, Err(Refused::Full));
    assert_eq!(remove(&mut schedules, "a"), Ok(()));
}

#[test]
fn recurrence_of_another_release_has_no_firings_and_keeps_its_place() {
    let mut schedules = one(r#""Interval":"PT1M""#);
    put(&mut schedules, "b", definition(r#""Interval":"PT1M""#), None, 2, at(0)).unwrap();
    schedules.entries[0].definition.interval = Some("P1M".to_owned());
    let now = at(70);
    let due = step(&mut schedules, now);
    assert_eq!(due.iter().map(|due| (due.index, due.firings.len())).collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(schedules.entries[0].next_at, Some(at(60)), "the other release continues there");
    assert_eq!(wake_up(&schedules, Duration::ZERO, now), Some(at(120)), "nothing is due for this one");
    remove(&mut schedules, "b").unwrap();
    assert_eq!(wake_up(&schedules, Duration::ZERO, now), Some(at(70 + 7 * DAY)));
    schedules.wake_up = Some(WakeUp { wake_up_id: 1, wake_up_at: at(7 * DAY) });
    assert!(!is_overdue(&schedules, at(DAY)));
}

#[test]
fn schedule_that_cannot_be_read_counts_is_replaced_and_removed() {
    let stored = |count: usize| {
        let entries: Vec<_> = (0..count).map(|number| format!(r#"{{"Name":"n{number}"}}"#)).collect();
        Schedules::parse(format!(r#"{{"Entries":[{}]}}"#, entries.join(",")).as_bytes()).unwrap()
    };
    let mut full = stored(MAX_SCHEDULES);
    let every_minute = || definition(r#""Interval":"PT1M""#);
    assert_eq!(put(&mut full, "a", every_minute(), None, 1, at(0)), Err(Refused::Full));
    assert_eq!(put(&mut full, "n7", every_minute(), None, 1, at(0)), Ok(Put::Created));
    assert_eq!((full.entries.len(), full.unreadable.len()), (1, MAX_SCHEDULES - 1));
    assert_eq!((remove(&mut full, "n8"), remove(&mut full, "n8")), (Ok(()), Err(Refused::NotFound)));
    let one = stored(1);
    assert_eq!(wake_up(&one, Duration::ZERO, at(0)), Some(at(7 * DAY)), "it is written once a week");
}

#[test]
fn paused_schedule_keeps_what_it_misses_until_it_is_resumed() {
    let mut schedules = one(r#""Interval":"PT1M","Missed":"All""#);
    pause(&mut schedules, "a", 2, at(30)).unwrap();
    pause(&mut schedules, "a", 3, at(40)).unwrap();
    let entry = &schedules.entries[0];
    assert_eq!((entry.paused_at, entry.version), (Some(at(30)), 2), "the first pause counts");
    assert_eq!((firings(&mut schedules, at(600)), next_firings(&schedules.entries[0], 5)), (vec![], vec![]));
    resume(&mut schedules, "a", 4, at(600)).unwrap();
    assert_eq!(firings(&mut schedules, at(600)).len(), 10);
}

#[test]
fn step_fires_what_is_not_missed_before_what_is() {
    let mut schedules = one(r#""Interval":"PT10S","Missed":"All""#);
    put(&mut schedules, "b", definition(r#""Cron":"0 0 * * *""#), None, 2, at(0)).unwrap();
    let now = at(14 * 3_600 + 5);
    let due = step(&mut schedules, now);
    let counts: Vec<_> = due.iter().map(|due| (due.index, due.firings.len())).collect();
    assert_eq!(counts, [(1, 1), (0, MAX_STEP_FIRINGS - 1)]);
    assert!(schedules.entries[0].next_at.unwrap() < now, "the next step goes on");
}

#[test]
fn id_of_a_firing_is_stable_between_releases_and_differs_in_each_part() {
    let id = task_id("nightly", 7, at(0));
    assert_eq!(id.to_string(), "2110b0de-abed-8509-b5bc-3cad5824c66c");
    for other in [task_id("nightlx", 7, at(0)), task_id("nightly", 8, at(0)), task_id("nightly", 7, at(1))] {
        assert_ne!(id, other);
    }
}

#[test]
fn wake_up_message_is_sent_when_the_latest_one_does_not_suffice() {
    let minutely = one(r#""Interval":"PT1M""#);
    let (mut paused, mut empty) = (minutely.clone(), minutely.clone());
    pause(&mut paused, "a", 2, at(0)).unwrap();
    remove(&mut empty, "a").unwrap();
    let yearly = one(r#""Cron":"0 0 1 1 *""#);
    let second = Duration::ZERO;
    let minute = Duration::from_secs(60);
    for (name, schedules, latest, wait, now, expected) in [
        ("none yet", &minutely, None, second, 10, Some(60)),
        ("at the firing", &minutely, Some(60), second, 10, None),
        ("earlier", &minutely, Some(50), second, 10, None),
        ("later", &minutely, Some(70), second, 10, Some(60)),
        ("received", &minutely, Some(10), second, 10, Some(60)),
        ("due", &minutely, Some(60), second, 61, Some(62)),
        ("due after an error", &minutely, Some(60), minute, 61, Some(121)),
        ("far away", &yearly, None, second, 0, Some(7 * DAY)),
        ("paused", &paused, Some(60), second, 60, Some(60 + 7 * DAY)),
        ("without schedules", &empty, Some(60), second, 60, None),
    ] {
        let mut schedules = schedules.clone();
        schedules.wake_up = latest.map(|latest| WakeUp { wake_up_id: 1, wake_up_at: at(latest) });
        assert_eq!(wake_up(&schedules, wait, at(now)), expected.map(at), "{name}");
    }
}

#[test]
fn received_wake_up_is_due_early_or_obsolete() {
    let mut schedules = one(r#""Interval":"PT1M""#);
    let latest = WakeUp { wake_up_id: 7, wake_up_at: at(60) };
    schedules.wake_up = Some(latest);
    assert_eq!(arrival(&schedules, &latest, at(60)), Arrival::Due);
    assert_eq!(arrival(&schedules, &latest, at(50)), Arrival::Early(Duration::from_secs(10)));
    let other = WakeUp { wake_up_id: 8, ..latest };
    assert_eq!(arrival(&schedules, &other, at(60)), Arrival::Obsolete);
    schedules.wake_up = None;
    assert_eq!(arrival(&schedules, &latest, at(60)), Arrival::Obsolete);
}

#[test]
fn schedules_are_overdue_30_s_after_a_wake_up_that_did_not_come() {
    let minutely = one(r#""Interval":"PT1M""#);
    for (latest, now, expected) in [
        (None, 0, true),
        (Some(60), 89, false),
        (Some(60), 90, true),
        // A clock that was ahead wrote it.
        (Some(7_200), 89, false),
        (Some(7_200), 90, true),
        // The pause after an error.
        (Some(150), 95, false),
    ] {
        let mut schedules = minutely.clone();
        schedules.wake_up = latest.map(|latest| WakeUp { wake_up_id: 1, wake_up_at: at(latest) });
        assert_eq!(is_overdue(&schedules, at(now)), expected, "{latest:?} at {now}");
    }
    assert!(!is_overdue(&Schedules::default(), at(0)));
}

#[test]
fn schedules_are_checked_once_a_minute_and_at_once_by_a_new_idle_instance() {
    let seconds = Duration::from_secs;
    for (is_idle, since, age, expected) in [
        (true, None, 0, true),
        (false, None, 59, false),
        (false, None, 60, true),
        (true, Some(59), 100, false),
        (true, Some(60), 100, true),
        (false, Some(60), 100, true),
    ] {
        assert_eq!(
            check_is_due(is_idle, since.map(seconds), seconds(age)),
            expected,
            "{is_idle} {since:?} {age}"
        );
    }
}

proptest! {
    /// Whatever is stored is read again as it was.
    #[test]
    fn stored_schedules_round_trip(
        names in prop::collection::vec("[a-z][a-z0-9._-]{0,10}", 0..5),
        missed in prop::sample::select(vec!["Skip", "Once", "All"]),
        fresh in any::<u64>(),
        now in 0_u64..10_000_000,
        is_paused in any::<bool>(),
    ) {
        let mut schedules = Schedules { writer: fresh, ..Schedules::default() };
        for name in &names {
            let members = format!(r#""Cron":"*/7 3 * * MON","TimeZone":"Asia/Tokyo","Missed":"{missed}""#);
            put(&mut schedules, name, definition(&members), Some("o".to_owned()), fresh, at(now)).unwrap();
            if is_paused {
                pause(&mut schedules, name, fresh, at(now)).unwrap();
            }
        }
        let _ = step(&mut schedules, at(now + 9 * DAY));
        schedules.wake_up = Some(WakeUp { wake_up_id: fresh, wake_up_at: at(now) });
        prop_assert_eq!(Schedules::parse(&schedules.to_bytes()).unwrap(), schedules.clone());
        prop_assert_eq!(WakeUp::parse(&schedules.wake_up.unwrap().text()), schedules.wake_up);
    }
}
