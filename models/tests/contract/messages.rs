//! Queue messages: accepted encodings and errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use models::{AttemptOutcome, DeliveryNote, MAX_MESSAGE_BYTES, MessageError, TaskMessage, TaskStatus};

use crate::samples::{accepted, full, id};

const ETAG: &str = "\"0x8DC4F1A2B3C4D5E\"";

#[test]
fn message_is_read_as_plain_text_and_as_base64() {
    let text = TaskMessage::text_for(&accepted(), Some(ETAG));
    let bytes = [b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat();
    for spelling in [
        text.clone(),
        format!("\u{feff} \r\n{text}\n"),
        STANDARD.encode(&text),
        STANDARD.encode(&bytes),
        format!(" {}\n", STANDARD.encode(&text)),
    ] {
        let message = TaskMessage::parse(&spelling).unwrap();
        assert_eq!((message.task_id, message.is_ours), (id(), true));
        assert_eq!(message.etag.as_deref(), Some(ETAG));
        assert_eq!(message.document, Some(accepted()));
    }
}

#[test]
fn base64_is_read_with_white_space_and_without_padding() {
    let text = TaskMessage::text_for(&accepted(), Some(ETAG));
    // Three lengths, for every amount of padding.
    for padding in ["", " ", "  "] {
        let solid = STANDARD.encode(format!("{text}{padding}"));
        let wrapped = |width: usize, end: &str| {
            let lines: Vec<_> = solid.as_bytes().chunks(width).map(|l| str::from_utf8(l).unwrap()).collect();
            lines.join(end) + end
        };
        for spelling in [
            wrapped(76, "\n"),
            wrapped(64, "\r\n"),
            wrapped(4, "\t"),
            wrapped(1, " "),
            solid.trim_end_matches('=').to_owned(),
        ] {
            assert_eq!(TaskMessage::parse(&spelling).unwrap().document, Some(accepted()), "{spelling}");
        }
    }
}

#[test]
fn too_large_document_is_sent_as_a_reference() {
    let sized = |length: usize| TaskStatus { task_description: "x".repeat(length), ..accepted() };
    let envelope = TaskMessage::text_for(&sized(0), Some(ETAG)).len();
    let largest = sized(MAX_MESSAGE_BYTES - envelope);
    let text = TaskMessage::text_for(&largest, Some(ETAG));
    assert_eq!(text.len(), MAX_MESSAGE_BYTES);
    assert_eq!(TaskMessage::parse(&text).unwrap().document, Some(largest));

    let text = TaskMessage::text_for(&sized(MAX_MESSAGE_BYTES - envelope + 1), Some(ETAG));
    assert!(text.len() < 200, "{text}");
    let message = TaskMessage::parse(&text).unwrap();
    assert_eq!((message.task_id, message.is_ours, message.document), (id(), true, None));
    assert_eq!(message.etag.as_deref(), Some(ETAG));
}

#[test]
fn too_large_document_after_escaping_is_sent_as_a_reference() {
    for (character, most) in [("&", 27_000), ("<", 33_000), (">", 33_000), ("\u{ffff}", 10_900)] {
        let document = TaskStatus { task_description: character.repeat(most), ..accepted() };
        let size = document.to_bytes().len();
        assert!(size < MAX_MESSAGE_BYTES, "{character}: {size} bytes fit before they are escaped");
        let message = TaskMessage::parse(&TaskMessage::text_for(&document, Some(ETAG))).unwrap();
        assert_eq!((message.task_id, message.is_ours, message.document), (id(), true, None), "{character}");

        let document = TaskStatus { task_description: character.repeat(most - 1_500), ..accepted() };
        let message = TaskMessage::parse(&TaskMessage::text_for(&document, Some(ETAG))).unwrap();
        assert_eq!(message.document, Some(document), "{character}");
    }
}

#[test]
fn message_that_grows_when_rewritten_is_forwarded_as_a_reference() {
    let document = TaskStatus { task_description: "&".repeat(40_000), ..accepted() };
    let mut text: serde_json::Value = serde_json::from_slice(&document.to_bytes()).unwrap();
    text["ETag"] = ETAG.into();
    let sent = TaskMessage::text_to_forward(&text.to_string()).unwrap();
    let message = TaskMessage::parse(&sent).unwrap();
    assert_eq!((message.task_id, message.is_ours, message.document), (id(), true, None));
    assert_eq!(message.etag.as_deref(), Some(ETAG));
    let small = TaskMessage::text_for(&accepted(), Some(ETAG));
    assert_eq!(TaskMessage::text_to_forward(&small), Some(small));
    assert_eq!(TaskMessage::text_to_forward(&"&".repeat(40_000)), None, "there is nothing to refer to");
}

#[test]
fn text_without_a_task_id_is_unreadable() {
    let noise = STANDARD.encode([0xff, 0xfe, 0x00]);
    let deep = format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    for text in [
        "",
        " ",
        "{",
        "}",
        "null",
        "[]",
        "0",
        "\"x\"",
        "{}",
        "{\"TaskId\":null}",
        "{\"TaskId\":5}",
        "{\"TaskId\":\"../../secrets\"}",
        "{\"TaskId\":\"0a8f5d7e-3c1b-4b8e-9f6a\"}",
        "{\"TaskId\":{}}",
        "{\"TaskId\":\"urn:uuid:0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b\"}",
        "bm90IGpzb24=",
        "\u{0}",
        &noise,
        &deep,
        &"x".repeat(65_536),
        &"A".repeat(65_536),
    ] {
        let shown: String = text.chars().take(60).collect();
        assert!(matches!(TaskMessage::parse(text), Err(MessageError::Unreadable(_))), "{shown}");
    }
}

#[test]
fn message_with_a_task_id_and_an_invalid_member_is_unusable() {
    for member in [
        "\"Priority\":3",
        "\"Priority\":-1",
        "\"Priority\":99999999999999999999999",
        "\"Priority\":1.5",
        "\"Status\":\"Done\"",
        "\"Status\":null",
        "\"TaskName\":7",
        "\"CreatedAt\":\"yesterday\"",
        "\"Attempt\":-1",
        "\"Attempt\":4294967296",
        "\"History\":{}",
        "\"ETag\":1",
        "\"ResultBlob\":[]",
        "\"Error\":\"x\"",
        "\"PercentComplete\":1e3",
    ] {
        let text = format!("{{\"TaskName\":\"x\",\"TaskId\":\"{}\",{member}}}", id());
        match TaskMessage::parse(&text) {
            Err(MessageError::Unusable { task_id, generation, reason }) => {
                assert_eq!((task_id, generation), (id(), 0), "{member}");
                let name = member.split('"').nth(1).unwrap();
                assert!(reason.starts_with(name), "{member}: {reason}");
            }
            other => panic!("{member}: {other:?}"),
        }
    }
}

#[test]
fn last_of_duplicate_members_counts_as_in_newtonsoft() {
    let text = format!("{{\"taskid\":\"nonsense\",\"TASKID\":\"{}\",\"Priority\":9,\"priority\":2}}", id());
    let message = TaskMessage::parse(&text).unwrap();
    assert_eq!((message.task_id, message.is_ours, message.document), (id(), false, None));
}

#[test]
fn note_is_read_only_at_the_beginning() {
    let note = |text: &str| {
        let note = DeliveryNote::of(text, 9);
        (note.delivery, note.lost_workers, note.backed_off)
    };
    assert_eq!(note(r#"{"NotedDelivery":7,"TaskId":"x"}"#), (7, 0, 0));
    assert_eq!(note(r#"{"NotedDelivery":7,"LostWorkers":2,"TaskId":"x"}"#), (7, 2, 0));
    assert_eq!(note(&STANDARD.encode(r#"{"NotedDelivery":7,"LostWorkers":2,"TaskId":"x"}"#)), (7, 2, 0));
    assert_eq!(note(r#"{"NotedDelivery":7,"BackedOffAttempt":3,"TaskId":"x"}"#), (7, 0, 3));
    assert_eq!(note(r#"{"NotedDelivery":7,"LostWorkers":2,"BackedOffAttempt":3,"TaskId":"x"}"#), (7, 2, 3));
    for none in [
        "",
        "{}",
        "{",
        "not JSON",
        r#"{"NotedDelivery":7}"#,
        r#"{"NotedDelivery":-7,"TaskId":"x"}"#,
        r#"{"NotedDelivery":4294967296,"TaskId":"x"}"#,
        r#"{"TaskId":"x","NotedDelivery":7}"#,
    ] {
        assert_eq!(note(none), (0, 0, 0), "{none}");
        assert_eq!(DeliveryNote::removed_from(none), none);
    }
    // Copied from another message, which had been delivered more often.
    assert_eq!(note(r#"{"NotedDelivery":9,"LostWorkers":2,"TaskId":"x"}"#), (0, 0, 0));
}

#[test]
fn note_is_omitted_without_room_or_object() {
    let note = DeliveryNote { delivery: 3, lost_workers: 1, backed_off: 0 };
    for text in ["", "{}", "{ }", "not JSON", "[1]", "bm90IGpzb24="] {
        assert_eq!(note.written_to(text), None, "{text}");
    }
    // Nor if it could not be removed again without changing the rest.
    let message = r#"{"TaskId":"x"}"#;
    for text in
        [format!(" {message}"), format!("\u{feff}{message}"), format!("{}\n", STANDARD.encode(message))]
    {
        assert_eq!(note.written_to(&text), None, "{text:?}");
    }
    let spaced = format!("{message} \n");
    assert_eq!(DeliveryNote::removed_from(&note.written_to(&spaced).unwrap()), spaced);
    let full = format!("{{\"TaskId\":\"{}\"}}", "x".repeat(MAX_MESSAGE_BYTES - 13));
    assert_eq!(full.len(), MAX_MESSAGE_BYTES);
    assert_eq!(note.written_to(&full), None);
}

#[test]
fn history_counts_used_attempts_without_a_counter() {
    let mut document = full();
    assert_eq!(document.attempts_used(), 1, "the counter");
    document.attempts_used = None;
    assert_eq!(document.attempts_used(), 1, "one since the explicit retry");
    document.history[2].outcome = Some(AttemptOutcome::Released);
    assert_eq!(document.attempts_used(), 0, "handed back");
    document.history.remove(1);
    assert_eq!(document.attempts_used(), 1, "abandoned");
}

#[test]
fn message_can_say_that_the_acceptance_is_owed() {
    let (owing, plain) = (
        TaskMessage::text_owing(&accepted(), Some(ETAG), true),
        TaskMessage::text_for(&accepted(), Some(ETAG)),
    );
    let parsed = TaskMessage::parse(&owing).unwrap();
    assert!(parsed.owes_accepted && !TaskMessage::parse(&plain).unwrap().owes_accepted);
    assert_eq!(TaskMessage { owes_accepted: false, ..parsed }, TaskMessage::parse(&plain).unwrap());
    assert_eq!(TaskMessage::text_to_forward(&owing).as_deref(), Some(&*owing));
    let noted = DeliveryNote { delivery: 1, ..DeliveryNote::default() }.written_to(&owing).unwrap();
    assert!(TaskMessage::parse(&noted).unwrap().owes_accepted, "a worker's note keeps it");
    let large = TaskStatus { task_description: "x".repeat(MAX_MESSAGE_BYTES), ..accepted() };
    let reference = TaskMessage::parse(&TaskMessage::text_owing(&large, Some(ETAG), true)).unwrap();
    assert!(reference.owes_accepted && reference.document.is_none());
}
