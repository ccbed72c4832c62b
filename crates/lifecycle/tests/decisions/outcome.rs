//! The end of an attempt: what it writes, in which order, and what follows from a conflict.

use crate::samples::{POLICY, at, delivery, in_state, running, secs};
use lifecycle::outcome::{
    Effect, HandlerProcess, Outcome, Product, Standing, is_recorded, settle, standing, timed_out,
    with_progress,
};
use lifecycle::{cancel, retry};
use models::{AttemptOutcome, Json, ResultBlob, TaskError, TaskState, TaskStatus};

fn error() -> TaskError {
    TaskError { code: "HandlerUnavailable".to_owned(), message: "503".to_owned() }
}

fn blob() -> ResultBlob {
    ResultBlob { name: "x-result-1".to_owned(), content_type: "image/png".to_owned(), size: 9 }
}

fn outcomes() -> Vec<(Outcome, TaskState, AttemptOutcome)> {
    let inline = Product::Inline(Json::parse("[1]").unwrap());
    vec![
        (Outcome::Completed(None), TaskState::Completed, AttemptOutcome::Completed),
        (Outcome::Completed(Some(inline)), TaskState::Completed, AttemptOutcome::Completed),
        (Outcome::Completed(Some(Product::Blob(blob()))), TaskState::Completed, AttemptOutcome::Completed),
        (Outcome::Failed(error()), TaskState::Failed, AttemptOutcome::Failed),
        (Outcome::Cancelled, TaskState::Cancelled, AttemptOutcome::Cancelled),
        (Outcome::Retry { error: error(), after: None }, TaskState::Pending, AttemptOutcome::Retried),
        (Outcome::Released, TaskState::Pending, AttemptOutcome::Released),
        (Outcome::Interrupted(error()), TaskState::Pending, AttemptOutcome::Released),
    ]
}

fn written(effects: &[Effect]) -> &TaskStatus {
    let documents: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Write(document) => Some(&**document),
            _ => None,
        })
        .collect();
    assert_eq!(documents.len(), 1, "exactly one write");
    documents[0]
}

#[test]
fn message_is_deleted_last_and_only_after_a_terminal_state() {
    for (outcome, state, recorded) in outcomes() {
        let effects = settle(&outcome, &in_state(TaskState::InProgress), &POLICY, at(7), 0.5);
        let document = written(&effects);
        assert_eq!(document.state, state, "{outcome:?}");
        assert_eq!(document.history[0].outcome, Some(recorded), "{outcome:?}");
        assert_eq!(document.history[0].ended_at, Some(at(7)), "{outcome:?}");
        let deletions = effects.iter().filter(|effect| **effect == Effect::Delete).count();
        assert_eq!(deletions, usize::from(state.is_terminal()), "{outcome:?}");
        assert_eq!(effects.last() == Some(&Effect::Delete), state.is_terminal(), "{outcome:?}");
        assert_eq!(document.finished_at.is_some(), state.is_terminal(), "{outcome:?}");
        assert_eq!(document.expires_at.is_some(), state.is_terminal(), "{outcome:?}");
    }
}

#[test]
fn result_is_stored_before_its_document() {
    let outcome = Outcome::Completed(Some(Product::Blob(blob())));
    let effects = settle(&outcome, &in_state(TaskState::InProgress), &POLICY, at(7), 0.5);
    assert_eq!(effects[0], Effect::StoreResult("x-result-1".to_owned()));
    assert_eq!(written(&effects).result_blob, Some(blob()));
}

#[test]
fn back_off_grows_per_attempt_and_respects_the_handler() {
    let hidden = |attempt: u32, after: Option<u64>| {
        let mut document = in_state(TaskState::InProgress);
        document.attempt = attempt;
        let outcome = Outcome::Retry { error: error(), after: after.map(secs) };
        let effects = settle(&outcome, &document, &POLICY, at(7), 1.0);
        assert_eq!(written(&effects).error, Some(error()));
        match effects.last() {
            Some(Effect::BackOff { wait, attempt: of }) if *of == attempt => *wait,
            other => panic!("expected the back-off of this attempt, got {other:?}"),
        }
    };
    for (attempt, seconds) in [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (u32::MAX, 300)] {
        assert_eq!(hidden(attempt, None), secs(seconds), "attempt {attempt}");
    }
    assert_eq!(hidden(1, Some(30)), secs(30));
    assert_eq!(hidden(1, Some(86_400)), secs(86_400), "the cap of the back-off is not the handler's");
    assert_eq!(hidden(1, Some(u64::MAX)), secs(604_800), "a queue hides a message for seven days");
}

#[test]
fn message_is_not_hidden_after_the_last_attempt() {
    for (used, hidden) in [(1, 30), (POLICY.max_dequeue_count - 1, 30), (POLICY.max_dequeue_count, 0)] {
        let document = TaskStatus { attempts_used: Some(used), ..in_state(TaskState::InProgress) };
        let outcome = Outcome::Retry { error: error(), after: Some(secs(30)) };
        let effects = settle(&outcome, &document, &POLICY, at(7), 0.5);
        let expected = Effect::BackOff { wait: secs(hidden), attempt: document.attempt };
        assert_eq!(effects.last(), Some(&expected), "{used} attempts used");
        assert_eq!(written(&effects).retry_at, (hidden > 0).then(|| at(7 + hidden)), "{used} attempts used");
    }
}

#[test]
fn stopping_worker_hands_its_task_back_at_once() {
    let effects = settle(&Outcome::Released, &in_state(TaskState::InProgress), &POLICY, at(7), 0.9);
    assert_eq!(effects.last(), Some(&Effect::Release));
    assert_eq!(written(&effects).error, None);
}

#[test]
fn progress_ends_at_100_and_is_reset_by_a_retry() {
    let started = with_progress(&in_state(TaskState::InProgress), Some(130), Some("half"), at(3));
    assert_eq!(started.percent_complete, Some(100), "no more than everything");
    let started = with_progress(&in_state(TaskState::InProgress), Some(40), Some("half"), at(3));
    assert_eq!((started.percent_complete, started.message.as_deref()), (Some(40), Some("half")));
    assert_eq!(with_progress(&started, None, None, at(4)).percent_complete, Some(40));
    let completed = settle(&Outcome::Completed(None), &started, &POLICY, at(7), 0.5);
    assert_eq!(written(&completed).percent_complete, Some(100));
    let retried = settle(&Outcome::Retry { error: error(), after: None }, &started, &POLICY, at(7), 0.5);
    assert_eq!(written(&retried).percent_complete, None);
}

#[test]
fn standing_after_a_conflict_follows_from_the_stored_document() {
    let own = delivery("m1", 1).id;
    let mine = in_state(TaskState::InProgress);
    assert_eq!(standing(Some(&mine), &own), Standing::Mine);
    assert_eq!(standing(Some(&with_progress(&mine, Some(1), None, at(4))), &own), Standing::Mine);

    let cancel::Cancel::Request(asked) = cancel::cancel(&mine, POLICY.retention, at(4)) else {
        panic!("runs")
    };
    assert_eq!(standing(Some(&asked), &own), Standing::CancelRequested);

    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        assert_eq!(standing(Some(&in_state(state)), &own), Standing::Terminal, "{state:?}");
    }
    let redelivered = running(&mine, &delivery("m1", 2), at(70));
    assert_eq!(standing(Some(&redelivered), &own), Standing::Superseded);
    assert_eq!(standing(Some(&redelivered), &delivery("m1", 2).id), Standing::Mine);
    assert_eq!(standing(None, &own), Standing::Superseded, "purged");

    for outcome in [Outcome::Released, Outcome::Retry { error: error(), after: None }] {
        let effects = settle(&outcome, &mine, &POLICY, at(7), 0.5);
        assert_eq!(standing(Some(written(&effects)), &own), Standing::Written, "{outcome:?}");
        assert_eq!(standing(Some(written(&effects)), &delivery("m1", 2).id), Standing::Superseded);
    }
    let retry::Retry::Again(again) = retry::retry(&in_state(TaskState::Failed), None, at(9)) else {
        panic!("a failed task can be tried again")
    };
    assert_eq!(standing(Some(&again), &own), Standing::Superseded);
}

#[test]
fn own_terminal_document_is_recognised_after_a_lost_response() {
    let mine = in_state(TaskState::InProgress);
    let intended = |outcome: &Outcome, now| written(&settle(outcome, &mine, &POLICY, at(now), 0.5)).clone();
    let completed = intended(&Outcome::Completed(None), 7);
    assert!(is_recorded(&completed, &intended(&Outcome::Completed(None), 9)), "by an earlier try");
    assert!(!is_recorded(&completed, &intended(&Outcome::Failed(error()), 9)), "another outcome");
    let redelivered = running(&mine, &delivery("m1", 2), at(70));
    let theirs = settle(&Outcome::Completed(None), &redelivered, &POLICY, at(71), 0.5);
    assert!(!is_recorded(written(&theirs), &completed), "by another attempt");
}

#[test]
fn timed_out_attempt_counts_unless_its_process_was_blocked() {
    let rows = [
        (HandlerProcess::Responsive, "TimedOut", 1),
        (HandlerProcess::Unknown, "TimedOut", 1),
        (HandlerProcess::Blocked, "HandlerProcessBlocked", 0),
    ];
    for (process, code, used) in rows {
        let outcome = timed_out("stopped after 3 seconds".to_owned(), process);
        let effects = settle(&outcome, &in_state(TaskState::InProgress), &POLICY, at(7), 0.5);
        let document = written(&effects);
        assert_eq!(document.attempts_used(), used, "{process:?}");
        let error = document.error.as_ref().unwrap();
        assert_eq!(error.code, code);
        assert!(error.message.starts_with("stopped after 3 seconds"), "{}", error.message);
    }
}

#[test]
fn interruptions_of_every_kind_count_towards_one_limit() {
    let mut document = in_state(TaskState::InProgress);
    for number in 0..POLICY.max_dequeue_count + 1 {
        let ended = Outcome::Interrupted(error());
        let blocked = timed_out("stopped".to_owned(), HandlerProcess::Blocked);
        let outcome = if number % 2 == 0 { ended } else { blocked };
        let pending = written(&settle(&outcome, &document, &POLICY, at(7), 0.5)).clone();
        assert_eq!(pending.attempts_used(), u32::from(number >= POLICY.max_dequeue_count), "{number}");
        document = running(&pending, &delivery("a", number + 2), at(1000 + u64::from(number)));
    }
}

#[test]
fn end_of_a_process_counts_only_after_as_many_as_attempts_are_allowed() {
    let end = |document: &TaskStatus| {
        let effects = settle(&Outcome::Interrupted(error()), document, &POLICY, at(7), 1.0);
        let Some(Effect::BackOff { wait, .. }) = effects.last() else { panic!("a pause") };
        (written(&effects).clone(), *wait)
    };
    let mut document = in_state(TaskState::InProgress);
    let mut seen = Vec::new();
    for number in 0..7 {
        let (pending, wait) = end(&document);
        seen.push((pending.attempts_used(), wait.as_secs()));
        assert_eq!(pending.error, Some(error()));
        document = running(&pending, &delivery("a", number + 2), at(1000 + u64::from(number)));
    }
    // The back-off doubles; from the sixth end on each counts, so that the task ends.
    assert_eq!(seen, [(0, 2), (0, 4), (0, 8), (0, 16), (0, 32), (1, 64), (2, 64)]);
}
