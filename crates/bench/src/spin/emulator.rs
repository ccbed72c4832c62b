//! The emulator of storage as a process of its own, on the core of the load.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::process::Endpoints;
use crate::world::{cargo_build, root};

/// The profile that is optimised for speed: in the development profile the emulator would be what is measured.
const PROFILE: &str = "sim";

/// Builds the emulator.
pub(super) fn build() -> Result<()> {
    cargo_build(&["--profile", PROFILE, "--target-dir", "target", "--package", "fake-azure"])
}

/// A running emulator; it is killed when this is dropped.
pub(super) struct Emulator {
    child: Child,
    pub(super) endpoints: Endpoints,
}

impl Emulator {
    /// Starts an empty one, whose responses take this long.
    pub(super) fn start(latency: Duration) -> Result<Self> {
        let program = root().join("target").join(PROFILE).join("fake-azure");
        let mut command = Command::new(&program);
        command.args([
            "--blob-port",
            "0",
            "--queue-port",
            "0",
            "--latency",
            &latency.as_millis().to_string(),
        ]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("its output is piped")?;
        let (mut blob, mut queue) = (None, None);
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read what the emulator prints")?;
            if let Some(address) = address_in(&line, "blob http://") {
                blob = Some(address);
            } else if let Some(address) = address_in(&line, "queue http://") {
                queue = Some(address);
            }
            if line == "ready" {
                break;
            }
        }
        let (Some(blob), Some(queue)) = (blob, queue) else { bail!("the emulator did not start") };
        Ok(Self { child, endpoints: Endpoints { blob, queue } })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line such as `blob http://127.0.0.1:10000/devstoreaccount1`.
fn address_in(line: &str, prefix: &str) -> Option<SocketAddr> {
    line.strip_prefix(prefix)?.split('/').next()?.parse().ok()
}
