//! The host of the handlers as a real process beside that of the worker: started, killed and started again.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests, helpers included")]

// Marked as test code, where a failed expectation may panic.
#[cfg(test)]
mod support;

use std::time::Duration;

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::Value;
use support::{FakeWorker, Launcher, free_port, get, metrics_address, signal_to};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A host as a real process: writes what it was started with as a line of JSON when it listens, and another line with the
/// second health check.
const HOST: &str = "
import http.server, itertools, json, os, sys
checks = itertools.count(1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        if next(checks) == 2:
            print(json.dumps({'checked': str(os.getpid())}), flush=True)
        self.send_response(200)
        self.send_header('content-length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    def log_message(self, *arguments):
        pass
words = sys.argv[1:]
port = int(words[len(words) - 1 - words[::-1].index('--listen') + 1].split(':')[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
variables = {name: value for name, value in os.environ.items() if 'SPIN_VARIABLE' in name or name == 'StorageCS'}
print(json.dumps({'pid': str(os.getpid()), 'words': ' '.join(words), 'variables': variables}), flush=True)
server.serve_forever()
";

const ENVIRONMENT: [(&str, &str); 2] = [
    ("SPIN_VARIABLE_TASK_HANDLERS", r#"{"crop":"crop","far":"https://far.example/run"}"#),
    ("StorageCS", "UseDevelopmentStorage=true"),
];

/// The file with [`HOST`]. Not an argument of `-c`, which is a name of `--component-id`.
fn script() -> String {
    let path = format!("{}/host-{}.py", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::write(&path, HOST).unwrap();
    path
}

/// A replica with a host for the worker and one for its handlers.
struct Replica {
    launcher: Launcher,
    metrics: String,
    worker: Value,
    handlers: Value,
}

impl Replica {
    async fn start(more: &[&str]) -> Self {
        let worker = FakeWorker::start([]).await;
        let url = worker.drain_url();
        let (own, of_handlers) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let line = ["worker", "--drain-url", &url, "--parallel", "1", "--handlers-listen", &of_handlers];
        let script = script();
        let host = ["--metrics-listen", "127.0.0.1:0", "--", "python3", &script];
        let words =
            ["up", "--component-id", "worker", "--listen", &own, "--max-instance-reuse-count", "100000"];
        let mut launcher = Launcher::start(&[&line[..], more, &host[..], &words[..]].concat(), &ENVIRONMENT);
        let mut found = [next(&mut launcher).await, next(&mut launcher).await];
        found.sort_by_key(|host| host["words"].as_str().unwrap().contains("crop"));
        let [worker, handlers] = found;
        let metrics = metrics_address(&mut launcher).await;
        Self { launcher, metrics, worker, handlers }
    }

    /// Waits until the launcher has the first response of the handlers' process: checks follow one another.
    async fn responded(&mut self) {
        while line(&mut self.launcher).await["checked"] != self.handlers["pid"] {}
    }

    /// Waits for the next process of the handlers, and checks that the worker's host still runs.
    async fn restarted(&mut self) {
        let next = next(&mut self.launcher).await;
        assert_eq!(next["words"], self.handlers["words"]);
        assert!(!runs(&self.handlers) && runs(&next) && runs(&self.worker));
        self.handlers = next;
    }

    /// The number of restarts for this reason.
    async fn restarts(&self, reason: &str) -> String {
        let text = get(&self.metrics, "/metrics").await;
        let name = format!("accepted_handler_process_restarts_total{{reason=\"{reason}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().to_owned()
    }

    fn variable(host: &Value, name: &str) -> String {
        host["variables"][format!("SPIN_VARIABLE_{name}")].as_str().unwrap_or_default().to_owned()
    }

    async fn end(self) {
        self.launcher.signal(Signal::TERM);
        let ended = self.launcher.ended().await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(!runs(&self.handlers) && !runs(&self.worker));
    }
}

async fn line(launcher: &mut Launcher) -> Value {
    serde_json::from_str(&launcher.output_line().await).unwrap()
}

/// The next host that listens.
async fn next(launcher: &mut Launcher) -> Value {
    loop {
        let line = line(launcher).await;
        if line.get("pid").is_some() {
            return line;
        }
    }
}

fn runs(host: &Value) -> bool {
    let pid = host["pid"].as_str().unwrap().parse().unwrap();
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

/// Reports an overrun as a worker does; the status of the response.
async fn report(handlers: &Value, token: &str, milliseconds: u64) -> String {
    report_about(handlers, token, milliseconds).await.0
}

/// Reports an overrun; the status of the response, and what it says of the process.
async fn report_about(handlers: &Value, token: &str, milliseconds: u64) -> (String, String) {
    let host = Replica::variable(handlers, "HANDLER_WATCH_HOST");
    let mut stream = TcpStream::connect(host.strip_prefix("http://").unwrap()).await.unwrap();
    let request = format!(
        "POST /overrun HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\noverrun-ms: {milliseconds}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let process = response.lines().find_map(|line| line.strip_prefix("handler-process: "));
    (response.split(' ').nth(1).unwrap().to_owned(), process.unwrap_or_default().to_owned())
}

#[tokio::test]
async fn handlers_have_a_host_with_their_components_and_no_credentials() {
    let replica = Replica::start(&["--handlers-memory", "134217728"]).await;
    let words = replica.handlers["words"].as_str().unwrap();
    assert!(words.contains("--component-id worker --component-id crop"), "{words}");
    assert!(words.contains("--max-instance-concurrent-reuse-count 1"), "{words}");
    assert!(words.contains("--max-instance-memory 134217728") && !words.contains("100000"), "{words}");
    assert!(!replica.worker["words"].as_str().unwrap().contains("crop"));

    let variable = Replica::variable;
    assert_eq!(replica.handlers["variables"]["StorageCS"], "");
    assert_eq!(variable(&replica.handlers, "STORAGE_CONNECTION_STRING"), "");
    assert_eq!(variable(&replica.worker, "STORAGE_CONNECTION_STRING"), "UseDevelopmentStorage=true");
    assert!(variable(&replica.worker, "HANDLER_PROCESS_HOST").starts_with("http://127.0.0.1:"));
    assert_eq!(variable(&replica.handlers, "HANDLER_PROCESS_HOST"), "");
    assert_eq!(variable(&replica.worker, "HANDLER_HOSTS_B"), "https://far.example");
    let tokens = [&replica.worker, &replica.handlers].map(|host| variable(host, "DRAIN_TOKEN"));
    assert_eq!(tokens[0], tokens[1]);
    replica.end().await;
}

#[tokio::test]
async fn overrun_kills_and_restarts_the_host_of_the_handlers_alone() {
    let mut replica = Replica::start(&[]).await;
    let token = Replica::variable(&replica.worker, "DRAIN_TOKEN");
    assert_eq!(report(&replica.handlers, "wrong", 0).await, "401");
    assert_eq!(report(&replica.handlers, &token, 0).await, "204");
    replica.restarted().await;
    // The handler of this report was called before the restart, so its process is gone already.
    assert_eq!(report(&replica.handlers, &token, 3_600_000).await, "204");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(runs(&replica.handlers));
    assert_eq!(replica.restarts("overrun").await, "1");
    replica.end().await;
}

#[tokio::test]
async fn report_tells_whether_the_process_was_blocked_during_the_attempt() {
    let mut replica = Replica::start(&[]).await;
    let token = Replica::variable(&replica.worker, "DRAIN_TOKEN");
    // Until the health checks succeed, it has not responded.
    replica.responded().await;
    let said = |process: &str| ("204".to_owned(), process.to_owned());
    assert_eq!(report_about(&replica.handlers, &token, 0).await, said("responsive"));
    replica.restarted().await;
    // Its process is gone.
    assert_eq!(report_about(&replica.handlers, &token, 3_600_000).await, said("blocked"));
    replica.responded().await;
    signal_to(replica.handlers["pid"].as_str().unwrap(), Signal::STOP);
    let both = tokio::join!(
        report_about(&replica.handlers, &token, 10),
        report_about(&replica.handlers, &token, 20)
    );
    assert_eq!(both, (said("blocked"), said("blocked")));
    replica.restarted().await;
    replica.end().await;
}

#[tokio::test]
async fn host_of_the_handlers_that_hangs_or_dies_is_restarted() {
    let mut replica = Replica::start(&["--handlers-stall", "1"]).await;
    // It must have responded once, otherwise it has as long as at the start.
    replica.responded().await;
    signal_to(replica.handlers["pid"].as_str().unwrap(), Signal::STOP);
    replica.restarted().await;
    assert_eq!(replica.restarts("stall").await, "1");
    signal_to(replica.handlers["pid"].as_str().unwrap(), Signal::KILL);
    replica.restarted().await;
    assert_eq!(replica.restarts("ended").await, "1");
    replica.end().await;
}

#[tokio::test]
async fn handler_that_is_not_in_the_manifest_is_refused_by_name() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifest");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = folder.join("spin.toml");
    let text = "[[trigger.http]]\nroute = { private = true }\ncomponent = \"scale\"\n[component.scale]\nsource = \"x\"\n";
    std::fs::write(&manifest, text).unwrap();
    let path = manifest.to_str().unwrap();
    let line = ["worker", "--drain-url", "http://127.0.0.1:1/drain", "--", "echo", "up", "--from", path];
    let ended = Launcher::start(&line, &ENVIRONMENT).ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("[component.crop]"), "{}", ended.stderr);
}
