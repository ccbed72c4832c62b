//! A host that hangs in the middle of its tasks loses their leases; another worker completes them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use e2e::system::{System, VISIBILITY_TIMEOUT};
use e2e::tasks::{check_unchanged, submit, wait_for_all};
use serde_json::Value;
use xtask::stack::address::free_address;
use xtask::stack::http::Client;

const TASKS: usize = 20;
/// For everything, on a slow machine.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn tasks_of_a_hung_host_are_completed_by_another() {
    // Long enough to be found running: a task lasts 1 to 57 units.
    let settings = vec![("SPIN_VARIABLE_SIMULATE_UNIT_MS", "100".to_owned())];
    let outcome = System::new("hung-host", settings).and_then(|system| hang(&system));
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

fn hang(system: &System) -> Result<()> {
    let started = Instant::now();
    let in_time = |what: &str| match started.elapsed() > LIMIT {
        true => bail!("{what}; see {}", system.log()),
        false => Ok(()),
    };
    let (first, second) = (free_address()?.to_string(), free_address()?.to_string());
    let base = format!("http://{second}");
    let _storage = system.storage()?;
    let hung = system.host(&first)?;
    let _first_launcher = system.launcher(&first)?;
    // The second host serves the API; its worker is not driven yet.
    let _host = system.host(&second)?;
    for number in 0..TASKS {
        submit(&base, number, || started.elapsed() > LIMIT)?;
    }
    let client = Client::default();
    while running(&client, &base)? == 0 {
        in_time("no task was started")?;
        std::thread::sleep(Duration::from_millis(20));
    }
    hung.pause();
    if running(&client, &base)? == 0 {
        bail!("the host hung too late: none of its tasks is running");
    }

    let _second_launcher = system.launcher(&second)?;
    let ends = wait_for_all(&base, TASKS, |open| in_time(&format!("{open} tasks have not ended")))?;
    hung.resume();
    // What the first host still writes is refused by the conditions of its writes.
    std::thread::sleep(VISIBILITY_TIMEOUT * 2);
    check_unchanged(&base, &ends)
}

/// How many tasks are running.
fn running(client: &Client, base: &str) -> Result<usize> {
    let list = client.get(&format!("{base}/tasks"))?.json();
    let tasks = list.get("value").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(tasks.iter().filter(|task| task.get("status").and_then(Value::as_str) == Some("Running")).count())
}
