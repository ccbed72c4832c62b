//! Request bodies: what is accepted and refused, with which texts.

use models::{Start, TaskBatch, TaskMessage, TaskPriority, TaskRequest, TaskStatus};

use crate::samples::{accepted, at, id};

#[test]
fn empty_object_is_a_task_with_defaults() {
    let request = TaskRequest::parse(b"{}").unwrap();
    assert_eq!((request.task_id, request.task_name.as_str()), (None, "task"));
    assert_eq!((request.task_description.as_str(), request.priority), ("", TaskPriority::Medium));
    assert_eq!((request.input, request.start), (None, Start::Now));
}

#[test]
fn dotnet_sample_body_is_accepted_in_any_spelling() {
    let body = format!(
        "{{\"taskname\":\"a\",\"TASKDESCRIPTION\":\"b\",\"Status\":4,\"taskId\":\"{}\",\"Priority\":\"LOW\",\"ReturnUri\":null,\"x\":[]}}",
        id().to_string().to_uppercase()
    );
    let request = TaskRequest::parse(body.as_bytes()).unwrap();
    assert_eq!((request.task_id, request.priority), (Some(id()), TaskPriority::Low));
    assert_eq!((request.task_name.as_str(), request.task_description.as_str()), ("a", "b"));
}

#[test]
fn error_names_the_member_without_its_value() {
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
        (
            "{\"ExpiresAt\":\"2026-11-20T10:00:00Z\",\"NotBefore\":\"2026-11-20T10:00:00Z\"}",
            "ExpiresAt: must be later than NotBefore",
        ),
        (
            "{\"ExpiresAt\":60}",
            "ExpiresAt: must be a date and time as RFC 3339, such as 2026-11-20T10:00:00Z",
        ),
        ("{\"TimeoutSeconds\":0}", "TimeoutSeconds: must be a whole number from 1 to 604800"),
        ("{\"TimeoutSeconds\":604801}", "TimeoutSeconds: must be a whole number from 1 to 604800"),
        ("{\"MaxAttempts\":1001}", "MaxAttempts: must be a whole number from 1 to 1000"),
        ("{\"MaxAttempts\":null}", "MaxAttempts: must be a whole number from 1 to 1000"),
        ("{\"UniqueKey\":\"\"}", "UniqueKey: must have 1 to 255 characters"),
        ("{\"UniqueKey\":7}", "UniqueKey: must be a string"),
        ("{\"UniqueSeconds\":1}", "UniqueSeconds: must be given together with UniqueKey"),
        (
            "{\"UniqueKey\":\"k\",\"UniqueSeconds\":86401}",
            "UniqueSeconds: must be a whole number of seconds from 0 to 86400",
        ),
        (
            "{\"UniqueKey\":\"k\",\"TaskId\":\"0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b\"}",
            "UniqueKey: cannot be given together with TaskId; the key determines the task",
        ),
    ] {
        assert_eq!(TaskRequest::parse(body.as_bytes()).unwrap_err().to_string(), expected, "{body}");
    }
    let unknown = TaskRequest::parse(b"{\"Status\":\"Done\"}").unwrap_err().to_string();
    assert!(unknown.starts_with("Status: must be 0 (Pending)"), "{unknown}");
}

#[test]
fn name_length_is_measured_in_characters() {
    let with_name = |name: &str| {
        TaskRequest::parse(&serde_json::to_vec(&serde_json::json!({ "TaskName": name })).unwrap())
    };
    for name in ["abcd", &"ü".repeat(4096), "\u{0}\u{1f}\"\\<&>]]>\u{2028}\u{ffff}\u{1F600}"] {
        assert_eq!(with_name(name).unwrap().task_name, *name);
    }
    assert!(with_name(&"x".repeat(4097)).is_err());
}

#[test]
fn input_is_any_json_value_and_null_is_none() {
    let input = |text: &str| TaskRequest::parse(format!("{{\"Input\":{text}}}").as_bytes()).map(|r| r.input);
    assert_eq!(input("null").unwrap(), None);
    for (text, kept) in [
        ("1.10", "1.10"),
        ("123456789012345678901234567890.5e-400", "123456789012345678901234567890.5e-400"),
        (" { \"b\" : [ 1 , 2 ] , \"a\" : \" x \" } ", "{\"b\":[1,2],\"a\":\" x \"}"),
    ] {
        assert_eq!(input(text).unwrap().unwrap().get(), kept);
    }
}

#[test]
fn input_depth_is_limited_to_what_newtonsoft_reads() {
    let input = |text: &str| TaskRequest::parse(format!("{{\"Input\":{text}}}").as_bytes()).map(|r| r.input);
    let nested = |depth: usize| format!("{}1{}", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2));
    let odd = |depth: usize| format!("[{}]", nested(depth - 1));
    let deepest = input(&odd(63)).unwrap();
    // 64 levels with the document's own, the limit of the .NET side.
    let document = TaskStatus { input: deepest, ..accepted() };
    assert_eq!(levels(&String::from_utf8(document.to_bytes()).unwrap()), 64);
    assert_eq!(levels(&TaskMessage::text_for(&document, Some("\"0x8D\""))), 64);
    for deeper in [nested(64), nested(100_000)] {
        let error = input(&deeper).unwrap_err().to_string();
        assert_eq!(error, "Input: must have at most 63 levels of arrays and objects");
    }
    let brackets_in_text = format!("\"{}\"", "[{".repeat(100));
    assert!(input(&brackets_in_text).is_ok());
}

fn levels(json: &str) -> usize {
    let (mut now, mut most) = (0usize, 0usize);
    for byte in json.bytes() {
        match byte {
            b'[' | b'{' => now += 1,
            b']' | b'}' => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

#[test]
fn input_numbers_are_limited_to_what_newtonsoft_reads() {
    let input = |text: &str| TaskRequest::parse(format!("{{\"Input\":[{text}]}}").as_bytes());
    assert!(input(&"9".repeat(380)).is_ok());
    assert!(input(&format!("\"{}\"", "9".repeat(381))).is_ok());
    for long in ["9".repeat(381), format!("-{}", "9".repeat(380)), format!("0.{}", "1".repeat(100_000))] {
        let error = input(&long).unwrap_err().to_string();
        assert_eq!(error, "Input: must not hold a number of more than 380 characters");
    }
}

#[test]
fn repeated_content_is_compared_by_the_value_of_numbers() {
    let stored = |input: &str| {
        let request = TaskRequest::parse(format!("{{\"Input\":{input}}}").as_bytes()).unwrap();
        TaskStatus::parse(&TaskStatus { input: request.input, ..accepted() }.to_bytes()).unwrap()
    };
    let asked = |input: &str| {
        let request = TaskRequest::parse(format!("{{\"Input\":{input}}}").as_bytes()).unwrap();
        TaskRequest { task_name: accepted().task_name, ..request }
    };
    let same = |a: &str, b: &str| {
        let request = asked(b);
        let stored = stored(a);
        let stored = TaskStatus { task_description: String::new(), priority: request.priority, ..stored };
        stored.has_content_of(&request)
    };
    let amount = |text: &str| format!("{{\"amount\":{text}}}");
    for (a, b) in [
        ("1000000000000000000001", "1000000000000000000001"),
        ("1", "1.0"),
        ("1e400", "10e399"),
        ("1e999999999", "1.0e999999999"),
    ] {
        assert!(same(&amount(a), &amount(b)), "{a} {b}");
    }
    for (a, b) in [
        ("1000000000000000000001", "1000000000000000000002"),
        ("18446744073709551616", "18446744073709551617"),
        ("9007199254740993", "9007199254740992.5"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("1e400", "1e401"),
        ("1e999999999", "1e999999998"),
    ] {
        assert!(!same(&amount(a), &amount(b)), "{a} {b}");
    }
    let document = stored("{\"amount\":100000000000000000000000000001.10}");
    assert!(String::from_utf8(document.to_bytes()).unwrap().contains("100000000000000000000000000001.10"));
}

#[test]
fn nil_guid_counts_as_no_id() {
    for nil in [
        "00000000-0000-0000-0000-000000000000",
        "00000000000000000000000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "(00000000-0000-0000-0000-000000000000)",
        "{0x00000000,0x0000,0x0000,{0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00}}",
        "{0x0,0x0,0x0,{0x0,0x0,0x0,0x0,0x0,0x0,0x0,0x0}}",
    ] {
        let request = TaskRequest::parse(format!("{{\"TaskId\":\"{nil}\"}}").as_bytes()).unwrap();
        assert_eq!(request.task_id, None, "{nil}");
    }
}

#[test]
fn id_is_read_in_every_form_of_dotnet() {
    let id = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".parse().unwrap();
    for text in [
        "0a8f5d7e3c1b4b8e9f6a2d4c6e8f0a1b",
        "0A8F5D7E-3C1B-4B8E-9F6A-2D4C6E8F0A1B",
        "{0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b}",
        "(0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b)",
        " 0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b\\n",
        "{0x0a8f5d7e,0x3c1b,0x4b8e,{0x9f,0x6a,0x2d,0x4c,0x6e,0x8f,0x0a,0x1b}}",
        "{0xA8F5D7E, 0x3C1B, 0x4B8E, {0x9F, 0x6A, 0x2D, 0x4C, 0x6E, 0x8F, 0xA, 0x1B}}",
    ] {
        let request = TaskRequest::parse(format!("{{\"TaskId\":\"{text}\"}}").as_bytes()).unwrap();
        assert_eq!(request.task_id, Some(id), "{text}");
    }
    for text in [
        "",
        "()",
        "{}",
        "urn:uuid:0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b",
        "(urn:uuid:0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b)",
        "(0a8f5d7e3c1b4b8e9f6a2d4c6e8f0a1b)",
        "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1",
        "{0x0a8f5d7e,0x3c1b,0x4b8e,{0x9f,0x6a,0x2d,0x4c,0x6e,0x8f,0x0a}}",
        "{0x0a8f5d7e,0x3c1b,0x4b8e,0x1,{0x9f,0x6a,0x2d,0x4c,0x6e,0x8f,0x0a,0x1b}}",
        "{0x10a8f5d7e,0x3c1b,0x4b8e,{0x9f,0x6a,0x2d,0x4c,0x6e,0x8f,0x0a,0x1b}}",
        "{0x+a8f5d7,0x3c1b,0x4b8e,{0x9f,0x6a,0x2d,0x4c,0x6e,0x8f,0x0a,0x1b}}",
        "{0xä,0x3c1b,0x4b8e,{0x9f,0x6a,0x2d,0x4c,0x6e,0x8f,0x0a,0x1b}}",
    ] {
        let request = TaskRequest::parse(format!("{{\"TaskId\":\"{text}\"}}").as_bytes());
        assert!(request.is_err(), "{text}");
    }
}

#[test]
fn lone_surrogate_is_named_in_the_error() {
    let said = |body: &str| TaskRequest::parse(body.as_bytes()).unwrap_err().to_string();
    let half = "must not hold half of a surrogate pair (\\ud800 to \\udfff without its other half): it stands for no character";
    for value in
        ["\\ud800", "a\\udc00b", "\\uD83D\\u0041", "\\ud83d\\ud83d\\ude00", "\\\\\\ud800", "\\ud83d\\n"]
    {
        assert_eq!(said(&format!("{{\"Input\":[\"{value}\"]}}")), format!("Input: {half}"), "{value}");
        assert_eq!(said(&format!("{{\"TaskName\":\"{value}\"}}")), format!("TaskName: {half}"), "{value}");
    }
    for whole in ["\\ud83d\\ude00", "\\\\ud800", "\\u0041\\uffff", "\\ud83d\\ude00\\ud83d\\ude00"] {
        assert!(TaskRequest::parse(format!("{{\"Input\":\"{whole}\"}}").as_bytes()).is_ok(), "{whole}");
    }
    let name = said("{\"\\ud800\":1}");
    assert_eq!(
        name,
        "the body must be one JSON object in UTF-8: half of a surrogate pair at line 1, column 9"
    );
    let bytes = TaskRequest::parse(b"{\"Input\":\"\xff\"}").unwrap_err().to_string();
    assert!(bytes.starts_with("the body must be one JSON object in UTF-8: not UTF-8 at line 1"), "{bytes}");
}

#[test]
fn enum_number_may_be_text_but_not_fractional() {
    let priority = |text: &str| {
        TaskRequest::parse(format!("{{\"Priority\":{text}}}").as_bytes()).map(|request| request.priority).ok()
    };
    for (text, expected) in [
        ("2", Some(TaskPriority::High)),
        ("\"2\"", Some(TaskPriority::High)),
        ("\" 0 \"", Some(TaskPriority::Low)),
        ("\"high\"", Some(TaskPriority::High)),
        ("\"3\"", None),
        ("\"-1\"", None),
        ("\"1.0\"", None),
        ("\"\"", None),
    ] {
        assert_eq!(priority(text), expected, "{text}");
    }
}

#[test]
fn limits_and_unique_key_are_stored_with_the_task() {
    let body = br#"{"ExpiresAt":"2026-11-20T12:00:00+01:00","TimeoutSeconds":90,"MaxAttempts":2,
        "UniqueKey":"nightly","UniqueSeconds":60}"#;
    let request = TaskRequest::parse(body).unwrap();
    let document = TaskStatus::accepted(id(), request, String::new(), at(0));
    assert_eq!(document.start_by.unwrap().to_string(), "2026-11-20T11:00:00.000Z");
    assert_eq!((document.timeout_seconds, document.max_attempts), (Some(90), Some(2)));
    assert_eq!((document.unique_key.as_deref(), document.unique_until), (Some("nightly"), Some(at(60))));

    // Zeros that generated clients may send count as omitted.
    let request =
        TaskRequest::parse(br#"{"UniqueSeconds":0,"DelaySeconds":0,"NotBefore":"2026-11-20T10:00:00Z"}"#);
    assert!(request.is_ok_and(|request| request.unique.is_none() && matches!(request.start, Start::At(_))));

    let request = TaskRequest::parse(br#"{"UniqueKey":"nightly"}"#).unwrap();
    assert_eq!(TaskStatus::accepted(id(), request, String::new(), at(0)).unique_until, None);
}

#[test]
fn batch_is_an_array_bare_or_as_a_member() {
    let batch = |body: &str| TaskBatch::parse(body.as_bytes());
    for body in [
        "[{},{\"TaskName\":\"\"}]",
        " \n[ {} , 7 ] ",
        "{\"TASKS\":[{},{\"Priority\":9}],\"x\":1}",
        "\u{feff}[{},[]]",
    ] {
        let tasks = batch(body).unwrap().tasks;
        assert_eq!(tasks.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false], "{body}");
    }
    let of_size = |count| format!("[{}]", vec!["{}"; count].join(","));
    assert_eq!(batch(&of_size(100)).unwrap().tasks.len(), 100);
    for body in ["[]", &of_size(101), "{\"tasks\":{}}", "{\"tasks\":null}", "[{}"] {
        let error = batch(body).unwrap_err().to_string();
        assert_eq!(error, "tasks: must be an array of 1 to 100 tasks", "{body}");
    }
    assert_eq!(batch("{}").unwrap_err().to_string(), "tasks is missing");
    assert!(batch("7").unwrap_err().to_string().starts_with("the body must be one JSON object"));
}
