//! A new handler in each language, from an empty folder to a completed task.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::system::System;
use serde_json::{Value, json};
use xtask::handlers::build;
use xtask::handlers::scaffold::{Language, create};
use xtask::root;
use xtask::stack::address::free_address;
use xtask::stack::http::Client;

/// How long a task may take, with the first start of a handler on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

const HANDLERS: [(&str, Language, &[&str]); 3] = [
    ("greeting-in-rust", Language::Rust, &["cargo", "test", "--quiet"]),
    ("greeting-in-javascript", Language::Javascript, &["npm", "test"]),
    ("greeting-in-python", Language::Python, &["python3", "-m", "unittest"]),
];

#[test]
fn new_handler_in_each_language_passes_its_tests_and_completes_a_task() {
    if let Err(error) = run() {
        panic!("{error:#}");
    }
}

fn run() -> Result<()> {
    let system = System::new("handlers", Vec::new())?;
    let application = application()?;
    for (name, language, test) in HANDLERS {
        create(&application, &root().join("templates"), name, language)?;
        let (program, arguments) = test.split_first().context("a command has a name")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(application.join("handlers").join(name));
        ensure!(command.status()?.success(), "the tests of {name} fail");
    }
    let manifest = application.join("spin.toml");
    build::handlers(&application, &std::fs::read_to_string(&manifest)?, None)?;
    let address = free_address()?.to_string();
    let _storage = system.storage()?;
    let _host = system.host_of(&manifest, &address)?;
    let _launcher = system.launcher(&address)?;
    for (name, ..) in HANDLERS {
        let monitor = completed(&address, name).context(system.log())?;
        let result = json!({"greeting": "Hello, Ada"});
        ensure!(monitor.get("result") == Some(&result), "{name}: {monitor}");
    }
    Ok(())
}

/// A new folder with the manifest of the application and what that names.
fn application() -> Result<PathBuf> {
    let folder = root().join("target/e2e/application");
    // From an earlier run; there may be none.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(root().join("spin.toml"), folder.join("spin.toml"))?;
    for name in ["target", "web"] {
        link(&root().join(name), &folder.join(name))?;
    }
    Ok(folder)
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> Result<()> {
    Ok(std::os::unix::fs::symlink(from, to)?)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> Result<()> {
    bail!("this test needs symbolic links");
}

/// Submits a task as soon as the application responds, and waits for its end.
fn completed(address: &str, name: &str) -> Result<Value> {
    let client = Client::default();
    let task = json!({"TaskName": name, "Input": {"name": "Ada"}});
    let started = Instant::now();
    let mut monitor = None;
    while started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(50));
        let Some(url) = &monitor else {
            let response = client.post(&format!("http://{address}/tasks"), &task);
            let accepted = response.ok().filter(|response| response.status() == 202);
            monitor = accepted.map(|response| response.header("operation-location").to_owned());
            continue;
        };
        let document = client.get(url)?.json();
        match document.get("status").and_then(Value::as_str) {
            Some("NotStarted" | "Running") => {}
            Some("Succeeded") => return Ok(document),
            _ => bail!("the task ended: {document}"),
        }
    }
    bail!("no end within {LIMIT:?}")
}
