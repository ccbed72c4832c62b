//! `cargo xtask demo --kill`: hundreds of tasks while storage, host and launcher are killed at random moments.
//!
//! Real programs and sockets. What is killed is started again, as the platform would; clients repeat what was not
//! answered. In the end every task has to be Completed, and to stay so.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::artefacts::Programs;
use crate::command::{command, root};
use crate::http::Client;
use crate::interrupt::Interrupts;
use crate::options::HostKind;
use crate::process::{Output, Process};
use crate::stack::{forget_settings, free_address, host_command};
use crate::storage::connection_string;

const TASKS: usize = 500;
const CLIENTS: usize = 4;
/// Each program is killed at least this often.
const KILLS: usize = 5;
/// Storage, host and launcher need a moment of life between two kills, or nothing would ever be done.
const CALM: Duration = Duration::from_millis(250);
/// For everything, on a slow machine.
const LIMIT: Duration = Duration::from_secs(240);
const VISIBILITY: Duration = Duration::from_secs(2);
const TOKEN: &str = "token-of-the-crash-test";

/// A program that is killed and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Storage,
    Host,
    Launcher,
}

const PARTS: [Part; 3] = [Part::Storage, Part::Host, Part::Launcher];

/// How each part is started, again and again at the same addresses.
struct Recipe {
    kind: HostKind,
    programs: Programs,
    blob: u16,
    queue: u16,
    base: String,
    data: PathBuf,
    output: Output,
}

impl Recipe {
    fn new(kind: HostKind, programs: Programs, log: PathBuf) -> Result<Self> {
        let data = root().join("target/crash.data");
        // From an earlier run; there may be none.
        let _ = std::fs::remove_file(&data);
        let _ = std::fs::remove_file(&log);
        Ok(Self {
            kind,
            programs,
            blob: free_address()?.port(),
            queue: free_address()?.port(),
            base: format!("http://{}", free_address()?),
            data,
            output: Output::File(log),
        })
    }

    fn start(&self, part: Part) -> Result<Process> {
        let (name, mut command) = match part {
            Part::Storage => ("fake-azure", self.storage()?),
            Part::Host => ("host", self.host()?),
            Part::Launcher => ("launcher", self.launcher()?),
        };
        Process::start(name, &mut command, &self.output, Duration::from_secs(30))
    }

    fn storage(&self) -> Result<Command> {
        let mut storage = command(&self.programs.get("fake-azure")?.to_string_lossy());
        storage.args(["--blob-port", &self.blob.to_string(), "--queue-port", &self.queue.to_string()]);
        storage.arg("--data").arg(&self.data);
        Ok(storage)
    }

    fn host(&self) -> Result<Command> {
        let address = self.base.trim_start_matches("http://");
        let words = host_command(self.kind, &self.programs, address)?;
        let (program, arguments) = words.split_first().context("a host has a name")?;
        let mut host = command(program);
        host.args(arguments);
        forget_settings(&mut host);
        let (blob, queue) =
            (format!("http://127.0.0.1:{}", self.blob), format!("http://127.0.0.1:{}", self.queue));
        host.envs(connection_string(
            &format!("{blob}/devstoreaccount1"),
            &format!("{queue}/devstoreaccount1"),
        ));
        host.envs([("SPIN_VARIABLE_BLOB_HOST", blob), ("SPIN_VARIABLE_QUEUE_HOST", queue)]);
        host.env("SPIN_VARIABLE_VISIBILITY_TIMEOUT_SECONDS", VISIBILITY.as_secs().to_string());
        host.envs([
            ("SPIN_VARIABLE_DRAIN_TOKEN", TOKEN),
            // A killed attempt counts as a delivery; none of these tasks is poison.
            ("SPIN_VARIABLE_MAX_DEQUEUE_COUNT", "1000"),
            ("SPIN_VARIABLE_SWEEP_INTERVAL_SECONDS", "1"),
            ("SPIN_VARIABLE_DRAIN_SECONDS", "2"),
            ("SPIN_VARIABLE_RETRY_BASE_SECONDS", "1"),
            ("SPIN_VARIABLE_RETRY_CAP_SECONDS", "2"),
            ("SPIN_VARIABLE_SIMULATE_UNIT_MS", "10"),
        ]);
        Ok(host)
    }

    fn launcher(&self) -> Result<Command> {
        let mut launcher = command(&self.programs.get("launcher")?.to_string_lossy());
        forget_settings(&mut launcher);
        launcher.args(["worker", "--drain-url", &format!("{}/drain", self.base), "--idle-max", "0.5"]);
        launcher.env("SPIN_VARIABLE_DRAIN_TOKEN", TOKEN);
        Ok(launcher)
    }
}

/// The parts that run. Stopped in the order launcher, host, storage.
struct Fleet {
    recipe: Recipe,
    running: BTreeMap<Part, Process>,
    kills: BTreeMap<Part, usize>,
}

impl Fleet {
    fn start(recipe: Recipe) -> Result<Self> {
        let mut running = BTreeMap::new();
        for part in PARTS {
            running.insert(part, recipe.start(part)?);
        }
        Ok(Self { recipe, running, kills: BTreeMap::new() })
    }

    fn kill(&mut self, part: Part) -> Result<()> {
        if let Some(mut process) = self.running.remove(&part) {
            process.kill();
        }
        *self.kills.entry(part).or_default() += 1;
        self.running.insert(part, self.recipe.start(part)?);
        Ok(())
    }

    /// Starts what ended by itself, as the platform does: a launcher whose host never came back, for example.
    fn revive(&mut self) -> Result<()> {
        for part in PARTS {
            if self.running.get_mut(&part).is_none_or(|process| process.ended().is_some()) {
                self.running.insert(part, self.recipe.start(part)?);
            }
        }
        Ok(())
    }

    fn killed_enough(&self) -> bool {
        PARTS.iter().all(|part| self.kills.get(part).copied().unwrap_or_default() >= KILLS)
    }

    fn stop(mut self) {
        while let Some((_, mut process)) = self.running.pop_last() {
            process.stop();
        }
    }
}

/// Runs the whole thing.
///
/// # Errors
/// When a task is lost, fails, or does not end in time.
pub(crate) fn run(kind: HostKind, programs: Programs, interrupts: &mut Interrupts) -> Result<()> {
    println!("The components run on {}.", kind.shown());
    let log = root().join("target/crash.log");
    let mut fleet = Fleet::start(Recipe::new(kind, programs, log)?)?;
    let outcome = endure(&mut fleet, interrupts);
    fleet.stop();
    outcome.context("the programs' own words are in target/crash.log")
}

fn endure(fleet: &mut Fleet, interrupts: &mut Interrupts) -> Result<()> {
    let started = Instant::now();
    let base = fleet.recipe.base.clone();
    let accepted = AtomicUsize::new(0);
    let give_up = AtomicBool::new(false);
    let mut dice = Dice(RandomState::new().build_hasher().finish() | 1);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (base, accepted, give_up) = (&base, &accepted, &give_up);
                scope.spawn(move || submit(base, client, accepted, give_up))
            })
            .collect();
        let mut killing = || {
            while !(fleet.killed_enough() && clients.iter().all(std::thread::ScopedJoinHandle::is_finished)) {
                std::thread::sleep(CALM + Duration::from_millis(dice.below(500)));
                if interrupts.arrived() {
                    bail!("interrupted");
                }
                if started.elapsed() > LIMIT {
                    bail!("only {} tasks were accepted within {LIMIT:?}", accepted.load(Ordering::Relaxed));
                }
                let number = usize::try_from(dice.below(3)).unwrap_or_default();
                fleet.kill(PARTS.get(number).copied().unwrap_or(Part::Host))?;
                fleet.revive()?;
            }
            Ok(())
        };
        let outcome = killing();
        give_up.store(true, Ordering::Relaxed);
        outcome?;
        clients.into_iter().try_for_each(|client| {
            client.join().map_err(|_| anyhow::anyhow!("a client came to an unexpected end"))?
        })
    })?;
    let kills = PARTS.map(|part| format!("{part:?} {}", fleet.kills.get(&part).copied().unwrap_or_default()));
    println!("{} tasks accepted; killed: {}", accepted.load(Ordering::Relaxed), kills.join(", "));

    let ends = wait_for_all(fleet, interrupts, &base, started)?;
    println!("{} of {TASKS} tasks completed after {:.1} s", ends.len(), started.elapsed().as_secs_f32());
    // Whatever is still in the queue comes back within this time, and must change nothing.
    std::thread::sleep(VISIBILITY * 2);
    let client = Client::default();
    for (id, etag) in &ends {
        let answer = client.get(&format!("{base}/tasks/{id}"))?;
        if answer.header("etag") != etag {
            bail!("task {id} changed after its end");
        }
    }
    println!("and none of them changed afterwards");
    Ok(())
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// Submits every fourth task, each until it is accepted.
fn submit(base: &str, client: usize, accepted: &AtomicUsize, give_up: &AtomicBool) -> Result<()> {
    let http = Client::default();
    for number in (client..TASKS).step_by(CLIENTS) {
        let task = json!({"TaskId": id(number), "TaskName": "simulate", "Priority": number % 3});
        loop {
            match http.post(&format!("{base}/tasks"), &task) {
                Ok(answer) if answer.status() == 202 => break,
                // The same id and content: repeating it is safe, whatever became of the first try.
                Ok(answer) if answer.status() >= 500 => {}
                Ok(answer) => bail!("task {} was answered {}: {}", id(number), answer.status(), answer.text),
                Err(_) => {}
            }
            if give_up.load(Ordering::Relaxed) {
                bail!("task {} was not accepted in time", id(number));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        accepted.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits until every task is Completed; their ids and ETags.
fn wait_for_all(
    fleet: &mut Fleet,
    interrupts: &mut Interrupts,
    base: &str,
    started: Instant,
) -> Result<BTreeMap<String, String>> {
    let client = Client::default();
    let mut open: Vec<String> = (0..TASKS).map(id).collect();
    let mut ends = BTreeMap::new();
    while !open.is_empty() {
        if interrupts.arrived() {
            bail!("interrupted");
        }
        if started.elapsed() > LIMIT {
            bail!("{} tasks have not ended within {LIMIT:?}, the first is {:?}", open.len(), open.first());
        }
        fleet.revive()?;
        let mut still_open = Vec::new();
        for id in open {
            let Ok(answer) = client.get(&format!("{base}/tasks/{id}")) else {
                still_open.push(id);
                continue;
            };
            let document = answer.json();
            match document.get("status").and_then(Value::as_str) {
                Some("Succeeded") => {
                    ends.insert(id, answer.header("etag").to_owned());
                }
                Some(end @ ("Failed" | "Canceled")) => bail!("task {id} ended {end}: {}", answer.text),
                _ if answer.status() == 404 => bail!("task {id} was accepted and is gone"),
                _ => still_open.push(id),
            }
        }
        open = still_open;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(ends)
}

/// Random enough for choosing victims (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
