use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{BulkReport, TaskId, TaskRequest, TaskState, TaskStatus};
use storage::QueueName;
use test_world::Fault;

use crate::world::{START, TestResponse, World};

fn id(number: u32) -> TaskId {
    TaskId::from_random_bytes(u128::from(number).to_be_bytes())
}

/// Stores tasks `0..count`, in turn Pending, InProgress, Completed, Failed and Cancelled, of two names.
fn fill(world: &World, count: u32) {
    for number in 0..count {
        let name = if number % 2 == 0 { "even" } else { "odd" };
        let request = TaskRequest::parse(format!("{{\"TaskName\":\"{name}\"}}").as_bytes()).unwrap();
        let mut document = TaskStatus::accepted(id(number), request, String::new(), START.parse().unwrap());
        document.state = TaskState::ALL[number as usize % 5];
        world.put_document(&document);
    }
}

fn report(response: &TestResponse) -> BulkReport {
    assert_eq!(response.status, StatusCode::OK, "{response:?}");
    serde_json::from_slice(&response.body).unwrap()
}

/// Follows the pages to the end; the sum of the counts, and the number of pages.
async fn all(world: &World, path: &str) -> (BulkReport, usize) {
    let (mut sum, mut pages, mut next) = (BulkReport::default(), 0, Some(path.to_owned()));
    while let Some(path) = next {
        let page = report(&world.post(&path, "").await);
        sum.changed += page.changed;
        sum.skipped += page.skipped;
        sum.failed += page.failed;
        pages += 1;
        assert!(pages < 1000, "the pages must end");
        next = page.next_link.map(|link| link.strip_prefix("http://api.example").unwrap().to_owned());
    }
    (sum, pages)
}

fn states(world: &World, count: u32) -> Vec<Option<TaskState>> {
    (0..count).map(|number| world.document(id(number)).map(|document| document.state)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_action_changes_what_it_applies_to() {
    use TaskState::{Cancelled, Completed, Failed, InProgress, Pending};
    for (path, changed, expected) in [
        (
            "/tasks:cancel",
            2,
            [Some(Cancelled), Some(InProgress), Some(Completed), Some(Failed), Some(Cancelled)],
        ),
        (
            "/tasks:retry",
            1,
            [Some(Pending), Some(InProgress), Some(Completed), Some(Pending), Some(Cancelled)],
        ),
        ("/tasks:delete", 3, [Some(Pending), Some(InProgress), None, None, None]),
    ] {
        let world = World::new();
        fill(&world, 5);
        let done = report(&world.post(path, "").await);
        assert_eq!(done, BulkReport { changed, ..BulkReport::default() }, "{path}");
        assert_eq!(states(&world, 5), expected, "{path}");
        let retried = path.ends_with("retry");
        let messages: Vec<_> = world.sent().iter().map(|message| message.queue).collect();
        assert_eq!(messages, if retried { vec![QueueName::Tasks] } else { vec![] });
        let running = world.document(id(1)).unwrap();
        assert_eq!(running.cancel_requested_at.is_some(), path.ends_with("cancel"));
        let again = report(&world.post(path, "").await);
        assert_eq!(again.changed, 0, "{path}: a second time there is nothing to do");
    }
}

#[tokio::test(start_paused = true)]
async fn filters_and_pages_reach_every_selected_task_once() {
    for (query, changed, least_pages) in
        [("?top=7", 80, 12), ("?top=200&status=NotStarted", 40, 1), ("?name=odd&top=1", 40, 40)]
    {
        let world = World::new();
        fill(&world, 200);
        let (sum, pages) = all(&world, &format!("/tasks:cancel{query}")).await;
        assert_eq!((sum.changed, sum.skipped, sum.failed), (changed, 0, 0), "{query}");
        assert!((least_pages..=least_pages + 2).contains(&pages), "{query}: {pages}");
    }
}

#[tokio::test(start_paused = true)]
async fn task_that_starts_meanwhile_is_skipped_by_its_filter() {
    let world = Rc::new(World::new());
    fill(&world, 1);
    let (mut first, changing) = (true, Rc::clone(&world));
    world.fail(move |request| {
        // A worker starts the task between the read of the selection and the read before the change.
        if request.operation == Operation::GetBlob && !std::mem::take(&mut first) {
            changing.change_document(id(0), |document| document.state = TaskState::InProgress);
        }
        Fault::None
    });
    let done = report(&world.post("/tasks:cancel?status=NotStarted", "").await);
    assert_eq!(done, BulkReport { skipped: 1, ..BulkReport::default() });
    assert_eq!(world.document(id(0)).unwrap().cancel_requested_at, None);
    world.end_faults();
}

#[tokio::test(start_paused = true)]
async fn lost_responses_are_counted_as_changes() {
    for (path, operation) in [
        ("/tasks:cancel?status=NotStarted", Operation::PutBlob),
        ("/tasks:retry?status=Failed", Operation::PutBlob),
        ("/tasks:delete?status=Failed", Operation::DeleteBlob),
    ] {
        let world = World::new();
        fill(&world, 5);
        world.fail_once(operation, Fault::ResponseLost);
        let done = report(&world.post(path, "").await);
        assert_eq!(done, BulkReport { changed: 1, ..BulkReport::default() }, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_changes_are_counted_and_the_rest_goes_on() {
    let world = World::new();
    fill(&world, 10);
    world.fail(|request| {
        let is_one = request.path.contains(&id(5).to_string()) && request.operation == Operation::PutBlob;
        if is_one { Fault::unavailable() } else { Fault::None }
    });
    let done = report(&world.post("/tasks:cancel?status=NotStarted", "").await);
    assert_eq!(done, BulkReport { changed: 1, failed: 1, ..BulkReport::default() });
}

#[tokio::test(start_paused = true)]
async fn slow_storage_ends_the_page_after_30_s() {
    let world = World::new();
    fill(&world, 500);
    world.set_latency(Duration::from_millis(2_000));
    let begin = tokio::time::Instant::now();
    let done = report(&world.post("/tasks:cancel?status=NotStarted&top=100", "").await);
    assert!(begin.elapsed() < Duration::from_secs(90), "{:?}", begin.elapsed());
    assert!(done.changed < 100 && done.next_link.is_some(), "{done:?}");
    world.set_latency(Duration::ZERO);
    let next = done.next_link.unwrap();
    let (rest, _) = all(&world, next.strip_prefix("http://api.example").unwrap()).await;
    assert_eq!(done.changed + rest.changed, 100);
    let left: BTreeSet<_> = states(&world, 500).into_iter().flatten().collect();
    assert!(!left.contains(&TaskState::Pending));
}

#[tokio::test(start_paused = true)]
async fn unknown_parameter_method_or_action_is_refused() {
    let world = World::new();
    fill(&world, 5);
    for path in ["/tasks:delete?state=Failed", "/tasks:delete?top=0", "/tasks:cancel?continuation=x"] {
        assert_eq!(world.post(path, "").await.kind(), (400, "invalid-parameter".to_owned()), "{path}");
    }
    assert_eq!(world.get("/tasks:delete").await.kind(), (405, "method-not-allowed".to_owned()));
    assert_eq!(world.post("/tasks:purge", "").await.kind(), (404, "not-found".to_owned()));
    assert_eq!(states(&world, 5).into_iter().flatten().count(), 5);
}

#[tokio::test(start_paused = true)]
async fn caller_changes_only_own_tasks() {
    // SHA-256 of "secret".
    let hashes = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let world = World::with(&[("api_auth", "api-key"), ("api_key_hashes", hashes)]);
    fill(&world, 2);
    world.change_document(id(0), |document| document.owner = Some("key:2bb80d537b1da3e3".to_owned()));
    let headers = [("api-key", "secret")];
    let done = report(&world.ask(Method::POST, "/tasks:cancel", &headers, "").await);
    assert_eq!(done.changed, 1);
    assert_eq!(states(&world, 2), [Some(TaskState::Cancelled), Some(TaskState::InProgress)]);
    assert_eq!(world.post("/tasks:cancel", "").await.kind(), (401, "unauthorized".to_owned()));
}
