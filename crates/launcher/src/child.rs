//! The host as a child process, and the duties of process 1 towards orphaned processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azure::Secret;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

/// How the host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostExit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl HostExit {
    /// The exit code by which a shell would report it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        let code = match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}

impl From<ExitStatus> for HostExit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// The hosts that were started here, and how those ended that have. `wait` returns any child, also that of another
/// [`Host`].
static HOSTS: Mutex<BTreeMap<i32, Option<HostExit>>> = Mutex::new(BTreeMap::new());

fn hosts() -> MutexGuard<'static, BTreeMap<i32, Option<HostExit>>> {
    // Every change of the map is a single call.
    HOSTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running host, leader of a process group of its own: a Ctrl-C in a terminal then reaches only the launcher,
/// which passes it on when it is time, to the host and all it started.
#[derive(Debug)]
pub struct Host {
    pid: Pid,
    children: Stream,
}

impl Host {
    /// Starts `command` with the launcher's own environment and `variables`.
    ///
    /// # Errors
    /// When there is no command, or the program cannot be started.
    pub fn start(command: &[OsString], variables: &BTreeMap<String, Secret>) -> io::Result<Self> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no host command"))?;
        // Before there is a child, so that its end cannot be missed.
        let children = signal(SignalKind::child())?;
        adopt_orphans();
        // Held until the host is in the map, so that no other host takes its end for that of an orphan.
        let mut hosts = hosts();
        let child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value.expose())))
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        hosts.insert(pid.as_raw_nonzero().get(), None);
        Ok(Self { pid, children })
    }

    /// The host's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits until the host has ended. Safe to drop and call again.
    ///
    /// It also reaps every other child that ended: as process 1 of a container the launcher inherits the orphans,
    /// and no other process would free their entries in the process table.
    pub async fn ended(&mut self) -> HostExit {
        loop {
            if let Some(ending) = self.reap() {
                return ending;
            }
            self.children.recv().await;
        }
    }

    fn reap(&self) -> Option<HostExit> {
        let mut hosts = hosts();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(ending) = hosts.get_mut(&pid.as_raw_nonzero().get()) {
                *ending = Some(HostExit::from(ExitStatus::from_raw(status.as_raw())));
            }
        }
        hosts.get(&self.pid()).copied().flatten()
    }

    /// Sends SIGTERM to the host and all it started.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Sends SIGTERM and waits; what is left at `deadline` is killed.
    pub async fn stop(&mut self, deadline: Instant) -> HostExit {
        self.terminate();
        if let Ok(ending) = timeout_at(deadline, self.ended()).await {
            return ending;
        }
        self.kill().await
    }

    /// Kills the host and all it started, and waits until it has ended.
    pub async fn kill(&mut self) -> HostExit {
        self.send(Signal::KILL);
        // Only a process in an uninterruptible system call outlives SIGKILL for long.
        let last = Instant::now() + Duration::from_secs(1);
        timeout_at(last, self.ended()).await.unwrap_or(HostExit::Signal(Signal::KILL.as_raw()))
    }

    fn send(&self, signal: Signal) {
        // Fails when the group is gone already, which is what the signal is for.
        let _ = kill_process_group(self.pid, signal);
    }
}

impl Drop for Host {
    /// The process group of the host never outlives the launcher.
    fn drop(&mut self) {
        self.send(Signal::KILL);
        hosts().remove(&self.pid());
    }
}

/// Makes the launcher the parent of its descendants' orphans, as process 1 is anyway.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    {
        // Refused only by kernels older than 3.4; the orphans then go to process 1.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_code_is_what_a_shell_would_report() {
        assert_eq!(HostExit::Code(0).exit_code(), 0);
        assert_eq!(HostExit::Code(3).exit_code(), 3);
        assert_eq!(HostExit::Signal(9).exit_code(), 137);
        assert_eq!(HostExit::from(ExitStatus::from_raw(9)), HostExit::Signal(9));
        assert_eq!(HostExit::from(ExitStatus::from_raw(3 << 8)), HostExit::Code(3));
    }
}
