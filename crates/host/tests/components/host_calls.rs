//! What one operation of a warm instance calls in the host, by name. The numbers do not depend on the machine.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use host::{Blueprint, HostCalls, Runtime};
use http::header::{ETAG, IF_NONE_MATCH};
use serde_json::json;

use crate::harness::{Setup, World, cache, id_of, manifest, request};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md");
const BEGIN: &str = "<!-- host calls: compared by crates/host/tests/components/host_calls.rs -->\n\n";
const END: &str = "\n<!-- end of host calls -->";

type Calls = BTreeMap<String, u64>;

/// Does everything once that only the first request of an instance does.
async fn warm(world: &World) {
    world.submit(&json!({"TaskName": "simulate"})).await;
    // The second drain finds nothing to do: upkeep was due in the first.
    for _ in 0..2 {
        world.drain().await;
    }
    world.get("/healthz").await;
}

/// The calls of each operation, in the order of the columns.
async fn measure(world: &World, calls: &HostCalls) -> Vec<(&'static str, Calls)> {
    let task = json!({"TaskName": "simulate"});
    warm(world).await;
    drop(calls.take());
    let mut columns = Vec::new();
    let accepted = world.submit(&task).await;
    columns.push(("submit", calls.take()));
    let path = format!("/tasks/{}", id_of(&accepted));
    let monitor = world.get(&path).await;
    columns.push(("poll", calls.take()));
    let mut again = request("GET", &path, Bytes::new());
    again.headers_mut().insert(IF_NONE_MATCH, monitor.headers()[ETAG].clone());
    assert_eq!(world.call(again).await.status(), 304);
    columns.push(("poll, 304", calls.take()));
    world.get("/healthz").await;
    columns.push(("health", calls.take()));
    assert_eq!(world.drain().await["completed"], 1);
    columns.push(("drain, 1 task", calls.take()));
    assert_eq!(world.drain().await["received"], 0);
    columns.push(("drain, empty", calls.take()));
    for _ in 0..32 {
        world.submit(&task).await;
    }
    drop(calls.take());
    assert_eq!(world.drain().await["completed"], 32);
    columns.push(("drain, 32 tasks", calls.take()));
    columns
}

/// Rows by name, with the sums last.
fn table(columns: &[(&str, Calls)]) -> String {
    let mut rows: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (column, (_, calls)) in columns.iter().enumerate() {
        for (name, count) in calls {
            rows.entry(name).or_insert_with(|| vec![0; columns.len()])[column] = *count;
        }
    }
    let sums: Vec<u64> = columns.iter().map(|(_, calls)| calls.values().sum()).collect();
    let line = |name: &str, cells: &[u64]| {
        let cells: String = cells.iter().map(|cell| format!(" {cell} |")).collect();
        format!("| {name} |{cells}\n")
    };
    let headings: String = columns.iter().map(|(heading, _)| format!(" {heading} |")).collect();
    let mut text = format!("| Function |{headings}\n|---|{}\n", "--:|".repeat(columns.len()));
    for (name, cells) in rows {
        text += &line(&format!("`{name}`"), &cells);
    }
    text + &line("**all**", &sums)
}

/// Compares with the table in docs/performance.md; `UPDATE_SNAPSHOTS=1` writes it instead.
#[tokio::test(start_paused = true)]
async fn each_operation_makes_the_documented_calls_to_the_host() {
    let (runtime, calls) = Runtime::counting(&cache()).unwrap();
    let blueprint = Blueprint::load(&runtime, &manifest(), &[]).unwrap();
    let world = Setup::with_account_key().in_one_instance().start_on(&blueprint);
    let measured = table(&measure(&world, &calls).await);

    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let begin = document.find(BEGIN).expect("docs/performance.md has the table") + BEGIN.len();
    let end = begin + document[begin..].find(END).expect("the table has an end");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let updated = format!("{}{measured}{}", &document[..begin], &document[end..]);
        std::fs::write(Path::new(DOCUMENT), updated).unwrap();
    } else {
        assert_eq!(&document[begin..end], measured, "UPDATE_SNAPSHOTS=1 writes the table, for review");
    }
}
