//! Deliveries: every state, every kind of message, every count.

use crate::samples::{
    POLICY, at, delivery, foreign, id, in_state, ours, pending, running, secs, theirs, unusable,
};
use lifecycle::Policy;
use lifecycle::delivery::{Delivery, Discard, DocumentRead, Step, decide, document_from_message};
use lifecycle::outcome::{Effect, Outcome, settle};
use lifecycle::redelivery;
use lifecycle::retry::{Retry, retry};
use models::{
    AttemptOutcome, DeliveryNote, MAX_HISTORY_RECORDS, MessageError, TaskError, TaskMessage, TaskState,
    TaskStatus, Timestamp,
};

fn step(document: &TaskStatus, delivery: &Delivery, now: Timestamp) -> Step {
    decide(&Ok(ours()), DocumentRead::Found(document), delivery, &POLICY, now)
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Run(_) => "run",
        Step::Resume => "resume",
        Step::Cancel(_) => "cancel",
        Step::Discard(Discard::Terminal) => "discard",
        Step::Discard(Discard::Gone) => "gone",
        Step::Discard(Discard::Older) => "older",
        Step::Poison { document: Some(_), .. } => "fail, poison",
        Step::Poison { document: None, .. } => "poison",
        Step::Delay(_) => "delay",
        Step::Postpone(_) => "postpone",
        Step::BackOff { .. } => "back off",
        Step::Leave => "leave",
    }
}

/// One situation per row. The columns are the redelivery of the message that started the first attempt (`m1`), and a
/// duplicate of it (`m2`).
#[test]
fn every_state_and_message_has_one_step() {
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
        assert_eq!(word(&step(document, &delivery("m1", 2), *now)), *again, "{name}: delivered again");
        assert_eq!(word(&step(document, &delivery("m2", 1), *now)), *duplicate, "{name}: duplicate");
    }
}

/// `document` after this number of attempts without success.
fn used(mut document: TaskStatus, attempts: u32) -> TaskStatus {
    document.attempts_used = Some(attempts);
    document
}

#[test]
fn deliveries_that_started_no_attempt_never_fail_a_task() {
    for state in [TaskState::Pending, TaskState::InProgress] {
        for count in [6, 7, 100, u32::MAX] {
            assert_eq!(
                word(&step(&in_state(state), &delivery("m1", count), at(9))),
                "run",
                "{state:?} {count}"
            );
        }
    }
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        assert_eq!(word(&step(&in_state(state), &delivery("m1", 99), at(9))), "discard", "{state:?}");
    }
}

#[test]
fn task_fails_with_a_reason_once_all_attempts_were_started() {
    let mut document = pending();
    for count in 1..=5 {
        document = running(&document, &delivery("m1", count), at(u64::from(count) * 60));
    }
    assert_eq!((document.attempt, document.attempts_used()), (5, 5));
    let Step::Poison { reason, document: Some(failed) } = step(&document, &delivery("m1", 6), at(400)) else {
        panic!("the sixth attempt must not start");
    };
    assert_eq!(failed.state, TaskState::Failed);
    assert_eq!(failed.finished_at, Some(at(400)));
    assert_eq!(failed.expires_at, Some(at(400 + 30 * 86_400)));
    assert_eq!(failed.error.unwrap().message, reason);
    assert_eq!(reason, "attempts started without success: 5; max_dequeue_count allows 5");
}

#[test]
fn history_counts_attempts_of_documents_without_a_counter() {
    let mut document = pending();
    for count in 1..=5 {
        document = running(&document, &delivery("m1", count), at(u64::from(count) * 60));
    }
    document.attempts_used = None;
    assert_eq!(word(&step(&document, &delivery("m1", 6), at(400))), "fail, poison");
    document.history[0].outcome = Some(AttemptOutcome::Released);
    assert_eq!(word(&step(&document, &delivery("m1", 6), at(400))), "run");
    let foreign = foreign(TaskState::InProgress);
    assert_eq!(word(&step(&foreign, &delivery("m1", 6), at(400))), "run", "nothing is known of it");
}

#[test]
fn missing_poison_copy_is_sent_by_the_next_delivery() {
    let exhausted = used(in_state(TaskState::InProgress), 5);
    let Step::Poison { reason, document: Some(failed) } = step(&exhausted, &delivery("m1", 6), at(9)) else {
        panic!("give up")
    };
    let again = step(&failed, &delivery("m1", 7), at(99));
    assert_eq!(again, Step::Poison { reason, document: None });
    assert_eq!(word(&step(&failed, &delivery("m2", 1), at(99))), "discard", "a duplicate was not given up");
    assert_eq!(word(&step(&failed, &delivery("m1", 1), at(99))), "discard", "nor was an earlier delivery");
}

#[test]
fn reason_contains_the_error_of_the_latest_attempt() {
    let mut document = used(in_state(TaskState::Pending), 5);
    document.error = in_state(TaskState::Failed).error;
    let Step::Poison { reason, .. } = step(&document, &delivery("m1", 6), at(9)) else { panic!("give up") };
    assert_eq!(
        reason,
        "attempts started without success: 5; max_dequeue_count allows 5; the latest attempt failed: no such \
         picture"
    );
}

#[test]
fn released_attempts_never_count() {
    let mut document = pending();
    for count in 1..=60 {
        let now = at(u64::from(count) * 10);
        document = ended(&running(&document, &delivery("m1", count), now), &Outcome::Released, now);
        assert_eq!((document.attempt, document.attempts_used()), (count, 0));
    }
    assert_eq!(document.history.len(), MAX_HISTORY_RECORDS, "more than the history keeps");
    assert_eq!(word(&step(&document, &delivery("m1", 61), at(700))), "run");
}

#[test]
fn retry_resets_the_attempts_and_discards_older_messages() {
    let exhausted = used(in_state(TaskState::InProgress), 5);
    let Step::Poison { document: Some(failed), .. } = step(&exhausted, &delivery("m1", 6), at(9)) else {
        panic!("give up")
    };
    let Retry::Again(again) = retry(&failed, None, at(20)) else { panic!("failed tasks can be retried") };
    assert_eq!((again.attempts_used(), again.generation), (0, 1));
    // The message that was given up still exists if its deletion failed.
    let decided = |message: TaskMessage, document: &TaskStatus, delivery: &Delivery| {
        decide(&Ok(message), DocumentRead::Found(document), delivery, &POLICY, at(30))
    };
    let new = TaskMessage::parse(&TaskMessage::text_for(&again, None)).unwrap();
    let started = decided(new.clone(), &again, &delivery("m2", 1));
    let Step::Run(started) = started else { panic!("{started:?}") };
    for document in [&*again, &*started] {
        for count in [1, 7, 100] {
            let older = decided(ours(), document, &delivery("m1", count));
            assert_eq!(older, Step::Discard(Discard::Older), "{count}");
        }
        let unusable =
            decide(&Err(unusable()), DocumentRead::Found(document), &delivery("m1", 7), &POLICY, at(30));
        assert_eq!(word(&unusable), "poison", "it does not fail the task");
    }
    assert_eq!(word(&decided(new, &started, &delivery("m2", 2))), "run");
    let large =
        TaskMessage { document: None, ..TaskMessage::parse(&TaskMessage::text_for(&again, None)).unwrap() };
    assert_eq!(word(&decided(large, &again, &delivery("m2", 1))), "run", "one that refers to its document");
}

#[test]
fn duplicate_message_waits_for_the_back_off() {
    let outcome = |after| Outcome::Retry { error: failure(), after: Some(secs(after)) };
    let waiting = ended(&running(&pending(), &delivery("m1", 1), at(10)), &outcome(120), at(20));
    assert_eq!(waiting.retry_at, Some(at(140)));
    let back_off = |wait| Step::BackOff { wait: secs(wait), attempt: 1 };
    for (now, left) in [(20, 120), (80, 60), (139, 1)] {
        assert_eq!(step(&waiting, &delivery("m2", 1), at(now)), back_off(left), "{now}");
    }
    assert_eq!(word(&step(&waiting, &delivery("m2", 1), at(140))), "run");
    let released = ended(&running(&pending(), &delivery("m1", 1), at(10)), &Outcome::Released, at(20));
    assert_eq!(word(&step(&released, &delivery("m2", 1), at(20))), "run");
}

#[test]
fn message_is_hidden_once_per_back_off() {
    let outcome = Outcome::Retry { error: failure(), after: Some(secs(120)) };
    let waiting = ended(&running(&pending(), &delivery("m1", 1), at(10)), &outcome, at(20));
    let back_off = |wait| Step::BackOff { wait: secs(wait), attempt: 1 };
    for message in ["m1", "m2"] {
        let mut own = delivery(message, 2);
        assert_eq!(step(&waiting, &own, at(80)), back_off(60), "not hidden yet");
        // With a clock that is hours behind it is hidden for the whole back-off, once.
        assert_eq!(step(&waiting, &own, at(0)), back_off(120));
        own.note = redelivery::backed_off(1, 1);
        for now in [0, 80] {
            assert_eq!(word(&step(&waiting, &own, at(now))), "run", "storage has judged the back-off");
        }
        own.note = redelivery::survived(1, DeliveryNote::default());
        assert_eq!(step(&waiting, &own, at(80)), back_off(60), "hidden for another reason");
    }
    let mut later = delivery("m1", 3);
    later.note = redelivery::survived(2, redelivery::backed_off(1, 1));
    assert_eq!(word(&step(&waiting, &later, at(80))), "run", "hidden for it, then for another reason");
    let again = ended(&running(&waiting, &delivery("m1", 2), at(140)), &outcome, at(150));
    later.note = redelivery::backed_off(1, 1);
    let expected = Step::BackOff { wait: secs(60), attempt: 2 };
    assert_eq!(step(&again, &later, at(210)), expected, "hidden for an earlier attempt");
}

#[test]
fn superseded_delivery_does_nothing() {
    let taken_over = running(&in_state(TaskState::InProgress), &delivery("m1", 3), at(61));
    assert_eq!(step(&taken_over, &delivery("m1", 2), at(62)), Step::Leave);
    let waiting = ended(&taken_over, &Outcome::Released, at(63));
    assert_eq!(step(&waiting, &delivery("m1", 2), at(64)), Step::Leave);
}

fn failure() -> TaskError {
    TaskError { code: "HandlerUnavailable".to_owned(), message: "503".to_owned() }
}

/// The document after the end of its attempt.
fn ended(document: &TaskStatus, outcome: &Outcome, now: Timestamp) -> TaskStatus {
    let effects = settle(outcome, document, &POLICY, now, 0.0);
    let written = effects.into_iter().find_map(|effect| match effect {
        Effect::Write(document) => Some(*document),
        _ => None,
    });
    written.expect("every outcome writes the document")
}

#[test]
fn unfinished_attempt_is_recorded_as_abandoned() {
    let again = running(&in_state(TaskState::InProgress), &delivery("m1", 2), at(61));
    assert_eq!(again.attempt, 2);
    assert_eq!(again.started_at, Some(at(1)), "the first start is kept");
    let [first, second] = &again.history[..] else { panic!("two records") };
    assert_eq!((first.attempt, first.outcome, first.ended_at), (1, Some(AttemptOutcome::Abandoned), None));
    assert_eq!((second.attempt, second.outcome, second.started_at), (2, None, at(61)));
    assert_eq!(second.delivery, Some(delivery("m1", 2).id));
}

#[test]
fn start_with_a_lost_response_is_resumed() {
    assert_eq!(step(&in_state(TaskState::InProgress), &delivery("m1", 1), at(2)), Step::Resume);
}

#[test]
fn duplicate_waits_longer_each_time_but_not_past_the_attempt() {
    let document = in_state(TaskState::InProgress);
    for (count, seconds) in [(1, 10), (2, 20), (3, 40), (6, 320), (50, 1280)] {
        assert_eq!(step(&document, &delivery("m2", count), at(2)), Step::Postpone(secs(seconds)), "{count}");
    }
    assert_eq!(step(&document, &delivery("m2", 50), at(1857)), Step::Postpone(secs(4)));
}

#[test]
fn duplicate_waits_though_its_workers_clock_is_ahead() {
    let policy = Policy { visibility: secs(2), task_timeout: secs(8), ..POLICY };
    let document = in_state(TaskState::InProgress);
    let decided = |now| decide(&Ok(ours()), DocumentRead::Found(&document), &delivery("m2", 1), &policy, now);
    // Started at second 1 for 8 s at most, by a clock that may be a minute behind.
    assert_eq!(word(&decided(at(9 + 59))), "postpone");
    assert_eq!(word(&decided(at(9 + 60))), "run");
}

#[test]
fn delayed_task_goes_to_the_scheduled_queue_once() {
    let mut document = pending();
    document.not_before = Some(at(100));
    assert_eq!(step(&document, &delivery("m1", 1), at(40)), Step::Delay(secs(60)));
    assert_eq!(word(&step(&document, &delivery("m1", 1), at(100))), "run");
    document.attempt = 1;
    assert_eq!(word(&step(&document, &delivery("m1", 2), at(40))), "run", "it had started before");
}

#[test]
fn message_without_a_usable_task_goes_to_the_poison_queue() {
    let unreadable = Err(MessageError::Unreadable("not JSON at line 1, column 1".to_owned()));
    let found = in_state(TaskState::Pending);
    let step = decide(&unreadable, DocumentRead::Found(&found), &delivery("m1", 1), &POLICY, at(1));
    let Step::Poison { reason, document: None } = step else { panic!("poison, without a document") };
    assert_eq!(reason, "the message cannot be read: not JSON at line 1, column 1");

    let step = decide(
        &Ok(ours()),
        DocumentRead::Unreadable("TaskId is missing"),
        &delivery("m1", 1),
        &POLICY,
        at(1),
    );
    let Step::Poison { reason, document: None } = step else { panic!("poison, without a document") };
    assert_eq!(reason, "the stored document cannot be read: TaskId is missing");
}

#[test]
fn unusable_message_fails_a_task_without_outcome_or_other_message() {
    let decided = |document: Option<&TaskStatus>, message_id| {
        let found = document.map_or(DocumentRead::Missing, DocumentRead::Found);
        decide(&Err(unusable()), found, &delivery(message_id, 1), &POLICY, at(9))
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
fn misplaced_document_of_another_task_is_refused() {
    let mut misplaced = pending();
    misplaced.task_id = "11111111-2222-3333-4444-555555555555".parse().unwrap();
    assert_eq!(word(&step(&misplaced, &delivery("m1", 1), at(1))), "poison");
}

#[test]
fn our_message_without_document_is_discarded_and_theirs_starts() {
    let decided = |message: TaskMessage| {
        decide(&Ok(message), DocumentRead::Missing, &delivery("m1", 1), &POLICY, at(5))
    };
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
fn random_dotnet_state_is_ignored_only_for_dotnet_message_and_document() {
    for state in TaskState::ALL {
        let document = foreign(state);
        let decided = |message| {
            decide(&Ok(message), DocumentRead::Found(&document), &delivery("m1", 1), &POLICY, at(5))
        };
        assert_eq!(word(&decided(theirs(TaskState::Pending))), "run", "{state:?}");
        // Our message, but the .NET worker has rewritten the document: its state is valid.
        let expected = if state.is_terminal() { "discard" } else { "run" };
        assert_eq!(word(&decided(ours())), expected, "{state:?}");
    }
    // Their message, our document: a terminal task keeps its outcome.
    let done = in_state(TaskState::Completed);
    let again = decide(
        &Ok(theirs(TaskState::Pending)),
        DocumentRead::Found(&done),
        &delivery("m1", 2),
        &POLICY,
        at(5),
    );
    assert_eq!(again, Step::Discard(Discard::Terminal));
}

#[test]
fn only_a_first_delivery_with_a_strong_etag_replaces_the_read() {
    let message = |etag: Option<&str>, document: TaskStatus| {
        let text = TaskMessage::text_for(&document, etag);
        TaskMessage::parse(&text).unwrap()
    };
    let good = message(Some("\"0x8DC\""), pending());
    let (document, etag) = document_from_message(&good, &delivery("m1", 1)).unwrap();
    assert_eq!((document.task_id, etag), (id(), "\"0x8DC\""));

    assert!(
        document_from_message(&good, &delivery("m1", 2)).is_none(),
        "delivered again: the version has moved on"
    );
    for used in [
        TaskStatus { attempts_used: Some(0), ..pending() },
        TaskStatus { generation: 1, ..pending() },
        TaskStatus { retry_at: Some(at(9)), ..pending() },
    ] {
        assert!(
            document_from_message(&message(Some("\"0x8DC\""), used), &delivery("m1", 1)).is_none(),
            "not fresh"
        );
    }
    for etag in [None, Some("*"), Some(""), Some("0x8DC"), Some("W/\"1\""), Some("\"a\r\nb\""), Some("\"\"")]
    {
        assert!(document_from_message(&message(etag, pending()), &delivery("m1", 1)).is_none(), "{etag:?}");
    }
    for state in TaskState::ALL {
        let fresh = state == TaskState::Pending;
        let message = message(Some("\"1\""), in_state(state));
        assert_eq!(document_from_message(&message, &delivery("m1", 1)).is_some(), fresh, "{state:?}");
    }
}
