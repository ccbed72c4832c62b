//! The host as a child process, and what process 1 owes to the children of others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use azure::Secret;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::{Instant, timeout_at};

/// How the host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Ending {
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

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// A running host, leader of a process group of its own: a Ctrl-C in a terminal then reaches the launcher
/// alone, which decides when the host is told; and what the host started is told with it.
#[derive(Debug)]
pub struct Host {
    pid: Pid,
    children: Stream,
    ending: Option<Ending>,
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
        // Listening before there is a child: its end cannot be missed.
        let children = signal(SignalKind::child())?;
        adopt_orphans();
        let child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value.expose())))
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self { pid, children, ending: None })
    }

    /// The host's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits until the host has ended. Safe to drop and call again.
    ///
    /// On the way it takes leave of every other child that ended: as process 1 of a container the launcher
    /// inherits the orphans, and nobody else would free their entries.
    pub async fn ended(&mut self) -> Ending {
        loop {
            self.reap();
            if let Some(ending) = self.ending {
                return ending;
            }
            self.children.recv().await;
        }
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.pid {
                self.ending = Some(Ending::from(ExitStatus::from_raw(status.as_raw())));
            }
        }
    }

    /// Asks the host and all it started to end.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Passes SIGTERM and waits; what is left at `deadline` is killed.
    pub async fn stop(&mut self, deadline: Instant) -> Ending {
        self.terminate();
        if let Ok(ending) = timeout_at(deadline, self.ended()).await {
            return ending;
        }
        self.send(Signal::KILL);
        // Only a process in an uninterruptible system call outlives SIGKILL for long.
        let last = Instant::now() + Duration::from_secs(1);
        timeout_at(last, self.ended()).await.unwrap_or(Ending::Signal(Signal::KILL.as_raw()))
    }

    fn send(&self, signal: Signal) {
        // The group may be gone already; then there is nobody to tell.
        let _ = kill_process_group(self.pid, signal);
    }
}

impl Drop for Host {
    /// Whatever ends the launcher, the host's group does not outlive it.
    fn drop(&mut self) {
        self.send(Signal::KILL);
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
    fn an_ending_has_the_exit_code_that_a_shell_would_report() {
        assert_eq!(Ending::Code(0).exit_code(), 0);
        assert_eq!(Ending::Code(3).exit_code(), 3);
        assert_eq!(Ending::Signal(9).exit_code(), 137);
        assert_eq!(Ending::from(ExitStatus::from_raw(9)), Ending::Signal(9));
        assert_eq!(Ending::from(ExitStatus::from_raw(3 << 8)), Ending::Code(3));
    }
}
