use fake_azure::Operation;
use std::time::Duration;
use test_world::Fault;

use http::{Method, StatusCode};
use models::{MonitorState, TaskState};

use crate::world::{ID, World, id, request};

const ACCEPT: (&str, &str) = ("accept", "text/event-stream");

fn path() -> String {
    format!("/tasks/{ID}/events")
}

#[tokio::test(start_paused = true)]
async fn events_report_every_change_until_the_task_ends() {
    let world = World::new();
    let etag = world.store_as(TaskState::Pending);
    let tag = |etag: &str| etag.trim_matches('"').to_owned();
    let mut events = world.open(&format!("/tasks/{ID}"), &[ACCEPT]).await;
    let begin = world.now();
    let first = events.next().await.unwrap();
    assert_eq!(world.now(), begin, "the first event is told at once");
    let lines: Vec<_> = first.lines().collect();
    assert_eq!(
        (lines[0], lines[1], lines[2]),
        ("retry: 2000", format!("id: {}", tag(&etag)).as_str(), "event: status")
    );
    assert!(lines[3].starts_with("data: {") && first.ends_with("\n\n"));

    let etag = world.change_document(id(), |document| {
        document.state = TaskState::InProgress;
        document.message = Some("line\nbreak".to_owned());
    });
    let (event, monitor) = events.status().await.unwrap();
    assert_eq!((event, monitor.status), (tag(&etag), MonitorState::Running));
    assert_eq!(monitor.message.as_deref(), Some("line\nbreak"));
    world.change_document(id(), |document| document.state = TaskState::Completed);
    let (_, monitor) = events.status().await.unwrap();
    assert_eq!(monitor.status, MonitorState::Succeeded);
    assert_eq!(monitor.resource_location, Some(format!("http://api.example/tasks/{ID}")));
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn reconnecting_client_gets_only_events_after_last_event_id() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    let mut events = world.open(&path(), &[]).await;
    let (seen, _) = events.status().await.unwrap();
    drop(events);

    let mut events = world.open(&path(), &[("last-event-id", &seen)]).await;
    assert_eq!(events.next().await.unwrap(), "retry: 2000\n: resumed\n\n");
    world.change_document(id(), |document| document.state = TaskState::Cancelled);
    let (last, monitor) = events.status().await.unwrap();
    assert_eq!(monitor.status, MonitorState::Canceled);

    let response = world.ask(Method::GET, &path(), &[("last-event-id", &last)], "").await;
    assert_eq!(response.status, StatusCode::NO_CONTENT, "keeps a browser from coming again");
    let mut events = world.open(&path(), &[("last-event-id", "unknown")]).await;
    assert_eq!(events.status().await.unwrap().0, last);
}

#[tokio::test(start_paused = true)]
async fn stream_has_heartbeats_and_ends_after_230_s() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    let begin = world.now();
    let mut events = world.open(&path(), &[]).await;
    events.next().await.unwrap();
    let mut heartbeats = 0;
    let mut last = world.now();
    while let Some(text) = events.next().await {
        assert_eq!(text, ": still here\n\n");
        assert!(world.now().since(last) <= Duration::from_secs(16));
        last = world.now();
        heartbeats += 1;
    }
    let lived = world.now().since(begin);
    assert!((230..232).contains(&lived.as_secs()), "{lived:?}");
    assert!((14..=15).contains(&heartbeats), "{heartbeats}");
}

#[tokio::test(start_paused = true)]
async fn stream_ends_with_gone_when_the_task_is_deleted() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let mut events = world.open(&path(), &[]).await;
    events.next().await.unwrap();
    world.remove_blob(&id().status_blob_name());
    assert_eq!(events.next().await.unwrap(), format!("event: gone\ndata: {{\"id\":\"{ID}\"}}\n\n"));
    assert_eq!(events.next().await, None);
    assert_eq!(world.get(&path()).await.kind(), (404, "task-not-found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn stream_survives_a_failed_read_but_not_an_unreadable_document() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let mut events = world.open(&path(), &[]).await;
    events.next().await.unwrap();
    world.fail_once(Operation::GetBlob, Fault::unavailable());
    let work = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.change_document(id(), |document| document.percent_complete = Some(50));
    };
    let (event, ()) = futures::join!(events.status(), work);
    assert_eq!(event.unwrap().1.percent_complete, Some(50));

    world.put_blob(&id().status_blob_name(), "garbage");
    let begin = world.now();
    assert_eq!(events.next().await, None);
    assert!(world.now().since(begin) < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn sixty_fifth_stream_is_503() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(world.open(&path(), &[]).await);
    }
    let response = world.ask(Method::GET, &path(), &[], "").await;
    assert_eq!(response.kind(), (503, "too-many-streams".to_owned()));
    assert_eq!(response.header("retry-after"), "5");
    open.pop();
    open.push(world.open(&path(), &[]).await);
    // HEAD opens no stream.
    open.clear();
    for _ in 0..100 {
        let response = world.api.handle(request(Method::HEAD, &path(), &[], "")).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_and_waits_of_an_instance_share_reads() {
    let reads = async |streams: usize, waits: usize| {
        let world = World::new();
        world.store_as(TaskState::InProgress);
        world.set_latency(Duration::from_millis(10));
        let path = path();
        let listen = async || {
            let mut events = world.open(&path, &[]).await;
            let mut last = None;
            while let Some((_, monitor)) = events.status().await {
                last = Some(monitor.status);
            }
            assert_eq!(last, Some(MonitorState::Succeeded));
            world.now()
        };
        let task = format!("/tasks/{ID}");
        let wait = async || {
            let response = world.ask(Method::GET, &task, &[("prefer", "wait=30")], "").await;
            assert_eq!(response.monitor().status, MonitorState::Succeeded);
            world.now()
        };
        let end = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            world.change_document(id(), |document| document.state = TaskState::Completed);
            world.now()
        };
        let listeners = futures::future::join_all((0..streams).map(|_| listen()));
        let waiters = futures::future::join_all((0..waits).map(|_| wait()));
        let (told, waited, ended) = futures::join!(listeners, waiters, end);
        for told in told.into_iter().chain(waited) {
            assert!(told.since(ended) <= Duration::from_millis(1200), "{:?}", told.since(ended));
        }
        // Each request reads once at first; the rest are the shared reads.
        world.take_operations().iter().filter(|operation| **operation == Operation::GetBlob).count()
            - streams
            - waits
    };
    let alone = reads(1, 0).await;
    assert!((20..40).contains(&alone), "{alone}");
    let together = reads(40, 20).await;
    assert!(together <= alone + 5, "{together} reads for sixty, {alone} for one");
}
