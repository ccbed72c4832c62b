//! The command line against Spin's own words. Environment variables are tested with the program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::{Command, CommandLine, Settings, Up, VariableSource};
use crate::limits::Limits;

/// Words are separated by spaces; `''` is an empty one.
fn read(line: &str) -> Result<CommandLine, clap::Error> {
    let words = line.split_whitespace().map(|word| OsString::from(if word == "''" { "" } else { word }));
    CommandLine::read(std::iter::once(OsString::from("host")).chain(words))
}

fn up(line: &str) -> Up {
    match read(line).map_err(|error| error.to_string()).unwrap().command {
        Command::Up(up) => *up,
        Command::Completions { .. } => panic!("{line} is not up"),
    }
}

fn settle(line: &str) -> Result<Settings, String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spin.toml");
    up(&format!("up --from {file} {line}")).into_settings()
}

fn refusal(line: &str) -> clap::Error {
    read(line).err().unwrap_or_else(|| panic!("{line} is accepted"))
}

#[test]
fn definition_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn every_honoured_option_arrives() {
    let line = "--listen localhost:0 -c api --component-id worker -e A=b=c --variable k=v --variable k=w \
                --max-instance-reuse-count 7 --max-instance-concurrent-reuse-count=3 --idle-instance-timeout 250ms \
                --request-timeout 120 --max-instance-memory 1048576 --find-free-port --http1-max-buf-size 8192 --cache x/cache.toml --follow api";
    let settings = settle(line).unwrap_or_else(|sentence| panic!("{sentence}"));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:0");
    assert_eq!(settings.components, ["api", "worker"]);
    assert_eq!(settings.environment, [("A".to_owned(), "b=c".to_owned())].into());
    assert_eq!(settings.variables, [("k".to_owned(), "w".to_owned())].into(), "the last value counts");
    let limits = Limits {
        max_instance_reuse_count: 7,
        max_instance_concurrent_reuse_count: 3,
        idle_instance_timeout: Duration::from_millis(250),
        request_timeout: Some(Duration::from_secs(120)),
        max_instance_memory: Some(1_048_576),
    };
    assert_eq!(settings.limits, limits);
    assert_eq!((settings.further_ports, settings.max_buffer), (9, Some(8192)));
    assert_eq!((settings.cache, settings.cache_file), (true, Some(PathBuf::from("x/cache.toml"))));
    assert_eq!(settings.follow, Some(vec!["api".to_owned()]));

    let own = read("--grace 1s --access-log up --quiet").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((own.grace, own.access_log), (Duration::from_secs(1), true));
}

#[test]
fn limits_without_options_are_those_of_spin() {
    let settings = settle("").unwrap_or_else(|sentence| panic!("{sentence}"));
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.listen.to_string(), "127.0.0.1:3000");
    assert!(settings.cache && settings.follow.is_none() && settings.runtime_config.connection_pooling);
    assert!(read("u").is_ok(), "an alias of Spin's");
}

#[test]
fn refusals_of_spin_are_repeated_in_its_words() {
    let empty = |option: &str, name: &str| {
        (format!("{option}="), format!("a value is required for '{option} <{name}>' but none was supplied"))
    };
    let table: Vec<(String, String)> = [
        empty("--log-dir", "APP_LOG_DIR"),
        empty("--runtime-config-file", "RUNTIME_CONFIG_FILE"),
        empty("--cache", "WASMTIME_CACHE_FILE"),
        empty("--cache-dir", "CACHE_DIR"),
        empty("--from-file", "APP_MANIFEST_FILE"),
    ]
    .into_iter()
    .chain(
        [
            ("--log-dir ''", "a value is required for '--log-dir <APP_LOG_DIR>' but none was supplied"),
            ("--port 1", "unexpected argument '--port' found"),
            ("spin.toml", "unexpected argument 'spin.toml' found"),
            ("-fspin.toml", "'-s'"),
            ("--listen", "a value is required for '--listen <ADDRESS>'"),
            ("--listen 3000", "invalid value '3000' for '--listen <ADDRESS>'"),
            ("--listen ''", "invalid value '' for '--listen <ADDRESS>'"),
            ("--listen 127.0.0.1:1 --listen 127.0.0.1:2", "cannot be used multiple times"),
            ("--env k", "Environment variable must be of the form `key=value`"),
            ("--variable k", "variables must be in the form 'key=value' or '@file'"),
            ("--variable @k.txt", "variable files must end in .json or .toml"),
            (
                "--idle-instance-timeout 2m",
                "expected integer suffixed by `s`, `ms`, `us`, `μs`, or `ns`; got \"2m\"",
            ),
            ("--idle-instance-timeout ''", "expected integer suffixed by"),
            ("--request-timeout 1.5s", "expected integer suffixed by"),
            ("--max-instance-reuse-count many", "expected integer or range; got \"many\""),
            ("--quiet --follow api", "cannot be used with"),
            ("--disable-cache --cache x", "cannot be used with"),
            ("--from a --from-file b", "cannot be used with"),
            ("--tls-cert x", "required arguments were not provided"),
            ("--direct-mounts=1", "unexpected value '1' for '--direct-mounts'"),
            ("--format xml", "invalid value 'xml' for '--format <FORMAT>'"),
            // This host's own options do not stand among Spin's.
            ("--grace 5", "unexpected argument '--grace' found"),
            ("--no-cache", "unexpected argument '--no-cache' found"),
        ]
        .map(|(line, words)| (line.to_owned(), words.to_owned())),
    )
    .collect();
    for (line, words) in table {
        let error = refusal(&format!("up {line}"));
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(&words), "{line}: {error}");
    }
    assert_eq!(refusal("down").exit_code(), 2);
    assert_eq!(refusal("").exit_code(), 2, "Spin shows its help and fails");
}

#[test]
fn values_that_spin_accepts_empty_are_accepted_empty() {
    settle("--state-dir ''").unwrap_or_else(|sentence| panic!("{sentence}"));
    let settings =
        settle("--state-dir= --variable k= -e A= --variable =").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.variables.get("k").map(String::as_str), Some(""));
    assert_eq!(settings.environment.get("A").map(String::as_str), Some(""));
}

#[test]
fn harmless_options_are_accepted_without_effect() {
    let line = "--state-dir x --truncate-logs --direct-mounts --temp x --cache-dir x --disable-pooling -qk";
    let settings = settle(line).unwrap_or_else(|sentence| panic!("{sentence}"));
    assert_eq!(settings.follow, Some(Vec::new()), "no output is shown");
}

#[test]
fn options_that_cannot_be_honoured_are_refused() {
    for line in [
        "--log-dir x",
        "--profile debug",
        "--build",
        "--debug-info",
        "--tls-cert x --tls-key y",
        "--format json",
        "--allow-transient-write",
        "--experimental-wasi-otel",
        "--key-value a=b",
        "--sqlite x",
    ] {
        let option = line.split_whitespace().next().unwrap_or_default();
        let sentence = settle(line).err().unwrap_or_else(|| panic!("{line} is accepted"));
        assert!(sentence.starts_with(option), "{line}: {sentence}");
        assert!(sentence.ends_with("Leave it out."), "{line}: {sentence}");
    }
    let sentence = up("up --from-registry a/b:1").into_settings().err().unwrap();
    assert!(sentence.starts_with("--from-registry"), "{sentence}");
    let sentence = up("up --from no/such/app").into_settings().err().unwrap();
    assert!(sentence.contains("File or directory 'no/such/app' not found"), "{sentence}");
    for (line, words) in [
        ("--max-instance-reuse-count 1..8", "takes one value, not a range"),
        ("--max-instance-reuse-count 0", "no request would ever be served"),
        ("--http1-max-buf-size 100", "8192"),
    ] {
        let error = refusal(&format!("up {line}")).to_string();
        assert!(error.contains(words), "{line}: {error}");
    }
}

#[test]
fn variables_come_from_texts_and_files() {
    let folder = std::env::temp_dir().join(format!("host-arguments-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name);
    std::fs::write(path("value.txt"), "from a file\n").unwrap();
    std::fs::write(path("values.json"), r#"{"a": "json"}"#).unwrap();
    std::fs::write(path("values.toml"), "b = \"toml\"").unwrap();
    std::fs::write(path("wrong.json"), r#"{"a": {"secret": 1}}"#).unwrap();
    for (source, name, value) in [
        (VariableSource::File("k".into(), path("value.txt")), "k", "from a file\n"),
        (VariableSource::Json(path("values.json")), "a", "json"),
        (VariableSource::Toml(path("values.toml")), "b", "toml"),
        (super::value::variable("k=v=w").unwrap_or_else(|error| panic!("{error}")), "k", "v=w"),
    ] {
        assert_eq!(source.read().unwrap(), [(name.to_owned(), value.to_owned())].into());
    }
    for wrong in [VariableSource::Json(path("wrong.json")), VariableSource::Toml(path("wrong.json"))] {
        let sentence = wrong.read().unwrap_err();
        assert!(sentence.contains("wrong.json is no") && !sentence.contains("secret"), "{sentence}");
    }
    let sentence = VariableSource::File("k".into(), path("none")).read().unwrap_err();
    assert!(sentence.contains("none"), "{sentence}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn help_lists_every_option_of_spin() {
    let error = refusal("up --help");
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    assert_eq!(error.exit_code(), 0);
    let help = error.to_string();
    // `spin up --help` of 4.1, both halves.
    let options = "--from --profile --insecure --env --temp --cache-dir --direct-mounts --build --component-id \
        --log-dir --truncate-logs --disable-cache --cache --disable-pooling --debug-info --follow \
        --quiet --runtime-config-file --state-dir --listen --tls-cert --tls-key --http1-max-buf-size \
        --find-free-port --format --max-instance-reuse-count --max-instance-concurrent-reuse-count \
        --request-timeout --idle-instance-timeout --allow-transient-write --experimental-wasi-otel \
        --key-value --sqlite --max-instance-memory --variable";
    for option in options.split_whitespace() {
        assert!(help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")), "{option}");
    }
    for heading in ["Application:", "As in Spin:", "Accepted without effect", "Refused: options of Spin"] {
        assert!(help.contains(heading), "{heading}");
    }
    for variable in ["SPIN_LOG_DIR", "SPIN_HTTP_LISTEN_ADDR", "RUNTIME_CONFIG_FILE", "WASMTIME_CACHE_FILE"] {
        assert!(help.contains(variable), "{variable}");
    }
}
