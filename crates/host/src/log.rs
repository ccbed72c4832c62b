//! Where lines go: those that components print, and those of the host about them.

use std::collections::{HashSet, VecDeque};
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::instance_tracker::InstanceHandle;

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The component, on standard output.
    Stdout,
    /// The component, on standard error.
    Stderr,
    /// The host, about the component.
    Host,
}

/// Takes lines. Called from inside instances: must not block for long.
pub trait LogSink: Send + Sync + 'static {
    /// One line without its end.
    fn line(&self, component: &str, source: Source, line: &str);
}

/// Standard output and standard error of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

impl LogSink for Terminal {
    fn line(&self, component: &str, source: Source, line: &str) {
        // Fails when the terminal is gone, which leaves no place for the error.
        let _ = match source {
            Source::Stdout => write_line(&mut std::io::stdout().lock(), "", line),
            Source::Stderr => write_line(&mut std::io::stderr().lock(), "", line),
            Source::Host => {
                write_line(&mut std::io::stderr().lock(), &format!("host: component {component:?}: "), line)
            }
        };
    }
}

/// Writes a line at once: standard error has no buffer, and other processes write to the same pipe.
fn write_line(output: &mut impl Write, head: &str, line: &str) -> std::io::Result<()> {
    output.write_all(format!("{head}{line}\n").as_bytes())
}

/// The terminal, for the output of some components only; lines of the host are always shown.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    components: HashSet<String>,
}

impl Followed {
    /// Shows these components' output; without any, no output at all.
    #[must_use]
    pub fn only(components: impl IntoIterator<Item = String>) -> Self {
        Self { components: components.into_iter().collect() }
    }

    fn shows(&self, component: &str, source: Source) -> bool {
        source == Source::Host || self.components.contains(component)
    }
}

impl LogSink for Followed {
    fn line(&self, component: &str, source: Source, line: &str) {
        if self.shows(component, source) {
            Terminal.line(component, source, line);
        }
    }
}

/// A line that was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub component: String,
    /// Who wrote it.
    pub source: Source,
    /// Without its end.
    pub text: String,
}

/// Keeps the last 100,000 lines, for tests.
#[derive(Debug, Default)]
pub struct Captured {
    lines: Mutex<VecDeque<Line>>,
}

const MAX_CAPTURED_LINES: usize = 100_000;

impl Captured {
    /// What was written so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl LogSink for Captured {
    fn line(&self, component: &str, source: Source, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MAX_CAPTURED_LINES {
            lines.pop_front();
        }
        lines.push_back(Line { component: component.to_owned(), source, text: line.to_owned() });
    }
}

/// Longer lines are cut into pieces of this many bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// One output stream of one instance.
#[derive(Clone)]
pub(crate) struct GuestOutput {
    pub(crate) component: Arc<str>,
    pub(crate) source: Source,
    pub(crate) sink: Arc<dyn LogSink>,
    pub(crate) instance: Arc<InstanceHandle>,
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.lines())
    }

    // Without a background task, so that everything a component printed before it was dropped has arrived.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.lines())
    }
}

impl GuestOutput {
    fn lines(&self) -> Lines {
        Lines { output: self.clone(), unfinished: Vec::new() }
    }
}

/// Cuts what is written into lines.
struct Lines {
    output: GuestOutput,
    unfinished: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.unfinished.extend_from_slice(end);
                    self.finish_line();
                }
                None => self.unfinished.extend_from_slice(piece),
            }
            if self.unfinished.len() >= MAX_LINE_BYTES {
                self.finish_line();
            }
        }
    }

    fn finish_line(&mut self) {
        let line = std::mem::take(&mut self.unfinished);
        let GuestOutput { component, source, sink, instance } = &self.output;
        if !instance.is_ended() {
            let line = String::from_utf8_lossy(&line);
            sink.line(component, *source, line.trim_end_matches('\r'));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.unfinished.is_empty() {
            self.finish_line();
        }
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LINE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance_tracker::InstanceTracker;

    #[test]
    fn followed_components_and_the_host_are_shown() {
        let some = Followed::only(["api".to_owned()]);
        assert!(some.shows("api", Source::Stdout) && some.shows("worker", Source::Host));
        assert!(!some.shows("worker", Source::Stderr) && !Followed::default().shows("api", Source::Stdout));
    }

    #[test]
    fn line_is_one_write() {
        #[derive(Default)]
        struct Writes(Vec<Vec<u8>>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.push(bytes.to_vec());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut writes = Writes::default();
        write_line(&mut writes, "host: ", "a line").unwrap();
        assert_eq!(writes.0, [b"host: a line\n"]);
    }

    #[test]
    fn pieces_arrive_as_whole_lines() {
        let captured = Arc::new(Captured::default());
        let output = GuestOutput {
            component: "api".into(),
            source: Source::Stderr,
            sink: Arc::clone(&captured) as Arc<dyn LogSink>,
            instance: Arc::new(InstanceTracker::new().register().unwrap()),
        };
        let mut lines = output.lines();
        for piece in ["one\ntw", "o\r\n", "", "three"] {
            lines.take(piece.as_bytes());
        }
        drop(lines);
        let texts: Vec<_> = captured.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }
}
