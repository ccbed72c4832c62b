//! The command line of the binary.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::limits::Limits;

/// What `host up` was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Up {
    /// The manifest.
    pub manifest: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Only these components, or all.
    pub components: Vec<String>,
    /// Added to every component's environment.
    pub environment: BTreeMap<String, String>,
    /// Values of variables.
    pub variables: BTreeMap<String, String>,
    /// Limits of instances.
    pub limits: Limits,
    /// How long requests may go on after a stop.
    pub grace: Duration,
    /// Whether compiled components are kept between runs.
    pub cache: bool,
    /// A wasmtime cache configuration that says where; empty is the user's cache folder.
    pub cache_file: PathBuf,
    /// Whether requests are logged.
    pub access_log: bool,
}

impl Default for Up {
    fn default() -> Self {
        Self {
            manifest: PathBuf::from("spin.toml"),
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            components: Vec::new(),
            environment: BTreeMap::new(),
            variables: BTreeMap::new(),
            limits: Limits::default(),
            grace: Duration::from_secs(10),
            cache: true,
            cache_file: PathBuf::new(),
            access_log: false,
        }
    }
}

/// What the whole command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve an application.
    Up(Box<Up>),
    /// Explain the command line.
    Help,
}

/// The explanation.
pub const HELP: &str = "\
Runs the components of a spin.toml.

Usage: host up [OPTIONS]

  -f, --from FILE                              manifest, or its folder [spin.toml]
      --listen ADDRESS:PORT                    port 0 takes a free one [127.0.0.1:3000]
      --component-id ID                        run only this component (repeatable)
      --env NAME=VALUE                         add to every component's environment (repeatable)
      --variable NAME=VALUE                    set an application variable (repeatable)
      --max-instance-reuse-count N             requests per instance [128]
      --max-instance-concurrent-reuse-count N  requests per instance at a time [16]
      --idle-instance-timeout DURATION         such as 500ms, 1s, 2m [1s]
      --request-timeout DURATION               until the head of the answer [none]
      --grace DURATION                         for running requests after a stop [10s]
      --cache FILE                             a wasmtime cache configuration (TOML) that says where
      --no-cache, --disable-cache              compile the components anew
      --access-log                             one line per request on standard error

Taken, for Spin's sake, and without effect here, where components are served from where they are and nothing
is written: --direct-mounts, --quiet, --runtime-config-file FILE (which must exist), --state-dir DIR, --log-dir DIR.

Variables are also taken from SPIN_VARIABLE_NAME and from .env beside the manifest.
";

/// Reads the arguments after the program's name.
///
/// # Errors
/// A sentence that says which argument is wrong.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    match arguments.next().as_deref() {
        Some("up") => {}
        None | Some("help" | "--help" | "-h") => return Ok(Command::Help),
        Some(other) => return Err(format!("unknown command {other:?}: try host --help")),
    }
    let mut up = Up::default();
    while let Some(argument) = arguments.next() {
        let (name, mut attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        let mut value =
            || attached.take().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "-f" | "--from" | "--file" => up.manifest = manifest_path(value()?),
            "--listen" => {
                let text = value()?;
                up.listen = text
                    .parse()
                    .map_err(|_| format!("--listen {text:?} is not ADDRESS:PORT, such as 127.0.0.1:3000"))?;
            }
            "--component-id" | "-c" => up.components.push(value()?),
            "--env" => insert_pair(&mut up.environment, &name, &value()?)?,
            "--variable" => insert_pair(&mut up.variables, &name, &value()?)?,
            "--max-instance-reuse-count" => up.limits.max_instance_reuse_count = count(&name, &value()?)?,
            "--max-instance-concurrent-reuse-count" => {
                up.limits.max_instance_concurrent_reuse_count = count(&name, &value()?)?;
            }
            "--idle-instance-timeout" => up.limits.idle_instance_timeout = duration(&name, &value()?)?,
            "--request-timeout" => up.limits.request_timeout = Some(duration(&name, &value()?)?),
            "--grace" => up.grace = duration(&name, &value()?)?,
            "--cache" => up.cache_file = PathBuf::from(value()?),
            "--no-cache" | "--disable-cache" => up.cache = false,
            "--direct-mounts" | "--quiet" => {}
            "--state-dir" | "--log-dir" => drop(value()?),
            "--runtime-config-file" => {
                let path = value()?;
                if !Path::new(&path).is_file() {
                    return Err(format!("--runtime-config-file {path:?} is not a file"));
                }
            }
            "--access-log" => up.access_log = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(format!("unknown option {name:?}: try host --help")),
        }
        if attached.is_some() {
            return Err(format!("{name} takes no value"));
        }
    }
    Ok(Command::Up(Box::new(up)))
}

fn manifest_path(text: String) -> PathBuf {
    let path = PathBuf::from(text);
    if path.is_dir() { path.join("spin.toml") } else { path }
}

fn insert_pair(into: &mut BTreeMap<String, String>, name: &str, text: &str) -> Result<(), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{name} must be NAME=VALUE"))?;
    into.insert(key.to_owned(), value.to_owned());
    Ok(())
}

fn count(name: &str, text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("{name} {text:?} is not a whole number above 0"))
}

fn duration(name: &str, text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => 0,
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds)) {
        Some(total) if milliseconds > 0 => Ok(Duration::from_millis(total)),
        _ => Err(format!("{name} {text:?} is not a duration such as 500ms, 1s or 2m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option_is_read() {
        let line = "up -f x/spin.toml --listen 0.0.0.0:0 --component-id api --component-id worker --env A=b=c \
                    --variable k=v --max-instance-reuse-count 7 --max-instance-concurrent-reuse-count=3 \
                    --idle-instance-timeout 250ms --request-timeout 2m --grace 1s --no-cache --access-log \
                    --cache x/cache.toml --direct-mounts --quiet --state-dir= --log-dir=";
        let expected = Up {
            manifest: "x/spin.toml".into(),
            listen: "0.0.0.0:0".parse().unwrap(),
            components: vec!["api".into(), "worker".into()],
            environment: [("A".into(), "b=c".into())].into(),
            variables: [("k".into(), "v".into())].into(),
            limits: Limits {
                max_instance_reuse_count: 7,
                max_instance_concurrent_reuse_count: 3,
                idle_instance_timeout: Duration::from_millis(250),
                request_timeout: Some(Duration::from_secs(120)),
            },
            grace: Duration::from_secs(1),
            cache: false,
            cache_file: "x/cache.toml".into(),
            access_log: true,
        };
        assert_eq!(read(line).unwrap(), Command::Up(Box::new(expected)));
        assert_eq!(read("up").unwrap(), Command::Up(Box::default()));
        assert_eq!(read("").unwrap(), Command::Help);
    }

    #[test]
    fn wrong_options_are_refused_with_a_sentence() {
        for (line, sentence) in [
            ("down", "unknown command \"down\": try host --help"),
            ("up --port 1", "unknown option \"--port\": try host --help"),
            ("up --listen", "--listen needs a value"),
            ("up --listen 3000", "--listen \"3000\" is not ADDRESS:PORT, such as 127.0.0.1:3000"),
            ("up --variable k", "--variable must be NAME=VALUE"),
            ("up --runtime-config-file no/such.toml", "--runtime-config-file \"no/such.toml\" is not a file"),
            ("up --no-cache=1", "--no-cache takes no value"),
            ("up --grace 5", "--grace \"5\" is not a duration such as 500ms, 1s or 2m"),
            (
                "up --max-instance-reuse-count 0",
                "--max-instance-reuse-count \"0\" is not a whole number above 0",
            ),
        ] {
            assert_eq!(read(line).unwrap_err(), sentence, "{line}");
        }
    }

    #[test]
    fn the_help_names_every_option() {
        for option in
            ["--from", "--listen", "--component-id", "--env", "--variable", "--request-timeout", "--grace"]
        {
            assert!(HELP.contains(option), "{option}");
        }
    }
}
