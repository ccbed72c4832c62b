//! Leases and the sweep: what happens when nothing happens.

use std::time::Duration;

use crate::samples::{POLICY, at, foreign, in_state, pending, receipt, running, secs};
use lifecycle::lease::{Lease, Renewal, renewal};
use lifecycle::sweep::{Review, Sweep, review};
use models::{ResultBlob, TaskState, TaskStatus, Timestamp};
use proptest::prelude::*;

#[test]
fn a_lease_is_renewed_at_half_time_and_ends_with_the_attempts_cap() {
    let lease = Lease { started_at: at(0), held_since: at(100) };
    let at = |seconds| renewal(&lease, secs(60), secs(150), at(seconds));
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
    let lease = Lease { started_at: crate::samples::at(0), held_since: crate::samples::at(130) };
    assert_eq!(
        renewal(&lease, secs(60), secs(150), crate::samples::at(140)),
        Renewal::Hold(secs(10)),
        "until the cap"
    );
}

proptest! {
    #[test]
    fn a_keeper_that_does_what_it_is_told_never_loses_its_lease(
        visibility in 1u64..600, timeout in 1u64..2_000, lag in 0u64..400,
    ) {
        // Each renewal is late by `lag` thousandths of the lease, less than half of it.
        let (visibility, timeout) = (secs(visibility), secs(timeout));
        let late = visibility.mul_f64(lag as f64 / 1000.0);
        let mut lease = Lease { started_at: at(0), held_since: at(0) };
        let mut now = at(0);
        for _ in 0..10_000 {
            match renewal(&lease, visibility, timeout, now) {
                Renewal::Hold(wait) => {
                    prop_assert!(!wait.is_zero(), "a keeper must not spin");
                    now = now.plus(wait.max(Duration::from_millis(1)));
                }
                Renewal::RenewNow => { lease.held_since = now; now = now.plus(late); }
                Renewal::Lost => prop_assert!(false, "lost at {now}"),
                Renewal::CapReached => {
                    prop_assert!(now.since(at(0)) >= timeout);
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "the cap was never reached");
    }
}

#[test]
fn a_document_is_given_a_new_message_only_when_none_can_be_hidden_any_more() {
    let judged =
        |document: &TaskStatus, seconds| review(document, document.updated_at.unwrap(), &POLICY, at(seconds));
    // The longest back-off and the difference of clocks.
    assert_eq!(judged(&pending(), 359), Review::Leave);
    let Review::Requeue(touched, delay) = judged(&pending(), 360) else { panic!("its message is lost") };
    assert_eq!((touched.updated_at, delay), (Some(at(360)), secs(0)));
    assert_eq!(touched.state, TaskState::Pending);

    let running = in_state(TaskState::InProgress);
    assert_eq!(judged(&running, 1 + 2159), Review::Leave, "an attempt may take half an hour");
    assert!(matches!(judged(&running, 1 + 2160), Review::Requeue(..)));

    let mut waiting = pending();
    waiting.not_before = Some(at(86_400));
    assert_eq!(judged(&waiting, 400), Review::LookAgain(at(86_400 + 360)));
    assert!(matches!(judged(&waiting, 86_400 + 360), Review::Requeue(..)));

    for state in TaskState::ALL {
        let theirs = foreign(state);
        assert_eq!(review(&theirs, at(0), &POLICY, at(9_999_999)), Review::Leave, "{state:?}: not ours");
    }
}

#[test]
fn a_requeued_attempt_is_over_when_its_new_message_arrives() {
    let document = in_state(TaskState::InProgress);
    let Review::Requeue(touched, _) = review(&document, at(1), &POLICY, at(1 + 2160)) else {
        panic!("stale")
    };
    assert_eq!(running(&touched, &receipt("m2", 1), at(1 + 2160)).attempt, 2);
}

#[test]
fn an_expired_task_goes_with_every_result_it_may_have_left_behind() {
    let mut document = running(&in_state(TaskState::InProgress), &receipt("m1", 2), at(61));
    document = in_state_from(&document, TaskState::Completed);
    document.result_blob =
        Some(ResultBlob { name: "the-result".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
    let end = 62 + 30 * 86_400;
    assert_eq!(review(&document, at(62), &POLICY, at(end - 1)), Review::Leave);
    let abandoned = format!("{}-result-1", document.task_id);
    assert_eq!(
        review(&document, at(62), &POLICY, at(end)),
        Review::Purge(vec!["the-result".to_owned(), abandoned])
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

#[test]
fn one_sweeper_claims_a_step_and_the_next_pass_waits_for_its_interval() {
    let first = Sweep::unstarted().claim(&POLICY, at(0)).expect("the first pass is due at once");
    assert!(first.full);
    assert_eq!(first.claim(&POLICY, at(59)), None, "claimed by another worker");
    assert!(first.claim(&POLICY, at(60)).is_some(), "that worker died");

    let half = first.advance(Some("page 2".to_owned()), None, INTERVAL, at(1));
    let second = half.claim(&POLICY, at(1)).expect("a pass under way goes on");
    assert_eq!((second.pass_at, second.full), (at(0), true));
    let done = second.advance(None, None, INTERVAL, at(2));
    assert_eq!(done.claim(&POLICY, at(299)), None);
    let next = done.claim(&POLICY, at(300)).expect("the interval is over");
    assert!(!next.full, "a day has not passed");
    assert_eq!(next.since, at(0));
    assert!(done.claim(&POLICY, at(86_400)).expect("due").full);
}

#[test]
fn a_pass_whose_worker_dies_counts_as_never_made() {
    let claimed = Sweep::unstarted().claim(&POLICY, at(0)).unwrap();
    let again = claimed.claim(&POLICY, at(400)).expect("the worker died");
    assert!(again.full, "nobody has read everything yet");
    let done = again.advance(None, None, INTERVAL, at(401));

    let claimed = done.claim(&POLICY, at(700)).unwrap();
    let again = claimed.claim(&POLICY, at(1_000)).unwrap();
    assert_eq!(again.since, at(400), "what changed since the last pass that got to its end is read again");
}

#[test]
fn a_task_that_waits_for_its_time_brings_a_full_pass_behind_it() {
    let state = Sweep::unstarted().claim(&POLICY, at(0)).unwrap();
    let state = state.advance(None, Some(at(7_000)), INTERVAL, at(1));
    assert!(!state.claim(&POLICY, at(6_999)).unwrap().full);
    let full = state.claim(&POLICY, at(7_000)).unwrap();
    assert!(full.full);
    assert_eq!(full.look_again_at, None, "that pass looks itself");
    // However often tasks wait, everything is read at most once an hour.
    let soon = full.advance(None, Some(at(7_100)), INTERVAL, at(7_001));
    assert!(!soon.claim(&POLICY, at(7_400)).unwrap().full);
    assert!(soon.claim(&POLICY, at(7_000 + 3_600)).unwrap().full);
}

proptest! {
    /// The promise of the sweep: whatever was written when, whenever passes happen, and whoever dies in
    /// the middle of one, a document without a message is found by the first pass after it can be judged,
    /// or by a full one soon after.
    #[test]
    fn no_document_without_a_message_is_overlooked(
        written in 0u64..20_000, not_before in proptest::option::of(0u64..100_000), runs in any::<bool>(),
        pauses in proptest::collection::vec((300u64..5_000, 0u8..4), 80),
    ) {
        let mut document = if runs { in_state(TaskState::InProgress) } else { pending() };
        document.updated_at = Some(at(written));
        document.not_before = not_before.map(at);
        let judged_at: Timestamp = {
            let alive = at(written).max(document.not_before.unwrap_or(at(0)));
            alive.plus(secs(if runs { 2_160 } else { 360 }))
        };
        let mut state = Sweep::unstarted();
        let mut now = at(0);
        let mut last_death = at(0);
        for (pause, luck) in pauses {
            now = now.plus(secs(pause));
            let Some(claimed) = state.claim(&POLICY, now) else { continue };
            if luck == 0 {
                state = claimed;
                last_death = now;
                continue;
            }
            let mut look_again = None;
            if now > at(written) && claimed.wants(at(written), &POLICY, now) {
                match review(&document, at(written), &POLICY, now) {
                    Review::Requeue(..) => return Ok(()),
                    Review::LookAgain(moment) => look_again = Some(moment),
                    other => prop_assert_eq!(other, Review::Leave),
                }
            }
            let latest = judged_at.max(last_death).plus(secs(3_600 + 10_000));
            prop_assert!(now < latest, "overlooked until {}", now);
            state = claimed.advance(None, look_again, INTERVAL, now);
        }
    }
}
