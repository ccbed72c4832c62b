//! The parts of the system, each a process that a test starts as often as it likes, at the same addresses.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use xtask::root;
use xtask::stack::address::free_address;
use xtask::stack::host::{choose_host, host_command};
use xtask::stack::options::HostKind;
use xtask::stack::process::{Output, Process};
use xtask::stack::programs::{self, Programs};
use xtask::stack::settings::forget_settings;
use xtask::stack::storage::connection_string;

/// How long a message stays hidden from other workers after it was received.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(2);
const DRAIN_TOKEN: &str = "token-of-the-end-to-end-tests";
/// The largest memory of a handler's instance, in bytes.
const HANDLERS_MEMORY: &str = "67108864";
/// How long a part may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(30);

/// Programs, addresses and settings of one system.
pub struct System {
    kind: HostKind,
    programs: Programs,
    blob_port: u16,
    queue_port: u16,
    data: PathBuf,
    log: PathBuf,
    settings: Vec<(&'static str, String)>,
}

impl System {
    /// Builds or finds the programs and chooses free ports. `name` is that of the test; `settings` are further variables
    /// of the components.
    ///
    /// # Errors
    /// When a program cannot be built or found.
    pub fn new(name: &str, settings: Vec<(&'static str, String)>) -> Result<Self> {
        let kind = match std::env::var("ACCEPTED_HOST").as_deref() {
            Ok("spin") => choose_host(Some(HostKind::Spin))?,
            Ok("embedded") => HostKind::Embedded,
            Ok(other) => bail!("ACCEPTED_HOST is `spin` or `embedded`, not `{other}`"),
            Err(_) => choose_host(None)?,
        };
        let binary = std::env::var_os("ACCEPTED_HOST_BINARY").map(PathBuf::from);
        let programs = programs::prepare(kind, true, binary.as_deref())?;
        println!("The components run on {}.", kind.shown());
        let file = |end: &str| root().join(format!("target/e2e/{name}.{end}"));
        let (data, log) = (file("data"), file("log"));
        for old in [&data, &log] {
            // From an earlier run; there may be none.
            let _ = std::fs::remove_file(old);
        }
        std::fs::create_dir_all(root().join("target/e2e")).context("cannot write target/e2e")?;
        let (blob_port, queue_port) = (free_address()?.port(), free_address()?.port());
        Ok(Self { kind, programs, blob_port, queue_port, data, log, settings })
    }

    /// Whether the components run on the embedded host.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.kind == HostKind::Embedded
    }

    /// Where the output of every part goes.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.display().to_string()
    }

    /// Where Blob Storage listens.
    #[must_use]
    pub fn blob_address(&self) -> String {
        format!("127.0.0.1:{}", self.blob_port)
    }

    /// Starts storage. Its data outlives the process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn storage(&self) -> Result<Process> {
        let mut storage = self.program("fake-azure")?;
        storage.args(["--blob-port", &self.blob_port.to_string()]);
        storage.args(["--queue-port", &self.queue_port.to_string()]);
        storage.arg("--data").arg(&self.data);
        self.start("fake-azure", &mut storage)
    }

    /// Starts a host with both components that listens at `address`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn host(&self, address: &str) -> Result<Process> {
        self.host_of(&root().join("spin.toml"), address)
    }

    /// Starts a host with the components of a manifest that listens at `address`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn host_of(&self, manifest: &Path, address: &str) -> Result<Process> {
        let words = host_command(self.kind, &self.programs, manifest, address)?;
        let (program, arguments) = words.split_first().context("a host has a name")?;
        let mut host = Command::new(program);
        host.args(arguments).current_dir(root());
        self.set(&mut host);
        self.start("host", &mut host)
    }

    /// Starts a launcher with a host for the components of `manifest`, which listens at `address`, and a host for its
    /// handlers at `of_handlers`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn replica(&self, manifest: &Path, address: &str, of_handlers: &str) -> Result<Process> {
        let words = host_command(self.kind, &self.programs, manifest, address)?;
        let mut launcher = self.program("launcher")?;
        self.set(&mut launcher);
        let url = format!("http://{address}/drain");
        launcher.args(["worker", "--drain-url", &url, "--idle-max", "0.5", "--parallel", "1"]);
        launcher.args(["--handlers-listen", of_handlers, "--handlers-stall", "5"]);
        launcher.args(["--handlers-memory", HANDLERS_MEMORY, "--"]).args(words);
        self.start("launcher", &mut launcher)
    }

    /// Sets the variables of a host.
    fn set(&self, host: &mut Command) {
        forget_settings(host);
        let blob = format!("http://127.0.0.1:{}", self.blob_port);
        let queue = format!("http://127.0.0.1:{}", self.queue_port);
        host.envs(connection_string(
            &format!("{blob}/devstoreaccount1"),
            &format!("{queue}/devstoreaccount1"),
        ));
        host.envs([("SPIN_VARIABLE_BLOB_HOST", blob), ("SPIN_VARIABLE_QUEUE_HOST", queue)]);
        let visibility = VISIBILITY_TIMEOUT.as_secs().to_string();
        host.envs([
            ("SPIN_VARIABLE_VISIBILITY_TIMEOUT_SECONDS", visibility.as_str()),
            ("SPIN_VARIABLE_DRAIN_TOKEN", DRAIN_TOKEN),
            // A killed attempt counts as a delivery; none of these tasks is poison.
            ("SPIN_VARIABLE_MAX_DEQUEUE_COUNT", "1000"),
            ("SPIN_VARIABLE_SWEEP_INTERVAL_SECONDS", "1"),
            ("SPIN_VARIABLE_DRAIN_SECONDS", "2"),
            ("SPIN_VARIABLE_RETRY_BASE_SECONDS", "1"),
            ("SPIN_VARIABLE_RETRY_CAP_SECONDS", "2"),
        ]);
        host.envs(self.settings.iter().map(|(name, value)| (name, value)));
    }

    /// Starts a launcher that drains the worker of the host at `address`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launcher(&self, address: &str) -> Result<Process> {
        let mut launcher = self.program("launcher")?;
        forget_settings(&mut launcher);
        let url = format!("http://{address}/drain");
        launcher.args(["worker", "--drain-url", &url, "--idle-max", "0.5"]);
        launcher.env("SPIN_VARIABLE_DRAIN_TOKEN", DRAIN_TOKEN);
        self.start("launcher", &mut launcher)
    }

    fn program(&self, name: &str) -> Result<Command> {
        let mut command = Command::new(self.programs.get(name)?);
        command.current_dir(root());
        Ok(command)
    }

    fn start(&self, name: &'static str, command: &mut Command) -> Result<Process> {
        Process::start(name, command, &Output::File(self.log.clone()), GRACE)
    }
}
