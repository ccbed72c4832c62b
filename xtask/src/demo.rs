//! `cargo xtask demo`: a few tasks from POST to Completed, with every HTTP exchange printed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::command::{cargo, root, succeed};
use crate::stack::host::choose_host;
use crate::stack::http::{Client, Response};
use crate::stack::interrupt::Interrupts;
use crate::stack::options::{DemoOptions, StackOptions};
use crate::stack::process::Output;
use crate::stack::{Plan, Stack};

/// Longer than any task of the demonstration on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a state is looked at; a client would wait for Retry-After.
const POLL: Duration = Duration::from_millis(50);

/// What is submitted.
struct Task {
    title: &'static str,
    path: &'static str,
    body: Value,
}

fn tasks() -> [Task; 3] {
    [
        Task {
            title: "A task with high priority",
            path: "/tasks",
            body: json!({"TaskName": "simulate", "TaskDescription": "first", "Priority": 2}),
        },
        Task {
            title: "One with low priority, which takes longer",
            path: "/tasks",
            body: json!({"TaskName": "simulate", "TaskDescription": "zweite – „größer“ <&>", "Priority": "Low"}),
        },
        Task {
            title: "One as the .NET sample's clients submit it",
            path: "/Tasks/QueueTask",
            body: json!({"TaskName": "Generate Report", "TaskDescription": "any name", "Status": 0, "Priority": 1}),
        },
    ]
}

/// One task for each example in `handlers/`. `location` is the signed address of a document in storage.
fn tasks_of_handlers(location: &str) -> [Task; 4] {
    let task = |title, name, input: Value| Task {
        title,
        path: "/tasks",
        body: json!({"TaskName": name, "Input": input}),
    };
    [
        task("A handler in Rust that speaks HTTP", "rust-http", json!("to be or not to be")),
        task("One in Rust behind the adapter, with progress", "rust-typed", json!({"url": location})),
        task("One in JavaScript", "javascript", json!("name,size\n\"a, b\",1\nc,2")),
        task("One in Python", "python", json!([2, 4, 4, 4, 5, 5, 7, 9])),
    ]
}

/// Shows the whole way of several tasks, or with `--kill` that many tasks complete while their programs are killed.
///
/// # Errors
/// When something cannot be started or a task does not end Completed.
pub(crate) fn run(options: DemoOptions) -> Result<()> {
    if options.kill {
        return kill(&options.stack);
    }
    let mut interrupts = Interrupts::catch()?;
    let log = log_file();
    let plan = Plan {
        handlers: options.stack.handlers,
        options: options.stack,
        listen: None,
        trigger: true,
        isolated: true,
        output: Output::File(log.clone()),
        // The sample's fake work takes up to a minute; here a unit is a few milliseconds.
        variables: vec![("SPIN_VARIABLE_SIMULATE_UNIT_MS", "20".to_owned())],
    };
    show(&plan, &mut interrupts)
        .with_context(|| format!("the programs' own words are in {}", shown_path(&log)))
}

/// Runs the end-to-end test of that name and shows what it prints.
fn kill(options: &StackOptions) -> Result<()> {
    let kind = choose_host(options.host)?;
    let mut test = cargo();
    test.args(["test", "--quiet", "--package", "e2e", "--test", "kill", "--", "--nocapture"]);
    test.env("ACCEPTED_HOST", kind.name());
    if let Some(path) = &options.host_binary {
        test.env("ACCEPTED_HOST_BINARY", path);
    }
    succeed(&mut test)
}

fn show(plan: &Plan, interrupts: &mut Interrupts) -> Result<()> {
    let mut stack = Stack::start(plan, interrupts)?;
    println!("\nThe components run on {}; stored in {}.\n", stack.host, stack.storage_description);
    let mut waiting = VecDeque::from(tasks());
    let (mut submitted, mut completed) = (0, 0);
    while let Some(task) = waiting.pop_front() {
        submitted += 1;
        println!("── {submitted}. {}\n", task.title);
        let end = follow(&mut stack, interrupts, &task)?;
        completed += usize::from(end.is_completed);
        if plan.handlers && submitted == 1 {
            waiting.extend(tasks_of_handlers(&end.location));
        }
    }
    stack.stop(interrupts);
    println!("{completed} of {submitted} tasks completed");
    if completed == submitted { Ok(()) } else { bail!("not every task completed") }
}

fn log_file() -> PathBuf {
    let log = root().join("target/demo.log");
    // From an earlier run; there may be none.
    let _ = std::fs::remove_file(&log);
    log
}

fn shown_path(path: &std::path::Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// How a task ended.
struct End {
    is_completed: bool,
    /// Its document in storage.
    location: String,
}

/// Submits one task and prints its way.
fn follow(stack: &mut Stack, interrupts: &mut Interrupts, task: &Task) -> Result<End> {
    let client = Client::default();
    println!("> POST {} HTTP/1.1\n> content-type: application/json\n>\n> {}\n", task.path, task.body);
    let accepted = client.post(&format!("{}{}", stack.base, task.path), &task.body)?;
    print_response(&accepted);
    if accepted.status() != 202 {
        println!("  not accepted\n");
        return Ok(End { is_completed: false, location: String::new() });
    }
    let location = accepted.header("location").to_owned();
    let monitor = monitor(&stack.base, &accepted)?;
    let started = Instant::now();
    let mut last = String::new();
    while started.elapsed() < LIMIT {
        let response = client.get(&monitor)?;
        let document = response.json();
        let state = document.get("status").and_then(Value::as_str).unwrap_or("?");
        let percent = document.get("percentComplete").and_then(Value::as_u64);
        let shown = percent.map_or_else(|| state.to_owned(), |percent| format!("{state}, {percent} %"));
        if shown != last {
            println!("  {:>5} ms  {shown}", started.elapsed().as_millis());
            last = shown;
        }
        if matches!(state, "Succeeded" | "Failed" | "Canceled") {
            println!("\n> GET {} HTTP/1.1\n", monitor.strip_prefix(&stack.base).unwrap_or(&monitor));
            print_response(&response);
            print_location(&client, &location)?;
            return Ok(End { is_completed: state == "Succeeded", location });
        }
        stack.check(interrupts)?;
        std::thread::sleep(POLL);
    }
    println!("  no end within {LIMIT:?}\n");
    Ok(End { is_completed: false, location })
}

/// Where the task can be followed: said by the newer route, known by the id for the older one.
fn monitor(base: &str, accepted: &Response) -> Result<String> {
    let stated = accepted.header("operation-location");
    if !stated.is_empty() {
        return Ok(stated.to_owned());
    }
    let location = accepted.header("location");
    let blob = location.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let id = blob.strip_suffix("-202").context("the response has no Location that ends in a task's id")?;
    Ok(format!("{base}/tasks/{id}"))
}

fn print_response(response: &Response) {
    println!(
        "{}<\n< {}\n",
        response.shown(),
        if response.text.is_empty() { "(no body)" } else { &response.text }
    );
}

/// Reads the status document from storage with the signed link alone, as a client of the .NET sample does.
fn print_location(client: &Client, location: &str) -> Result<()> {
    let response = client.get(location)?;
    let path = location.split('?').next().unwrap_or_default();
    println!(
        "> GET {path}?… (the signed Location, straight from storage)\n\n< HTTP/1.1 {}\n<\n< {}\n",
        response.status(),
        response.text
    );
    if response.status() != 200 {
        bail!("the Location of the response cannot be read");
    }
    Ok(())
}
