//! docs/first-handler.md in each language, from an empty folder to a completed task: every command of the page is executed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::system::System;
use serde_json::{Value, json};
use xtask::handlers::build;
use xtask::root;
use xtask::stack::address::free_address;
use xtask::stack::http::Client;

/// How long a task may take, with the first start of a handler on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The name of the handler on the page, and the language that its command has.
const NAME: &str = "greeting";
const SHOWN_LANGUAGE: &str = "python";
/// A second handler, with the function that the page shows for failures.
const FAILING: &str = "failing";
/// The seconds that this function asks for. The back-off of the tests is at most 2 s.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What it prints for one of the tasks, which has to be a line of the log.
const PRINTED: &str = "stock: -1";
/// What the task's error says about an unexpected exception: one of these in each language.
const UNEXPECTED: [&str; 3] =
    ["invalid type: null", "cannot read property 'stock' of null", "'NoneType' object is not subscriptable"];
/// The languages, with the command of the tests of a new handler.
const LANGUAGES: [(&str, &[&str]); 3] = [
    ("rust", &["cargo", "test", "--quiet"]),
    ("javascript", &["npm", "test"]),
    ("python", &["python3", "-m", "unittest"]),
];

#[test]
fn commands_of_the_page_lead_to_a_completed_task_in_each_language() {
    let page = std::fs::read_to_string(root().join("docs/first-handler.md")).unwrap();
    for (language, test) in LANGUAGES {
        if let Err(error) = follow(&page, language, test) {
            panic!("{language}: {error:#}");
        }
    }
}

/// The lines of the shell blocks of the page, without comments.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).collect()
}

fn follow(page: &str, language: &str, test: &[&str]) -> Result<()> {
    let system = System::new(&format!("handlers-{language}"), Vec::new())?;
    let application = application(language)?;
    let mut running = None;
    let mut has_ended = false;
    for command in commands(page) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["cargo", "xtask", "new-handler", name, "--language", shown]
                if (*name, *shown) == (NAME, SHOWN_LANGUAGE) =>
            {
                own(&application, &["new-handler", NAME, "--language", language])?;
                is_as_shown(page, &application.join("handlers").join(NAME))?;
                let (program, arguments) = test.split_first().context("a command has a name")?;
                let mut command = Command::new(program);
                command.args(arguments).current_dir(application.join("handlers").join(NAME));
                ensure!(command.status()?.success(), "the tests of the new handler fail");
                own(&application, &["new-handler", FAILING, "--language", language])?;
                make_failing(page, &application.join("handlers").join(FAILING))?;
                let manifest = std::fs::read_to_string(application.join("spin.toml"))?;
                build::handlers(&application, &manifest)?;
            }
            ["cargo", "xtask", "try-handler", rest @ ..] => {
                own(&application, &[&["try-handler"][..], rest].concat())?;
            }
            ["cargo", "xtask", "up"] => {
                let address = free_address()?.to_string();
                let storage = system.storage()?;
                let host = system.host_of(&application.join("spin.toml"), &address)?;
                let launcher = system.launcher(&address)?;
                running = Some((address, storage, host, launcher));
            }
            ["curl", ..] => {
                let (address, ..) = running.as_ref().context("the application does not run")?;
                let task = command.split("-d '").nth(1).and_then(|rest| rest.split('\'').next());
                let task = serde_json::from_str(task.context("the request has no body")?)?;
                let monitor = completed(address, &task).with_context(|| system.log())?;
                let result = json!({"greeting": "Hello, Ada"});
                ensure!(monitor.get("result") == Some(&result), "{monitor}");
                failures_are_told(address).with_context(|| system.log())?;
                let log = std::fs::read_to_string(system.log())?;
                ensure!(
                    log.contains(PRINTED),
                    "the log has no line that the handler printed: {}",
                    system.log()
                );
                has_ended = true;
            }
            ["spin", ..] if system.is_embedded() => {}
            ["spin", "templates", "install", "--dir", "."] => install_templates()?,
            ["spin", "add", rest @ ..] => {
                // The handler is there already, so Spin writes it into a copy of the application as it was.
                let copy = self::application(&format!("{language}-spin"))?;
                let template = format!("accepted-handler-{language}");
                let shown = format!("accepted-handler-{SHOWN_LANGUAGE}");
                let own = |word: &&str| if **word == shown { template.clone() } else { (*word).to_owned() };
                spin(&copy, &[vec!["add".to_owned()], rest.iter().map(own).collect()].concat())?;
                let of_spin = std::fs::read_to_string(copy.join("spin.toml"))?;
                ensure!(of_spin.contains(&format!("[component.{NAME}]")), "{of_spin}");
                ensure!(
                    copy.join("handlers").join(NAME).join("input.json").is_file(),
                    "the folder is incomplete"
                );
            }
            _ => bail!("the test does not know the command `{command}`"),
        }
    }
    ensure!(has_ended, "the page runs no task");
    Ok(())
}

/// The functions on the page, with the files of a new handler that have them.
const SHOWN: [(&str, &str); 3] = [("python", "handler.py"), ("js", "handler.js"), ("rust", "src/lib.rs")];

/// The function on the page is the one that a new handler has.
fn is_as_shown(page: &str, folder: &Path) -> Result<()> {
    let (fence, file, written) = function(folder)?;
    let shown = block(page, fence, 0)?;
    ensure!(written.contains(shown), "the page shows\n{shown}\nand {} has\n{written}", file.display());
    Ok(())
}

/// Replaces the function of a new handler by the one that the page shows for failures.
fn make_failing(page: &str, folder: &Path) -> Result<()> {
    let (fence, file, written) = function(folder)?;
    Ok(std::fs::write(file, written.replace(block(page, fence, 0)?, block(page, fence, 1)?))?)
}

/// The file of a handler's function and its text, with the fence of its language on the page.
fn function(folder: &Path) -> Result<(&'static str, PathBuf, String)> {
    for (fence, file) in SHOWN {
        let file = folder.join(file);
        if let Ok(written) = std::fs::read_to_string(&file) {
            return Ok((fence, file, written));
        }
    }
    bail!("the new handler has no function")
}

/// The block of that number, from 0, in a language on the page.
fn block<'a>(page: &'a str, fence: &str, number: usize) -> Result<&'a str> {
    let block =
        page.split(&format!("```{fence}\n")).nth(number + 1).and_then(|rest| rest.split("```").next());
    Ok(block.with_context(|| format!("the page has no block {number} of {fence}"))?.trim())
}

/// A failure, a request for another attempt and an unexpected exception end as the page says, with their texts.
fn failures_are_told(address: &str) -> Result<()> {
    let end = |input: Value| {
        let task = json!({"TaskName": FAILING, "Input": input, "MaxAttempts": 2});
        ended(address, &task).map(|task| {
            let message = member(&task, "/error/message").to_string();
            (member(&task, "/attempt").clone(), message, task)
        })
    };
    let (attempts, message, task) = end(json!({"stock": -1}))?;
    ensure!(attempts == 1 && message.contains("stock is negative"), "{task}");

    let submitted = Instant::now();
    let (attempts, message, task) = end(json!({"stock": 0}))?;
    ensure!(attempts == 2 && message.contains("nothing in stock"), "{task}");
    ensure!(submitted.elapsed() >= RETRY_AFTER, "the second attempt came after {:?}", submitted.elapsed());

    let (attempts, message, task) = end(Value::Null)?;
    ensure!(attempts == 2 && UNEXPECTED.iter().any(|text| message.contains(text)), "{task}");

    let (attempts, _, task) = end(json!({"stock": 3}))?;
    ensure!(attempts == 1 && *member(&task, "/result") == json!({"left": 2}), "{task}");
    Ok(())
}

/// The member of a document at a JSON pointer; `null` if there is none.
fn member<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document.pointer(pointer).unwrap_or(&Value::Null)
}

/// Runs `cargo xtask` for the application.
fn own(application: &Path, arguments: &[&str]) -> Result<()> {
    let program = match std::env::var_os("ACCEPTED_XTASK") {
        Some(path) => PathBuf::from(path),
        None => {
            let mut cargo = Command::new("cargo");
            cargo.args(["build", "--quiet", "--package", "xtask"]).current_dir(root());
            ensure!(cargo.status()?.success(), "xtask cannot be built");
            root().join("target/debug/xtask")
        }
    };
    let mut command = Command::new(program);
    // This is where xtask looks for the folder that it works in.
    command.env("CARGO_MANIFEST_DIR", application.join("xtask")).env("ACCEPTED_NO_BUILD", "1");
    let status = command.args(arguments).current_dir(application).status()?;
    ensure!(status.success(), "cargo xtask {} fails", arguments.join(" "));
    Ok(())
}

/// Installs the templates of this project, which are in its root.
fn install_templates() -> Result<()> {
    let words = ["templates", "install", "--update", "--dir"].map(str::to_owned);
    spin(&root(), &[words.as_slice(), &[root().display().to_string()]].concat())
}

/// Runs Spin with templates of its own.
fn spin(folder: &Path, arguments: &[String]) -> Result<()> {
    let mut command = Command::new("spin");
    command.env("HOME", root().join("target/e2e/spin-home"));
    command.env_remove("XDG_DATA_HOME").env_remove("SPIN_DATA_DIR");
    command.args(arguments).current_dir(folder);
    ensure!(command.status().context("Spin is on PATH")?.success(), "spin {} fails", arguments.join(" "));
    Ok(())
}

/// A new folder with the manifest of the application and what that names.
fn application(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/e2e/applications").join(name);
    // From an earlier run; there may be none.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(root().join("spin.toml"), folder.join("spin.toml"))?;
    for name in ["target", "templates", "web"] {
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

/// Submits a task that succeeds.
fn completed(address: &str, task: &Value) -> Result<Value> {
    let document = ended(address, task)?;
    ensure!(member(&document, "/status") == "Succeeded", "the task ended: {document}");
    Ok(document)
}

/// Submits a task as soon as the application responds, and waits for its end.
fn ended(address: &str, task: &Value) -> Result<Value> {
    let client = Client::default();
    let started = Instant::now();
    let mut monitor = None;
    while started.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(50));
        let Some(url) = &monitor else {
            let response = client.post(&format!("http://{address}/tasks"), task);
            let accepted = response.ok().filter(|response| response.status() == 202);
            monitor = accepted.map(|response| response.header("operation-location").to_owned());
            continue;
        };
        let document = client.get(url)?.json();
        match document.get("status").and_then(Value::as_str) {
            Some("NotStarted" | "Running") => {}
            Some("Succeeded" | "Failed" | "Canceled") => return Ok(document),
            _ => bail!("the task is in no known state: {document}"),
        }
    }
    bail!("no end within {LIMIT:?}")
}
