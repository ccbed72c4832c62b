//! `launcher warm` and `launcher health` against a host that responds to each path with the status it names.

// Marked as test code, where a failed expectation may panic.
#[cfg(test)]
mod support;

use responder::Responder;
use support::Launcher;

/// A closed port.
const CLOSED: &str = "http://127.0.0.1:9/";

// Likewise.
#[cfg(test)]
mod responder {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What was asked, and where.
    pub(super) struct Responder {
        base: String,
        pub(super) paths: Arc<Mutex<Vec<String>>>,
    }

    impl Responder {
        pub(super) async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let paths = Arc::<Mutex<Vec<String>>>::default();
            let seen = Arc::clone(&paths);
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut head = [0; 4096];
                    let read = stream.read(&mut head).await.unwrap();
                    let line = String::from_utf8_lossy(&head[..read]);
                    let path = line.split(' ').nth(1).unwrap().to_owned();
                    let response = format!(
                        "HTTP/1.1 {} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                        &path[1..]
                    );
                    stream.write_all(response.as_bytes()).await.unwrap();
                    seen.lock().unwrap().push(path);
                }
            });
            Self { base, paths }
        }

        pub(super) fn at(&self, status: u16) -> String {
            format!("{}/{status}", self.base)
        }
    }
}

async fn run(arguments: &[&str]) -> support::Ended {
    Launcher::start(arguments, &[]).ended().await
}

#[tokio::test]
async fn host_is_asked_for_each_page_once_and_stopped() {
    let responder = Responder::start().await;
    let (health, page, refused) = (responder.at(200), responder.at(204), responder.at(403));
    let host = "trap 'echo told; exit 0' TERM; while :; do sleep 0.05; done";
    let line = ["warm", "--health-url", &health, "--get", &page, "--get", &refused, "--", "sh", "-c", host];
    let ended = run(&line).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(r#""requests":2"#), "{}", ended.stderr);
    assert_eq!(*responder.paths.lock().unwrap(), ["/200", "/204", "/403"]);
}

#[tokio::test]
async fn warm_up_fails_with_the_host_or_its_component() {
    let responder = Responder::start().await;
    let (health, broken) = (responder.at(200), responder.at(500));
    let sleep = ["--", "sleep", "60"];
    for (line, words) in [
        (["warm", "--health-url", CLOSED, "--", "sh", "-c", "exit 3"].to_vec(), "ended by itself with 3"),
        (
            [&["warm", "--health-url", CLOSED, "--start-timeout", "0.3"], &sleep[..]].concat(),
            "not healthy within",
        ),
        (
            [&["warm", "--health-url", &health, "--get", &broken], &sleep[..]].concat(),
            "/500: it responded 500",
        ),
        ([&["warm", "--health-url", &health, "--get", CLOSED], &sleep[..]].concat(), "cannot connect"),
    ] {
        let ended = run(&line).await;
        assert_eq!(ended.code, 1, "{line:?}");
        assert!(ended.stderr.contains(words), "{line:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn exit_code_of_a_probe_is_the_health_of_the_host() {
    let responder = Responder::start().await;
    for (url, code) in [(responder.at(200), 0), (responder.at(503), 1), (CLOSED.to_owned(), 1)] {
        assert_eq!(run(&["health", "--url", &url, "--timeout", "5"]).await.code, code, "{url}");
    }
    assert_eq!(run(&["health"]).await.code, 2);
}
