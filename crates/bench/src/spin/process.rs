//! Spin as a process that is measured.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fake_azure::{EMULATOR_ACCOUNT, EMULATOR_KEY};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::log_file;

/// The core of the measured processes. Storage and load have the others.
const CORE: usize = 0;
/// Maximum time until Spin responds, compilation included.
const START: Duration = Duration::from_secs(120);

/// The Spin of `ACCEPTED_SPIN`, or the one on PATH.
pub(super) fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ACCEPTED_SPIN") {
        return Ok(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("spin"))
        .find(|program| program.is_file())
        .context("there is no spin on PATH; ACCEPTED_SPIN can name one")
}

/// Moves this thread away from [`CORE`].
pub(super) fn use_other_core() -> Result<()> {
    let mut others = sched_getaffinity(None)?;
    others.unset(CORE);
    if others.count() == 0 {
        bail!("two cores are needed: one for Spin, one for storage and load");
    }
    Ok(sched_setaffinity(None, &others)?)
}

/// The bearer token of drains.
pub(super) const DRAIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Where storage is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoints {
    pub(super) blob: SocketAddr,
    pub(super) queue: SocketAddr,
}

/// A running Spin; it is killed when this is dropped.
pub(super) struct Spin {
    pub(super) address: SocketAddr,
    child: Child,
    group: Pid,
}

impl Spin {
    /// Starts components of a manifest with the options of the image (`infra/arguments.json`) on [`CORE`]. `set` are
    /// further variables of theirs, in upper case.
    pub(super) async fn start(
        program: &Path,
        manifest: &Path,
        components: &[&str],
        storage: Endpoints,
        set: &[(&str, &str)],
    ) -> Result<Self> {
        let address = free_address()?;
        let log = log_file(&components.join("-"))?;
        let mut command = Command::new(program);
        command.args(["up", "--direct-mounts", "--state-dir", ""]);
        for component in components {
            command.args(["--component-id", component]);
        }
        command.arg("--from").arg(manifest).args(["--listen", &address.to_string()]);
        command.args(["--max-instance-reuse-count", "100000", "--max-instance-concurrent-reuse-count", "16"]);
        command.args(["--idle-instance-timeout", "60s", "--env", &format!("STORAGE={}", storage.blob)]);
        let (blob, queue) = (format!("http://{}", storage.blob), format!("http://{}", storage.queue));
        command.env(
            "SPIN_VARIABLE_STORAGE_CONNECTION_STRING",
            format!(
                "DefaultEndpointsProtocol=http;AccountName={EMULATOR_ACCOUNT};AccountKey={EMULATOR_KEY};\
                 BlobEndpoint={blob}/{EMULATOR_ACCOUNT};QueueEndpoint={queue}/{EMULATOR_ACCOUNT};"
            ),
        );
        let own = [
            ("BLOB_HOST", &*blob),
            ("QUEUE_HOST", &*queue),
            ("STORAGE_HOST", &*blob),
            ("DRAIN_TOKEN", DRAIN_TOKEN),
        ];
        for (variable, value) in own.iter().chain(set) {
            command.env(format!("SPIN_VARIABLE_{variable}"), value);
        }
        // With it Spin collects a stack trace for each refused call, which costs a sixth of its throughput.
        command.env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = on_core(|| command.spawn().context("cannot start Spin"))?;
        let group = Pid::from_child(&child);
        let mut spin = Self { address, child, group };
        spin.wait().await?;
        Ok(spin)
    }

    async fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("Spin has ended with {status}; target/bench has its log");
            }
            if start.elapsed() > START {
                bail!("Spin does not listen after {START:?}; target/bench has its log");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// CPU time of the processes of this Spin since their start, in user space and in the kernel.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let group = self.group.as_raw_nonzero().to_string();
        let mut ticks = 0;
        for entry in std::fs::read_dir("/proc").context("CPU times are read from /proc")? {
            // A process may end meanwhile.
            if let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) {
                ticks += ticks_in(&stat, &group).unwrap_or(0);
            }
        }
        Ok(Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second())?)
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Ticks in user space and in the kernel from the line of a process of this group (`man proc_pid_stat`).
fn ticks_in(stat: &str, group: &str) -> Option<u64> {
    // The name of the program is in parentheses and may contain anything. The state follows, then parent and group.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.get(2) != Some(&group) {
        return None;
    }
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// Runs `start` on [`CORE`], where a process that it starts remains.
fn on_core<T>(start: impl FnOnce() -> Result<T>) -> Result<T> {
    let own = sched_getaffinity(None)?;
    let mut core = CpuSet::new();
    core.set(CORE);
    sched_setaffinity(None, &core)?;
    let started = start();
    sched_setaffinity(None, &own)?;
    started
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
