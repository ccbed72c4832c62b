use std::time::Duration;

use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{BatchOutcome, BatchResponse, TaskId};
use serde_json::json;
use test_world::Fault;

use crate::world::{TestResponse, World};

fn outcomes(response: &TestResponse) -> Vec<BatchOutcome> {
    assert_eq!(response.status, StatusCode::MULTI_STATUS, "{response:?}");
    serde_json::from_slice::<BatchResponse>(&response.body).unwrap().value
}

fn statuses(response: &TestResponse) -> Vec<u16> {
    outcomes(response).iter().map(|outcome| outcome.status).collect()
}

fn id(number: u32) -> TaskId {
    TaskId::from_random_bytes(u128::from(number).to_be_bytes())
}

/// Tasks `0..count`, each with its id.
fn tasks(count: u32) -> String {
    let tasks: Vec<_> = (0..count).map(|number| json!({ "TaskId": id(number), "Input": number })).collect();
    json!(tasks).to_string()
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_in_the_order_of_the_tasks() {
    let world = World::new();
    let body = json!({ "Tasks": [
        { "TaskId": id(1), "TaskName": "first" },
        { "TaskName": "" },
        7,
        { "TaskId": id(1), "TaskName": "other" },
        { "TaskId": id(1), "TaskName": "first", "Status": 3 },
        { "TaskName": "second", "NotBefore": "2026-11-28T10:00:00Z" },
    ]});
    let response = world.post("/tasks:batch", &body.to_string()).await;
    let outcomes = outcomes(&response);
    let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
    assert_eq!(statuses, [202, 400, 400, 422, 202, 400]);

    assert_eq!(outcomes[0].id, Some(id(1)));
    let address = format!("http://api.example/tasks/{}", id(1));
    assert_eq!((outcomes[0].operation_location.as_ref(), &outcomes[0].problem), (Some(&address), &None));
    assert_eq!(outcomes[4], outcomes[0]);
    let problem = outcomes[1].problem.as_ref().unwrap();
    assert_eq!((problem.status, problem.kind.as_str()), (400, "/problems/invalid-body"));
    assert_eq!(problem.detail.as_deref(), Some("TaskName: must have 1 to 4096 characters"));
    assert_eq!(problem.instance.as_deref(), Some("/tasks:batch"));
    assert_eq!((outcomes[1].id, &outcomes[1].operation_location), (None, &None));
    assert_eq!(outcomes[3].problem.as_ref().unwrap().kind, "/problems/content-differs");
    assert_eq!(world.document(id(1)).unwrap().task_name, "first");
    assert_eq!(world.sent().len(), 2, "the repeated task sends its message again");
}

#[tokio::test(start_paused = true)]
async fn hundred_tasks_are_stored_sixteen_at_a_time() {
    let world = World::new();
    world.post("/tasks", "{}").await;
    world.take_operations();
    world.set_latency(Duration::from_millis(10));
    let begin = tokio::time::Instant::now();
    let response = world.post("/tasks:batch", &tasks(100)).await;
    assert_eq!(statuses(&response), [202; 100]);
    // Seven rounds of two requests.
    assert_eq!(begin.elapsed(), Duration::from_millis(7 * 2 * 10));
    assert_eq!(world.take_operations().len(), 200);
    assert_eq!(world.sent().len(), 101);
}

#[tokio::test(start_paused = true)]
async fn batch_of_another_form_or_size_is_400_and_stores_nothing() {
    let world = World::new();
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "7",
        "[{},",
        r#"{"tasks":{}}"#,
        r#"{"tasks":null}"#,
        r#"{"tasks":[]}"#,
        &tasks(101),
        &format!(r#"{{"tasks":{}}}"#, tasks(101)),
    ] {
        assert_eq!(world.post("/tasks:batch", body).await.kind(), (400, "invalid-body".to_owned()), "{body}");
    }
    assert!(world.blob_names().is_empty() && world.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn repeated_batch_accepts_the_same_tasks() {
    let world = World::new();
    for (headers, body) in [
        (&[][..], tasks(20)),
        (&[("idempotency-key", "import-7")], r#"[{"TaskName":"a"},{"TaskName":"b"}]"#.to_owned()),
    ] {
        let first = world.ask(Method::POST, "/tasks:batch", headers, &body).await;
        let blobs = world.blob_names();
        let second = world.ask(Method::POST, "/tasks:batch", headers, &body).await;
        assert_eq!(outcomes(&second), outcomes(&first));
        assert_eq!(world.blob_names(), blobs);
    }
    let other = world
        .ask(Method::POST, "/tasks:batch", &[("idempotency-key", "import-7")], r#"[{"TaskName":"b"}]"#)
        .await;
    assert_eq!(statuses(&other), [422]);
}

#[tokio::test(start_paused = true)]
async fn failure_of_one_task_leaves_the_others_accepted() {
    let world = World::new();
    world.post("/tasks", "{}").await;
    let mut puts = 0;
    world.fail(move |request| {
        puts += u32::from(request.operation == Operation::PutMessage);
        let is_second = request.operation == Operation::PutMessage && puts == 2;
        if is_second { Fault::unavailable() } else { Fault::None }
    });
    let response = world.post("/tasks:batch", &tasks(3)).await;
    let first = outcomes(&response);
    assert_eq!(statuses(&response), [202, 503, 202]);
    assert_eq!(response.header("retry-after"), "30");
    assert_eq!(first[1].id, Some(id(1)), "the client can repeat it under this id");
    assert_eq!(first[1].problem.as_ref().unwrap().kind, "/problems/storage-unavailable");

    world.end_faults();
    let response = world.post("/tasks:batch", &tasks(3)).await;
    assert_eq!((statuses(&response), response.header("retry-after")), (vec![202; 3], ""));
}

#[tokio::test(start_paused = true)]
async fn tasks_not_started_within_30_s_are_503() {
    let world = World::new();
    world.post("/tasks", "{}").await;
    world.set_latency(Duration::from_secs(8));
    let response = world.post("/tasks:batch", &tasks(60)).await;
    // Two rounds of two requests each are started before the limit.
    assert_eq!(statuses(&response), [[202; 32].as_slice(), &[503; 28]].concat());
    assert_eq!(response.header("retry-after"), "5");
    world.set_latency(Duration::ZERO);
    assert_eq!(statuses(&world.post("/tasks:batch", &tasks(60)).await), [202; 60]);
}

#[tokio::test(start_paused = true)]
async fn long_queue_refuses_the_whole_batch() {
    let world = World::with(&[("queue_depth_limit", "2")]);
    world.set_queue_length(3);
    assert_eq!(world.post("/tasks:batch", &tasks(2)).await.kind(), (429, "overloaded".to_owned()));
    assert!(world.blob_names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn batch_does_not_wait_and_hides_another_callers_tasks() {
    // SHA-256 of "secret" and of "other".
    let hashes = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b,\
                  d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
    let world = World::with(&[("api_auth", "api-key"), ("api_key_hashes", hashes)]);
    let ask = async |key: &str| {
        let headers = [("api-key", key), ("prefer", "wait=30")];
        let begin = tokio::time::Instant::now();
        let response = world.ask(Method::POST, "/tasks:batch", &headers, &tasks(1)).await;
        assert!(begin.elapsed() < Duration::from_secs(1));
        response
    };
    assert_eq!(statuses(&ask("secret").await), [202]);
    let outcome = outcomes(&ask("other").await).remove(0);
    assert_eq!((outcome.status, outcome.operation_location), (409, None));
    assert_eq!(world.post("/tasks:batch", &tasks(1)).await.kind(), (401, "unauthorized".to_owned()));
}
