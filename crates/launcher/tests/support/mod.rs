//! A worker that responds to drains as a test tells it, and the launcher as a child process.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits this long fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// How the worker responds to one drain.
pub(crate) enum Step {
    /// At once, with this status and body.
    Respond(u16, &'static str),
    /// When this control line has arrived, with nothing done.
    After(&'static str),
    /// Never.
    Never,
}

/// What the fake worker saw.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Seen {
    /// A drain began, with this Authorization header.
    Drain(String),
    /// A control line.
    Line(String),
}

/// A worker on a port of its own. Drains beyond the script find nothing.
pub(crate) struct FakeWorker {
    pub base: String,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    pub times: Arc<Mutex<Vec<Instant>>>,
}

struct Shared {
    script: Mutex<VecDeque<Step>>,
    seen: mpsc::UnboundedSender<Seen>,
    times: Arc<Mutex<Vec<Instant>>>,
}

impl FakeWorker {
    pub(crate) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (sender, seen) = mpsc::unbounded_channel();
        let times = Arc::default();
        let script = Mutex::new(script.into_iter().collect());
        let shared = Arc::new(Shared { script, seen: sender, times: Arc::clone(&times) });
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| Arc::clone(&shared).respond(request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { base, seen, times }
    }

    pub(crate) fn drain_url(&self) -> String {
        format!("{}/drain", self.base)
    }

    pub(crate) async fn next(&mut self) -> Seen {
        timeout(LIMIT, self.seen.recv()).await.expect("the worker sees something").unwrap()
    }

    /// Waits for a drain and returns its Authorization header.
    pub(crate) async fn next_drain(&mut self) -> String {
        match self.next().await {
            Seen::Drain(authorization) => authorization,
            Seen::Line(line) => panic!("a drain, not line {line:?}"),
        }
    }
}

impl Shared {
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        if request.uri().path() != "/drain" {
            return Ok(Response::new(Full::new(Bytes::from_static(b"OK"))));
        }
        assert_eq!(request.headers()["drain-control"], "stream");
        self.times.lock().unwrap().push(Instant::now());
        let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        self.seen.send(Seen::Drain(authorization)).unwrap();
        let step = self.script.lock().unwrap().pop_front().unwrap_or(Step::Respond(200, "{}"));
        let (status, text) = match step {
            Step::Respond(status, text) => (status, text),
            Step::After(line) => (200, self.follow(request.into_body(), Some(line)).await),
            Step::Never => (200, self.follow(request.into_body(), None).await),
        };
        Ok(Response::builder().status(status).body(Full::new(Bytes::from_static(text.as_bytes()))).unwrap())
    }

    async fn follow(&self, mut body: Incoming, until: Option<&str>) -> &'static str {
        while let Some(Ok(frame)) = body.frame().await {
            let data = frame.into_data().unwrap();
            for line in std::str::from_utf8(&data).unwrap().lines() {
                self.seen.send(Seen::Line(line.to_owned())).unwrap();
                if Some(line) == until {
                    return r#"{"received":1,"released":1}"#;
                }
            }
        }
        std::future::pending().await
    }
}

/// The launcher as it runs in a container.
pub(crate) struct Launcher {
    child: Child,
    pub started: Instant,
}

/// How a launcher ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Launcher {
    /// Starts it with nothing but `environment` and a PATH.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_launcher"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, started: Instant::now() }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Reads standard error up to and including `words`.
    pub(crate) async fn error_until(&mut self, words: &str) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        let mut text = String::new();
        while !text.contains(words) {
            let mut buffer = [0; 4096];
            let read = timeout(LIMIT, stderr.read(&mut buffer)).await.expect("it writes").unwrap();
            assert!(read > 0, "it ended before it wrote {words:?}: {text}");
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        text
    }

    /// Closes the pipe of standard error: writing to it fails from here on.
    pub(crate) fn close_error(&mut self) {
        drop(self.child.stderr.take());
    }

    /// Reads the first line of standard output, which here is the host's.
    pub(crate) async fn output_line(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut text = Vec::new();
        loop {
            let byte = timeout(LIMIT, stdout.read_u8()).await.expect("it writes").unwrap();
            if byte == b'\n' {
                return String::from_utf8(text).unwrap();
            }
            text.push(byte);
        }
    }

    pub(crate) async fn ended(self) -> Ended {
        let started = self.started;
        let output = timeout(LIMIT, self.child.wait_with_output()).await.expect("it ends").unwrap();
        Ended {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            took: started.elapsed(),
        }
    }
}

/// The whole response to a `GET`.
pub(crate) async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

/// An HTTP host as a real process: `python3 -c HOST PORT`. Writes its process id when it listens and `slow` when
/// a slow request has arrived, to which it responds after 1.5 s; ends at once on SIGTERM, as Spin does.
pub(crate) const HOST: &str = "
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if self.path == '/slow':
            print('slow', flush=True)
            time.sleep(1.5)
        self.send_response(200)
        self.send_header('content-length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
print(os.getpid(), flush=True)
server.serve_forever()
";

/// A port that is free at the moment.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The address that a launcher started with `--metrics-listen 127.0.0.1:0` says it listens on.
pub(crate) async fn metrics_address(launcher: &mut Launcher) -> String {
    let text = launcher.error_until("listening for").await;
    let line = text.lines().find(|line| line.contains("listening for")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

/// Waits until `GET /healthz` of the launcher responds with `status`.
pub(crate) async fn healthz_is(address: &str, status: u16) {
    let wanted = format!("HTTP/1.1 {status}");
    let seen = async {
        while !get(address, "/healthz").await.starts_with(&wanted) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, seen).await.unwrap_or_else(|_| panic!("/healthz never responds with {status}"));
}

/// Stops or continues a process that is not ours.
pub(crate) fn signal_to(pid: &str, signal: Signal) {
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), signal).unwrap();
}
