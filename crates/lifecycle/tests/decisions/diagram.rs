//! The state diagram in ARCHITECTURE.md has the transitions that the decisions can produce, and no others.

use std::collections::BTreeSet;

use crate::events::with_receiver;
use crate::samples::{POLICY, at, delivery, ours, pending, theirs, unusable};
use crate::sink::with_sink;
use lifecycle::Policy;
use lifecycle::cancel::{Cancel, cancel};
use lifecycle::delivery::{DocumentRead, Step, decide};
use lifecycle::events::{self, Called, decide as decide_event, record};
use lifecycle::outcome::{Effect, Outcome, settle, with_progress};
use lifecycle::retry::{Retry, retry};
use lifecycle::sweep::{Review, review};
use models::{
    CallbackRecord, CallbackState, EventMessage, TaskError, TaskMessage, TaskState, TaskStatus, Timestamp,
};

/// From, to, event. [`NONE`] stands for no document.
type Arrow = (String, String, String);

const NONE: &str = "[*]";

/// Two attempts are enough to exhaust them.
const SHORT: Policy = Policy { max_dequeue_count: 2, ..POLICY };

/// The arrows in the document.
fn drawn() -> BTreeSet<Arrow> {
    let document = include_str!("../../../../ARCHITECTURE.md");
    let (_, rest) = document.split_once("stateDiagram-v2\n").expect("there is a state diagram");
    let (diagram, _) = rest.split_once("```").expect("it ends");
    let mut arrows = BTreeSet::new();
    for line in diagram.lines() {
        let (from, rest) = line.trim().split_once(" --> ").unwrap_or_else(|| panic!("no arrow: {line}"));
        let (to, events) = rest.split_once(": ").unwrap_or_else(|| panic!("no event: {line}"));
        for event in events.split(", ") {
            let is_new = arrows.insert((from.to_owned(), to.to_owned(), event.to_owned()));
            assert!(is_new, "drawn twice: {line}");
        }
    }
    arrows
}

/// Every event and the document that it writes, `None` when it deletes the document.
fn steps(document: &TaskStatus, now: Timestamp) -> Vec<(&'static str, Option<TaskStatus>)> {
    let mut steps = Vec::new();
    let latest = document.history.last().and_then(|record| record.delivery.clone());
    let next = latest.map_or(1, |id| id.dequeue_count + 1);
    for delivery in [delivery("m1", next), delivery("m2", 1)] {
        let usable = TaskMessage { generation: document.generation, ..ours() };
        for message in [Ok(usable), Err(unusable())] {
            match decide(&message, DocumentRead::Found(document), &delivery, &SHORT, now) {
                Step::Run(next) => steps.push(("start", Some(*next))),
                Step::Cancel(next) => steps.push(("cancel", Some(*next))),
                Step::Poison { document: Some(next), .. } => steps.push(("give up", Some(*next))),
                Step::Poison { document: None, .. }
                | Step::Resume
                | Step::Discard(_)
                | Step::Delay(_)
                | Step::Postpone(_)
                | Step::BackOff { .. }
                | Step::Leave => {}
            }
        }
    }
    // Only a running attempt ends or reports progress; the writes of a late one are refused.
    if document.state == TaskState::InProgress {
        let error = TaskError { code: "X".to_owned(), message: "x".to_owned() };
        for (event, outcome) in [
            ("complete", Outcome::Completed(None)),
            ("fail", Outcome::Failed(error.clone())),
            ("back off", Outcome::Retry { error, after: None }),
            ("cancel", Outcome::Cancelled),
            ("release", Outcome::Released),
        ] {
            for effect in settle(&outcome, document, &SHORT, now, 1.0) {
                if let Effect::Write(next) = effect {
                    steps.push((event, Some(*next)));
                }
            }
        }
        steps.push(("progress", Some(with_progress(document, Some(1), None, now))));
    }
    for event in [EventMessage::of(document), EventMessage::for_sink(document)].into_iter().flatten() {
        if decide_event(&event, Some(document), 1, now) != events::Step::Call {
            continue;
        }
        for called in [Called::response(200, None), Called::response(503, None), Called::response(410, None)]
        {
            steps.push(("call receiver", Some(record(&event, document, &called, 2, now, 1.0).0)));
        }
    }
    for mut event in
        [EventMessage::of(&due(document)), EventMessage::for_sink(&due(document))].into_iter().flatten()
    {
        event.ended_at = document.finished_at.unwrap_or(now);
        steps.extend(events::replay(&event, document).map(|next| ("replay event", Some(next))));
    }
    match cancel(document, SHORT.retention, now) {
        Cancel::Now(next) => steps.push(("cancel", Some(*next))),
        Cancel::Request(next) => steps.push(("request cancel", Some(*next))),
        Cancel::AlreadyRequested | Cancel::TooLate => {}
    }
    if let Retry::Again(next) = retry(document, None, now) {
        steps.push(("retry", Some(*next)));
    }
    match review(document, at(0), &SHORT, now) {
        Review::Requeue(next, _) => steps.push(("requeue", Some(*next))),
        Review::PutEvent(next) => steps.push(("requeue event", Some(*next))),
        Review::Purge(_) => steps.push(("purge", None)),
        Review::Leave => {}
    }
    steps
}

type Key = (TaskState, bool, bool, bool, u32, u32, Option<CallbackState>, Option<CallbackState>);

/// The document with every event of its end still due.
fn due(document: &TaskStatus) -> TaskStatus {
    let again = |record: &Option<CallbackRecord>| record.as_ref().map(|_| CallbackRecord::due());
    TaskStatus { callback: again(&document.callback), sink: again(&document.sink), ..document.clone() }
}

/// What decisions distinguish: documents with the same key have the same next events.
fn key(document: &TaskStatus) -> Key {
    let cancel_requested = document.cancel_requested_at.is_some();
    (
        document.state,
        cancel_requested,
        document.retry_at.is_some(),
        document.callback_uri.is_some() || document.sink_events,
        document.attempts_used(),
        document.generation.min(1),
        document.callback.as_ref().map(|callback| callback.state),
        document.sink.as_ref().map(|sink| sink.state),
    )
}

/// The arrows that are reached from a submission and from a message of the .NET API.
fn computed() -> BTreeSet<Arrow> {
    let arrow = |from: &str, to: &str, event: &str| (from.to_owned(), to.to_owned(), event.to_owned());
    let theirs = Ok(theirs(TaskState::Pending));
    let Step::Run(started) = decide(&theirs, DocumentRead::Missing, &delivery("m1", 1), &SHORT, at(1)) else {
        panic!("a task of the .NET API that is not stored starts");
    };
    let mut arrows = BTreeSet::from([
        arrow(NONE, pending().state.name(), "submit"),
        arrow(NONE, started.state.name(), "start"),
    ]);
    let mut seen = BTreeSet::new();
    let mut open =
        vec![(pending(), 0), (with_receiver(pending()), 0), (with_sink(pending()), 0), (*started, 0)];
    while let Some((document, now)) = open.pop() {
        if !seen.insert(key(&document)) {
            continue;
        }
        // At once, after the longest attempt and back-off, and after the retention.
        for pause in [1, 10_000, 31 * 86_400] {
            for (event, next) in steps(&document, at(now + pause)) {
                let to = next.as_ref().map_or(NONE, |next| next.state.name());
                arrows.insert(arrow(document.state.name(), to, event));
                open.extend(next.map(|next| (next, now + pause)));
            }
        }
    }
    arrows
}

#[test]
fn state_diagram_has_the_transitions_of_the_code() {
    let (drawn, computed) = (drawn(), computed());
    let missing: Vec<_> = computed.difference(&drawn).collect();
    let surplus: Vec<_> = drawn.difference(&computed).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "not drawn: {missing:?}\nnot in the code: {surplus:?}");
}
