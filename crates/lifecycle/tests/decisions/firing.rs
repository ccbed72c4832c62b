//! Which firings of a schedule take place.

use lifecycle::firing::{Firings, GRACE, MAX_MISSED, due};
use lifecycle::recurrence::{Cron, Recurrence, Zone};
use models::{Missed, Timestamp};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}Z").parse().unwrap()
}

fn cron(text: &str) -> Recurrence {
    Recurrence::Cron(Box::new(Cron::parse(text).unwrap()), Zone::named("Etc/UTC").unwrap())
}

/// What a schedule for every full hour does that was due first at 10:00.
fn hourly(missed: Missed, end: Option<&str>, now: &str) -> (Vec<Timestamp>, Option<Timestamp>) {
    let Firings { fire, next } =
        due(&cron("0 * * * *"), at("20T10:00:00"), end.map(at), missed, 100, at(now));
    (fire, next)
}

#[test]
fn missed_firings_take_place_as_the_schedule_says() {
    for (missed, now, fire, next) in [
        (Missed::Skip, "20T09:59:59", &[][..], Some("20T10:00:00")),
        (Missed::Skip, "20T10:00:00", &["20T10:00:00"][..], Some("20T11:00:00")),
        (Missed::Skip, "20T10:02:00", &["20T10:00:00"], Some("20T11:00:00")),
        (Missed::Skip, "20T10:02:01", &[], Some("20T11:00:00")),
        (Missed::Skip, "20T13:00:30", &["20T13:00:00"], Some("20T14:00:00")),
        (Missed::Once, "20T10:02:01", &["20T10:00:00"], Some("20T11:00:00")),
        (Missed::Once, "20T13:30:00", &["20T13:00:00"], Some("20T14:00:00")),
        (Missed::Once, "20T13:00:30", &["20T13:00:00"], Some("20T14:00:00")),
        (Missed::All, "20T12:30:00", &["20T10:00:00", "20T11:00:00", "20T12:00:00"], Some("20T13:00:00")),
    ] {
        let expected = (fire.iter().copied().map(at).collect(), next.map(at));
        assert_eq!(hourly(missed, None, now), expected, "{missed:?} at {now}");
    }
}

#[test]
fn no_firing_takes_place_after_the_end() {
    for (missed, now, fire) in [
        (Missed::All, "21T10:30:00", &["20T10:00:00", "20T11:00:00"][..]),
        (Missed::Once, "21T10:30:00", &["20T11:00:00"][..]),
        (Missed::Skip, "21T10:30:00", &[][..]),
    ] {
        let expected = (fire.iter().copied().map(at).collect(), None);
        assert_eq!(hourly(missed, Some("20T11:00:00"), now), expected, "{missed:?}");
    }
    assert_eq!(hourly(Missed::All, Some("20T09:00:00"), "20T10:00:00"), (vec![], None));
}

#[test]
fn latest_1000_missed_firings_take_place_in_steps() {
    let minutely = cron("* * * * *");
    let (first, now) = (at("01T00:00:00"), at("20T00:00:00"));
    let (mut next, mut fired) = (Some(first), Vec::new());
    while let Some(due_at) = next.filter(|next| *next <= now) {
        let step = due(&minutely, due_at, None, Missed::All, 100, now);
        assert_eq!(step.fire.len(), 100, "{due_at}");
        fired.extend(step.fire);
        next = step.next;
    }
    assert_eq!((fired.len(), fired.first()), (MAX_MISSED, Some(&at("19T07:21:00"))));
    assert_eq!((fired.last(), next), (Some(&now), Some(at("20T00:01:00"))));
    assert!(fired.is_sorted_by(|a, b| a < b));
}

proptest! {
    /// Whenever the steps happen: each instant fires at most once, in order; with `All` every instant fires; and no firing that
    /// is not missed is left out.
    #[test]
    fn steps_fire_each_instant_at_most_once(
        missed in prop::sample::select(vec![Missed::Skip, Missed::Once, Missed::All]),
        text in prop::sample::select(vec!["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *"]),
        pauses in prop::collection::vec(0_u64..20_000, 1..30),
    ) {
        let recurrence = cron(text);
        let start = at("20T10:00:30");
        let (mut next, mut now, mut fired) = (recurrence.next(start).unwrap(), start, Vec::new());
        for pause in pauses {
            now = now.plus(std::time::Duration::from_secs(pause));
            loop {
                let step = due(&recurrence, next, None, missed, 100, now);
                prop_assert!(step.fire.iter().all(|instant| *instant <= now));
                fired.extend(step.fire);
                next = step.next.unwrap();
                if next > now {
                    break;
                }
            }
            let (mut instant, mut recent) = (recurrence.next(now.minus(GRACE)), Vec::new());
            while let Some(due) = instant.filter(|due| *due <= now) {
                recent.extend(Some(due).filter(|due| *due > start));
                instant = recurrence.next(due);
            }
            prop_assert!(recent.iter().all(|instant| fired.contains(instant)), "{recent:?} {fired:?}");
        }
        prop_assert!(fired.is_sorted_by(|a, b| a < b), "{fired:?}");
        if missed == Missed::All {
            let mut all = Vec::new();
            let mut instant = recurrence.next(start);
            while let Some(due) = instant.filter(|due| *due <= now) {
                all.push(due);
                instant = recurrence.next(due);
            }
            prop_assert_eq!(fired, all);
        }
    }
}
