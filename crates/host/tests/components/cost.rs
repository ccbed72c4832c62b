//! What docs/performance.md promises exactly: sizes, and how many storage round trips one waits for.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::header::{ETAG, IF_NONE_MATCH};
use serde_json::json;
use tokio::time::Instant;

use crate::harness::{NetworkCondition, Setup, World, id_of, request};

/// Long against the ten milliseconds that the handler of the tests works.
const LATENCY: Duration = Duration::from_millis(500);

#[test]
fn each_component_is_smaller_than_900_000_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wasm32-wasip2/release");
    for component in ["api_component.wasm", "worker_component.wasm"] {
        let size = std::fs::metadata(folder.join(component)).expect("run cargo xtask build first").len();
        assert!(size < 900_000, "{component} has {size} bytes");
    }
}

/// A warm application whose storage takes [`LATENCY`] for every request from now on.
async fn far_from_storage(mut setup: Setup) -> World {
    // Else an instance ends while storage is waited for elsewhere, and a new one fetches its token anew.
    setup.limits.idle_instance_timeout = Duration::from_secs(3600);
    let world = setup.start();
    world.submit(&json!({"TaskName": "simulate"})).await;
    world.drain().await;
    for authority in ["127.0.0.1:10000", "127.0.0.1:10001"] {
        world.cloud.set_condition(authority, NetworkCondition::Slow(LATENCY));
    }
    world
}

/// How many times [`LATENCY`] passes during `work`.
async fn round_trips<T>(work: impl Future<Output = T>) -> (u128, T) {
    let start = Instant::now();
    let outcome = work.await;
    ((start.elapsed() + LATENCY / 2).as_millis() / LATENCY.as_millis(), outcome)
}

#[tokio::test(start_paused = true)]
async fn submission_takes_two_round_trips_and_a_poll_one() {
    for setup in [Setup::with_account_key(), Setup::keyless()] {
        let world = far_from_storage(setup).await;
        let task = json!({"TaskName": "simulate"});
        let (trips, accepted) = round_trips(world.submit(&task)).await;
        assert_eq!(trips, 2);
        let path = format!("/tasks/{}", id_of(&accepted));
        let (trips, monitor) = round_trips(world.get(&path)).await;
        assert_eq!((trips, monitor.status().as_u16()), (1, 200));
        let mut again = request("GET", &path, Bytes::new());
        again.headers_mut().insert(IF_NONE_MATCH, monitor.headers()[ETAG].clone());
        let (trips, monitor) = round_trips(world.call(again)).await;
        assert_eq!((trips, monitor.status().as_u16()), (1, 304));
    }
}

#[tokio::test(start_paused = true)]
async fn sixteen_submissions_at_once_take_as_long_as_one() {
    let world = far_from_storage(Setup::with_account_key()).await;
    let task = json!({"TaskName": "simulate"});
    assert_eq!(round_trips(join_all((0..16).map(|_| world.submit(&task)))).await.0, 2);
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_batch_wait_for_storage_together() {
    let world = far_from_storage(Setup::with_account_key()).await;
    let task = json!({"TaskName": "simulate"});
    // The upkeep that is due once in a while is done with nothing else to do.
    world.drain().await;
    world.submit(&task).await;
    let (one, counts) = round_trips(world.drain()).await;
    assert_eq!(counts["completed"], 1);
    join_all((0..32).map(|_| world.submit(&task))).await;
    let (many, counts) = round_trips(world.drain()).await;
    assert_eq!(counts["completed"], 32);
    assert!(many <= one + 1, "{many} round trips for 32 tasks, {one} for one");
}
