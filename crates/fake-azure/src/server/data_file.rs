//! Keeps the data over a restart: each change is appended before its request gets a response.
//!
//! What is acknowledged survives the end of the server by any signal, because the operating system has it by then. It is
//! not forced to the disk: a power cut can lose the last moments.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::fake::FakeAzure;

/// The file is written anew when it has grown by this much, in bytes, and by four times its last size.
const REWRITE_AFTER: u64 = 64 * 1024 * 1024;

/// An open data file.
pub(super) struct DataFile {
    path: PathBuf,
    file: File,
    /// Bytes appended since the file was written anew.
    appended: u64,
    /// Bytes of the file when it was written anew.
    base: u64,
    /// Held so that no second server writes to the file; the system lets go of it whatever ends this one.
    _lock: File,
}

impl DataFile {
    /// Fills `fake` from the file at `path`, if there is one, and starts recording.
    pub(super) fn open(path: &Path, fake: &mut FakeAzure) -> io::Result<Self> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(beside(path, ".lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is in use by another server", path.display()),
            )
        })?;
        match fs::read(path) {
            Ok(bytes) => {
                // The end of the last line may be missing, and with it half a character.
                let journal = String::from_utf8_lossy(&bytes);
                fake.replay(&journal)
                    .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fake.start_journal();
        let (file, base) = rewrite(path, fake)?;
        Ok(Self { path: path.to_owned(), file, appended: 0, base, _lock: lock })
    }

    /// Appends what changed since the last call.
    pub(super) fn write(&mut self, fake: &mut FakeAzure) -> io::Result<()> {
        let lines = fake.take_journal()?;
        if lines.is_empty() {
            return Ok(());
        }
        self.file.write_all(lines.as_bytes())?;
        self.appended += lines.len() as u64;
        if self.appended > REWRITE_AFTER.max(self.base.saturating_mul(4)) {
            (self.file, self.base) = rewrite(&self.path, fake)?;
            self.appended = 0;
        }
        Ok(())
    }
}

/// Replaces the file by one that holds just the present data; never is there half a file at `path`.
fn rewrite(path: &Path, fake: &FakeAzure) -> io::Result<(File, u64)> {
    let fresh = beside(path, ".new");
    let snapshot = fake.snapshot()?;
    let mut file = File::create(&fresh)?;
    file.write_all(snapshot.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok((file, snapshot.len() as u64))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}
