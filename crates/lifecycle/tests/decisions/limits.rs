//! Limits that a submission sets for its task: expiry, attempts, time limit, unique key.

use crate::samples::{POLICY, at, delivery, in_state, ours, pending, running, secs};
use lifecycle::Policy;
use lifecycle::delivery::{Delivery, DocumentRead, Step, decide};
use lifecycle::outcome::{Effect, Outcome, settle};
use lifecycle::unique::{Unique, unique};
use models::{TaskError, TaskState, TaskStatus, Timestamp};

/// `document`, which expires at second 60.
fn expiring(document: TaskStatus) -> TaskStatus {
    TaskStatus { start_by: Some(at(60)), ..document }
}

fn received(count: u32, received_at: Timestamp) -> Delivery {
    Delivery { received_at, ..delivery("m1", count) }
}

fn step(document: &TaskStatus, delivery: &Delivery, now: Timestamp) -> Step {
    decide(&Ok(ours()), DocumentRead::Found(document), delivery, &POLICY, now)
}

#[test]
fn task_expires_by_storages_clock_unless_it_has_started() {
    let released = {
        let started = running(&expiring(pending()), &delivery("m1", 1), at(50));
        let effects = settle(&Outcome::Released, &started, &POLICY, at(55), 0.5);
        effects.into_iter().find_map(|effect| match effect {
            Effect::Write(document) => Some(*document),
            _ => None,
        })
    };
    let started = running(&expiring(pending()), &delivery("m1", 1), at(59));
    let table = [
        // document                         received   worker's clock   cancelled
        ("in time", expiring(pending()), at(59), at(59), false),
        ("at the limit", expiring(pending()), at(60), at(60), true),
        ("worker's clock ahead", expiring(pending()), at(59), at(9_000), false),
        ("worker's clock behind", expiring(pending()), at(60), at(1), true),
        ("no limit", pending(), at(9_000), at(9_000), false),
        ("started before", started, at(9_000), at(9_000), false),
        ("handed back after its start", released.unwrap(), at(9_000), at(9_000), false),
    ];
    for (name, document, received_at, now, is_cancelled) in table {
        match step(&document, &received(2, received_at), now) {
            Step::Cancel(next) => {
                assert!(is_cancelled, "{name}");
                assert_eq!((next.state, next.attempt), (TaskState::Cancelled, 0), "{name}");
                assert_eq!(next.error.unwrap().code, "Expired", "{name}");
                assert_eq!(next.cancel_requested_at, None, "{name}: no client requested it");
                assert_eq!(next.finished_at, Some(now), "{name}");
            }
            Step::Run(_) => assert!(!is_cancelled, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn submission_lowers_the_operators_limits_and_never_raises_them() {
    for (attempts, seconds, expected) in [
        (None, None, (5, 1800)),
        (Some(2), Some(90), (2, 90)),
        (Some(1000), Some(604_800), (5, 1800)),
        (Some(0), Some(0), (1, 1)),
    ] {
        let document = TaskStatus { max_attempts: attempts, timeout_seconds: seconds, ..pending() };
        let policy = POLICY.for_task(&document);
        assert_eq!((policy.max_dequeue_count, policy.task_timeout.as_secs()), expected);
        let others = Policy { max_dequeue_count: 5, task_timeout: secs(1800), ..policy };
        assert_eq!(others, POLICY);
    }
}

#[test]
fn task_fails_after_its_own_number_of_attempts() {
    for (max_attempts, used, reason) in [
        (Some(2), 1, None),
        (Some(2), 2, Some("attempts started without success: 2; MaxAttempts allows 2")),
        (Some(9), 5, Some("attempts started without success: 5; max_dequeue_count allows 5")),
        (None, 5, Some("attempts started without success: 5; max_dequeue_count allows 5")),
    ] {
        let document = TaskStatus { max_attempts, attempts_used: Some(used), attempt: used, ..pending() };
        match step(&document, &received(used + 1, at(9)), at(9)) {
            Step::Poison { reason: given, document: Some(document) } => {
                assert_eq!(Some(given.as_str()), reason);
                assert_eq!(document.error.unwrap().code, "TooManyDeliveries");
            }
            Step::Run(_) => assert_eq!(reason, None),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn task_holds_its_key_until_it_has_ended_and_its_window_is_over() {
    let failed = TaskError { code: "X".to_owned(), message: String::new() };
    for state in TaskState::ALL {
        let ended = state.is_terminal();
        let document = TaskStatus { error: Some(failed.clone()), ..in_state(state) };
        let while_open = match state {
            TaskState::Pending => Unique::ResendMessage(secs(0)),
            _ => Unique::Held,
        };
        let expected = if ended { Unique::Released } else { while_open };
        assert_eq!(unique(&document, at(9)), expected, "{state:?}");

        let windowed = TaskStatus { unique_until: Some(at(60)), ..document };
        assert_eq!(unique(&windowed, at(59)), while_open, "{state:?} within the window");
        assert_eq!(unique(&windowed, at(60)), expected, "{state:?} after the window");
    }
}
