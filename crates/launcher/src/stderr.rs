//! Where the launcher's log lines go.

use std::io::{self, Write};

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
        write_line(&mut io::stderr(), line.to_json(Timestamp::from(OffsetDateTime::now_utc())));
    }
}

/// Writes the text and the end of the line in one call: the host writes to the same pipe, and its lines must not come
/// between. Without a reader the line is lost; a log is no reason to leave the host alone.
fn write_line(to: &mut impl Write, mut text: String) {
    text.push('\n');
    let _ = to.write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what each call writes, and then fails.
    #[derive(Default)]
    struct Pipe(Vec<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            if self.0.len() > 1 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn line_is_one_write_and_a_broken_pipe_ends_nothing() {
        let mut pipe = Pipe::default();
        write_line(&mut pipe, "{}".to_owned());
        assert_eq!(pipe.0, ["{}\n"]);
        write_line(&mut pipe, "{}".to_owned());
    }
}
