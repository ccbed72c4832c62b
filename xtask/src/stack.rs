//! Storage, the application and the launcher, started in this order and stopped in the other.

pub mod address;
pub mod host;
pub mod http;
pub mod interrupt;
pub mod options;
pub mod process;
pub mod programs;
mod readiness;
pub mod settings;
pub mod storage;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command::{command, root, say};
use crate::handlers::examples;
use address::{free_address, reachable, require_free};
use host::{choose_host, host_command};
use http::Client;
use interrupt::{Interrupted, Interrupts};
use options::{Credentials, StackOptions, StorageKind};
use process::{Output, Process};
use readiness::Readiness;
use settings::forget_settings;
use storage::{Ports, Storage};

/// What the host does while nothing responds yet.
pub(crate) const COMPILING: &str = "the host compiles the components to machine code: after a build this takes some seconds, for a \
                                    handler in Python half a minute";
const CONNECTION_STRING: &str = "SPIN_VARIABLE_STORAGE_CONNECTION_STRING";
/// The first start compiles the components to machine code.
const HEALTHY: Duration = Duration::from_secs(120);
/// After this time without a response the person at the terminal is told what the host does.
pub(crate) const SILENT: Duration = Duration::from_secs(2);
/// How long storage may take to be available, once the application responds.
const READY: Duration = Duration::from_secs(10);
/// How long the end of the first drain is waited for: it ends at once, with a refusal or because the queue is empty, unless
/// the account has tasks.
const DRAINED: Duration = Duration::from_secs(3);
/// How the image has instances kept. With the hosts' own defaults an instance that is idle for a second is replaced: its
/// caches are lost, and each instance logs again what it logs once.
const INSTANCES: [&str; 4] = ["--max-instance-reuse-count", "100000", "--idle-instance-timeout", "60s"];

/// What is to be started, beyond the options of the command line.
#[derive(Debug)]
pub struct Plan {
    /// From the command line.
    pub options: StackOptions,
    /// Where the application listens; `None` is any free port.
    pub listen: Option<SocketAddr>,
    /// Whether the queue is drained.
    pub trigger: bool,
    /// Whether everything is this run's own: free ports, own storage, no settings from the environment.
    pub isolated: bool,
    /// Where the programs write.
    pub output: Output,
    /// Whether the examples in `handlers/` are a part of the application.
    pub handlers: bool,
    /// Further environment variables of the application.
    pub variables: Vec<(&'static str, String)>,
}

/// Everything that runs. The order of the fields is the order in which they are stopped.
pub struct Stack {
    launcher: Process,
    storage: Option<Process>,
    /// Address of the application, without a trailing slash.
    pub base: String,
    /// What runs it, for the person at the terminal.
    pub host: &'static str,
    /// What stores, for the person at the terminal.
    pub storage_description: String,
    /// Why it cannot accept tasks yet, if it cannot.
    pub not_ready: Option<String>,
    /// The option of curl without which the application knows no caller; empty if it needs none.
    pub credentials: &'static str,
    /// Names in the environment and in `.env` that look like settings and are none.
    pub undeclared: Vec<String>,
}

impl Stack {
    /// Builds and starts everything, and waits until the application responds.
    ///
    /// # Errors
    /// When something cannot be built or does not become ready, when a setting is wrong, or at a Ctrl-C.
    pub fn start(plan: &Plan, interrupts: &mut Interrupts) -> Result<Self> {
        // First, because building takes time.
        plan.listen.map_or(Ok(()), require_free)?;
        let kind = choose_host(plan.options.host)?;
        let dotenv = if plan.isolated { BTreeMap::new() } else { settings::dotenv(&root())? };
        let account_given = !plan.isolated && settings::value(&dotenv, CONNECTION_STRING).is_some();
        let credentials = plan.options.credentials()?;
        if account_given && credentials != Credentials::ConnectionString {
            bail!("--identity and --keyless start their own storage: unset {CONNECTION_STRING} first");
        }
        let manifest = if plan.handlers { handlers_manifest()? } else { root().join("spin.toml") };
        let fake_storage = plan.options.storage == StorageKind::Fake && !account_given;
        let programs = programs::prepare(kind, fake_storage, plan.options.host_binary.as_deref())?;
        let storage = if account_given {
            Storage::account_of_the_environment()
        } else {
            let ports = if plan.isolated { Ports::FREE } else { Ports::usual() };
            Storage::start(plan.options.storage, credentials, &programs, ports, &plan.output)?
        };
        let listen = plan.listen.map_or_else(free_address, Ok)?;
        let reached = reachable(listen);
        let mut arguments = host_command(kind, &programs, &manifest, &listen.to_string())?;
        arguments.extend(INSTANCES.map(str::to_owned));

        let mut launcher = command(&programs.get("launcher")?.to_string_lossy());
        let mut undeclared = Vec::new();
        if plan.isolated {
            forget_settings(&mut launcher);
        } else {
            undeclared = settings::undeclared(&dotenv, &manifest)?;
            launcher.envs(settings::not_in_the_environment(dotenv));
        }
        let mut reports = None;
        if plan.trigger {
            let address = free_address()?;
            launcher.args(["worker", "--drain-url", &format!("http://{reached}/drain")]);
            launcher.args(["--metrics-listen", &address.to_string()]);
            reports = Some(format!("http://{address}"));
        } else {
            // No load balancer sends requests that have to end first.
            launcher.args(["api", "--linger", "0"]);
        }
        launcher.arg("--").args(arguments).envs(&storage.environment);
        launcher.envs(plan.variables.iter().map(|(name, value)| (name, value)));
        // Something else that has begun to listen there in the meantime would be taken for the application.
        require_free(listen)?;
        // The launcher's own grace period, and a little more.
        let launcher = Process::start("launcher", &mut launcher, &plan.output, Duration::from_secs(30))?;
        let mut stack = Self {
            launcher,
            storage: storage.process,
            base: format!("http://{reached}"),
            host: kind.shown(),
            storage_description: storage.description,
            not_ready: None,
            credentials: "",
            undeclared,
        };
        stack.wait_until_healthy(interrupts)?;
        stack.not_ready = stack.wait_until_ready(interrupts)?;
        if stack.not_ready.is_none() {
            let url = format!("{}/tasks/00000000-0000-4000-8000-000000000000", stack.base);
            stack.credentials = readiness::credentials(&Client::default().get(&url)?);
        }
        if let Some(reports) = reports {
            stack.wait_until_drained(&reports, interrupts)?;
        }
        Ok(stack)
    }

    fn wait_until_healthy(&mut self, interrupts: &mut Interrupts) -> Result<()> {
        let client = Client::default();
        let url = format!("{}/.well-known/spin/health", self.base);
        let started = Instant::now();
        let mut is_said = false;
        while started.elapsed() < HEALTHY {
            if client.get(&url).is_ok_and(|response| response.status() == 200) {
                return Ok(());
            }
            self.check(interrupts)?;
            if started.elapsed() > SILENT && !is_said {
                say(COMPILING);
                is_said = true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the application did not respond at {url} within {HEALTHY:?}")
    }

    /// Waits until tasks can be accepted, and returns why they cannot if storage is not available in time.
    fn wait_until_ready(&mut self, interrupts: &mut Interrupts) -> Result<Option<String>> {
        let client = Client::default();
        let url = format!("{}/readyz", self.base);
        let started = Instant::now();
        loop {
            let reason = match readiness::of(&client.get(&url)?) {
                Readiness::Ready => return Ok(None),
                Readiness::Misconfigured(sentence) => {
                    bail!("the application is not configured correctly: {sentence}")
                }
                Readiness::NotYet(reason) => reason,
            };
            if started.elapsed() > READY {
                return Ok(Some(reason));
            }
            self.check(interrupts)?;
            // Each refusal is a line in the log.
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits until the first drain has ended or has worked for a while. Variables that only the worker reads are known to be
    /// right by then.
    fn wait_until_drained(&mut self, launcher: &str, interrupts: &mut Interrupts) -> Result<()> {
        let (client, started) = (Client::default(), Instant::now());
        while started.elapsed() < DRAINED {
            // In this order: a drain that has ended has left its refusal.
            let has_drained = readiness::has_drained(&client.get(&format!("{launcher}/metrics"))?.text);
            if let Some(sentence) = readiness::of_worker(&client.get(&format!("{launcher}/readyz"))?) {
                bail!("the worker is not configured correctly: {sentence}");
            }
            if has_drained {
                return Ok(());
            }
            self.check(interrupts)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether everything still runs and no signal has arrived.
    ///
    /// # Errors
    /// [`Interrupted`], or a sentence that says what ended.
    pub fn check(&mut self, interrupts: &mut Interrupts) -> Result<()> {
        if interrupts.arrived() {
            bail!(Interrupted);
        }
        for process in std::iter::once(&mut self.launcher).chain(self.storage.as_mut()) {
            if let Some(status) = process.ended() {
                bail!("{} ended by itself ({status})", process.name());
            }
        }
        Ok(())
    }

    /// Stops the launcher, which lets running tasks finish and ends the application, then storage.
    /// A signal in between makes it hand running tasks back instead.
    pub fn stop(mut self, interrupts: &mut Interrupts) {
        self.launcher.stop_sooner_when(|| interrupts.arrived());
        if let Some(storage) = &mut self.storage {
            storage.stop();
        }
    }
}

/// The manifest with the examples, which are built.
fn handlers_manifest() -> Result<PathBuf> {
    if !programs::is_built_before() {
        examples::build()?;
    }
    examples::write(&examples::text()?)
}
