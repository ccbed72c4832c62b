//! Requests of clients: submissions, cancellations, explicit retries, and how long clients wait.

use crate::samples::{POLICY, at, delivery, foreign, in_state, pending, request, running, secs};
use lifecycle::cancel::{self, Cancel, cancel};
use lifecycle::delayed::{TooFar, delay, promotion_is_due, start_time};
use lifecycle::intake::{Intake, intake};
use lifecycle::monitor::{retry_after, suggests_queue};
use lifecycle::overload::{Admission, admission};
use lifecycle::retry::{self, Retry, awaits_worker, back_off, retry};
use models::{AttemptOutcome, Json, Start, TaskPriority, TaskState};

#[test]
fn message_is_sent_again_until_a_worker_received_it() {
    assert_eq!(intake(None, &request(), None, at(5)), Intake::Accept);
    for state in TaskState::ALL {
        let expected =
            if state == TaskState::Pending { Intake::ResendMessage(secs(0)) } else { Intake::Replay };
        assert_eq!(intake(Some(&in_state(state)), &request(), None, at(5)), expected, "{state:?}");
    }
    let Retry::Again(again) = retry(&in_state(TaskState::Failed), None, at(9)) else { panic!("failed") };
    assert_eq!(intake(Some(&again), &request(), None, at(9)), Intake::ResendMessage(secs(0)));

    let mut waiting = pending();
    waiting.not_before = Some(at(65));
    assert_eq!(intake(Some(&waiting), &request(), None, at(5)), Intake::ResendMessage(secs(60)));

    let mut theirs = foreign(TaskState::Pending);
    theirs.input = request().input;
    assert_eq!(intake(Some(&theirs), &request(), None, at(5)), Intake::Replay, "their message is theirs");
}

#[test]
fn submission_with_other_content_is_refused_whatever_its_spelling() {
    let respelled = models::TaskRequest {
        input: Some(Json::parse("{ \"width\" : 640 }").unwrap()),
        start: Start::After(60),
        ..request()
    };
    assert_eq!(intake(Some(&pending()), &respelled, None, at(5)), Intake::ResendMessage(secs(0)));
    let changed = [
        models::TaskRequest { task_name: "crop".to_owned(), ..request() },
        models::TaskRequest { task_description: String::new(), ..request() },
        models::TaskRequest { priority: TaskPriority::Low, ..request() },
        models::TaskRequest { input: None, ..request() },
    ];
    for other in changed {
        assert_eq!(intake(Some(&pending()), &other, None, at(5)), Intake::Different, "{other:?}");
    }
}

#[test]
fn task_of_another_caller_is_refused_without_comparison() {
    let mut document = pending();
    assert_eq!(intake(Some(&document), &request(), Some("alice"), at(5)), Intake::AnotherCaller);
    document.owner = Some("bob".to_owned());
    let different = models::TaskRequest { input: None, ..request() };
    assert_eq!(intake(Some(&document), &different, Some("alice"), at(5)), Intake::AnotherCaller);
    assert_eq!(intake(Some(&document), &request(), Some("bob"), at(5)), Intake::ResendMessage(secs(0)));
    assert_eq!(
        intake(Some(&document), &request(), None, at(5)),
        Intake::ResendMessage(secs(0)),
        "callers are not distinguished"
    );
}

#[test]
fn cancel_ends_a_waiting_task_and_asks_a_running_one() {
    let Cancel::Now(cancelled) = cancel(&pending(), POLICY.retention, at(5)) else { panic!("it waits") };
    assert_eq!((cancelled.state, cancelled.finished_at), (TaskState::Cancelled, Some(at(5))));
    assert_eq!(cancelled.expires_at, Some(at(5 + 30 * 86_400)));

    let running = in_state(TaskState::InProgress);
    let Cancel::Request(asked) = cancel(&running, POLICY.retention, at(5)) else { panic!("it runs") };
    assert_eq!((asked.state, asked.cancel_requested_at), (TaskState::InProgress, Some(at(5))));
    assert_eq!(asked.history, running.history);
    assert_eq!(cancel(&asked, POLICY.retention, at(6)), Cancel::AlreadyRequested);

    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        assert_eq!(cancel(&in_state(state), POLICY.retention, at(5)), Cancel::TooLate, "{state:?}");
    }
    // Otherwise its delivery would take its state for a random one and run the task.
    let Cancel::Now(adopted) = cancel(&foreign(TaskState::Pending), POLICY.retention, at(5)) else {
        panic!("it waits")
    };
    assert!(adopted.is_ours());
}

#[test]
fn retry_needs_a_failed_task_and_records_the_caller() {
    for state in TaskState::ALL.into_iter().filter(|state| *state != TaskState::Failed) {
        assert_eq!(retry(&in_state(state), Some("alice"), at(9)), Retry::NotFailed, "{state:?}");
    }
    let failed = in_state(TaskState::Failed);
    let Retry::Again(again) = retry(&failed, Some("alice"), at(9)) else { panic!("it failed") };
    assert_eq!((again.state, again.attempt), (TaskState::Pending, 1));
    assert_eq!((again.finished_at, again.expires_at), (None, None));
    let record = again.history.last().unwrap();
    assert_eq!(record.outcome, Some(AttemptOutcome::RetryRequested));
    assert_eq!((record.by.as_deref(), record.started_at), (Some("alice"), at(9)));
    assert_eq!(again.history[0], failed.history[0], "what happened before stays");
}

#[test]
fn back_off_doubles_up_to_its_cap_times_the_fraction() {
    let whole = |n| back_off(secs(2), secs(300), n, 1.0).as_secs();
    let schedule: Vec<u64> = (0..9).map(whole).collect();
    assert_eq!(schedule, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert_eq!(whole(u32::MAX), 300);
    assert_eq!(back_off(secs(2), secs(300), 3, 0.0), secs(0));
    assert_eq!(back_off(secs(2), secs(300), 3, 0.5), secs(8));
    assert_eq!(back_off(secs(2), secs(300), 0, 0.1), secs(1), "storage counts whole seconds");
    assert_eq!(back_off(secs(2), secs(300), 3, f64::NAN), secs(16));
}

#[test]
fn start_is_accepted_up_to_seven_days_ahead() {
    let now = at(0);
    assert_eq!(start_time(Start::Now, now), Ok(None));
    assert_eq!(start_time(Start::After(30), now), Ok(Some(at(30))));
    assert_eq!(start_time(Start::At(now), now), Ok(None));
    assert_eq!(start_time(Start::At(now.minus(secs(9))), now), Ok(None));
    assert_eq!(start_time(Start::At(at(604_800)), now), Ok(Some(at(604_800))));
    assert_eq!(start_time(Start::At(at(604_801)), now), Err(TooFar));
    let mut document = pending();
    document.not_before = Some(at(10));
    assert_eq!(delay(&document, now.plus(std::time::Duration::from_millis(9_001))), secs(1), "rounded up");
    assert_eq!(delay(&document, at(10)), secs(0));
}

#[test]
fn retry_after_grows_with_age_and_is_absent_for_terminal_tasks() {
    let after = |age| retry_after(&in_state(TaskState::InProgress), at(age)).map(|wait| wait.as_secs());
    for (age, expected) in [(0, 1), (19, 1), (50, 5), (299, 29), (9_000, 30)] {
        assert_eq!(after(age), Some(expected), "{age} seconds old");
    }
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        assert_eq!(retry_after(&in_state(state), at(5)), None, "{state:?}");
    }
    let mut document = pending();
    document.not_before = Some(at(100));
    assert_eq!(retry_after(&document, at(60)), Some(secs(41)));
    document.not_before = Some(at(604_800));
    assert_eq!(retry_after(&document, at(60)), Some(secs(300)));
    assert_eq!(retry_after(&document, at(604_801)), Some(secs(1)), "its age counts from its time");
}

#[test]
fn wait_grows_with_the_queue_above_its_limit() {
    assert_eq!(admission(u64::MAX, None), Admission::Admit);
    assert_eq!(admission(100, Some(100)), Admission::Admit);
    assert_eq!(admission(101, Some(100)), Admission::Refuse(secs(5)));
    assert_eq!(admission(1_000, Some(100)), Admission::Refuse(secs(50)));
    assert_eq!(admission(u64::MAX, Some(1)), Admission::Refuse(secs(120)));
}

#[test]
fn lost_response_to_a_cancellation_is_recognised() {
    let Cancel::Request(asked) = cancel(&in_state(TaskState::InProgress), POLICY.retention, at(5)) else {
        panic!("it runs")
    };
    assert!(cancel::is_recorded(&asked, &asked));
    let later = models::TaskStatus { updated_at: Some(at(9)), ..(*asked).clone() };
    assert!(cancel::is_recorded(&later, &asked), "the task went on since");
    let other = models::TaskStatus { cancel_requested_at: Some(at(4)), ..(*asked).clone() };
    assert!(!cancel::is_recorded(&other, &asked), "another request");
    assert!(!cancel::is_recorded(&in_state(TaskState::InProgress), &asked));
}

#[test]
fn retry_awaits_a_worker_until_an_attempt_starts() {
    for state in TaskState::ALL {
        assert!(!awaits_worker(&in_state(state)), "{state:?}");
    }
    let Retry::Again(again) = retry(&in_state(TaskState::Failed), None, at(9)) else { panic!("it failed") };
    assert!(awaits_worker(&again));
    let started = running(&again, &delivery("m2", 1), at(10));
    assert!(!awaits_worker(&started));
    for document in [&*again, &started] {
        assert!(retry::is_recorded(document, at(9)) && !retry::is_recorded(document, at(10)));
    }
}

#[test]
fn queue_is_suggested_by_a_task_that_waits_three_seconds() {
    assert!(!suggests_queue(&pending(), at(2)) && suggests_queue(&pending(), at(3)));
    let delayed = models::TaskStatus { not_before: Some(at(100)), ..pending() };
    assert!(!suggests_queue(&delayed, at(102)) && suggests_queue(&delayed, at(103)), "from its start time");
    for state in TaskState::ALL {
        assert_eq!(suggests_queue(&in_state(state), at(60)), state == TaskState::Pending, "{state:?}");
    }
    assert!(suggests_queue(&foreign(TaskState::Pending), at(0)), "its age is unknown");
}

#[test]
fn scheduled_queue_is_checked_every_2_s_idle_and_5_s_busy() {
    let seconds = |time: Option<u64>| time.map(secs);
    for (is_idle, since_check, age, expected) in [
        (true, None, 0, true),
        (true, Some(1), 60, false),
        (true, Some(2), 60, true),
        (false, None, 4, false),
        (false, None, 5, true),
        (false, Some(4), 60, false),
        (false, Some(5), 60, true),
    ] {
        let is_due = promotion_is_due(is_idle, seconds(since_check), secs(age));
        assert_eq!(is_due, expected, "idle {is_idle}, checked {since_check:?} s ago, {age} s old");
    }
}
