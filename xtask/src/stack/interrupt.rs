//! Catches SIGINT, SIGTERM and SIGHUP, so that the program can stop what it started.

use std::error::Error;
use std::fmt;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// From the moment this value exists, the signals no longer end the program by themselves: what it started
/// would outlive it.
pub struct Interrupts(Signals);

impl Interrupts {
    /// Starts to catch SIGINT, SIGTERM and SIGHUP.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn catch() -> Result<Self> {
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map(Self).context("cannot catch signals")
    }

    /// Whether one has arrived since the last call.
    pub fn arrived(&mut self) -> bool {
        self.0.pending().next().is_some()
    }
}

/// A signal asked the program to stop.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Error for Interrupted {}
