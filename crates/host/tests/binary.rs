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
    // The cache of the tests, and no variable that an option reads.
    command.env_clear().env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
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
fn routes_are_printed_and_sigterm_ends_with_0() {
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
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {response}");
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
fn completion_script_knows_the_options_of_up() {
    let output = host(&["completions", "bash"]).output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(String::from_utf8(output.stdout).unwrap().contains("--idle-instance-timeout"));
}

#[test]
fn refusals_are_sentences_and_code_1() {
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
        (vec!["up", "-f", file, "--log-dir", "logs"], "--log-dir (SPIN_LOG_DIR) is an option of Spin"),
        (vec!["up", "-f", file, "--follow", "unknown"], "--follow: there is no component \"unknown\""),
        (vec!["up", "-f", file, "--runtime-config-file", file], "unused runtime config key(s): "),
        (vec!["up", "-f", file, "--cache", file], "--cache: "),
        (vec!["up", "-f", "/nowhere/spin.toml"], "File or directory '/nowhere/spin.toml' not found"),
        (vec!["up", "-f", file, "--component-id", "unknown"], "there is no component \"unknown\""),
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

#[test]
fn usage_errors_are_spins_words_and_code_2() {
    let file = manifest();
    let up = ["up", "-f", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let empty = |option: &str| format!("error: a value is required for '{option}' but none was supplied");
    for (arguments, variable, words) in [
        (vec!["--log-dir", ""], None, empty("--log-dir <APP_LOG_DIR>")),
        (vec![], Some(("SPIN_LOG_DIR", "")), empty("--log-dir <APP_LOG_DIR>")),
        (vec![], Some(("RUNTIME_CONFIG_FILE", "")), empty("--runtime-config-file <RUNTIME_CONFIG_FILE>")),
        (vec![], Some(("WASMTIME_CACHE_FILE", "")), empty("--cache <WASMTIME_CACHE_FILE>")),
        (vec!["--nonsense"], None, "error: unexpected argument '--nonsense' found".to_owned()),
    ] {
        let output = host(&[&up[..], &arguments].concat()).envs(variable).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&words), "{arguments:?} {variable:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {variable:?}");
    }
    // An address from the environment that cannot be had; the option would win over it.
    let output = host(&up[..3]).env("SPIN_HTTP_LISTEN_ADDR", "nonsense").output().unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("invalid value 'nonsense' for '--listen <ADDRESS>'")
    );
}

#[test]
fn next_free_port_is_taken_on_demand() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = manifest();
    let up = ["up", "-f", file.to_str().unwrap(), "--component-id", "api", "--listen", &address];
    let output = host(&up).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--find-free-port takes another"));

    let mut running = Running(host(&[&up[..], &["--find-free-port"]].concat()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port: u16 = lines.next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let first = taken.local_addr().unwrap().port();
    assert!(port > first && port <= first + 9, "{port} after {first}");
}
