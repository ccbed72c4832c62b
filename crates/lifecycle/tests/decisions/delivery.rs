//! What one delivery asks for: every state, every kind of message, every count.

use crate::samples::{
    POLICY, at, foreign, id, in_state, ours, pending, receipt, running, secs, theirs, unusable,
};
use lifecycle::delivery::{Discard, Found, Receipt, Step, decide, presumed};
use models::{AttemptOutcome, MessageError, TaskMessage, TaskState, TaskStatus, Timestamp};

fn step(document: &TaskStatus, receipt: &Receipt, now: Timestamp) -> Step {
    decide(&Ok(ours()), Found::Document(document), receipt, &POLICY, now)
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Run(_) => "run",
        Step::Resume => "resume",
        Step::Cancel(_) => "cancel",
        Step::Discard(Discard::Terminal) => "discard",
        Step::Discard(Discard::Gone) => "gone",
        Step::Poison { document: Some(_), .. } => "fail, poison",
        Step::Poison { document: None, .. } => "poison",
        Step::Schedule(_) => "schedule",
        Step::Postpone(_) => "postpone",
    }
}

/// The documentation of deliveries as a table: each line one situation. The columns are the message
/// that brought the first attempt delivered again (`m1`), and a duplicate of it (`m2`).
#[test]
fn every_state_and_message_has_its_step() {
    let cancelling = |state| {
        let mut document = in_state(state);
        document.cancel_requested_at = Some(at(3));
        document
    };
    let late = at(1 + 1800 + 60);
    let table: &[(&str, TaskStatus, Timestamp, &str, &str)] = &[
        // document                     now      m1, count 2     m2, count 1
        ("pending", in_state(TaskState::Pending), at(9), "run", "run"),
        ("running", in_state(TaskState::InProgress), at(9), "run", "postpone"),
        ("running too long", in_state(TaskState::InProgress), late, "run", "run"),
        ("completed", in_state(TaskState::Completed), at(9), "discard", "discard"),
        ("failed", in_state(TaskState::Failed), at(9), "discard", "discard"),
        ("cancelled", in_state(TaskState::Cancelled), at(9), "discard", "discard"),
        ("cancel requested", cancelling(TaskState::Pending), at(9), "cancel", "cancel"),
        ("cancel requested while running", cancelling(TaskState::InProgress), at(9), "cancel", "cancel"),
        ("completed, cancel requested late", cancelling(TaskState::Completed), at(9), "discard", "discard"),
    ];
    for (name, document, now, again, duplicate) in table {
        assert_eq!(word(&step(document, &receipt("m1", 2), *now)), *again, "{name}: delivered again");
        assert_eq!(word(&step(document, &receipt("m2", 1), *now)), *duplicate, "{name}: duplicate");
    }
}

#[test]
fn a_delivery_above_the_limit_fails_the_task_and_says_why() {
    for state in [TaskState::Pending, TaskState::InProgress] {
        let document = in_state(state);
        assert_eq!(word(&step(&document, &receipt("m1", 5), at(9))), "run", "{state:?}: the last try");
        let Step::Poison { reason, document: Some(failed) } = step(&document, &receipt("m1", 6), at(9))
        else {
            panic!("{state:?}: the sixth delivery must be given up");
        };
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.finished_at, Some(at(9)));
        assert_eq!(failed.expires_at, Some(at(9 + 30 * 86_400)));
        assert_eq!(failed.error.unwrap().message, reason);
        assert_eq!(reason, "delivered 6 times; max_dequeue_count allows 5");
    }
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        assert_eq!(word(&step(&in_state(state), &receipt("m1", 99), at(9))), "discard", "{state:?}");
    }
}

#[test]
fn the_poison_copy_of_a_given_up_message_is_made_up_for() {
    let Step::Poison { reason, document: Some(failed) } =
        step(&in_state(TaskState::InProgress), &receipt("m1", 6), at(9))
    else {
        panic!("give up")
    };
    let again = step(&failed, &receipt("m1", 7), at(99));
    assert_eq!(again, Step::Poison { reason, document: None });
    assert_eq!(word(&step(&failed, &receipt("m2", 1), at(99))), "discard", "a duplicate was not given up");
    assert_eq!(word(&step(&failed, &receipt("m1", 5), at(99))), "discard", "nor is a late reply");
}

#[test]
fn giving_up_repeats_what_the_latest_attempt_said() {
    let mut document = in_state(TaskState::Pending);
    document.error = in_state(TaskState::Failed).error;
    let Step::Poison { reason, .. } = step(&document, &receipt("m1", 6), at(9)) else { panic!("give up") };
    assert_eq!(
        reason,
        "delivered 6 times; max_dequeue_count allows 5; the latest attempt failed: no such picture"
    );
}

#[test]
fn a_duplicate_that_was_delivered_too_often_does_not_fail_the_task_its_sibling_carries() {
    let mut waiting = in_state(TaskState::InProgress);
    waiting.state = TaskState::Pending;
    waiting.history[0].outcome = Some(AttemptOutcome::Retried);
    assert_eq!(word(&step(&waiting, &receipt("m2", 6), at(9))), "poison");
    assert_eq!(word(&step(&waiting, &receipt("m1", 6), at(9))), "fail, poison");
}

#[test]
fn deliveries_ended_by_a_stopping_worker_are_not_counted() {
    let mut document = in_state(TaskState::InProgress);
    document.state = TaskState::Pending;
    document.history[0].outcome = Some(AttemptOutcome::Released);
    assert_eq!(word(&step(&document, &receipt("m1", 6), at(9))), "run");
    assert_eq!(word(&step(&document, &receipt("m1", 7), at(9))), "fail, poison");
}

#[test]
fn an_attempt_found_unfinished_is_recorded_as_abandoned() {
    let again = running(&in_state(TaskState::InProgress), &receipt("m1", 2), at(61));
    assert_eq!(again.attempt, 2);
    assert_eq!(again.started_at, Some(at(1)), "the first start is kept");
    let [first, second] = &again.history[..] else { panic!("two records") };
    assert_eq!((first.attempt, first.outcome, first.ended_at), (1, Some(AttemptOutcome::Abandoned), None));
    assert_eq!((second.attempt, second.outcome, second.started_at), (2, None, at(61)));
    assert_eq!(second.delivery, Some(receipt("m1", 2).id));
}

#[test]
fn a_start_whose_reply_was_lost_is_taken_up_and_not_repeated() {
    assert_eq!(step(&in_state(TaskState::InProgress), &receipt("m1", 1), at(2)), Step::Resume);
}

#[test]
fn a_duplicate_waits_longer_each_time_and_never_past_the_end_of_the_attempt() {
    let document = in_state(TaskState::InProgress);
    for (count, seconds) in [(1, 10), (2, 20), (3, 40), (6, 320), (50, 1280)] {
        assert_eq!(step(&document, &receipt("m2", count), at(2)), Step::Postpone(secs(seconds)), "{count}");
    }
    assert_eq!(step(&document, &receipt("m2", 50), at(1857)), Step::Postpone(secs(4)));
}

#[test]
fn a_task_before_its_time_goes_to_the_scheduled_queue_once() {
    let mut document = pending();
    document.not_before = Some(at(100));
    assert_eq!(step(&document, &receipt("m1", 1), at(40)), Step::Schedule(secs(60)));
    assert_eq!(word(&step(&document, &receipt("m1", 1), at(100))), "run");
    document.attempt = 1;
    assert_eq!(word(&step(&document, &receipt("m1", 2), at(40))), "run", "it had started before");
}

#[test]
fn messages_that_name_no_usable_task_are_kept_in_the_poison_queue() {
    let unreadable = Err(MessageError::Unreadable("not JSON at line 1, column 1".to_owned()));
    let found = in_state(TaskState::Pending);
    let step = decide(&unreadable, Found::Document(&found), &receipt("m1", 1), &POLICY, at(1));
    let Step::Poison { reason, document: None } = step else { panic!("poison, without a document") };
    assert_eq!(reason, "the message cannot be read: not JSON at line 1, column 1");

    let step = decide(&Ok(ours()), Found::Unreadable("TaskId is missing"), &receipt("m1", 1), &POLICY, at(1));
    let Step::Poison { reason, document: None } = step else { panic!("poison, without a document") };
    assert_eq!(reason, "the stored document cannot be read: TaskId is missing");
}

#[test]
fn an_unusable_message_fails_a_task_that_has_no_outcome_and_no_other_message() {
    let decided = |document: Option<&TaskStatus>, message_id| {
        let found = document.map_or(Found::Missing, Found::Document);
        decide(&Err(unusable()), found, &receipt(message_id, 1), &POLICY, at(9))
    };
    assert_eq!(word(&decided(None, "m1")), "poison");
    assert_eq!(word(&decided(Some(&in_state(TaskState::Pending)), "m1")), "fail, poison");
    let running = in_state(TaskState::InProgress);
    assert_eq!(word(&decided(Some(&running), "m1")), "fail, poison");
    assert_eq!(word(&decided(Some(&running), "m2")), "poison");
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        assert_eq!(word(&decided(Some(&in_state(state)), "m1")), "poison", "{state:?}");
    }
}

#[test]
fn a_message_cannot_reach_another_task_through_a_misplaced_document() {
    let mut misplaced = pending();
    misplaced.task_id = "11111111-2222-3333-4444-555555555555".parse().unwrap();
    assert_eq!(word(&step(&misplaced, &receipt("m1", 1), at(1))), "poison");
}

#[test]
fn without_a_document_our_message_is_over_and_theirs_makes_one() {
    let decided =
        |message: TaskMessage| decide(&Ok(message), Found::Missing, &receipt("m1", 1), &POLICY, at(5));
    assert_eq!(decided(ours()), Step::Discard(Discard::Gone));
    assert_eq!(word(&decided(TaskMessage { is_ours: false, ..ours() })), "poison", "it describes no task");

    let mut message = theirs(TaskState::Completed);
    let described = message.document.as_mut().unwrap();
    described.owner = Some("mallory".to_owned());
    described.result = Some(models::Json::parse("1").unwrap());
    let Step::Run(created) = decided(message) else { panic!("their task is new, whatever its state says") };
    assert_eq!((created.state, created.attempt), (TaskState::InProgress, 1));
    assert_eq!(created.task_name, "resize");
    assert_eq!(created.created_at, Some(at(0)), "it is ours from now on");
    assert_eq!((created.owner.as_ref(), created.result.as_ref()), (None, None));
}

#[test]
fn the_random_state_of_their_new_task_is_ignored_only_while_both_sides_are_theirs() {
    for state in TaskState::ALL {
        let document = foreign(state);
        let decided =
            |message| decide(&Ok(message), Found::Document(&document), &receipt("m1", 1), &POLICY, at(5));
        assert_eq!(word(&decided(theirs(TaskState::Pending))), "run", "{state:?}");
        // Our message, but the .NET worker has rewritten the document: its state is the truth.
        let expected = if state.is_terminal() { "discard" } else { "run" };
        assert_eq!(word(&decided(ours())), expected, "{state:?}");
    }
    // Their message, our document: an adopted task that has its outcome keeps it.
    let done = in_state(TaskState::Completed);
    let again =
        decide(&Ok(theirs(TaskState::Pending)), Found::Document(&done), &receipt("m1", 2), &POLICY, at(5));
    assert_eq!(again, Step::Discard(Discard::Terminal));
}

#[test]
fn only_a_fresh_message_with_a_proper_version_stands_for_its_document() {
    let message = |etag: Option<&str>, document: TaskStatus| {
        let text = TaskMessage::text_for(&document, etag);
        TaskMessage::parse(&text).unwrap()
    };
    let good = message(Some("\"0x8DC\""), pending());
    let (document, etag) = presumed(&good, &receipt("m1", 1)).unwrap();
    assert_eq!((document.task_id, etag), (id(), "\"0x8DC\""));

    assert!(presumed(&good, &receipt("m1", 2)).is_none(), "delivered again: the version has moved on");
    for etag in [None, Some("*"), Some(""), Some("0x8DC"), Some("W/\"1\""), Some("\"a\r\nb\""), Some("\"\"")]
    {
        assert!(presumed(&message(etag, pending()), &receipt("m1", 1)).is_none(), "{etag:?}");
    }
    for state in TaskState::ALL {
        let fresh = state == TaskState::Pending;
        let message = message(Some("\"1\""), in_state(state));
        assert_eq!(presumed(&message, &receipt("m1", 1)).is_some(), fresh, "{state:?}");
    }
}
