//! What a task handler costs that is a component of its own: in terms of one in the worker, at its start, and in memory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bench::{Comparison, Table};
use bytes::Bytes;
use host::{App, Blueprint, Limits, Options};
use http::Request;
use serde_json::{Value, json};

use crate::cpu;
use crate::ratios::cells;
use crate::world::{Credential, Failures, World, blueprint, root};

/// Tasks of one drain.
const TASKS: u16 = 32;
/// Handlers that run at the same time in the last table.
const AT_ONCE: usize = 64;
/// Calls of an instance that is warm.
const CALLS: u32 = 200;
/// A page of memory, in bytes.
const PAGE: usize = 64 * 1024;
/// More memory than any of the examples needs, in pages.
const MAX_PAGES: usize = 4096;

/// An example in `handlers/`.
struct Example {
    name: &'static str,
    input: Value,
    /// The files of its component.
    files: &'static [&'static str],
}

/// The files of components with an adapter.
const OF_JAVASCRIPT: [&str; 2] =
    ["target/wasm32-wasip2/release/handler_adapter.wasm", "handlers/javascript/handler.wasm"];
const OF_PYTHON: [&str; 2] =
    ["target/wasm32-wasip2/release/handler_adapter.wasm", "handlers/python/handler.wasm"];

fn examples() -> [Example; 3] {
    [
        Example {
            name: "rust-http",
            input: json!("to be or not to be"),
            files: &["target/wasm32-wasip2/release/rust_http.wasm"],
        },
        Example { name: "javascript", input: json!("name,size\n\"a, b\",1\nc,2"), files: &OF_JAVASCRIPT },
        Example { name: "python", input: json!([3, 1, 4, 1, 5]), files: &OF_PYTHON },
    ]
}

/// Needs the components of `handlers/`, which `cargo xtask up --handlers` builds.
pub(crate) async fn measure(rounds: usize) -> Result<Vec<Table>> {
    let examples = examples();
    for file in examples.iter().flat_map(|example| example.files) {
        ensure!(
            root().join(file).is_file(),
            "{file} is missing: build the examples with cargo xtask up --handlers"
        );
    }
    Ok(vec![
        in_terms_of_the_worker(&examples, rounds).await?,
        alone(&examples, rounds).await?,
        at_once().await?,
    ])
}

/// Where a manifest is written: beside `spin.toml`, from where its paths start.
const MANIFEST: &str = ".spin-bench.toml";

/// Compiles the application with more entries.
fn with_entries(entries: &str) -> Result<Blueprint> {
    let own = std::fs::read_to_string(root().join("spin.toml")).context("cannot read spin.toml")?;
    compiled(&format!("{own}\n{entries}"))
}

fn compiled(manifest: &str) -> Result<Blueprint> {
    let path = root().join(MANIFEST);
    std::fs::write(&path, manifest).with_context(|| format!("cannot write {}", path.display()))?;
    let compiled = blueprint(&path);
    std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    compiled
}

fn entries(example: &Example) -> Result<String> {
    let path: PathBuf = root().join("handlers").join(example.name).join("spin.toml");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// CPU time of a task from its receipt to its outcome, chained / in the worker, which counts the words of a text too.
async fn in_terms_of_the_worker(examples: &[Example], rounds: usize) -> Result<Table> {
    let mut table = Table::new(&[
        "CPU time of a task in a drain of 32, … / text-statistics",
        "ratio",
        "middle half",
        "µs",
        "µs",
    ]);
    let all: String = examples.iter().map(entries).collect::<Result<Vec<_>>>()?.join("\n");
    let blueprint = with_entries(&all)?;
    let rules: Value = examples.iter().map(|example| (example.name, example.name)).collect();
    let rules = rules.to_string();
    let world =
        World::start_with(&blueprint, Credential::SharedKey, Duration::ZERO, &[("task_handlers", &rules)])?;
    for example in examples {
        let mut comparison = Comparison::default();
        for round in 0..=rounds {
            let chained = cost(&world, example.name, &example.input).await?;
            let own = cost(&world, "text-statistics", &json!("to be or not to be")).await?;
            // The first round warms both sides up.
            if round > 0 {
                comparison.add(chained, own);
            }
        }
        table.row(&cells(example.name, &comparison.ratio()?));
    }
    Ok(table)
}

/// CPU time of one task of a drain, in microseconds.
async fn cost(world: &World, name: &str, input: &Value) -> Result<f64> {
    let task = Bytes::from(json!({"TaskName": name, "Input": input}).to_string());
    world.submit_at_once(&task, usize::from(TASKS)).await?;
    Ok(world.cost(world.drain(u64::from(TASKS))).await? / f64::from(TASKS))
}

/// Size, start, warm call and memory of each example by itself. Its instances start from compiled code.
async fn alone(examples: &[Example], rounds: usize) -> Result<Table> {
    let mut table = Table::new(&["Handler", "KB", "new instance, ms", "warm call, µs of CPU", "memory, KiB"]);
    for example in examples {
        let text =
            format!("spin_manifest_version = 2\n[application]\nname = \"handlers\"\n{}", entries(example)?);
        let text = text.replace("{ private = true }", "\"/\"");
        let blueprint = compiled(&text)?;
        let app = start(&blueprint, None)?;
        run(&app, example).await?;
        let (mut first, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            app.drop_instances(example.name);
            while app.instances(example.name).0 > 0 {
                tokio::task::yield_now().await;
            }
            let started = Instant::now();
            run(&app, example).await?;
            first.push(started.elapsed().as_secs_f64() * 1e3);
            let before = cpu::used();
            for _ in 0..CALLS {
                run(&app, example).await?;
            }
            warm.push(cpu::used().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(CALLS));
        }
        let bytes = example.files.iter().map(|file| size(&root().join(file))).sum::<Result<u64>>()?;
        table.row(&[
            example.name.to_owned(),
            (bytes / 1000).to_string(),
            format!("{:.2}", median(&mut first)),
            format!("{:.0}", median(&mut warm)),
            (memory(&blueprint, example).await? * PAGE / 1024).to_string(),
        ]);
    }
    Ok(table)
}

/// The pages of the smallest limit on an instance's memory under which a handler does its work.
async fn memory(blueprint: &Blueprint, example: &Example) -> Result<usize> {
    let (mut too_few, mut enough) = (0, MAX_PAGES);
    while enough - too_few > 1 {
        let pages = usize::midpoint(too_few, enough);
        let app = start(blueprint, Some(pages * PAGE))?;
        if run(&app, example).await.is_ok() { enough = pages } else { too_few = pages }
    }
    Ok(enough)
}

fn start(blueprint: &Blueprint, max_instance_memory: Option<usize>) -> Result<App> {
    let limits = Limits {
        max_instance_reuse_count: usize::MAX,
        idle_instance_timeout: Duration::from_secs(3600),
        max_instance_memory,
        ..Limits::default()
    };
    let log: std::sync::Arc<dyn host::LogSink> = match max_instance_memory {
        // It fails on purpose.
        Some(_) => std::sync::Arc::new(host::Captured::default()),
        None => std::sync::Arc::new(Failures),
    };
    Ok(blueprint.start(Options { limits, log, ..Options::default() })?)
}

async fn run(app: &App, example: &Example) -> Result<()> {
    let task = json!({"id": "a", "name": example.name, "attempt": 1, "input": example.input});
    let request = Request::post("http://a/").body(Bytes::from(task.to_string()))?;
    let response = app.call(request).await?;
    ensure!(response.status() == 200, "{}: {:?}", response.status(), response.body());
    Ok(())
}

fn size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Tasks of two seconds each in one drain, in the virtual time of the host.
async fn at_once() -> Result<Table> {
    let path = "target/wasm32-wasip2/release/misbehaving_handler.wasm";
    ensure!(root().join(path).is_file(), "{path} is missing: cargo xtask test builds it");
    let entries = format!(
        "[[trigger.http]]\nroute = {{ private = true }}\ncomponent = \"steady\"\n\n[component.steady]\nsource = \"{path}\"\n"
    );
    let blueprint = with_entries(&entries)?;
    let most = AT_ONCE.to_string();
    let set = [("task_handlers", r#"{"steady":"steady"}"#), ("max_concurrency", most.as_str())];
    let world = World::start_with(&blueprint, Credential::SharedKey, Duration::ZERO, &set)?;
    // The first drain asks whether the component exists, for which this handler takes as long as for its work.
    world.drain(0).await?;
    let task = Bytes::from(json!({"TaskName": "steady", "Input": "work"}).to_string());
    world.submit_at_once(&task, AT_ONCE).await?;
    let started = tokio::time::Instant::now();
    world.drain(AT_ONCE as u64).await?;
    let took = started.elapsed();
    let mut table = Table::new(&["Handlers that run for 2 s, in one drain", "seconds"]);
    table.row(&[AT_ONCE.to_string(), format!("{:.1}", took.as_secs_f64())]);
    Ok(table)
}
