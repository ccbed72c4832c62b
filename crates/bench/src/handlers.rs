//! What a task handler costs that is a component of its own: in terms of one in the worker, at its start, and in memory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bench::{Comparison, Table};
use bytes::Bytes;
use host::{App, Blueprint, Limits, Options};
use http::Request;
use serde_json::Value;

use crate::cpu;
use crate::ratios::cells;
use crate::sizes::TARGET;
use crate::world::{Credential, Failures, World, blueprint, cargo_build, root};

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

/// A handler that is a component of its own.
pub(crate) struct Example {
    /// The id of its component, also the `TaskName`.
    pub(crate) name: &'static str,
    /// Its entries in a manifest.
    entries: &'static str,
    pub(crate) input: &'static str,
    /// The files of its component.
    files: &'static [&'static str],
}

const ADAPTER: &str = "target/wasm32-wasip2/release/handler_adapter.wasm";

/// The typed handler does the work of the built-in handler that it is compared with.
pub(crate) const RUST: [Example; 2] = [
    Example {
        name: "rust-http",
        entries: "handlers/rust-http/spin.toml",
        input: TEXT,
        files: &["target/wasm32-wasip2/release/rust_http.wasm"],
    },
    Example {
        name: "statistics",
        entries: "crates/bench/statistics/spin.toml",
        input: TEXT,
        files: &[ADAPTER, "target/wasm32-wasip2/release/statistics.wasm"],
    },
];

const OTHERS: [Example; 2] = [
    Example {
        name: "javascript",
        entries: "handlers/javascript/spin.toml",
        input: r#""name,size\n\"a, b\",1\nc,2""#,
        files: &[ADAPTER, "handlers/javascript/handler.wasm"],
    },
    Example {
        name: "python",
        entries: "handlers/python/spin.toml",
        input: "[3, 1, 4, 1, 5]",
        files: &[ADAPTER, "handlers/python/handler.wasm"],
    },
];

/// The built-in handler that others are compared with.
pub(crate) const BUILT_IN: &str = "text-statistics";
/// The JSON of its `Input`.
pub(crate) const TEXT: &str = r#""to be or not to be""#;

/// Needs the components of `handlers/`, which `cargo xtask up --handlers` builds.
pub(crate) async fn measure(rounds: usize) -> Result<Vec<Table>> {
    build()?;
    let examples: Vec<Example> = RUST.into_iter().chain(OTHERS).collect();
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

/// Builds the handlers in Rust and their adapter.
pub(crate) fn build() -> Result<()> {
    let packages = ["rust-http", "statistics", "handler-adapter"].map(|name| ["--package", name]);
    cargo_build(
        &[&["--release", "--target", TARGET, "--target-dir", "target"], packages.as_flattened()].concat(),
    )
}

/// A manifest beside `spin.toml`, from where its paths start. The file is removed when this is dropped.
pub(crate) struct Manifest(pub(crate) PathBuf);

impl Manifest {
    fn write(text: &str) -> Result<Self> {
        let path = root().join(".spin-bench.toml");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    /// The application with more entries.
    fn with_entries(entries: &str) -> Result<Self> {
        let own = std::fs::read_to_string(root().join("spin.toml")).context("cannot read spin.toml")?;
        Self::write(&format!("{own}\n{entries}"))
    }

    /// The application with these handlers.
    pub(crate) fn with_handlers(examples: &[Example]) -> Result<Self> {
        Self::with_entries(&examples.iter().map(entries).collect::<Result<Vec<_>>>()?.join("\n"))
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn entries(example: &Example) -> Result<String> {
    let path = root().join(example.entries);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The variable that routes tasks to these handlers.
pub(crate) fn rules(examples: &[Example]) -> String {
    examples.iter().map(|example| (example.name, example.name)).collect::<Value>().to_string()
}

/// The body of a submission. `input` is JSON.
pub(crate) fn task(name: &str, input: &str) -> Bytes {
    format!(r#"{{"TaskName":"{name}","Input":{input}}}"#).into()
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
    let blueprint = blueprint(&Manifest::with_handlers(examples)?.0)?;
    let set = [("task_handlers", &*rules(examples))];
    let world = World::start_with(&blueprint, Credential::SharedKey, Duration::ZERO, &set)?;
    for example in examples {
        let mut comparison = Comparison::default();
        for round in 0..=rounds {
            let chained = cost(&world, &task(example.name, example.input)).await?;
            let own = cost(&world, &task(BUILT_IN, TEXT)).await?;
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
async fn cost(world: &World, task: &Bytes) -> Result<f64> {
    world.submit_at_once(task, usize::from(TASKS)).await?;
    Ok(world.cost(world.drain(u64::from(TASKS))).await? / f64::from(TASKS))
}

/// Size, start, warm call and memory of each example by itself. Its instances start from compiled code.
async fn alone(examples: &[Example], rounds: usize) -> Result<Table> {
    let mut table = Table::new(&["Handler", "KB", "new instance, ms", "warm call, µs of CPU", "memory, KiB"]);
    for example in examples {
        let text =
            format!("spin_manifest_version = 2\n[application]\nname = \"handlers\"\n{}", entries(example)?);
        let text = text.replace("{ private = true }", "\"/\"");
        let blueprint = blueprint(&Manifest::write(&text)?.0)?;
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
    let Example { name, input, .. } = example;
    let task = format!(r#"{{"id":"a","name":"{name}","attempt":1,"input":{input}}}"#);
    let request = Request::post("http://a/").body(Bytes::from(task))?;
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
    let blueprint = blueprint(&Manifest::with_entries(&entries)?.0)?;
    let most = AT_ONCE.to_string();
    let set = [("task_handlers", r#"{"steady":"steady"}"#), ("max_concurrency", most.as_str())];
    let world = World::start_with(&blueprint, Credential::SharedKey, Duration::ZERO, &set)?;
    // The first drain asks whether the component exists, for which this handler takes as long as for its work.
    world.drain(0).await?;
    world.submit_at_once(&task("steady", r#""work""#), AT_ONCE).await?;
    let started = tokio::time::Instant::now();
    world.drain(AT_ONCE as u64).await?;
    let took = started.elapsed();
    let mut table = Table::new(&["Handlers that run for 2 s, in one drain", "seconds"]);
    table.row(&[AT_ONCE.to_string(), format!("{:.1}", took.as_secs_f64())]);
    Ok(table)
}
