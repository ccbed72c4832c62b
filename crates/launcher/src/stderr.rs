//! Where the launcher's log lines go.

use logging::Line;
use models::Timestamp;
use time::OffsetDateTime;

/// Writes a log line to standard error.
pub trait WriteLine {
    /// Writes the line with the present time and `"source":"launcher"`, which tells it from the lines of the host.
    fn write(self);
}

impl WriteLine for Line {
    fn write(self) {
        let line = self.with("source", "launcher");
        eprintln!("{}", line.to_json(Timestamp::from(OffsetDateTime::now_utc())));
    }
}
