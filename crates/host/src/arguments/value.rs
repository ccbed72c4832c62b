//! Values of options, spelled as Spin spells them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where `--variable` takes values from. Without `Debug`: a value may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum VariableSource {
    /// `KEY=VALUE`.
    Literal(String, String),
    /// `KEY=@FILE`: the file's text is the value.
    File(String, PathBuf),
    /// `@FILE.json`: names and values.
    Json(PathBuf),
    /// `@FILE.toml`: names and values.
    Toml(PathBuf),
}

impl VariableSource {
    /// Names and values.
    ///
    /// # Errors
    /// A sentence that names the file, never a value.
    pub fn read(&self) -> Result<BTreeMap<String, String>, String> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| format!("--variable: {}: {error}", path.display()))
        };
        let no_map =
            |path: &Path, kind| format!("--variable: {} is no {kind} of names and texts", path.display());
        match self {
            Self::Literal(name, value) => Ok([(name.clone(), value.clone())].into()),
            Self::File(name, path) => Ok([(name.clone(), text(path)?)].into()),
            Self::Json(path) => serde_json::from_str(&text(path)?).map_err(|_| no_map(path, "JSON object")),
            Self::Toml(path) => toml::from_str(&text(path)?).map_err(|_| no_map(path, "TOML table")),
        }
    }
}

pub(super) fn variable(text: &str) -> Result<VariableSource, &'static str> {
    if let Some(path) = text.strip_prefix('@') {
        let path = PathBuf::from(path);
        return match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Ok(VariableSource::Json(path)),
            Some("toml") => Ok(VariableSource::Toml(path)),
            _ => Err("variable files must end in .json or .toml"),
        };
    }
    let (name, value) = text.split_once('=').ok_or("variables must be in the form 'key=value' or '@file'")?;
    Ok(match value.strip_prefix('@') {
        Some(path) => VariableSource::File(name.to_owned(), PathBuf::from(path)),
        None => VariableSource::Literal(name.to_owned(), value.to_owned()),
    })
}

pub(super) fn environment(text: &str) -> Result<(String, String), &'static str> {
    split(text).ok_or("Environment variable must be of the form `key=value`")
}

pub(super) fn pair(text: &str) -> Result<(String, String), &'static str> {
    split(text).ok_or("Key/Values must be of the form `key=value`")
}

fn split(text: &str) -> Option<(String, String)> {
    text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// An address, or a name that has one. Like Spin, 127.0.0.1 where the name has several.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let addresses: Vec<_> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let loopback = addresses.iter().find(|address| address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST));
    loopback.or(addresses.first()).copied().ok_or_else(|| "couldn't resolve address".to_owned())
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    refuse_range(text)?;
    match text.parse() {
        Ok(0) => Err("with 0 no request would ever be served".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("expected integer or range; got {text:?}; {error}")),
    }
}

/// The smallest size that hyper accepts, in Spin as here.
pub(super) fn buffer(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if size >= 8192 => Ok(size),
        Ok(_) => Err("the smallest buffer has 8192 bytes".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    refuse_range(text)?;
    type Unit = (&'static str, fn(u64) -> Duration);
    let units: [Unit; 6] = [
        ("ms", Duration::from_millis),
        ("us", Duration::from_micros),
        ("μs", Duration::from_micros),
        ("ns", Duration::from_nanos),
        ("s", Duration::from_secs),
        ("", Duration::from_secs),
    ];
    let parsed = units.iter().find_map(|(unit, from)| Some((text.strip_suffix(unit)?, from)));
    let (digits, from) = parsed.ok_or_else(|| "expected a number".to_owned())?;
    digits.parse().map(from).map_err(|error| {
        format!(
            "expected integer or range; got {text:?}; expected integer suffixed by `s`, `ms`, `us`, `μs`, or `ns`; \
             got {text:?}; {error}"
        )
    })
}

fn refuse_range(text: &str) -> Result<(), String> {
    if text.contains("..") {
        return Err("this host takes one value, not a range".to_owned());
    }
    Ok(())
}

/// `-qk` as `-q -k`. Spin takes clusters apart before it parses them, so that a value attached to a short option
/// (`-fspin.toml`) is refused there; it must not work here.
pub(super) fn split_clusters(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut split = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(cluster) if !cluster.starts_with('-') && cluster.chars().count() > 1 => {
                split.extend(cluster.chars().map(|letter| OsString::from(format!("-{letter}"))));
            }
            _ => split.push(argument),
        }
    }
    split
}
