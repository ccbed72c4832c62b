//! Request bodies: what is accepted, what is refused, and in which words.

use models::{Schedule, TaskPriority, TaskRequest};

use crate::samples::id;

#[test]
fn an_empty_object_is_a_task_with_all_its_defaults() {
    let request = TaskRequest::parse(b"{}").unwrap();
    assert_eq!((request.task_id, request.task_name.as_str()), (None, "task"));
    assert_eq!((request.task_description.as_str(), request.priority), ("", TaskPriority::Medium));
    assert_eq!((request.input, request.schedule), (None, Schedule::Now));
}

#[test]
fn the_original_samples_body_is_accepted_in_any_spelling() {
    let body = format!(
        "{{\"taskname\":\"a\",\"TASKDESCRIPTION\":\"b\",\"Status\":4,\"taskId\":\"{}\",\"Priority\":\"LOW\",\"ReturnUri\":null,\"x\":[]}}",
        id().to_string().to_uppercase()
    );
    let request = TaskRequest::parse(body.as_bytes()).unwrap();
    assert_eq!((request.task_id, request.priority), (Some(id()), TaskPriority::Low));
    assert_eq!((request.task_name.as_str(), request.task_description.as_str()), ("a", "b"));
}

#[test]
fn every_mistake_is_named_without_repeating_the_value() {
    for (body, expected) in [
        ("", "the body must be one JSON object in UTF-8: it ends too early"),
        ("[]", "the body must be one JSON object in UTF-8: it is some other JSON value"),
        ("{} {}", "the body must be one JSON object in UTF-8: not JSON at line 1, column 4"),
        ("{\"TaskId\":\"secret\"}", "TaskId: must be a GUID such as 0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b"),
        ("{\"TaskId\":null}", "TaskId: must be a GUID in a string"),
        ("{\"TaskName\":null}", "TaskName: must be a string"),
        ("{\"TaskName\":\"\"}", "TaskName: must have 1 to 4096 characters"),
        ("{\"TaskDescription\":7}", "TaskDescription: must be a string"),
        ("{\"Priority\":3}", "Priority: must be 0 (Low), 1 (Medium) or 2 (High), or one of these names"),
        ("{\"Priority\":1.0}", "Priority: must be 0 (Low), 1 (Medium) or 2 (High), or one of these names"),
        ("{\"DelaySeconds\":604801}", "DelaySeconds: must be a whole number of seconds from 0 to 604800"),
        ("{\"DelaySeconds\":-1}", "DelaySeconds: must be a whole number of seconds from 0 to 604800"),
        (
            "{\"NotBefore\":\"soon\"}",
            "NotBefore: must be a date and time as RFC 3339, such as 2026-11-20T10:00:00Z",
        ),
        (
            "{\"NotBefore\":\"2026-11-20T10:00:00Z\",\"DelaySeconds\":5}",
            "NotBefore: cannot be given together with DelaySeconds; give one of them",
        ),
    ] {
        assert_eq!(TaskRequest::parse(body.as_bytes()).unwrap_err().to_string(), expected, "{body}");
    }
    let unknown = TaskRequest::parse(b"{\"Status\":\"Done\"}").unwrap_err().to_string();
    assert!(unknown.starts_with("Status: must be 0 (Pending)"), "{unknown}");
}

#[test]
fn a_name_is_measured_in_characters_and_may_hold_any_of_them() {
    let with_name = |name: &str| {
        TaskRequest::parse(&serde_json::to_vec(&serde_json::json!({ "TaskName": name })).unwrap())
    };
    for name in ["abcd", &"ü".repeat(4096), "\u{0}\u{1f}\"\\<&>]]>\u{2028}\u{ffff}\u{1F600}"] {
        assert_eq!(with_name(name).unwrap().task_name, *name);
    }
    assert!(with_name(&"x".repeat(4097)).is_err());
}

#[test]
fn input_is_any_json_and_null_is_none() {
    let input = |text: &str| TaskRequest::parse(format!("{{\"Input\":{text}}}").as_bytes()).map(|r| r.input);
    assert_eq!(input("null").unwrap(), None);
    for (text, kept) in [
        ("1.10", "1.10"),
        ("123456789012345678901234567890.5e-400", "123456789012345678901234567890.5e-400"),
        (" { \"b\" : [ 1 , 2 ] , \"a\" : \" x \" } ", "{\"b\":[1,2],\"a\":\" x \"}"),
    ] {
        assert_eq!(input(text).unwrap().unwrap().get(), kept);
    }
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(input(&nested(100)).is_ok());
    assert!(input(&nested(100_000)).is_err(), "refused, not a stack overflow");
}
