//! 500 tasks complete while storage, host and launcher are killed at random moments. `cargo xtask demo --kill` runs
//! this test and shows what it prints.
//!
//! What is killed is started again, as the platform would do; clients repeat requests without a response.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use e2e::system::{System, VISIBILITY_TIMEOUT};
use e2e::tasks::{check_unchanged, submit, wait_for_all};
use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use xtask::stack::address::free_address;
use xtask::stack::interrupt::Interrupts;
use xtask::stack::process::Process;

const TASKS: usize = 500;
const CLIENTS: usize = 4;
/// Each program is killed at least this often.
const MIN_KILLS: usize = 5;
/// Shortest and longest time between two kills, in milliseconds. With less, no task would ever complete.
const PAUSE_MS: std::ops::Range<u64> = 250..750;
/// For everything, on a slow machine.
const LIMIT: Duration = Duration::from_secs(240);

/// A program that is killed and started again. They are stopped in the order launcher, host, storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Storage,
    Host,
    Launcher,
}

const PARTS: [Part; 3] = [Part::Storage, Part::Host, Part::Launcher];

/// The parts that run.
struct Fleet {
    system: System,
    address: String,
    running: BTreeMap<Part, Process>,
    kills: BTreeMap<Part, usize>,
}

impl Fleet {
    fn start(system: System) -> Result<Self> {
        let address = free_address()?.to_string();
        let mut fleet = Self { system, address, running: BTreeMap::new(), kills: BTreeMap::new() };
        fleet.revive()?;
        Ok(fleet)
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn run(&mut self, part: Part) -> Result<()> {
        let process = match part {
            Part::Storage => self.system.storage()?,
            Part::Host => self.system.host(&self.address)?,
            Part::Launcher => self.system.launcher(&self.address)?,
        };
        self.running.insert(part, process);
        Ok(())
    }

    fn kill(&mut self, part: Part) -> Result<()> {
        if let Some(mut process) = self.running.remove(&part) {
            process.kill();
        }
        *self.kills.entry(part).or_default() += 1;
        self.run(part)
    }

    /// Starts what does not run, as the platform does: a launcher whose host never came back, for example.
    fn revive(&mut self) -> Result<()> {
        for part in PARTS {
            if self.running.get_mut(&part).is_none_or(|process| process.ended().is_some()) {
                self.run(part)?;
            }
        }
        Ok(())
    }

    fn killed_enough(&self) -> bool {
        PARTS.iter().all(|part| self.kills.get(part).copied().unwrap_or_default() >= MIN_KILLS)
    }

    fn stop(mut self) {
        while let Some((_, mut process)) = self.running.pop_last() {
            process.stop();
        }
    }
}

#[test]
fn all_tasks_complete_while_every_program_is_killed() {
    let settings = vec![("SPIN_VARIABLE_SIMULATE_UNIT_MS", "10".to_owned())];
    let outcome = System::new("kill", settings).and_then(|system| {
        let log = system.log();
        let mut fleet = Fleet::start(system)?;
        let outcome = endure(&mut fleet);
        fleet.stop();
        outcome.context(format!("the output of the programs is in {log}"))
    });
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

fn endure(fleet: &mut Fleet) -> Result<()> {
    // A test that ends without dropping its processes would leave them running.
    let mut interrupts = Interrupts::catch()?;
    let started = Instant::now();
    let base = fleet.base();
    let accepted = AtomicUsize::new(0);
    let give_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (base, accepted, give_up) = (&base, &accepted, &give_up);
                scope.spawn(move || -> Result<()> {
                    for number in (client..TASKS).step_by(CLIENTS) {
                        submit(base, number, || give_up.load(Ordering::Relaxed))?;
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        let outcome = kill_at_random(fleet, &mut interrupts, || {
            if started.elapsed() > LIMIT {
                bail!("only {} tasks were accepted within {LIMIT:?}", accepted.load(Ordering::Relaxed));
            }
            Ok(clients.iter().all(ScopedJoinHandle::is_finished))
        });
        give_up.store(true, Ordering::Relaxed);
        outcome?;
        clients.into_iter().try_for_each(|client| {
            client.join().map_err(|_| anyhow::anyhow!("a client came to an unexpected end"))?
        })
    })?;
    let kills = PARTS.map(|part| format!("{part:?} {}", fleet.kills.get(&part).copied().unwrap_or_default()));
    println!("{} tasks accepted; killed: {}", accepted.load(Ordering::Relaxed), kills.join(", "));

    let ends = wait_for_all(&base, TASKS, |open| {
        if interrupts.arrived() {
            bail!("interrupted");
        }
        if started.elapsed() > LIMIT {
            bail!("{open} tasks have not ended within {LIMIT:?}");
        }
        fleet.revive()
    })?;
    println!("{} of {TASKS} tasks completed after {:.1} s", ends.len(), started.elapsed().as_secs_f32());
    // Messages that are still in the queue become visible again within this time, and must change nothing.
    std::thread::sleep(VISIBILITY_TIMEOUT * 2);
    check_unchanged(&base, &ends)?;
    println!("and none of them changed afterwards");
    Ok(())
}

/// Kills parts until each was killed often enough and all tasks are submitted.
fn kill_at_random(
    fleet: &mut Fleet,
    interrupts: &mut Interrupts,
    is_submitted: impl Fn() -> Result<bool>,
) -> Result<()> {
    let mut rng = SplitMix64::seed_from_u64(RandomState::new().hash_one(0));
    while !(is_submitted()? && fleet.killed_enough()) {
        let pause = PAUSE_MS.start + rng.next_u64() % (PAUSE_MS.end - PAUSE_MS.start);
        std::thread::sleep(Duration::from_millis(pause));
        if interrupts.arrived() {
            bail!("interrupted");
        }
        let number = usize::try_from(rng.next_u64() % 3)?;
        fleet.kill(PARTS.get(number).copied().unwrap_or(Part::Host))?;
        fleet.revive()?;
    }
    Ok(())
}
