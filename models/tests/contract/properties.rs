//! Documents and messages round-trip, and arbitrary bytes never panic.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use models::{
    AttemptOutcome, AttemptRecord, CallbackRecord, CallbackState, DeliveryId, DeliveryNote, Json,
    MAX_HISTORY_RECORDS, MAX_MESSAGE_BYTES, ResultBlob, TaskError, TaskId, TaskMessage, TaskPriority,
    TaskRequest, TaskState, TaskStatus, Timestamp,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::accepted;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ".{0,40}",
        1 => vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => "[\\x00-\\x1f<&>\"'\\\\]{0,20}",
    ]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_millis)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((text(), inner), 0..6).prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// A member that is `null` counts as absent.
fn kept_json() -> impl Strategy<Value = Json> {
    json().prop_filter("null is no value", |value| !value.is_null()).prop_map(|value| Json::from(&value))
}

fn error() -> impl Strategy<Value = TaskError> {
    (text(), text()).prop_map(|(code, message)| TaskError { code, message })
}

fn record() -> impl Strategy<Value = AttemptRecord> {
    let outcome = prop::sample::select(vec![
        AttemptOutcome::Completed,
        AttemptOutcome::Failed,
        AttemptOutcome::Cancelled,
        AttemptOutcome::Retried,
        AttemptOutcome::Abandoned,
        AttemptOutcome::Released,
        AttemptOutcome::RetryRequested,
    ]);
    let delivery = (text(), any::<u32>())
        .prop_map(|(message_id, dequeue_count)| DeliveryId { message_id, dequeue_count });
    (any::<u32>(), moment(), of(moment()), of(outcome), of(error()), of(text()), of(delivery)).prop_map(
        |(attempt, started_at, ended_at, outcome, error, by, delivery)| AttemptRecord {
            attempt,
            started_at,
            ended_at,
            outcome,
            error,
            by,
            delivery,
        },
    )
}

prop_compose! {
    fn callback()(
        state in prop::sample::select(vec![CallbackState::Due, CallbackState::Delivered, CallbackState::GivenUp]),
        (attempts, last_outcome) in (any::<u32>(), of(text())),
        (last_attempt_at, next_attempt_at) in (of(moment()), of(moment())),
    ) -> CallbackRecord {
        CallbackRecord { state, attempts, last_attempt_at, last_outcome, next_attempt_at }
    }
}

prop_compose! {
    fn document()(
        (task_name, task_description, return_uri) in (text(), text(), of(text())),
        state in prop::sample::select(TaskState::ALL.to_vec()),
        priority in prop::sample::select(TaskPriority::ALL.to_vec()),
        id in any::<[u8; 16]>(),
        (created_at, updated_at, started_at, finished_at) in (of(moment()), of(moment()), of(moment()), of(moment())),
        (not_before, expires_at, cancel_requested_at) in (of(moment()), of(moment()), of(moment())),
        (retry_at, attempts_used, generation) in (of(moment()), of(any::<u32>()), any::<u32>()),
        (start_by, max_attempts, timeout_seconds, unique_key, unique_until) in
            (of(moment()), of(any::<u32>()), of(any::<u32>()), of(text()), of(moment())),
        (callback_uri, callback, sink_events, sink) in (of(text()), of(callback()), any::<bool>(), of(callback())),
        (attempt, percent_complete, message) in (any::<u32>(), of(0u8..=100), of(text())),
        (input, result, error) in (of(kept_json()), of(kept_json()), of(error())),
        result_blob in of((text(), text(), any::<u64>())),
        (owner, trace_parent, history) in (of(text()), of(text()), vec(record(), 0..4)),
    ) -> TaskStatus {
        let result_blob = result_blob.map(|(name, content_type, size)| ResultBlob { name, content_type, size });
        TaskStatus {
            task_name, task_description, state, task_id: TaskId::from_random_bytes(id), priority, return_uri,
            created_at, updated_at, started_at, finished_at, not_before, expires_at, retry_at, attempt,
            attempts_used, generation, cancel_requested_at, start_by, max_attempts, timeout_seconds, unique_key, unique_until, callback_uri, callback, sink_events, sink,
            percent_complete, message, input, result, result_blob, error, owner, trace_parent, history,
        }
    }
}

proptest! {
    #[test]
    fn document_round_trips_through_storage(document in document()) {
        let bytes = document.to_bytes();
        prop_assert_eq!(&TaskStatus::parse(&bytes).unwrap(), &document);
        prop_assert_eq!(TaskStatus::parse(&bytes).unwrap().to_bytes(), bytes, "and is written the same again");
    }

    #[test]
    fn document_round_trips_through_a_message(document in document(), etag in of(text()), base64 in any::<bool>()) {
        let text = TaskMessage::text_for(&document, etag.as_deref());
        prop_assert!(text.len() <= MAX_MESSAGE_BYTES);
        let sent = if base64 { STANDARD.encode(&text) } else { text };
        let message = TaskMessage::parse(&sent).unwrap();
        prop_assert_eq!(message.task_id, document.task_id);
        prop_assert_eq!(message.is_ours, document.created_at.is_some());
        prop_assert_eq!(message.etag, etag);
        prop_assert_eq!(message.generation, document.generation);
        prop_assert_eq!(message.document, Some(document));
    }

    #[test]
    fn note_changes_nothing_else_of_a_message(
        (document, base64) in (document(), any::<bool>()),
        notes in vec((1u32..99, any::<u32>(), any::<u32>()), 2),
    ) {
        let text = TaskMessage::text_for(&document, None);
        let text = if base64 { STANDARD.encode(&text) } else { text };
        let mut noted = text.clone();
        for (delivery, lost_workers, backed_off) in notes {
            let note = DeliveryNote { delivery, lost_workers, backed_off };
            noted = note.written_to(&noted).unwrap();
            prop_assert_eq!(DeliveryNote::of(&noted, 100), note);
            prop_assert_eq!(TaskMessage::parse(&noted), TaskMessage::parse(&text));
            prop_assert_eq!(DeliveryNote::removed_from(&noted), text.as_str());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = TaskRequest::parse(&bytes);
        let _ = TaskStatus::parse(&bytes);
        let _ = TaskMessage::parse(&String::from_utf8_lossy(&bytes));
        let _ = TaskMessage::parse(&STANDARD.encode(&bytes));
        let _ = DeliveryNote::default().written_to(&String::from_utf8_lossy(&bytes));
        let _ = DeliveryNote::removed_from(&STANDARD.encode(&bytes));
    }

    #[test]
    fn arbitrary_json_never_panics(value in json()) {
        let text = value.to_string();
        let _ = TaskRequest::parse(text.as_bytes());
        let _ = TaskStatus::parse(text.as_bytes());
        let _ = TaskMessage::parse(&text);
    }

    /// A document with one member replaced by any value is read, or refused with that member's name.
    #[test]
    fn invalid_member_is_refused_by_name(document in document(), which in any::<prop::sample::Index>(), value in json()) {
        let mut members: Value = serde_json::from_slice(&document.to_bytes()).unwrap();
        let members = members.as_object_mut().unwrap();
        let name = members.keys().nth(which.index(members.len())).unwrap().clone();
        members.insert(name.clone(), value);
        if let Err(error) = TaskStatus::parse(serde_json::to_string(&members).unwrap().as_bytes()) {
            prop_assert!(error.to_string().starts_with(&name), "{}: {}", name, error);
        }
    }

    #[test]
    fn equal_inputs_are_equal_in_any_spelling(value in json()) {
        let compact = Json::parse(&value.to_string()).unwrap();
        let pretty = Json::parse(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
        prop_assert_eq!(&compact, &pretty);
        prop_assert_eq!(compact.get(), pretty.get());
    }

    #[test]
    fn timestamp_round_trips(millis in any::<i64>()) {
        let moment = Timestamp::from_unix_millis(millis);
        prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
    }

    #[test]
    fn own_form_of_a_timestamp_is_read_like_any_rfc_3339(
        text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}[Zz]",
    ) {
        let general = time::OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339);
        prop_assert_eq!(text.parse::<Timestamp>().ok(), general.ok().map(Timestamp::from));
    }

    #[test]
    fn history_keeps_the_latest_attempts(count in 0u32..60) {
        let mut document = accepted();
        for attempt in 1..=count {
            document.record(AttemptRecord {
                attempt, started_at: Timestamp::from_unix_millis(0), ended_at: None, outcome: None, error: None, by: None,
                delivery: None,
            });
        }
        let kept: Vec<u32> = document.history.iter().map(|record| record.attempt).collect();
        let first = (count + 1).saturating_sub(u32::try_from(MAX_HISTORY_RECORDS).unwrap()).max(1);
        prop_assert_eq!(kept, (first..=count).collect::<Vec<_>>());
    }
}
