//! The program `host`, as its users start it.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml")
}

fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The cache of the tests, not the user's.
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Ends the program when a test fails half-way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_says_when_it_serves_and_ends_well_on_sigterm() {
    let file = manifest();
    let mut command =
        host(&["up", "-f", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--component-id", "api"]);
    let mut running = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let address = first.strip_prefix("Serving http://").unwrap_or_else(|| panic!("{first:?}")).to_owned();
    assert_eq!(lines.next().unwrap(), format!("  api: http://{address}/..."));

    for (path, status) in [("/healthz", "200"), ("/drain", "404"), ("/.well-known/spin/health", "200")] {
        let mut client = TcpStream::connect(&address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(client, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }

    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        match running.0.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => panic!("it did not end"),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "{status}");
}

#[test]
fn what_it_cannot_do_it_says_in_a_sentence_and_fails() {
    let file = manifest();
    let file = file.to_str().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let unbuilt = folder.join("unbuilt.toml");
    let text = "spin_manifest_version = 2\napplication = { name = \"x\" }\n[[trigger.http]]\nroute = \"/\"\n\
                component = { source = \"not-there.wasm\" }\n";
    std::fs::write(&unbuilt, text).unwrap();
    let no_wasm = folder.join("no-wasm.toml");
    std::fs::write(&no_wasm, text.replace("not-there.wasm", "no-wasm.toml")).unwrap();
    for (arguments, sentence) in [
        (vec!["up", "--port", "1"], "unknown option \"--port\""),
        (vec!["up", "-f", "/nowhere/spin.toml"], "cannot read /nowhere/spin.toml"),
        (vec!["up", "-f", file, "--component-id", "nobody"], "there is no component \"nobody\""),
        (
            vec!["up", "-f", file, "--variable", "typo=1"],
            "the variable \"typo\" is not declared in [variables]",
        ),
        (vec!["up", "-f", unbuilt.to_str().unwrap()], "not-there.wasm is missing: run cargo xtask build"),
        (vec!["up", "-f", no_wasm.to_str().unwrap()], "no-wasm.toml cannot be used"),
    ] {
        let mut arguments = arguments;
        arguments.extend(["--listen", "127.0.0.1:0"]);
        let output = host(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("host: ") && said.contains(sentence), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
    }
}
