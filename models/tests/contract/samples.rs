use models::{
    AttemptOutcome, AttemptRecord, CallbackRecord, CallbackState, DeliveryId, Json, ResultBlob, Start,
    TaskError, TaskId, TaskPriority, TaskRequest, TaskState, TaskStatus, Timestamp,
};

pub(crate) fn id() -> TaskId {
    "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".parse().unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_168_800_000 + seconds * 1000)
}

/// A document as the API stores it.
pub(crate) fn accepted() -> TaskStatus {
    let request = TaskRequest {
        task_id: Some(id()),
        task_name: "Resize \"Größe\" <a&b>".to_owned(),
        task_description: "Zeile 1\r\nZeile 2\t\u{7}".to_owned(),
        priority: TaskPriority::High,
        input: Some(
            Json::parse("{ \"width\": 640, \"exact\": 1.10, \"id\": 12345678901234567890123 }").unwrap(),
        ),
        start: Start::Now,
        start_by: None,
        timeout_seconds: None,
        max_attempts: None,
        callback_uri: None,
        unique: None,
    };
    let uri = "https://account.blob.core.windows.net/tasks/0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b-202";
    TaskStatus::accepted(id(), request, uri.to_owned(), at(0))
}

/// A document with a value in every member.
pub(crate) fn full() -> TaskStatus {
    let error = TaskError { code: "HandlerFailed".to_owned(), message: "no such picture".to_owned() };
    TaskStatus {
        state: TaskState::Failed,
        updated_at: Some(at(9)),
        started_at: Some(at(1)),
        finished_at: Some(at(9)),
        not_before: Some(at(1)),
        start_by: Some(at(600)),
        expires_at: Some(at(86_400)),
        retry_at: Some(at(7)),
        attempt: 2,
        attempts_used: Some(1),
        max_attempts: Some(4),
        timeout_seconds: Some(90),
        generation: 3,
        unique_key: Some("picture 7".to_owned()),
        unique_until: Some(at(60)),
        callback_uri: Some("https://hooks.example/done?of=7".to_owned()),
        callback: Some(CallbackRecord {
            state: CallbackState::Due,
            attempts: 2,
            last_attempt_at: Some(at(11)),
            last_outcome: Some("HTTP 503".to_owned()),
            next_attempt_at: Some(at(13)),
        }),
        sink_events: true,
        sink: Some(CallbackRecord {
            state: CallbackState::Delivered,
            attempts: 1,
            last_attempt_at: Some(at(10)),
            last_outcome: Some("HTTP 200".to_owned()),
            next_attempt_at: None,
        }),
        cancel_requested_at: Some(at(8)),
        percent_complete: Some(40),
        message: Some("half".to_owned()),
        result: Some(Json::parse("[1,\"<&>\"]").unwrap()),
        result_blob: Some(ResultBlob {
            name: "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b-result-2".to_owned(),
            content_type: "image/png".to_owned(),
            size: 70_000,
        }),
        error: Some(error.clone()),
        owner: Some("alice".to_owned()),
        trace_parent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        history: vec![
            AttemptRecord {
                attempt: 1,
                started_at: at(1),
                ended_at: None,
                outcome: Some(AttemptOutcome::Abandoned),
                error: None,
                by: None,
                delivery: Some(DeliveryId { message_id: "m-1".to_owned(), dequeue_count: 1 }),
            },
            AttemptRecord {
                attempt: 1,
                started_at: at(3),
                ended_at: None,
                outcome: Some(AttemptOutcome::RetryRequested),
                error: None,
                by: Some("alice".to_owned()),
                delivery: None,
            },
            AttemptRecord {
                attempt: 2,
                started_at: at(4),
                ended_at: Some(at(9)),
                outcome: Some(AttemptOutcome::Failed),
                error: Some(error),
                by: None,
                delivery: Some(DeliveryId { message_id: "m-1".to_owned(), dequeue_count: 2 }),
            },
        ],
        ..accepted()
    }
}
