//! Leases and the sweep.

use std::time::Duration;

use crate::samples::{POLICY, at, delivery, foreign, in_state, pending, running, secs};
use lifecycle::lease::{Renewal, renewal};
use lifecycle::retention;
use lifecycle::sweep::{Mark, Review, Sweep, review};
use models::{DeliveryId, ResultBlob, TaskState, TaskStatus, Timestamp};
use proptest::prelude::*;

#[test]
fn lease_is_renewed_at_half_time_until_the_attempt_times_out() {
    let at = |seconds: u64| renewal(secs(seconds - 100), secs(seconds), secs(60), secs(150));
    for (now, expected) in [
        (100, Renewal::Hold(secs(30))),
        (129, Renewal::Hold(secs(1))),
        (130, Renewal::RenewNow),
        (149, Renewal::RenewNow),
        (150, Renewal::CapReached),
        (159, Renewal::CapReached),
        (160, Renewal::Lost),
    ] {
        assert_eq!(at(now), expected, "at {now} s");
    }
    assert_eq!(renewal(secs(10), secs(140), secs(60), secs(150)), Renewal::Hold(secs(10)), "until the cap");
}

proptest! {
    #[test]
    fn lease_is_never_lost_when_renewals_are_obeyed(
        visibility in 1u64..600, timeout in 1u64..2_000, lag in 0u64..400,
    ) {
        // Each renewal is late by `lag` thousandths of the lease, less than half of it.
        let (visibility, timeout) = (secs(visibility), secs(timeout));
        let late = visibility.mul_f64(lag as f64 / 1000.0);
        let (mut held_since, mut now) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..10_000 {
            match renewal(now - held_since, now, visibility, timeout) {
                Renewal::Hold(wait) => {
                    prop_assert!(!wait.is_zero(), "a keeper must not spin");
                    now += wait.max(Duration::from_millis(1));
                }
                Renewal::RenewNow => { held_since = now; now += late; }
                Renewal::Lost => prop_assert!(false, "lost at {now:?}"),
                Renewal::CapReached => {
                    prop_assert!(now >= timeout);
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "the cap was never reached");
    }
}

#[test]
fn message_is_replaced_only_when_it_cannot_be_hidden() {
    let judged =
        |document: &TaskStatus, seconds| review(document, document.updated_at.unwrap(), &POLICY, at(seconds));
    // The longest back-off and the clock skew.
    assert_eq!(judged(&pending(), 359), Review::Leave);
    let Review::Requeue(touched, delay) = judged(&pending(), 360) else { panic!("its message is lost") };
    assert_eq!((touched.updated_at, delay), (Some(at(360)), secs(0)));
    assert_eq!(touched.state, TaskState::Pending);

    let running = in_state(TaskState::InProgress);
    assert_eq!(judged(&running, 1 + 2159), Review::Leave, "an attempt may take half an hour");
    assert!(matches!(judged(&running, 1 + 2160), Review::Requeue(..)));

    let mut waiting = pending();
    waiting.not_before = Some(at(86_400));
    assert_eq!(judged(&waiting, 86_400 + 359), Review::Leave, "it waits for its time");
    assert!(matches!(judged(&waiting, 86_400 + 360), Review::Requeue(..)));

    for state in TaskState::ALL {
        let theirs = foreign(state);
        assert_eq!(review(&theirs, at(0), &POLICY, at(9_999_999)), Review::Leave, "{state:?}: not ours");
    }
}

#[test]
fn new_message_starts_the_next_attempt_of_a_requeued_task() {
    let document = in_state(TaskState::InProgress);
    let Review::Requeue(touched, _) = review(&document, at(1), &POLICY, at(1 + 2160)) else {
        panic!("stale")
    };
    assert_eq!(running(&touched, &delivery("m2", 1), at(1 + 2160)).attempt, 2);
}

#[test]
fn purge_includes_every_result_that_attempts_may_have_stored() {
    let mut document = running(&in_state(TaskState::InProgress), &delivery("m1", 2), at(61));
    document = in_state_from(&document, TaskState::Completed);
    document.result_blob =
        Some(ResultBlob { name: "the-result".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
    let end = 62 + 30 * 86_400;
    assert_eq!(review(&document, at(62), &POLICY, at(end - 1)), Review::Leave);
    // The second delivery of `m1` abandoned the attempt of `in_state`, which may have stored a result.
    let abandoned =
        retention::result_name(document.task_id, 1, document.history[0].delivery.as_ref().unwrap());
    let former = format!("{}-result-1", document.task_id);
    assert_eq!(
        review(&document, at(62), &POLICY, at(end)),
        Review::Purge(vec!["the-result".to_owned(), abandoned, former])
    );
}

#[test]
fn result_name_is_unique_per_delivery_and_safe() {
    let delivery = |message: &str, count| DeliveryId { message_id: message.to_owned(), dequeue_count: count };
    let id = pending().task_id;
    let name = |delivery: &DeliveryId| retention::result_name(id, 1, delivery);
    let names = [delivery("m1", 1), delivery("m1", 2), delivery("m2", 1)].map(|delivery| name(&delivery));
    assert_eq!(names[0], format!("{id}-result-1-m1-1"));
    assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
    let strange = name(&delivery(&"/../\u{0}ü?x%2F".repeat(99), 1));
    assert!(
        strange.len() < 150 && strange.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        "{strange}"
    );
}

fn in_state_from(document: &TaskStatus, state: TaskState) -> TaskStatus {
    use lifecycle::outcome::{Effect, Outcome, settle};
    assert_eq!(state, TaskState::Completed);
    match settle(&Outcome::Completed(None), document, &POLICY, at(62), 0.0).swap_remove(0) {
        Effect::Write(document) => *document,
        other => panic!("expected a write, got {other:?}"),
    }
}

const INTERVAL: Duration = secs(300);

fn claim(state: &Sweep, now: Timestamp) -> Option<Sweep> {
    state.claim(&POLICY, INTERVAL, now)
}

#[test]
fn one_worker_claims_a_step_and_passes_keep_their_interval() {
    let first = claim(&Sweep::unstarted(), at(0)).expect("the first pass is due at once");
    assert!(first.full);
    assert_eq!(claim(&first, at(59)), None, "claimed by another worker");
    assert!(claim(&first, at(60)).is_some(), "that worker died");

    let half = first.advance(Some("page 2".to_owned()), INTERVAL, at(1));
    let second = claim(&half, at(1)).expect("a pass under way goes on");
    assert_eq!((second.pass_at, second.full), (at(0), true));
    let done = second.advance(None, INTERVAL, at(2));
    assert_eq!(claim(&done, at(299)), None);
    let next = claim(&done, at(300)).expect("the interval is over");
    assert!(!next.full, "a day has not passed");
    assert_eq!(next.since, at(0));
    let day = claim(&done, at(300)).unwrap().advance(None, INTERVAL, at(86_300));
    assert!(claim(&day, at(86_400)).expect("due").full);
}

#[test]
fn pass_of_a_crashed_worker_does_not_count() {
    let claimed = claim(&Sweep::unstarted(), at(0)).unwrap();
    let again = claim(&claimed, at(400)).expect("the worker died");
    assert!(again.full, "no pass has read everything yet");
    let done = again.advance(None, INTERVAL, at(401));

    let claimed = claim(&done, at(700)).unwrap();
    let again = claim(&claimed, at(1_000)).unwrap();
    assert_eq!(again.since, at(400), "what changed since the last pass that got to its end is read again");
}

#[test]
fn clock_set_back_delays_no_pass() {
    let ahead = 3 * 3_600;
    let done = claim(&Sweep::unstarted(), at(ahead)).unwrap().advance(None, INTERVAL, at(ahead + 1));
    let next = claim(&done, at(10)).expect("the moment in the state is none that is ever written");
    assert_eq!(
        (next.since, next.pass_at),
        (at(10), at(10)),
        "what is due from now on is not taken for judged"
    );
    let done = next.advance(None, INTERVAL, at(11));
    assert_eq!(claim(&done, at(309)), None);
    let next = claim(&done, at(310)).unwrap();
    assert!(!next.full);
    assert!(next.wants(at(0), Some(Mark::Waits(None)), &POLICY, at(360)));
}

#[test]
fn full_pass_that_a_clock_ahead_recorded_delays_no_other() {
    let started =
        claim(&Sweep::unstarted(), at(30 * 86_400)).expect("due").advance(None, INTERVAL, at(30 * 86_400));
    let next = claim(&started, at(86_400)).expect("its time is further ahead than any that is written");
    assert!(next.full, "another full pass follows at once");
    let next = claim(&next.advance(None, INTERVAL, at(86_400)), at(86_400 + 300)).expect("due");
    assert!(!next.full, "by the right clock, the next one is a day later");
}

#[test]
fn third_step_at_a_page_skips_what_storage_refuses() {
    let mut state = Sweep::unstarted();
    for (now, passes_over) in [(0, false), (100, false), (200, true)] {
        state = claim(&state, at(now)).unwrap();
        assert_eq!(state.passes_over(), passes_over, "at {now} s");
    }
    let next = claim(&state.advance(Some("page 2".to_owned()), INTERVAL, at(201)), at(201)).unwrap();
    assert!(!next.passes_over(), "another page");
}

#[test]
fn mark_round_trips_and_other_text_is_no_mark() {
    let end = at(30 * 86_400);
    for mark in
        [Mark::Waits(None), Mark::Waits(Some(at(7))), Mark::Runs, Mark::Ended(None), Mark::Ended(Some(end))]
    {
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark), "{mark}");
    }
    for text in ["", "waits ", "waits x", "runs 1", "Runs", "ended 1 2", "over", "waits 99999999999999999999"]
    {
        assert_eq!(Mark::parse(text), None, "{text:?}");
    }
    let mut scheduled = pending();
    scheduled.not_before = Some(at(9));
    assert_eq!(Mark::of(&scheduled), Mark::Waits(Some(at(9))));
    assert_eq!(Mark::of(&in_state(TaskState::InProgress)), Mark::Runs);
    let ended = in_state_from(&in_state(TaskState::InProgress), TaskState::Completed);
    assert_eq!(Mark::of(&ended), Mark::Ended(ended.expires_at));
}

#[test]
fn pass_reads_only_what_became_due_since_the_previous_one() {
    let first = claim(&Sweep::unstarted(), at(100_000)).unwrap().advance(None, INTERVAL, at(100_001));
    let pass = claim(&first, at(100_300)).unwrap();
    let wants = |written, mark| pass.wants(at(written), Some(mark), &POLICY, at(100_300));
    assert!(wants(100_300 - 360, Mark::Waits(None)));
    assert!(!wants(100_300 - 359, Mark::Waits(None)), "its message may be hidden");
    assert!(
        wants(100_000 - 61 - 360, Mark::Waits(None)),
        "by its own timestamp it was not due in the pass before"
    );
    assert!(!wants(100_000 - 61 - 361, Mark::Waits(None)), "the pass before judged it");
    assert!(wants(0, Mark::Waits(Some(at(100_300 - 360)))));
    assert!(!wants(0, Mark::Waits(Some(at(200_000)))), "it waits for its time");
    assert!(wants(100_300 - 2_160, Mark::Runs));
    assert!(!wants(100_300 - 360, Mark::Runs), "an attempt may take half an hour");
    assert!(wants(0, Mark::Ended(Some(at(100_200)))));
    assert!(!wants(0, Mark::Ended(Some(at(100_301)))) && !wants(0, Mark::Ended(Some(at(5)))));
    assert!(!wants(0, Mark::Ended(None)));

    let full = Sweep { full: true, ..pass.clone() };
    assert!(full.wants(at(0), Some(Mark::Ended(Some(at(5)))), &POLICY, at(100_300)), "overdue");
    assert!(!full.wants(at(100_000), Some(Mark::Waits(None)), &POLICY, at(100_300)), "not due all the same");
    assert!(full.wants(at(0), None, &POLICY, at(100_300)) && !pass.wants(at(0), None, &POLICY, at(100_300)));
}

proptest! {
    /// The first pass after a document is due finds it if it has no message, and a full pass finds one without a mark:
    /// for any times of writes and passes, any clock skew within the limit (60 s, and the second that storage rounds down),
    /// and workers that crash during a pass.
    #[test]
    fn every_document_without_a_message_is_found(
        written in 0u64..20_000, not_before in proptest::option::of(0u64..100_000), runs in any::<bool>(),
        marked in any::<bool>(), ahead in 0u64..=61,
        pauses in proptest::collection::vec((300u64..5_000, 0u8..4), 80),
    ) {
        let mut document = if runs { in_state(TaskState::InProgress) } else { pending() };
        document.updated_at = Some(at(written + ahead));
        document.not_before = not_before.map(at);
        let mark = marked.then(|| Mark::of(&document));
        let judged_at: Timestamp = {
            let waits_until = document.not_before.filter(|_| !runs);
            let alive = at(written + ahead).max(waits_until.unwrap_or(at(0)));
            alive.plus(secs(if runs { 2_160 } else { 360 }))
        };
        // A full pass finds a delayed document without a mark.
        let grace = if marked || not_before.is_none() { 10_000 } else { 86_400 + 10_000 };
        let mut state = Sweep::unstarted();
        let mut now = at(0);
        let mut last_death = at(0);
        for (pause, luck) in pauses {
            now = now.plus(secs(pause));
            let Some(claimed) = claim(&state, now) else { continue };
            if luck == 0 {
                state = claimed;
                last_death = now;
                continue;
            }
            if now > at(written) && claimed.wants(at(written), mark, &POLICY, now) {
                match review(&document, at(written), &POLICY, now) {
                    Review::Requeue(..) => return Ok(()),
                    other => prop_assert_eq!(other, Review::Leave),
                }
            }
            let latest = judged_at.max(last_death).plus(secs(grace));
            prop_assert!(now < latest, "overlooked until {}", now);
            state = claimed.advance(None, INTERVAL, now);
        }
    }
}
