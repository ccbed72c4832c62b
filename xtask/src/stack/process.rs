//! Child processes and their end.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// Lines of a program that are kept until it is waited for. Later ones are only passed on.
const MAX_KEPT_LINES: usize = 1_000;

/// Where a program's words go.
#[derive(Debug, Clone)]
pub enum Output {
    /// To the terminal, with everything else.
    Terminal,
    /// To a file, so that they do not mix with a transcript.
    File(PathBuf),
}

impl Output {
    fn stdio(&self) -> Result<Stdio> {
        match self {
            Self::Terminal => Ok(Stdio::inherit()),
            Self::File(path) => Ok(append(path)?.into()),
        }
    }
}

fn append(path: &Path) -> Result<File> {
    let open = || {
        std::fs::create_dir_all(path.parent()?).ok()?;
        File::options().create(true).append(true).open(path).ok()
    };
    open().with_context(|| format!("cannot write {}", path.display()))
}

/// A running program, leader of a process group of its own: a Ctrl-C in the terminal reaches only xtask, which
/// then stops everything in the right order.
pub struct Process {
    name: &'static str,
    child: Child,
    patience: Duration,
    lines: Option<Receiver<String>>,
}

impl Process {
    /// Starts `command`. What it writes to standard output is offered line by line to
    /// [`wait_until_ready`](Self::wait_until_ready) and goes to `output` like its standard error.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        output: &Output,
        patience: Duration,
    ) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(output.stdio()?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", crate::command::shown(command)))?;
        let stdout = child.stdout.take().with_context(|| format!("{name} has no output"))?;
        let (sender, lines) = sync_channel(MAX_KEPT_LINES);
        let mut copy = match output {
            Output::Terminal => None,
            Output::File(path) => Some(append(path)?),
        };
        std::thread::spawn(move || {
            // To the end: a pipe without a reader ends the program. What a handler prints need not be UTF-8.
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                // Neither a full disk nor a closed terminal may stop what is being watched.
                let _ = match &mut copy {
                    Some(file) => file.write_all(format!("{line}\n").as_bytes()),
                    None => writeln!(io::stdout(), "{line}"),
                };
                let _ = sender.try_send(line);
            }
        });
        Ok(Self { name, child, patience, lines: Some(lines) })
    }

    /// Waits for a line of standard output that `find` makes something of. Later lines are not kept, so this
    /// is called once.
    ///
    /// # Errors
    /// When the program ends or `limit` is over before.
    pub fn wait_until_ready<T>(
        &mut self,
        limit: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let lines = self.lines.take().with_context(|| format!("{} was waited for before", self.name))?;
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(_) if left.is_zero() => bail!("{} was not ready within {limit:?}", self.name),
                Err(_) => {
                    if let Some(status) = self.ended() {
                        bail!("{} ended before it was ready ({status})", self.name);
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end, waits, and makes it end when it does not.
    pub fn stop(&mut self) {
        self.stop_sooner_when(|| false);
    }

    /// The same, and asks again whenever `hurry` says so: the launcher then does not wait for running tasks.
    pub fn stop_sooner_when(&mut self, mut hurry: impl FnMut() -> bool) {
        if self.ended().is_some() {
            return;
        }
        self.send(Signal::TERM);
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return;
            }
            if hurry() {
                self.send(Signal::TERM);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        eprintln!("{} did not end within {:?}: killing it", self.name, self.patience);
        self.send(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Ends it and all it started, at once and without a word.
    pub fn kill(&mut self) {
        self.send(Signal::KILL);
        // It cannot refuse; waiting frees its entry and its ports.
        let _ = self.child.wait();
    }

    /// Stops it and all it started where they are, as if they hung.
    pub fn pause(&self) {
        self.send(Signal::STOP);
    }

    /// Lets it and all it started go on.
    pub fn resume(&self) {
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> PathBuf {
        std::env::temp_dir().join(format!("xtask-process-{}.log", std::process::id()))
    }

    fn shell(script: &str) -> Process {
        let (mut command, output) = (Command::new("sh"), Output::File(log()));
        Process::start("shell", command.args(["-c", script]), &output, Duration::from_millis(300)).unwrap()
    }

    #[test]
    fn line_of_output_says_that_a_program_is_ready() {
        let mut process = shell("echo starting; echo port=17; sleep 300");
        let port = process.wait_until_ready(Duration::from_secs(10), |line| {
            line.strip_prefix("port=")?.parse::<u16>().ok()
        });
        assert_eq!(port.unwrap(), 17);
        assert!(process.ended().is_none());
    }

    #[test]
    fn output_that_is_not_utf_8_does_not_close_the_pipe() {
        let mut process = shell("printf 'caf\\351\\n'; echo after; sleep 300");
        let mut seen = Vec::new();
        process
            .wait_until_ready(Duration::from_secs(10), |line| {
                seen.push(line.to_owned());
                (line == "after").then_some(())
            })
            .unwrap();
        assert_eq!(seen, ["caf\u{fffd}", "after"]);
    }

    #[test]
    fn lines_of_a_program_that_is_not_waited_for_do_not_pile_up() {
        let mut process = shell("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo kept-$i; done");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !std::fs::read_to_string(log()).is_ok_and(|text| text.contains("kept-3000\n")) {
            assert!(Instant::now() < deadline, "it writes");
            std::thread::sleep(Duration::from_millis(10));
        }
        // The last line may be offered after it was written.
        assert!(process.lines.take().unwrap().iter().count() <= MAX_KEPT_LINES + 1);
    }

    #[test]
    fn program_that_ends_early_is_noticed_at_once() {
        let error = shell("exit 3").wait_until_ready(Duration::from_secs(10), |_| None::<()>).unwrap_err();
        assert!(error.to_string().contains("ended before it was ready"), "{error}");
    }

    #[test]
    fn stop_ends_a_program_that_ignores_sigterm_with_its_children() {
        let mut process = shell("trap '' TERM; sleep 300 & echo child=$!; wait; sleep 300");
        let child: i32 = process
            .wait_until_ready(Duration::from_secs(10), |line| line.strip_prefix("child=")?.parse().ok())
            .unwrap();
        process.stop();
        assert!(process.ended().is_some());
        let deadline = Instant::now() + Duration::from_secs(10);
        while rustix::process::test_kill_process(Pid::from_raw(child).unwrap()).is_ok() {
            let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            if state.contains(") Z ") {
                break;
            }
            assert!(Instant::now() < deadline, "{child} still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
