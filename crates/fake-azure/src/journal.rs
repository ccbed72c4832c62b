//! The stored data as lines of JSON, one change a line, for the server's data file.
//!
//! A file is replayed from its first line; a last line without its line end was never acknowledged and is ignored.

use std::fmt;

use crate::fake::FakeAzure;
use crate::state::Change;

/// A data file that cannot be read.
#[derive(Debug)]
pub struct JournalError {
    line: usize,
    why: serde_json::Error,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not a change written by this version of fake-azure: {}", self.line, self.why)
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

impl FakeAzure {
    /// Performs the changes of `journal`.
    ///
    /// # Errors
    /// When a whole line is not a change.
    pub fn replay(&mut self, journal: &str) -> Result<(), JournalError> {
        let whole = journal.rfind('\n').map_or("", |end| journal.get(..end).unwrap_or_default());
        for (index, line) in whole.split('\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            match serde_json::from_str(line).map_err(|why| JournalError { line: index + 1, why })? {
                Change::Counter(counter) => self.ids.resume(counter),
                change => self.state.apply(change),
            }
        }
        Ok(())
    }

    /// Records changes from now on, for [`FakeAzure::take_journal`].
    pub fn start_journal(&mut self) {
        self.state.record();
    }

    /// The lines for what changed since the last call; empty when nothing did.
    ///
    /// # Errors
    /// Never in practice: every change can be written as JSON.
    pub fn take_journal(&mut self) -> Result<String, serde_json::Error> {
        let changes = self.state.take_changes();
        if changes.is_empty() {
            return Ok(String::new());
        }
        write(changes.into_iter().chain([Change::Counter(self.ids.counter())]))
    }

    /// The lines that lead from nothing to the present data.
    ///
    /// # Errors
    /// Never in practice: every change can be written as JSON.
    pub fn snapshot(&self) -> Result<String, serde_json::Error> {
        write(self.state.as_changes().chain([Change::Counter(self.ids.counter())]))
    }
}

fn write(changes: impl Iterator<Item = Change>) -> Result<String, serde_json::Error> {
    let mut lines = String::new();
    for change in changes {
        lines.push_str(&serde_json::to_string(&change)?);
        lines.push('\n');
    }
    Ok(lines)
}
