//! The event of a task's end.

use crate::samples::{POLICY, at, delivery, in_state, ours, pending, running, secs, unusable};
use lifecycle::cancel::{Cancel, cancel};
use lifecycle::delivery::{DocumentRead, Step as TaskStep, decide as decide_task};
use lifecycle::events::{self, Called, MAX_AGE, Next, Pause, Step, check_in, decide, event_type};
use lifecycle::outcome::{Effect, Outcome, settle};
use lifecycle::retry::{Retry, retry};
use lifecycle::sweep::{Mark, Review, review};
use models::{CallbackState, EventMessage, TaskError, TaskState, TaskStatus, Timestamp};

const RECEIVER: &str = "https://hooks.example/done";

pub(crate) fn with_receiver(document: TaskStatus) -> TaskStatus {
    TaskStatus { callback_uri: Some(RECEIVER.to_owned()), ..document }
}

/// Ended at second 2, with an event that is due.
fn ended() -> TaskStatus {
    let running = running(&with_receiver(pending()), &delivery("m1", 1), at(1));
    let error = TaskError { code: "X".to_owned(), message: "x".to_owned() };
    let effects = settle(&Outcome::Failed(error), &running, &POLICY, at(2), 0.5);
    let [Effect::Write(next), Effect::PutEvent, Effect::Delete] = &effects[..] else {
        panic!("the event is put between document and deletion: {effects:?}")
    };
    (**next).clone()
}

/// Records a call for the message of the document.
fn record(
    document: &TaskStatus,
    called: &Called,
    max_attempts: u32,
    now: Timestamp,
    fraction: f64,
) -> (TaskStatus, Next) {
    let message = EventMessage::of(document).unwrap();
    events::record(&message, document, called, max_attempts, now, fraction)
}

fn failed(outcome: &str) -> Called {
    Called::Failed { outcome: outcome.to_owned(), retry_after: None }
}

#[test]
fn event_is_due_whoever_ends_the_task() {
    let waiting = with_receiver(pending());
    let Cancel::Now(cancelled) = cancel(&waiting, POLICY.retention, at(5)) else { panic!() };
    let TaskStep::Poison { document: Some(unusable), .. } =
        decide_task(&Err(unusable()), DocumentRead::Found(&waiting), &delivery("m1", 1), &POLICY, at(5))
    else {
        panic!()
    };
    let late = TaskStatus { start_by: Some(at(0)), ..waiting.clone() };
    let TaskStep::Cancel(expired) =
        decide_task(&Ok(ours()), DocumentRead::Found(&late), &delivery("m1", 1), &POLICY, at(5))
    else {
        panic!()
    };
    let used_up = TaskStatus { attempts_used: Some(5), ..waiting.clone() };
    let TaskStep::Poison { document: Some(exhausted), .. } =
        decide_task(&Ok(ours()), DocumentRead::Found(&used_up), &delivery("m1", 1), &POLICY, at(5))
    else {
        panic!()
    };
    for document in [*cancelled, *unusable, *expired, *exhausted, ended()] {
        assert!(document.is_event_due());
        assert_eq!(Mark::of(&document), Mark::OwesEvent(None));
        let message = EventMessage::of(&document).unwrap();
        assert_eq!(EventMessage::parse(&message.text()), Ok(message));
        assert_eq!(decide(&message, Some(&document), 1, at(6)), Step::Call);
    }
    assert!(!waiting.is_event_due() && EventMessage::of(&waiting).is_none());
}

#[test]
fn task_without_a_receiver_has_no_event() {
    for state in TaskState::ALL {
        let document = in_state(state);
        assert!(document.callback.is_none() && EventMessage::of(&document).is_none());
    }
}

#[test]
fn event_message_is_not_taken_for_a_task() {
    let text = EventMessage::of(&ended()).unwrap().text();
    assert!(matches!(models::TaskMessage::parse(&text), Err(models::MessageError::Unreadable(_))));
}

#[test]
fn only_the_end_that_the_message_names_is_delivered() {
    let document = ended();
    let message = EventMessage::of(&document).unwrap();
    let Retry::Again(retried) = retry(&document, None, at(3)) else { panic!() };
    let later = TaskStatus { finished_at: Some(at(9)), ..document.clone() };
    let (delivered, _) = record(&document, &Called::Accepted(204), 3, at(3), 0.0);
    for other in [None, Some(&*retried), Some(&later), Some(&delivered)] {
        assert_eq!(decide(&message, other, 1, at(10)), Step::Discard, "{other:?}");
    }
    assert!(retried.callback.is_none(), "the next end has an event of its own");
}

#[test]
fn pauses_double_from_a_second_to_four_hours_until_attempts_are_used() {
    let mut document = ended();
    let mut pauses = Vec::new();
    loop {
        let (next, then) = record(&document, &failed("HTTP 503"), 20, at(3), 1.0);
        document = next;
        match then {
            Next::Wait(Pause { wait, called }) => {
                pauses.push(wait.as_secs());
                assert_eq!(called as usize, pauses.len());
            }
            Next::GiveUp(reason) => {
                assert!(reason.contains("calls of the receiver: 20") && reason.ends_with("HTTP 503"));
                break;
            }
            Next::Delete => panic!(),
        }
    }
    assert_eq!(pauses[..5], [1, 2, 4, 8, 16]);
    assert_eq!(pauses[14..], [14_400; 5]);
    assert_eq!(pauses.len(), 19);
    assert_eq!(document.callback.as_ref().unwrap().state, CallbackState::GivenUp);
    assert!(!document.is_event_due());
    assert_eq!(document.state, TaskState::Failed, "the task is as before");
    assert_eq!(document.updated_at, Some(at(2)));
}

#[test]
fn half_of_each_pause_is_jitter() {
    let (document, _) = record(&ended(), &failed("x"), 9, at(3), 0.0);
    let (document, _) = record(&document, &failed("x"), 9, at(3), 0.0);
    let (_, then) = record(&document, &failed("x"), 9, at(3), 0.0);
    assert_eq!(then, Next::Wait(Pause { wait: secs(2), called: 3 }), "between 2 s and 4 s");
}

#[test]
fn responses_mean_what_standard_webhooks_says() {
    let asked = Some(secs(120));
    let outcomes = |status| {
        let (document, then) = record(&ended(), &Called::response(status, asked), 5, at(3), 1.0);
        (document.callback.unwrap().state, then)
    };
    for status in [200, 202, 204, 299] {
        assert_eq!(outcomes(status), (CallbackState::Delivered, Next::Delete));
    }
    for status in [100, 301, 307, 400, 401, 404, 408, 429, 500, 502, 503] {
        assert_eq!(
            outcomes(status),
            (CallbackState::Due, Next::Wait(Pause { wait: secs(120), called: 1 })),
            "{status}"
        );
    }
    let (state, then) = outcomes(410);
    assert_eq!(state, CallbackState::GivenUp);
    assert!(matches!(then, Next::GiveUp(_)));
}

#[test]
fn receiver_cannot_ask_for_more_than_a_day() {
    let called = Called::response(503, Some(secs(900_000)));
    assert_eq!(
        record(&ended(), &called, 5, at(3), 1.0).1,
        Next::Wait(Pause { wait: secs(86_400), called: 1 })
    );
}

#[test]
fn old_event_is_given_up_with_the_next_failure_but_called_for_once() {
    let late = at(2).plus(MAX_AGE);
    let document = ended();
    assert_eq!(decide(&EventMessage::of(&document).unwrap(), Some(&document), 1, late), Step::Call);
    assert!(matches!(record(&document, &failed("x"), 20, late, 1.0).1, Next::GiveUp(_)));
}

#[test]
fn second_message_waits_for_the_pause_of_the_first() {
    let document = ended();
    let message = EventMessage::of(&document).unwrap();
    let (document, _) = record(&document, &Called::response(429, Some(secs(60))), 20, at(10), 1.0);
    assert_eq!(decide(&message, Some(&document), 1, at(30)), Step::Wait(Pause { wait: secs(40), called: 1 }));
    assert_eq!(decide(&message, Some(&document), 1, at(70)), Step::Call);
    // A clock that is hours behind does not hide it for hours.
    let behind = at(0).minus(secs(7200));
    assert_eq!(decide(&message, Some(&document), 1, behind), Step::Wait(Pause { wait: secs(60), called: 1 }));
    // Storage has hidden it for that pause, whatever a worker's clock says.
    let hidden = EventMessage { called: 1, ..message };
    assert_eq!(EventMessage::parse(&hidden.text()), Ok(hidden));
    assert_eq!(decide(&hidden, Some(&document), 2, behind), Step::Call);
}

#[test]
fn copy_is_repeated_after_a_crash_between_document_and_copy() {
    let document = ended();
    let message = EventMessage::of(&document).unwrap();
    let (given_up, then) = record(&document, &Called::Refused("HTTP 410".to_owned()), 20, at(3), 1.0);
    let Next::GiveUp(reason) = then else { panic!() };
    let again = Step::GiveUp { reason, document: None };
    assert_eq!(decide(&message, Some(&given_up), 2, at(60)), again);
}

#[test]
fn message_that_crashes_workers_is_given_up_with_its_document() {
    let document = ended();
    let message = EventMessage::of(&document).unwrap();
    assert_eq!(decide(&message, Some(&document), 2000, at(60)), Step::Call);
    let Step::GiveUp { document: Some(next), reason } = decide(&message, Some(&document), 2001, at(60))
    else {
        panic!()
    };
    assert_eq!(next.callback.unwrap().state, CallbackState::GivenUp);
    assert!(reason.contains("2001 times"));
}

#[test]
fn sweep_puts_a_lost_event_and_keeps_its_task() {
    let document = ended();
    // A lease of the event is 90 s, and clocks differ by a minute.
    assert_eq!(review(&document, at(2), &POLICY, at(151)), Review::Leave);
    assert_eq!(review(&document, at(2), &POLICY, at(152)), Review::PutEvent(Box::new(document.clone())));
    let (paused, _) = record(&document, &Called::response(503, Some(secs(3600))), 20, at(10), 1.0);
    assert_eq!(review(&paused, at(10), &POLICY, at(3759)), Review::Leave, "its message is hidden");
    assert!(matches!(review(&paused, at(10), &POLICY, at(3760)), Review::PutEvent(_)));
    let expired = document.expires_at.unwrap();
    assert!(matches!(review(&document, at(2), &POLICY, expired), Review::PutEvent(_)));
    let forgotten = expired.plus(MAX_AGE);
    assert!(matches!(review(&document, at(2), &POLICY, forgotten), Review::Purge(_)), "it has an end");
    let (delivered, _) = record(&document, &Called::Accepted(200), 20, at(10), 1.0);
    assert_eq!(review(&delivered, at(10), &POLICY, at(99_999)), Review::Leave);
    assert_eq!(Mark::of(&delivered), Mark::Ended(delivered.expires_at));
}

#[test]
fn mark_of_an_event_is_parsed_as_it_is_written() {
    for mark in [Mark::OwesEvent(None), Mark::OwesEvent(Some(at(7)))] {
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
    }
}

#[test]
fn type_of_the_event_is_the_public_state() {
    assert_eq!(event_type(TaskState::Completed), "task.succeeded");
    assert_eq!(event_type(TaskState::Failed), "task.failed");
    assert_eq!(event_type(TaskState::Cancelled), "task.canceled");
}

#[test]
fn queue_of_events_is_checked_at_once_after_a_put() {
    for (is_put, is_idle, since, expected) in [
        (false, true, None, 0),
        (false, true, Some(1), 1),
        (false, true, Some(2), 0),
        (false, false, Some(2), 3),
        (false, false, Some(9), 0),
        (true, false, Some(0), 0),
    ] {
        assert_eq!(
            check_in(is_put, is_idle, since.map(secs)),
            secs(expected),
            "{is_put} {is_idle} {since:?}"
        );
    }
}
