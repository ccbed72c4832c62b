//! The operator's sink of events.

use crate::samples::{POLICY, at, delivery, in_state, pending, running, secs};
use lifecycle::cancel::{Cancel, cancel};
use lifecycle::events::{self, Called, MAX_AGE, Next, Step, decide};
use lifecycle::outcome::{Effect, Outcome, settle};
use lifecycle::retry::{Retry, retry};
use lifecycle::sink::{after, given_up, is_progress_due};
use lifecycle::sweep::{Mark, Review, review};
use models::{CallbackState, EventMessage, SinkMessage, TaskError, TaskState, TaskStatus};

pub(crate) fn with_sink(document: TaskStatus) -> TaskStatus {
    TaskStatus { sink_events: true, ..document }
}

/// Ended at second 2, with an event for its receiver and one for the sink.
fn ended() -> TaskStatus {
    let document = TaskStatus { callback_uri: Some("https://hooks.example/".to_owned()), ..pending() };
    let running = running(&with_sink(document), &delivery("m1", 1), at(1));
    let error = TaskError { code: "X".to_owned(), message: "x".to_owned() };
    let effects = settle(&Outcome::Failed(error), &running, &POLICY, at(2), 0.5);
    let [Effect::Write(next), Effect::PutEvent, Effect::Delete] = &effects[..] else {
        panic!("events are put between document and deletion: {effects:?}")
    };
    (**next).clone()
}

fn failed() -> Called {
    Called::Failed { outcome: "HTTP 503".to_owned(), retry_after: None }
}

#[test]
fn end_is_due_to_the_sink_only_for_marked_tasks() {
    let Cancel::Now(cancelled) = cancel(&with_sink(pending()), POLICY.retention, at(5)) else { panic!() };
    for document in [*cancelled, ended()] {
        let message = EventMessage::for_sink(&document).unwrap();
        assert_eq!(EventMessage::parse(&message.text()), Ok(message));
        assert!(message.is_for_sink && document.is_event_due());
        assert_eq!(decide(&message, Some(&document), 1, at(6)), Step::Call);
    }
    for document in [with_sink(pending()), in_state(TaskState::Completed), in_state(TaskState::Failed)] {
        assert!(!document.is_event_due() && EventMessage::for_sink(&document).is_none());
    }
    let Retry::Again(retried) = retry(&ended(), None, at(9)) else { panic!() };
    assert!(retried.sink.is_none() && retried.sink_events, "the next end has an event of its own");
}

#[test]
fn receiver_and_sink_are_recorded_independently() {
    let document = ended();
    let (receiver, sink) = (EventMessage::of(&document).unwrap(), EventMessage::for_sink(&document).unwrap());
    let (document, next) = events::record(&receiver, &document, &Called::Accepted(204), 3, at(3), 0.0);
    assert_eq!(next, Next::Delete);
    assert!(document.is_event_due() && EventMessage::of(&document).is_none());
    let (document, _) = events::record(&sink, &document, &failed(), 3, at(4), 1.0);
    let (document, next) = events::record(&sink, &document, &Called::Accepted(200), 3, at(9), 1.0);
    assert_eq!(next, Next::Delete);
    let record = document.sink.as_ref().unwrap();
    assert_eq!((record.state, record.attempts), (CallbackState::Delivered, 2));
    assert_eq!(document.callback.as_ref().unwrap().attempts, 1);
    assert!(!document.is_event_due());
}

#[test]
fn sweep_waits_for_the_earlier_of_two_deliveries() {
    let document = ended();
    let (receiver, sink) = (EventMessage::of(&document).unwrap(), EventMessage::for_sink(&document).unwrap());
    let later = Called::response(429, Some(secs(7200)));
    let (document, _) = events::record(&receiver, &document, &later, 9, at(3), 0.0);
    assert_eq!(Mark::of(&document), Mark::OwesEvent(None), "the sink was not called yet");
    assert!(matches!(review(&document, at(3), &POLICY, at(600)), Review::PutEvent(_)));
    let (document, _) = events::record(&sink, &document, &Called::Accepted(200), 9, at(4), 0.0);
    assert_eq!(Mark::of(&document), Mark::OwesEvent(Some(at(3 + 7200))));
    assert_eq!(review(&document, at(4), &POLICY, at(600)), Review::Leave);
}

#[test]
fn events_describe_the_document_and_keep_their_ids() {
    let document = with_sink(pending());
    let accepted = SinkMessage::accepted(&document).unwrap();
    let started = running(&document, &delivery("m1", 1), at(1));
    let progressed = lifecycle::outcome::with_progress(&started, Some(40), Some("half"), at(2));
    for message in [
        accepted.clone(),
        SinkMessage::started(&started).unwrap(),
        SinkMessage::progressed(&progressed).unwrap(),
    ] {
        let noted = SinkMessage { called: 3, ..message.clone() };
        assert_eq!(SinkMessage::parse(&noted.text()).as_ref(), Some(&noted));
        assert_eq!(noted.id(), message.id());
        assert!(EventMessage::parse(&message.text()).is_err(), "it is not an end");
        assert!(models::TaskMessage::parse(&message.text()).is_err(), "it is not a task");
    }
    assert_eq!(
        SinkMessage::started(&started),
        SinkMessage::started(&progressed),
        "progress does not change it"
    );
    assert_eq!(SinkMessage::accepted(&started), Some(accepted));
    assert!(SinkMessage::started(&document).is_none(), "no attempt has started");
    assert!(SinkMessage::accepted(&pending()).is_none(), "the task is not marked");
    assert!(SinkMessage::parse(&EventMessage::for_sink(&ended()).unwrap().text()).is_none());
}

#[test]
fn calls_are_counted_in_the_message() {
    let message = SinkMessage::accepted(&with_sink(pending())).unwrap();
    let (at_once, late) = (message.at.plus(secs(1)), message.at.plus(MAX_AGE));
    let wait = |called: u32, now| after(&SinkMessage { called, ..message.clone() }, &failed(), 4, now, 1.0);
    for (called, seconds) in [(0, 1), (1, 2), (2, 4)] {
        let Next::Wait(pause) = wait(called, at_once) else { panic!("call {called}") };
        assert_eq!((pause.wait, pause.called), (secs(seconds), called + 1));
    }
    let Next::GiveUp(reason) = wait(3, at_once) else { panic!("all attempts are used") };
    assert!(reason.contains("calls of the receiver: 4") && reason.ends_with("HTTP 503"), "{reason}");
    assert!(matches!(wait(0, late), Next::GiveUp(_)), "it is too old");
    assert_eq!(after(&message, &Called::Accepted(200), 4, late, 1.0), Next::Delete);
    assert!(given_up(&message, 2000).is_none());
    assert!(given_up(&message, 2001).unwrap().contains("2001 times"));
}

#[test]
fn progress_is_put_at_most_once_an_interval() {
    let interval = secs(10);
    assert!(is_progress_due(None, interval) && is_progress_due(Some(interval), interval));
    assert!(!is_progress_due(Some(secs(9)), interval));
    assert!(!is_progress_due(None, secs(0)), "zero is off");
}

#[test]
fn delivery_that_was_given_up_begins_again() {
    let document = ended();
    let message = EventMessage::for_sink(&document).unwrap();
    let (given_up, next) = events::record(&message, &document, &failed(), 1, at(3), 0.0);
    assert!(matches!(next, Next::GiveUp(_)));
    let again = events::replay(&message, &given_up).unwrap();
    assert_eq!(
        again.sink.as_ref().map(|record| (record.state, record.attempts)),
        Some((CallbackState::Due, 0))
    );
    assert_eq!(again.updated_at, given_up.updated_at);
    assert_eq!(decide(&message, Some(&again), 1, at(4)), Step::Call);
    let (delivered, _) = events::record(&message, &document, &Called::Accepted(200), 1, at(3), 0.0);
    assert!(events::replay(&message, &delivered).is_none(), "it was delivered");
    let other = EventMessage { ended_at: at(1), ..message };
    assert!(events::replay(&other, &given_up).is_none(), "the task has another end");
    assert!(events::replay(&message, &pending()).is_none());
}
