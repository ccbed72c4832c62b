//! The data over a restart.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fake_azure::{EMULATOR_KEY, FakeAzure};

use crate::world::{BLOB, PUT_X, QUEUE, World, config, signed};

/// A world with something of everything, that kept a journal.
fn lived_in() -> (World, String) {
    let mut world = World::new();
    world.fake.start_journal();
    let mut journal = String::new();
    for (method, url, body) in [
        ("PUT", format!("{BLOB}/tasks?restype=container"), "".to_owned()),
        ("PUT", format!("{BLOB}/tasks/kept"), "{\"a\":1}".to_owned()),
        ("PUT", format!("{BLOB}/tasks/parts?comp=block&blockid=MQ=="), "joined".to_owned()),
        (
            "PUT",
            format!("{BLOB}/tasks/parts?comp=blocklist"),
            "<BlockList><Latest>MQ==</Latest></BlockList>".to_owned(),
        ),
        ("PUT", format!("{BLOB}/tasks/parts?comp=block&blockid=Mg=="), "apart".to_owned()),
        ("PUT", format!("{BLOB}/tasks/gone"), "x".to_owned()),
        ("DELETE", format!("{BLOB}/tasks/gone"), String::new()),
        ("PUT", format!("{BLOB}/other?restype=container"), String::new()),
        ("DELETE", format!("{BLOB}/other?restype=container"), String::new()),
        ("PUT", format!("{QUEUE}/taskqueue"), String::new()),
        ("POST", format!("{QUEUE}/taskqueue/messages"), PUT_X.to_owned()),
        ("POST", format!("{QUEUE}/taskqueue/messages?messagettl=-1"), PUT_X.replace(">x<", ">ü 🦀<")),
        ("GET", format!("{QUEUE}/taskqueue/messages"), String::new()),
        ("PUT", format!("{QUEUE}/cleared"), String::new()),
        ("POST", format!("{QUEUE}/cleared/messages"), PUT_X.to_owned()),
        ("DELETE", format!("{QUEUE}/cleared/messages"), String::new()),
    ] {
        let response = world.keyed(method, &url, &body);
        assert!((200..300).contains(&response.status), "{method} {url}: {response:?}");
        journal.push_str(&world.fake.take_journal().unwrap());
    }
    (world, journal)
}

fn replayed(journal: &str) -> FakeAzure {
    let mut fake = FakeAzure::new(config()).unwrap();
    fake.replay(journal).unwrap();
    fake
}

#[test]
fn journal_and_snapshot_lead_to_the_same_data() {
    let (world, journal) = lived_in();
    let snapshot = world.fake.snapshot().unwrap();
    assert_eq!(replayed(&journal).snapshot().unwrap(), snapshot);
    assert_eq!(replayed(&snapshot).snapshot().unwrap(), snapshot);
    assert_eq!(world.fake.messages("myaccount", "taskqueue").count(), 2);
    assert!(snapshot.lines().count() < journal.lines().count());
}

#[test]
fn restart_continues_with_new_ids_and_old_receipts() {
    let (mut before, journal) = lived_in();
    let mut after = World { fake: replayed(&journal), ..World::new() };
    let put = |world: &mut World| world.keyed("POST", &format!("{QUEUE}/taskqueue/messages"), PUT_X).body;
    assert_eq!(put(&mut before), put(&mut after), "the id is the one that would have come next");
}

#[test]
fn half_a_line_is_ignored_at_the_end_only() {
    let (_, journal) = lived_in();
    let cut = journal.trim_end().rfind('\n').unwrap() + 10;
    let whole = &journal[..=journal[..cut].rfind('\n').unwrap()];
    assert_eq!(replayed(&journal[..cut]).snapshot().unwrap(), replayed(whole).snapshot().unwrap());
    let broken = journal.replacen('{', "", 1);
    let error = FakeAzure::new(config()).unwrap().replay(&broken).unwrap_err();
    assert!(error.to_string().starts_with("line 1 is not a change"), "{error}");
}

/// The server as a process of its own.
struct Server {
    child: Child,
    blob: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let account = format!("myaccount:{EMULATOR_KEY}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_fake-azure"))
            .args(["--blob-port", "0", "--queue-port", "0", "--account", &account, "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let blob = lines.find_map(|line| line.strip_prefix("blob ").map(str::to_owned)).unwrap();
        assert!(lines.any(|line| line == "ready"));
        Self { child, blob }
    }

    /// Sends a request on a connection of its own; gives the status when a response came.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<u16> {
        let url = signed(&format!("{}/{path}", self.blob), EMULATOR_KEY);
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/')?;
        let mut stream = TcpStream::connect(host).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let head = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nx-ms-blob-type: BlockBlob\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        response.get(9..12)?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn acknowledged_write_survives_a_kill() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start(&data);
    assert_eq!(server.request("PUT", "tasks?restype=container", ""), Some(201));
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (running, count) = (&server, &count);
            let store = move |name: &String| {
                let stored = running.request("PUT", &format!("tasks/{name}"), name) == Some(201);
                count.fetch_add(usize::from(stored), Ordering::Relaxed);
                stored
            };
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let names = (0..100_000).map(move |i| format!("{round}-{writer}-{i}"));
                    scope.spawn(move || names.take_while(store).collect::<Vec<_>>())
                })
                .collect();
            // Killed while requests are on their way.
            while count.load(Ordering::Relaxed) < 50 && writers.iter().all(|writer| !writer.is_finished()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let killed =
                Command::new("kill").args(["-KILL", &running.child.id().to_string()]).status().unwrap();
            assert!(killed.success());
            acknowledged.extend(writers.into_iter().flat_map(|writer| writer.join().unwrap()));
        });
        server = Server::start(&data);
    }
    assert!(acknowledged.len() >= 150, "only {} requests in three rounds", acknowledged.len());
    for name in &acknowledged {
        assert_eq!(server.request("GET", &format!("tasks/{name}"), ""), Some(200), "{name} is lost");
    }
}

#[test]
fn second_server_does_not_take_the_same_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let _first = Server::start(&data);
    let second = Command::new(env!("CARGO_BIN_EXE_fake-azure"))
        .args(["--blob-port", "0", "--queue-port", "0", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("is in use by another server"), "{said}");
}

#[test]
fn command_line_that_is_not_understood_is_explained() {
    for (arguments, expected) in [
        (&["--port", "1"][..], "unexpected argument '--port' found"),
        (&["--blob-port"], "a value is required for '--blob-port <PORT>'"),
        (&["--blob-port", "x"], "invalid value 'x' for '--blob-port <PORT>'"),
        (&["--account", "name"], "it takes NAME:KEY"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fake-azure")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(expected) && said.contains("--help"), "{said}");
    }
}

#[test]
fn termination_signal_ends_the_server_in_good_order() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut server = Server::start(&folder.path().join("data"));
    // An idle keep-alive connection does not hold it up.
    let host = server.blob.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let _idle = TcpStream::connect(host).unwrap();
    let sent = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let began = std::time::Instant::now();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
