//! Golden files. A change of one changes the contract, because other programs read these bytes.

use models::{
    DrainReport, Monitor, MonitorList, PoisonCopy, Problem, TaskMessage, TaskPriority, TaskState, TaskStatus,
};
use serde_json::{Value, json};

use crate::samples::{accepted, at, full, id};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares bytes with a golden file; `UPDATE_SNAPSHOTS=1` writes the file instead, to be reviewed.
fn assert_golden(name: &str, bytes: &[u8]) {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")), bytes).unwrap();
    }
    let expected = String::from_utf8(fixture(name)).unwrap();
    assert_eq!(String::from_utf8_lossy(bytes), expected, "{name}");
}

#[test]
fn dotnet_documents_are_read() {
    let document = TaskStatus::parse(&fixture("net-document.json")).unwrap();
    assert_eq!(document.task_name, "Resize \"Größe\" <a&b>");
    assert_eq!(document.task_description, "Zeile 1\r\nZeile 2\t\u{7}");
    assert_eq!((document.state, document.priority), (TaskState::Completed, TaskPriority::High));
    assert_eq!(document.task_id, id());
    assert!(document.return_uri.unwrap().ends_with("-202"));
    assert!(document.created_at.is_none(), "it is theirs");
    assert_eq!((document.attempt, document.history.len()), (0, 0));

    let named = TaskStatus::parse(&fixture("net-indented-names.json")).unwrap();
    assert_eq!((named.state, named.priority), (TaskState::InProgress, TaskPriority::High));
    assert_eq!((named.task_id, named.task_description.as_str()), (id(), ""));
}

#[test]
fn dotnet_messages_are_read() {
    let text = String::from_utf8(fixture("net-message.json")).unwrap();
    let message = TaskMessage::parse(&text).unwrap();
    assert_eq!((message.task_id, message.is_ours, &message.etag), (id(), false, &None));
    let document = message.document.unwrap();
    assert_eq!((document.state, document.priority), (TaskState::Pending, TaskPriority::Low));
    assert_eq!(document.return_uri, None);
}

#[test]
fn documents_equal_their_golden_files() {
    assert_golden("our-accepted-document.json", &accepted().to_bytes());
    assert_golden("our-full-document.json", &full().to_bytes());
    for name in ["our-accepted-document.json", "our-full-document.json"] {
        let expected = if name.contains("full") { full() } else { accepted() };
        assert_eq!(TaskStatus::parse(&fixture(name)).unwrap(), expected, "{name}");
    }
}

#[test]
fn messages_equal_their_golden_files() {
    let etag = Some("\"0x8DC4F1A2B3C4D5E\"");
    assert_golden("our-message.json", TaskMessage::text_for(&accepted(), etag).as_bytes());
    let large = TaskStatus { task_description: "x".repeat(70_000), ..accepted() };
    assert_golden("our-reference-message.json", TaskMessage::text_for(&large, etag).as_bytes());
}

#[test]
fn monitors_problems_and_poison_copies_equal_their_golden_files() {
    let pretty = |value: Value| serde_json::to_vec_pretty(&value).unwrap();
    assert_golden("monitor.json", &pretty(serde_json::to_value(Monitor::of(&full())).unwrap()));
    let list = MonitorList {
        value: vec![Monitor::of(&accepted())],
        unreadable: 0,
        next_link: Some("https://x/tasks?from=2".to_owned()),
    };
    assert_golden("monitor-list.json", &pretty(serde_json::to_value(&list).unwrap()));
    let copy = PoisonCopy {
        kind: None,
        reason: "the message cannot be read: not JSON at line 1, column 1".to_owned(),
        message: Some("not \"JSON\"".to_owned()),
        encoding: None,
        blob: None,
        message_id: "m-1".to_owned(),
        dequeue_count: 6,
        poisoned_at: at(0),
    };
    assert_golden("poison-copy.json", &serde_json::to_vec(&copy).unwrap());
    assert_eq!(PoisonCopy::parse(&serde_json::to_string(&copy).unwrap()), Some(copy));
    let problem = Problem {
        kind: "/problems/task-not-found".to_owned(),
        title: "There is no such task".to_owned(),
        status: 404,
        detail: Some("No task with this id is known.".to_owned()),
        instance: Some("/tasks/0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".to_owned()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
    };
    assert_golden("problem.json", &serde_json::to_vec(&problem).unwrap());
}

#[test]
fn dotnet_members_come_first_in_their_order() {
    let text = String::from_utf8(accepted().to_bytes()).unwrap();
    let names: Vec<&str> = text.split('"').filter(|part| part.starts_with(char::is_alphabetic)).collect();
    let position = |name: &str| names.iter().position(|other| *other == name).unwrap_or(usize::MAX);
    let six = ["TaskName", "TaskDescription", "Status", "TaskId", "Priority", "returnUri"].map(position);
    assert!(six.is_sorted() && six[5] < position("CreatedAt"), "{names:?}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["Status"], &value["Priority"]), (&json!(0), &json!(2)), "enums are integers");
    assert_eq!(value["TaskId"], id().to_string());
    assert_eq!(id().status_blob_name(), "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b-202");
}

#[test]
fn document_rewritten_by_a_dotnet_worker_is_readable() {
    // It preserves the members of its contract.
    let mut value: Value = serde_json::from_slice(&full().to_bytes()).unwrap();
    let known = ["TaskName", "TaskDescription", "Status", "TaskId", "Priority", "returnUri"];
    value.as_object_mut().unwrap().retain(|name, _| known.contains(&name.as_str()));
    value["Status"] = json!(2);
    let document = TaskStatus::parse(value.to_string().as_bytes()).unwrap();
    assert_eq!(document.state, TaskState::Completed);
    assert!(!document.is_ours());
}

#[test]
fn monitor_uses_the_status_values_of_the_guidelines() {
    let words: Vec<Value> = TaskState::ALL
        .into_iter()
        .map(|state| {
            let monitor = Monitor::of(&TaskStatus { state, ..accepted() });
            let value = serde_json::to_value(&monitor).unwrap();
            assert_eq!(serde_json::from_value::<Monitor>(value.clone()).unwrap(), monitor);
            assert_eq!(TaskState::from(monitor.status), state);
            value["status"].clone()
        })
        .collect();
    assert_eq!(words, ["NotStarted", "Running", "Succeeded", "Failed", "Canceled"]);
    let succeeded = Monitor::of(&TaskStatus { state: TaskState::Completed, ..full() });
    assert_eq!(succeeded.percent_complete, Some(100));
}

/// All members differ from their defaults and from each other.
fn drain_report() -> DrainReport {
    DrainReport {
        received: 45,
        completed: 9,
        failed: 8,
        cancelled: 7,
        retried: 6,
        poisoned: 5,
        lost: 4,
        released: 3,
        discarded: 2,
        deferred: 1,
        promoted: 10,
        requeued: 11,
        purged: 12,
        more: true,
        paused: false,
        retry_after_seconds: Some(13),
        handlers_share_instances: false,
    }
}

#[test]
fn drain_reports_equal_their_golden_files_and_round_trip() {
    assert_golden("drain-report.json", &serde_json::to_vec_pretty(&drain_report()).unwrap());
    assert_eq!(serde_json::from_slice::<DrainReport>(&fixture("drain-report.json")).unwrap(), drain_report());
    let outcomes: u32 = drain_report().outcomes().iter().map(|(_, count)| count).sum();
    assert_eq!(outcomes, drain_report().received, "each message has one outcome");
}

#[test]
fn drain_reports_of_other_versions_are_read() {
    let read = |text: &str| serde_json::from_str::<DrainReport>(text);
    assert_eq!(read("{}").unwrap(), DrainReport::default());
    let newer = read(r#"{"received":3,"completed":3,"news":[1]}"#).unwrap();
    assert_eq!(newer, DrainReport { received: 3, completed: 3, ..DrainReport::default() });
    assert!(read(r#"{"received":-1}"#).is_err());
}

#[test]
fn longest_requested_rest_counts_in_whole_seconds() {
    let mut report = DrainReport::default();
    assert_eq!(report.retry_after(), None);
    for (asked, seconds) in [(10, 1), (2_001, 3), (1_000, 3), (30_000, 30)] {
        report.slow_down(std::time::Duration::from_millis(asked));
        assert_eq!(report.retry_after_seconds, Some(seconds), "{asked} ms");
    }
}
