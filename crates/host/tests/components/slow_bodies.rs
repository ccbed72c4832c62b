//! Storage whose responses begin in time and whose bodies do not end.

use std::time::Duration;

use tokio::time::Instant;

use crate::harness::{NetworkCondition, Setup, World, header, id_of, json, problem};

const BLOBS: &str = "127.0.0.1:10000";
/// The longest time of one storage operation, all tries included, and a second in which its last try may begin.
const LONGEST_OPERATION: Duration = Duration::from_secs(31);
/// A document takes minutes.
const DRIPPING: NetworkCondition = NetworkCondition::Drips(Duration::from_millis(500));

fn start() -> World {
    Setup::with_account_key().in_one_instance().start()
}

#[tokio::test(start_paused = true)]
async fn poll_ends_in_time_when_storage_sends_no_complete_document() {
    for condition in [DRIPPING, NetworkCondition::Stalls, NetworkCondition::BreaksOff] {
        let world = start();
        let path =
            format!("/tasks/{}", id_of(&world.submit(&serde_json::json!({"TaskName": "checksum"})).await));
        world.cloud.set_condition(BLOBS, condition);
        let began = Instant::now();
        let poll = async {
            let response = world.get(&path).await;
            let problem = problem(&response, 503);
            assert_eq!(problem["type"], "/problems/storage-unavailable", "{condition:?}: {problem}");
            assert!(header(&response, "retry-after").parse::<u64>().is_ok());
            let elapsed = began.elapsed();
            assert!(elapsed <= LONGEST_OPERATION, "{condition:?}: {elapsed:?}");
        };
        // Another request of the same instance does not wait for it.
        let neighbour = async {
            assert_eq!(world.get("/healthz").await.status(), 200);
            assert!(began.elapsed() < Duration::from_secs(1), "{condition:?}: {:?}", began.elapsed());
        };
        tokio::join!(poll, neighbour);
        world.cloud.end_condition(BLOBS);
        assert_eq!(world.get(&path).await.status(), 200, "{condition:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn drain_loses_no_task_when_storage_sends_no_complete_document() {
    for condition in [DRIPPING, NetworkCondition::Stalls, NetworkCondition::BreaksOff] {
        let world = start();
        // Its document is too large for the message, so that the worker has to read it.
        let task = serde_json::json!({"TaskName": "checksum", "Input": "x".repeat(100_000)});
        let path = format!("/tasks/{}", id_of(&world.submit(&task).await));
        world.cloud.set_condition(BLOBS, condition);
        let began = Instant::now();
        let counts = world.drain().await;
        assert_eq!(
            (&counts["completed"], &counts["lost"]),
            (&0.into(), &1.into()),
            "{condition:?}: {counts}"
        );
        let elapsed = began.elapsed();
        assert!(elapsed <= 2 * LONGEST_OPERATION, "{condition:?}: {elapsed:?}");
        world.cloud.end_condition(BLOBS);
        // The message is hidden for a back-off of at most a minute.
        tokio::time::sleep(Duration::from_secs(120)).await;
        let counts = world.drain().await;
        assert_eq!(counts["completed"], 1, "{condition:?}: {counts}");
        assert_eq!(json(&world.get(&path).await)["status"], "Succeeded");
    }
}
