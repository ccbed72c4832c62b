use fake_azure::{EMULATOR_ACCOUNT, Operation};
use std::collections::BTreeSet;
use std::time::Duration;
use test_world::{CONTAINER, Fault};

use models::{TaskId, TaskRequest, TaskState, TaskStatus};

use crate::world::{START, World};

/// Stores tasks `0..count`, in turn Pending, InProgress and so on, each a minute younger than the last.
fn fill(world: &World, count: u32) {
    for number in 0..count {
        let name = if number % 2 == 0 { "even &more" } else { "odd" };
        let request = TaskRequest::parse(format!("{{\"TaskName\":\"{name}\"}}").as_bytes()).unwrap();
        let id = TaskId::from_random_bytes(u128::from(number).to_be_bytes());
        let at =
            START.parse::<models::Timestamp>().unwrap().plus(Duration::from_secs(u64::from(number) * 60));
        let mut document = TaskStatus::accepted(id, request, String::new(), at);
        document.state = TaskState::ALL[number as usize % 5];
        world.azure.borrow_mut().put_blob(
            EMULATOR_ACCOUNT,
            CONTAINER,
            &id.status_blob_name(),
            document.to_bytes(),
            "application/json",
            at.to_date_time(),
        );
        world.put_blob(&format!("{id}-result-1"), "not a document");
    }
}

/// Follows the pages to the end; the ids in order, and the number of pages.
async fn all(world: &World, query: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut next = Some(format!("/tasks{query}"));
    while let Some(path) = next {
        let page = world.get(&path).await.json();
        ids.extend(
            page["value"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        assert!(pages < 1000, "the pages must end");
        let link = page["nextLink"].as_str();
        next = link.map(|link| link.strip_prefix("http://api.example").unwrap().to_owned());
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no task twice");
    (ids, pages)
}

#[tokio::test(start_paused = true)]
async fn every_task_is_listed_once_for_every_page_size() {
    let world = World::new();
    fill(&world, 205);
    for (query, least, most) in [("?top=1", 205, 206), ("?top=7", 30, 31), ("", 5, 6), ("?top=200", 2, 4)] {
        let (ids, pages) = all(&world, query).await;
        assert_eq!(ids.len(), 205, "{query}");
        assert!((least..=most).contains(&pages), "{query}: {pages}");
    }
}

#[tokio::test(start_paused = true)]
async fn filters_select_by_status_name_and_time_across_pages() {
    let world = World::new();
    fill(&world, 100);
    for (query, count) in [
        ("?status=NotStarted", 20),
        ("?status=running", 20),
        ("?name=odd", 50),
        ("?name=even%20%26more&top=3", 50),
        ("?name=even+%26more", 50),
        ("?name=Odd", 0),
        ("?createdAfter=2026-11-20T10:49:00Z", 50),
        ("?createdAfter=2026-11-20T12:49:00%2B02:00", 50),
        ("?status=Succeeded&name=odd&createdAfter=2026-11-20T10:00:00Z&top=1", 10),
        ("?status=&name=&top=&createdAfter=&continuation=", 100),
        ("?api-version=2024-01-01", 100),
    ] {
        assert_eq!(all(&world, query).await.0.len(), count, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn list_reads_a_bounded_number_of_documents() {
    let world = World::new();
    fill(&world, 1500);
    world.take_operations();
    let page = world.get("/tasks?name=nothing").await.json();
    assert_eq!(page["value"].as_array().unwrap().len(), 0);
    assert!(page["nextLink"].is_string(), "an empty page may have a next one");
    assert!(world.take_operations().len() <= 600 + 10 + 16);
    assert_eq!(all(&world, "?name=nothing").await.0.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn invalid_list_parameters_are_400() {
    let world = World::new();
    fill(&world, 60);
    let link = world.get("/tasks?top=50").await.json()["nextLink"].as_str().unwrap().to_owned();
    let token = link.rsplit_once('=').unwrap().1.to_owned();
    for query in [
        "top=0",
        "top=201",
        "top=-1",
        "top=%2B5",
        "top=1.5",
        "top=99999999999999999999",
        "status=Pending",
        "createdAfter=yesterday",
        "unknown=1",
        "name=a&name=b",
        "name=%ff",
        "continuation=forged",
        "continuation=..%2F..%2F",
        &format!("continuation={token}x"),
        &format!("name=odd&continuation={token}"),
    ] {
        let response = world.get(&format!("/tasks?{query}")).await;
        assert_eq!(response.kind(), (400, "invalid-parameter".to_owned()), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn continuation_that_storage_refuses_is_400() {
    let world = World::new();
    fill(&world, 250);
    let link = world.get("/tasks?top=200").await.json()["nextLink"].as_str().unwrap().to_owned();
    let path = link.strip_prefix("http://api.example").unwrap().to_owned();
    world.fail_once(Operation::ListBlobs, Fault::error(400, "OutOfRangeInput"));
    assert_eq!(world.get(&path).await.kind(), (400, "invalid-parameter".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn list_omits_unreadable_documents_but_reports_unavailable_storage() {
    let world = World::new();
    fill(&world, 5);
    let broken = TaskId::from_random_bytes([9; 16]);
    world.put_blob(&broken.status_blob_name(), "garbage");
    assert_eq!(all(&world, "").await.0.len(), 5);
    world.fail_once(Operation::GetBlob, Fault::unavailable());
    assert_eq!(world.get("/tasks").await.kind(), (503, "storage-unavailable".to_owned()));
}
