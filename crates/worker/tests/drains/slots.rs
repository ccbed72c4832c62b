//! How fully one drain uses its slots over a backlog, and how many receives that takes.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::world::{World, run};

/// The default of `max_concurrency`.
const SLOTS: usize = 32;
/// Duration of a request to storage: an even number of milliseconds, because half of it passes on each way.
const LATENCY: Duration = Duration::from_millis(6);
/// Virtual time between two samples; less than a request takes.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(1);

/// How one drain worked off the backlog.
struct Usage {
    /// Mean share of the slots for which the drain held a message while others waited.
    held: f64,
    /// The most messages that the drain held at a time.
    most_held: usize,
    /// Number of Get Messages requests.
    receives: usize,
}

/// Drains a backlog of `tasks` tasks called `name`.
async fn usage(world: &Rc<World>, name: &str, tasks: u32, latency: Duration) -> Usage {
    for _ in 0..tasks {
        world.submit(name, |_| {}).await;
    }
    world.set_latency(latency);
    let sampler = tokio::task::spawn_local(sample(Rc::clone(world)));
    let counts = world.worker(&[("drain_seconds", "600")]).drain().await;
    assert_eq!(counts["completed"], tasks, "{counts}");
    let (held, most_held) = sampler.await.unwrap();
    let receives = world.requests().iter().filter(|line| line.starts_with("GetMessages")).count();
    Usage { held, most_held, receives }
}

/// Samples how many messages are held until none waits. Returns their mean share of the slots and the maximum.
async fn sample(world: Rc<World>) -> (f64, usize) {
    let (mut samples, mut used, mut most) = (0, 0.0, 0);
    loop {
        let now = world.now().to_date_time();
        let messages = world.messages("");
        let held = messages.iter().filter(|message| message.visible_at > now).count();
        if held == messages.len() {
            return (used / f64::from(samples), most);
        }
        (samples, most) = (samples + 1, most.max(held));
        used += f64::from(u32::try_from(held.min(SLOTS)).unwrap()) / f64::from(u32::try_from(SLOTS).unwrap());
        tokio::time::sleep(SAMPLE_INTERVAL).await;
    }
}

/// A handler whose tasks take 20 to 80 ms and have a result of `bytes` bytes.
fn respond_to_tasks(world: &World, bytes: usize) {
    let mut calls = 0;
    world.respond_to_tasks(move |_| {
        calls += 1;
        let time = Duration::from_millis(20 + calls * 7919 % 61);
        (time, Response::new(Bytes::from(vec![b'x'; bytes])))
    });
}

#[test]
fn drain_of_immediate_tasks_keeps_its_slots_full() {
    run(|world| async move {
        let usage = usage(&world, "checksum", 1000, LATENCY).await;
        assert!(usage.held > 0.98, "{}", usage.held);
        assert!(usage.most_held <= 2 * SLOTS, "{}", usage.most_held);
        assert!(usage.receives <= 40, "{} receives", usage.receives);
    });
}

#[test]
fn drain_of_tasks_of_different_durations_keeps_its_slots_full() {
    for (latency, least_held) in [(Duration::ZERO, 0.87), (LATENCY, 0.93)] {
        run(|world| async move {
            respond_to_tasks(&world, 0);
            let usage = usage(&world, "routed", 320, latency).await;
            assert!(usage.held > least_held, "{latency:?}: {}", usage.held);
            assert!(usage.most_held <= 2 * SLOTS, "{}", usage.most_held);
            assert!(usage.receives <= 44, "{latency:?}: {} receives", usage.receives);
        });
    }
}

#[test]
fn task_with_a_large_result_keeps_its_slot() {
    run(|world| async move {
        respond_to_tasks(&world, 20 * 1024);
        let usage = usage(&world, "routed", 128, LATENCY).await;
        assert_eq!(usage.most_held, SLOTS, "results in memory are bounded by the slots");
    });
}
