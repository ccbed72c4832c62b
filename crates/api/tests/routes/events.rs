use std::time::Duration;

use http::{Method, StatusCode};
use models::{MonitorState, TaskState};

use crate::memory::unavailable;
use crate::world::{ID, World, id, request};

const ACCEPT: (&str, &str) = ("accept", "text/event-stream");

fn path() -> String {
    format!("/tasks/{ID}/events")
}

#[tokio::test(start_paused = true)]
async fn every_change_is_told_from_the_present_state_to_the_end() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    let mut events = world.open(&format!("/tasks/{ID}"), &[ACCEPT]).await;
    let begin = world.now();
    let first = events.next().await.unwrap();
    assert_eq!(world.now(), begin, "the first event is told at once");
    let lines: Vec<_> = first.lines().collect();
    assert_eq!((lines[0], lines[1], lines[2]), ("retry: 2000", "id: 0x8D0001", "event: status"));
    assert!(lines[3].starts_with("data: {") && first.ends_with("\n\n"));

    world.memory.change(id(), |document| {
        document.state = TaskState::InProgress;
        document.message = Some("line\nbreak".to_owned());
    });
    let (event, monitor) = events.status().await.unwrap();
    assert_eq!((event.as_str(), monitor.status), ("0x8D0002", MonitorState::Running));
    assert_eq!(monitor.message.as_deref(), Some("line\nbreak"));
    world.memory.change(id(), |document| document.state = TaskState::Completed);
    let (_, monitor) = events.status().await.unwrap();
    assert_eq!(monitor.status, MonitorState::Succeeded);
    assert_eq!(monitor.resource_location, Some(format!("http://api.example/tasks/{ID}")));
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_is_told_only_what_it_has_not_seen() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    let mut events = world.open(&path(), &[]).await;
    let (seen, _) = events.status().await.unwrap();
    drop(events);

    let mut events = world.open(&path(), &[("last-event-id", &seen)]).await;
    assert_eq!(events.next().await.unwrap(), "retry: 2000\n: resumed\n\n");
    world.memory.change(id(), |document| document.state = TaskState::Cancelled);
    let (last, monitor) = events.status().await.unwrap();
    assert_eq!(monitor.status, MonitorState::Canceled);

    let reply = world.ask(Method::GET, &path(), &[("last-event-id", &last)], "").await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "keeps a browser from coming again");
    let mut events = world.open(&path(), &[("last-event-id", "unknown")]).await;
    assert_eq!(events.status().await.unwrap().0, last);
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_heartbeats_and_the_stream_ends_before_the_ingress_ends_it() {
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
async fn a_task_that_is_deleted_ends_its_streams() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let mut events = world.open(&path(), &[]).await;
    events.next().await.unwrap();
    world.memory.remove(&id().status_blob_name());
    assert_eq!(events.next().await.unwrap(), format!("event: gone\ndata: {{\"id\":\"{ID}\"}}\n\n"));
    assert_eq!(events.next().await, None);
    assert_eq!(world.get(&path()).await.kind(), (404, "task-not-found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_stream_outlives_a_failure_of_storage_but_not_a_lasting_one() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let mut events = world.open(&path(), &[]).await;
    events.next().await.unwrap();
    world.memory.fail_once("read", unavailable());
    let work = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.memory.change(id(), |document| document.percent_complete = Some(50));
    };
    let (event, ()) = futures::join!(events.status(), work);
    assert_eq!(event.unwrap().1.percent_complete, Some(50));

    world.memory.set_bytes(id().status_blob_name(), "garbage");
    let begin = world.now();
    assert_eq!(events.next().await, None);
    assert!(world.now().since(begin) < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn so_many_streams_and_no_more_are_open_at_a_time() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(world.open(&path(), &[]).await);
    }
    let reply = world.ask(Method::GET, &path(), &[], "").await;
    assert_eq!(reply.kind(), (503, "too-many-streams".to_owned()));
    assert_eq!(reply.header("retry-after"), "5");
    open.pop();
    open.push(world.open(&path(), &[]).await);
    // What is only asked for with HEAD holds no place.
    open.clear();
    for _ in 0..100 {
        let answer = world.api.handle(request(Method::HEAD, &path(), &[], "")).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn the_streams_and_waits_of_an_instance_share_one_read_of_a_task() {
    let reads = async |streams: usize, waits: usize| {
        let world = World::new();
        world.store_as(TaskState::InProgress);
        world.memory.0.latency.set(Duration::from_millis(10));
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
            let reply = world.ask(Method::GET, &task, &[("prefer", "wait=30")], "").await;
            assert_eq!(reply.monitor().status, MonitorState::Succeeded);
            world.now()
        };
        let end = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            world.memory.change(id(), |document| document.state = TaskState::Completed);
            world.now()
        };
        let listeners = futures::future::join_all((0..streams).map(|_| listen()));
        let waiters = futures::future::join_all((0..waits).map(|_| wait()));
        let (told, answered, ended) = futures::join!(listeners, waiters, end);
        for told in told.into_iter().chain(answered) {
            assert!(told.since(ended) <= Duration::from_millis(1200), "{:?}", told.since(ended));
        }
        // One for each request to begin with, the others are looks.
        world.memory.take_requests().iter().filter(|request| **request == "read").count() - streams - waits
    };
    let alone = reads(1, 0).await;
    assert!((20..40).contains(&alone), "{alone}");
    let together = reads(40, 20).await;
    assert!(together <= alone + 5, "{together} reads for sixty, {alone} for one");
}
