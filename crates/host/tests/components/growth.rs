//! What the operations cost does not depend on what is stored.

use std::time::Duration;

use test_world::growth::{self, Busy, Idle};

use crate::harness::{NetworkCondition, Setup, World};

/// An application over an account with `ended` tasks that have ended and `waiting` tasks that wait.
fn start(ended: u32, waiting: u32) -> World {
    let world = Setup::with_account_key().set("drain_seconds", "1").in_one_instance().start();
    growth::fill(&mut world.cloud.fake.lock().unwrap(), ended, waiting, world.cloud.now());
    for authority in ["127.0.0.1:10000", "127.0.0.1:10001"] {
        world.cloud.set_condition(authority, NetworkCondition::Slow(Duration::from_millis(5)));
    }
    world
}

async fn busy(stored: u32) -> Busy {
    let world = start(stored, stored);
    growth::busy(async |request| world.call(request).await, &world.cloud.fake).await
}

async fn idle(stored: u32) -> Idle {
    let world = start(stored, 0);
    growth::idle(async |request| world.call(request).await, &world.cloud.fake).await
}

#[tokio::test(start_paused = true)]
async fn requests_of_an_operation_are_the_same_with_100_and_10_000_stored() {
    let (few, many) = (busy(100).await, busy(10_000).await);
    let whole = |Busy { submit, poll, list, next_page, .. }: Busy| (submit, poll, list, next_page);
    assert_eq!(whole(few), whole(many));
    assert_eq!((few.submit, few.poll), (2, 1));
    // The list of the blobs, 50 documents, and documents that were requested before the page was full.
    assert!((51..=66).contains(&few.list) && (51..=66).contains(&few.next_page), "{few:?}");
    for Busy { drained, per_task, .. } in [few, many] {
        assert!(drained >= 100 && per_task < 3.1, "{per_task} requests for each of {drained}");
    }
}

#[tokio::test(start_paused = true)]
async fn sweep_pass_lists_5_000_documents_at_a_time() {
    let small = idle(100).await;
    let large = idle(10_000).await;
    assert_eq!((small.drain, large.drain), (1, 1));
    // The container has the state of the sweep as well: three lists instead of one.
    assert_eq!(large.pass, small.pass + 2, "{large:?}, {small:?}");
}
