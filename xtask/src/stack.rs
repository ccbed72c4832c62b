//! Storage, the application and the launcher, started in this order and stopped in the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::artefacts::{Programs, components};
use crate::command::{command, first_line, root, say};
use crate::http::Client;
use crate::interrupt::Interrupts;
use crate::options::{Credentials, HostKind, Options, StorageKind};
use crate::process::{Output, Process};
use crate::storage::{Ports, Storage};

const CONNECTION_STRING: &str = "SPIN_VARIABLE_STORAGE_CONNECTION_STRING";
/// The first start compiles the components to machine code.
const HEALTHY: Duration = Duration::from_secs(120);

/// What is to be started, beyond the options of the command line.
#[derive(Debug)]
pub(crate) struct Plan {
    /// From the command line.
    pub options: Options,
    /// Whether everything is this run's own: any free port, own storage, no settings from the environment.
    pub isolated: bool,
    /// Where the programs write.
    pub output: Output,
    /// Further environment variables of the application.
    pub variables: Vec<(&'static str, String)>,
}

/// Everything that runs. The order of the fields is the order in which they are stopped.
pub(crate) struct Stack {
    launcher: Process,
    storage: Option<Process>,
    /// Address of the application, without a trailing slash.
    pub base: String,
    /// What runs it, for the person at the terminal.
    pub host: &'static str,
    /// What stores, for the person at the terminal.
    pub storage_description: String,
}

impl Stack {
    /// Builds and starts everything, and waits until the application answers.
    ///
    /// # Errors
    /// When something cannot be built or does not become ready, or at a Ctrl-C.
    pub(crate) fn start(plan: &Plan, interrupts: &mut Interrupts) -> Result<Self> {
        let kind = choose_host(plan.options.host)?;
        let account_given =
            !plan.isolated && std::env::var_os(CONNECTION_STRING).is_some_and(|text| !text.is_empty());
        if account_given && plan.options.credentials != Credentials::ConnectionString {
            bail!("--identity and --keyless start their own storage: unset {CONNECTION_STRING} first");
        }
        let fake_storage = plan.options.storage == StorageKind::Fake && !account_given;
        let programs = programs(kind, fake_storage, &plan.options)?;
        let storage = if account_given {
            Storage::account_of_the_environment()
        } else {
            let ports = if plan.isolated { Ports::FREE } else { Ports::usual() };
            Storage::start(plan.options.storage, plan.options.credentials, &programs, ports, &plan.output)?
        };
        let listen = if plan.isolated { free_address()? } else { plan.options.listen };
        let reached = reachable(listen);
        let arguments = host_command(kind, &programs, &listen.to_string())?;

        let mut launcher = command(&programs.get("launcher")?.to_string_lossy());
        if plan.isolated {
            forget_settings(&mut launcher);
        }
        if plan.options.trigger {
            launcher.args(["worker", "--drain-url", &format!("http://{reached}/drain")]);
        } else {
            // Nobody routes requests here that have to end.
            launcher.args(["api", "--linger", "0"]);
        }
        launcher.arg("--").args(arguments).envs(&storage.environment);
        launcher.envs(plan.variables.iter().map(|(name, value)| (name, value)));
        // The launcher's own grace period, and a little more.
        let launcher = Process::start("launcher", &mut launcher, &plan.output, Duration::from_secs(30))?;
        let mut stack = Self {
            launcher,
            storage: storage.process,
            base: format!("http://{reached}"),
            host: kind.shown(),
            storage_description: storage.description,
        };
        stack.wait_until_healthy(interrupts)?;
        Ok(stack)
    }

    fn wait_until_healthy(&mut self, interrupts: &mut Interrupts) -> Result<()> {
        let client = Client::default();
        let url = format!("{}/.well-known/spin/health", self.base);
        let deadline = Instant::now() + HEALTHY;
        while Instant::now() < deadline {
            if client.get(&url).is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            self.check(interrupts)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the application did not answer at {url} within {HEALTHY:?}")
    }

    /// Whether everything still runs and nobody pressed Ctrl-C.
    ///
    /// # Errors
    /// A sentence that says what ended.
    pub(crate) fn check(&mut self, interrupts: &mut Interrupts) -> Result<()> {
        if interrupts.arrived() {
            bail!("interrupted");
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
    pub(crate) fn stop(mut self, interrupts: &mut Interrupts) {
        self.launcher.stop_sooner_when(|| interrupts.arrived());
        if let Some(storage) = &mut self.storage {
            storage.stop();
        }
    }
}

/// Compiles what is needed, or finds what was compiled before.
///
/// # Errors
/// When the compiler finds fault, or there is nothing to find.
pub(crate) fn programs(kind: HostKind, fake_storage: bool, options: &Options) -> Result<Programs> {
    let own_host = kind == HostKind::Embedded && options.host_binary.is_none();
    let mut names = vec!["launcher"];
    if fake_storage {
        names.push("fake-azure");
    }
    if own_host {
        names.push("host");
    }
    let mut programs = if std::env::var_os("ACCEPTED_NO_BUILD").is_some_and(|value| !value.is_empty()) {
        Programs::built_before(&names)?
    } else {
        components()?;
        if own_host {
            say("building the host compiles wasmtime: the first time this takes some minutes");
        }
        Programs::build(&names.iter().map(|name| (*name, *name)).collect::<Vec<_>>(), &[])?
    };
    if let Some(path) = &options.host_binary {
        programs.paths.insert("host".to_owned(), path.clone());
    }
    Ok(programs)
}

/// The command that runs the components: the same words for either host. Like the image, without a folder for state
/// and logs, with the project's runtime configuration, and with folders served from where they are.
///
/// # Errors
/// When the embedded host was not built.
pub(crate) fn host_command(kind: HostKind, programs: &Programs, listen: &str) -> Result<Vec<String>> {
    let file = |name: &str| root().join(name).to_string_lossy().into_owned();
    let program = match kind {
        HostKind::Spin => "spin".to_owned(),
        HostKind::Embedded => programs.get("host")?.to_string_lossy().into_owned(),
    };
    let (manifest, configuration) = (file("spin.toml"), file("runtime-config.toml"));
    let words = ["up", "--from", &manifest, "--runtime-config-file", &configuration, "--direct-mounts"];
    let rest = ["--state-dir", "", "--listen", listen];
    Ok(std::iter::once(program).chain(words.into_iter().chain(rest).map(str::to_owned)).collect())
}

/// A Spin that can run the components.
#[derive(Debug)]
pub(crate) struct Spin {
    /// What it says of itself.
    pub version: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The Spin on PATH.
///
/// # Errors
/// A sentence when there is none, or only one that is too old.
pub(crate) fn find_spin() -> Result<Spin> {
    let version = usable(first_line("spin", &["--version"]).as_deref())?;
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("spin")).find(|path| path.is_file());
    let path = found.context("spin was started, but is in no folder of PATH")?;
    // Absolute: tests copy it from elsewhere.
    let path = std::path::absolute(path).context("cannot tell where spin is")?;
    Ok(Spin { version, path })
}

/// What Spin says of itself, when there is one that can run the components.
fn usable(version: Option<&str>) -> Result<String> {
    let found = version.unwrap_or("none");
    if !is_new_enough(found) {
        bail!(
            "--host spin needs Spin 4.1 or newer on PATH (found: {found}); leave the option out to use the embedded host"
        );
    }
    Ok(found.to_owned())
}

/// The host that is wanted, or the best there is.
///
/// # Errors
/// When Spin is wanted and there is none.
pub(crate) fn choose_host(wanted: Option<HostKind>) -> Result<HostKind> {
    match (wanted, find_spin()) {
        (Some(HostKind::Spin), Err(error)) => Err(error),
        (Some(kind), _) => Ok(kind),
        (None, Ok(_)) => Ok(HostKind::Spin),
        (None, Err(_)) => Ok(HostKind::Embedded),
    }
}

/// Whether `spin --version` names 4.1 or later: what came before speaks another WASI.
fn is_new_enough(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split(['.', '-', '+']).map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) >= (4, 1)
}

/// A port of this machine that nobody uses at this moment.
///
/// # Errors
/// When there is none.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    listener.local_addr().context("there is no free port")
}

/// How to reach a server on this machine that listens on `listen`.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Keeps settings of the application that are in the environment from reaching a program.
pub(crate) fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SPIN_VARIABLE_") || text.starts_with("IDENTITY_") {
            command.env_remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spin_is_used_from_4_1_on() {
        for (version, usable) in [
            ("spin 4.1.0 (abcdef0 2026-09-01)", true),
            ("spin 4.2.0-pre0 (abcdef0 2026-09-01)", true),
            ("spin 5.0.1", true),
            ("spin 4.0.9", false),
            ("spin 3.9.0", false),
            ("something else", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), usable, "{version}");
        }
    }

    #[test]
    fn without_a_usable_spin_nothing_that_needs_it_passes() {
        for (found, words) in [(None, "found: none"), (Some("spin 4.0.2 (x)"), "found: spin 4.0.2 (x)")] {
            let sentence = usable(found).unwrap_err().to_string();
            assert!(
                sentence.starts_with("--host spin needs Spin 4.1") && sentence.contains(words),
                "{sentence}"
            );
        }
        assert_eq!(usable(Some("spin 4.1.0")).unwrap(), "spin 4.1.0");
    }

    #[test]
    fn both_hosts_are_given_the_same_words() {
        let mut programs = Programs::default();
        programs.paths.insert("host".to_owned(), "/x/host".into());
        let of = |kind| host_command(kind, &programs, "127.0.0.1:1").unwrap();
        let (spin, embedded) = (of(HostKind::Spin), of(HostKind::Embedded));
        assert_eq!((spin[0].as_str(), embedded[0].as_str()), ("spin", "/x/host"));
        assert_eq!(spin[1..], embedded[1..]);
        assert!(host_command(HostKind::Embedded, &Programs::default(), "127.0.0.1:1").is_err());
    }

    #[test]
    fn an_address_that_means_everywhere_is_reached_on_loopback() {
        for (listen, reached) in
            [("0.0.0.0:3000", "127.0.0.1:3000"), ("[::]:3000", "[::1]:3000"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
