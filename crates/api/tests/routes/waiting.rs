//! The cost of clients that wait, in requests to storage.

use std::time::Duration;

use fake_azure::Operation;
use futures::future::join_all;
use http::Method;
use models::{TaskId, TaskRequest, TaskState, TaskStatus};

use crate::world::World;

/// Clients of one instance. Each one waits again as soon as a wait has ended.
const CLIENTS: u8 = 60;
/// Tasks that they follow.
const TASKS: u8 = 4;
/// Waits of a client one after the other, each of ten seconds.
const WAITS: u16 = 6;

#[tokio::test(start_paused = true)]
async fn waiting_clients_of_an_instance_cost_one_read_per_task_and_second() {
    let world = World::new();
    world.set_latency(Duration::from_millis(10));
    let paths: Vec<String> = (0..TASKS).map(|number| running_task(&world, number)).collect();
    let client = async |number: u8| {
        // Clients do not wait in step.
        tokio::time::sleep(Duration::from_millis(u64::from(number) * 157)).await;
        for _ in 0..WAITS {
            let path = &paths[usize::from(number % TASKS)];
            let response = world.ask(Method::GET, path, &[("prefer", "wait=10")], "").await;
            assert_eq!(response.header("preference-applied"), "wait=10");
        }
    };
    let started = world.now();
    join_all((0..CLIENTS).map(client)).await;
    let seconds = world.now().since(started).as_secs();
    let reads = world.take_operations().iter().filter(|operation| **operation == Operation::GetBlob).count();
    // The first read of a request is its own. A task is read more often in its first two seconds.
    let own = usize::from(CLIENTS) * usize::from(WAITS);
    let shared = usize::from(TASKS) * (usize::try_from(seconds).unwrap() + 6);
    assert!(reads <= own + shared, "{reads} reads in {seconds} s; {own} requests");
}

/// Stores a task that runs. Returns its path.
fn running_task(world: &World, number: u8) -> String {
    let id = TaskId::from_random_bytes([number; 16]);
    let request = TaskRequest::parse(b"{}").unwrap();
    let mut document = TaskStatus::accepted(id, request, "https://x".to_owned(), world.now());
    document.state = TaskState::InProgress;
    world.put_document(&document);
    format!("/tasks/{id}")
}
