//! Invariants of any sequence of events.

use crate::samples::{POLICY, at, delivery, ours, pending, unusable};
use lifecycle::cancel::{Cancel, cancel};
use lifecycle::delivery::{DocumentRead, Step, decide};
use lifecycle::outcome::{Effect, Outcome, settle};
use lifecycle::retry::{Retry, retry};
use lifecycle::sweep::{Review, review};
use models::{MAX_HISTORY_RECORDS, TaskError, TaskMessage, TaskState, TaskStatus};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Delivered { message: u8, count: u32, broken: bool },
    Ended(u8),
    Cancel,
    Retry,
    Swept,
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        6 => (0u8..3, 1u32..8, proptest::bool::weighted(0.1))
            .prop_map(|(message, count, broken)| Event::Delivered { message, count, broken }),
        6 => (0u8..5).prop_map(Event::Ended),
        1 => Just(Event::Cancel),
        1 => Just(Event::Retry),
        1 => Just(Event::Swept),
    ];
    proptest::collection::vec((0u64..3_000, event), 1..60)
}

fn outcome(number: u8) -> Outcome {
    let error = TaskError { code: "X".to_owned(), message: "x".to_owned() };
    match number {
        0 => Outcome::Completed(None),
        1 => Outcome::Failed(error),
        2 => Outcome::Retry { error, after: None },
        3 => Outcome::Cancelled,
        _ => Outcome::Released,
    }
}

/// The document that the event writes, if it writes one.
fn written(event: &Event, document: &TaskStatus, now: models::Timestamp) -> Option<TaskStatus> {
    match event {
        Event::Delivered { message, count, broken } => {
            // Message 2 stays one of the first generation.
            let generation = if *message == 2 { 0 } else { document.generation };
            let parsed = if *broken { Err(unusable()) } else { Ok(TaskMessage { generation, ..ours() }) };
            let delivery = delivery(&format!("m{message}"), *count);
            match decide(&parsed, DocumentRead::Found(document), &delivery, &POLICY, now) {
                Step::Run(next) => {
                    assert_eq!(next.attempt, document.attempt + 1, "an attempt number is used once");
                    Some(*next)
                }
                Step::Cancel(next) => Some(*next),
                Step::Poison { document, .. } => document.map(|next| *next),
                Step::Resume
                | Step::Discard(_)
                | Step::Delay(_)
                | Step::Postpone(_)
                | Step::BackOff { .. }
                | Step::Leave => None,
            }
        }
        // Only a running attempt ends; the write of a late one is refused.
        Event::Ended(number) if document.state == TaskState::InProgress => {
            let effects = settle(&outcome(*number), document, &POLICY, now, 0.5);
            assert!(matches!(
                effects.last(),
                Some(Effect::Delete | Effect::BackOff { .. } | Effect::Release)
            ));
            effects.into_iter().find_map(|effect| match effect {
                Effect::Write(next) => Some(*next),
                _ => None,
            })
        }
        Event::Ended(_) => None,
        Event::Cancel => match cancel(document, POLICY.retention, now) {
            Cancel::Now(next) | Cancel::Request(next) => Some(*next),
            Cancel::AlreadyRequested | Cancel::TooLate => None,
        },
        Event::Retry => match retry(document, Some("alice"), now) {
            Retry::Again(next) => Some(*next),
            Retry::NotFailed => None,
        },
        Event::Swept => match review(document, document.updated_at.unwrap(), &POLICY, now) {
            Review::Requeue(next, _) => Some(*next),
            Review::Leave | Review::PutEvent(_) | Review::Purge(_) => None,
        },
    }
}

proptest! {
    #[test]
    fn only_an_explicit_retry_leaves_a_terminal_state(events in events()) {
        let mut document = pending();
        let mut now = at(0);
        for (pause, event) in &events {
            now = now.plus(std::time::Duration::from_secs(*pause));
            let Some(next) = written(event, &document, now) else { continue };
            if document.state.is_terminal() {
                prop_assert!(matches!(event, Event::Retry), "{:?} left {:?}", event, document.state);
            }
            prop_assert_eq!(next.state.is_terminal(), next.finished_at.is_some());
            prop_assert_eq!(next.state.is_terminal(), next.expires_at.is_some());
            let open = next.history.iter().filter(|record| record.outcome.is_none()).count();
            prop_assert_eq!(open, usize::from(next.state == TaskState::InProgress), "one record is open while it runs");
            prop_assert!(next.attempt >= document.attempt);
            // The counter and the history agree until records are dropped.
            if next.history.len() < MAX_HISTORY_RECORDS {
                let counted = TaskStatus { attempts_used: None, ..next.clone() }.attempts_used();
                prop_assert_eq!(next.attempts_used(), counted);
            }
            let too_many = next.error.as_ref().is_some_and(|error| error.code == "TooManyDeliveries");
            if next.state == TaskState::Failed && too_many {
                prop_assert!(next.attempts_used() >= POLICY.max_dequeue_count, "given up too early");
            }
            prop_assert!(next.retry_at.is_none() || next.state == TaskState::Pending);
            prop_assert_eq!(next.updated_at, Some(now));
            // The members of the submission never change.
            prop_assert_eq!(
                (&next.task_id, &next.task_name, &next.input, &next.created_at, &next.return_uri),
                (&document.task_id, &document.task_name, &document.input, &document.created_at, &document.return_uri)
            );
            // It round-trips through storage.
            prop_assert_eq!(&TaskStatus::parse(&next.to_bytes()).unwrap(), &next);
            document = next;
        }
    }
}
