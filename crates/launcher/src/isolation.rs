//! The host process of the task handlers, derived from the worker's host: its command line and variables. Pure.
//!
//! Nothing interrupts a guest that computes without end, and as many of them as the host has threads stop everything in
//! its process. So handlers run in a process of their own, which can be killed without the worker.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;

use azure::Secret;

use crate::environment::spin_name;

/// The component that passes calls on to the handlers, see `crates/worker/src/relay.rs`.
const RELAY: &str = "worker";
/// The requests of an instance, at a time and in turn: a trap ends all requests of its instance. A request whose response
/// still arrives does not count as one at a time, so the second limit is needed too.
const REUSE: &str = "1";
/// Variables of the platform and of the components that give access to storage or to receivers of events. The process needs
/// none of them; the hosts of receivers go with the keys, without which they are no valid configuration.
const CREDENTIALS: [&str; 20] = [
    "StorageCS",
    "keyvault",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "SPIN_VARIABLE_STORAGE_CONNECTION_STRING",
    "SPIN_VARIABLE_STORAGE_ACCOUNT_NAME",
    "SPIN_VARIABLE_BLOB_ENDPOINT",
    "SPIN_VARIABLE_QUEUE_ENDPOINT",
    "SPIN_VARIABLE_KEY_VAULT_NAME",
    "SPIN_VARIABLE_KEY_VAULT_URL",
    "SPIN_VARIABLE_IDENTITY_ENDPOINT",
    "SPIN_VARIABLE_IDENTITY_HEADER",
    "SPIN_VARIABLE_CALLBACK_HOSTS",
    "SPIN_VARIABLE_CALLBACK_HOSTS_B",
    "SPIN_VARIABLE_CALLBACK_HOSTS_C",
    "SPIN_VARIABLE_CALLBACK_HOSTS_D",
    "SPIN_VARIABLE_CALLBACK_SECRETS",
    "SPIN_VARIABLE_EVENT_SINK_URL",
    "SPIN_VARIABLE_EVENT_SINK_HOST",
    "SPIN_VARIABLE_EVENT_SINK_KEY",
];

/// Bytes of an ended instance's memory that Spin writes back for the next one instead of giving them to the system. With 2 MiB,
/// Spin's own value, each instance of a language with a large memory image takes hundreds of page faults: a Python handler
/// started in 2.7 ms instead of 1.1 ms (docs/performance.md).
const KEEP_RESIDENT: (&str, &str) = ("SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT", "16777216");

/// Returns `command` with the handlers among the components that it selects. A command that selects none runs all.
#[must_use]
pub fn with_handlers(command: &[OsString], handlers: &[&str]) -> Vec<OsString> {
    let mut words = command.to_vec();
    let selected = values(command, &["--component-id", "-c"]);
    if !selected.is_empty() {
        for id in handlers.iter().filter(|id| !selected.iter().any(|word| *word == **id)) {
            words.extend(["--component-id".into(), (*id).into()]);
        }
    }
    words
}

/// Returns `command` with the handlers if it selects the worker: their code is compiled for either process.
#[must_use]
pub fn to_warm(command: &[OsString], handlers: &[&str]) -> Vec<OsString> {
    let is_worker = values(command, &["--component-id", "-c"]).iter().any(|id| *id == RELAY);
    if is_worker { with_handlers(command, handlers) } else { command.to_vec() }
}

/// Returns the command of the process of the handlers: that of the worker's host, with other components, address and
/// limits.
#[must_use]
pub fn command(
    command: &[OsString],
    handlers: &[&str],
    listen: SocketAddr,
    memory: Option<u64>,
) -> Vec<OsString> {
    let mut words = without(
        command,
        &[
            "--component-id",
            "-c",
            "--listen",
            "--max-instance-reuse-count",
            "--max-instance-concurrent-reuse-count",
            "--max-instance-memory",
        ],
    );
    let mut add = |name: &str, value: &str| words.extend([OsString::from(name), value.into()]);
    for id in std::iter::once(&RELAY).chain(handlers) {
        add("--component-id", id);
    }
    add("--listen", &listen.to_string());
    add("--max-instance-reuse-count", REUSE);
    add("--max-instance-concurrent-reuse-count", REUSE);
    if let Some(bytes) = memory {
        add("--max-instance-memory", &bytes.to_string());
    }
    words
}

/// Returns the variables of the process: those of the worker's host without credentials, and how much
/// memory of ended instances Spin keeps.
///
/// Credentials are set to nothing also where the environment has them. A value of the latter in the environment is left.
#[must_use]
pub fn variables(
    environment: &BTreeMap<String, String>,
    of_worker: &BTreeMap<String, Secret>,
) -> BTreeMap<String, Secret> {
    let is_credential =
        |name: &str| CREDENTIALS.iter().any(|credential| credential.eq_ignore_ascii_case(name));
    let emptied = environment.keys().chain(of_worker.keys()).filter(|name| is_credential(name));
    let mut all = of_worker.clone();
    all.extend(emptied.map(|name| (name.clone(), Secret::default())));
    all.insert(spin_name("handler_process_host"), Secret::default());
    let (name, bytes) = KEEP_RESIDENT;
    if !environment.contains_key(name) {
        all.insert(name.to_owned(), Secret::new(bytes));
    }
    all
}

/// The values of an option under any of `names`.
fn values<'a>(command: &'a [OsString], names: &[&str]) -> Vec<&'a OsStr> {
    let pairs = command.iter().zip(command.iter().skip(1));
    pairs
        .filter(|(name, _)| names.iter().any(|known| *name == *known))
        .map(|(_, value)| value.as_os_str())
        .collect()
}

/// The command without these options and their values.
fn without(command: &[OsString], names: &[&str]) -> Vec<OsString> {
    let mut words = Vec::with_capacity(command.len());
    let mut rest = command.iter();
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        if names.iter().any(|name| text == *name) {
            rest.next();
        } else if !names.iter().any(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        {
            words.push(word.clone());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn line(words: &[OsString]) -> String {
        words.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn handlers_join_the_components_of_a_command_that_selects_some() {
        let some = words("spin up --from a.toml --component-id worker --listen 127.0.0.1:3000");
        let expected =
            "spin up --from a.toml --component-id worker --listen 127.0.0.1:3000 --component-id crop";
        assert_eq!(line(&with_handlers(&some, &["crop"])), expected);
        let named = words("spin up -c worker -c crop");
        assert_eq!(with_handlers(&named, &["crop"]), named);
        let all = words("spin up --from a.toml");
        assert_eq!(with_handlers(&all, &["crop"]), all);
        let api = words("spin up --component-id api");
        assert_eq!(to_warm(&api, &["crop"]), api);
        assert_eq!(to_warm(&some, &["crop"]), with_handlers(&some, &["crop"]));
    }

    #[test]
    fn command_of_the_process_has_its_own_components_address_and_limits() {
        let worker = words(
            "spin up --from a.toml --component-id worker --direct-mounts --listen 127.0.0.1:3000 \
             --max-instance-reuse-count 100000 --max-instance-concurrent-reuse-count=16 --idle-instance-timeout 60s",
        );
        let listen = "127.0.0.1:3001".parse().unwrap();
        let expected = "spin up --from a.toml --direct-mounts --idle-instance-timeout 60s --component-id worker \
                        --component-id crop --component-id scale --listen 127.0.0.1:3001 --max-instance-reuse-count 1 \
                        --max-instance-concurrent-reuse-count 1";
        assert_eq!(line(&command(&worker, &["crop", "scale"], listen, None)), expected);
        let limited = format!("{expected} --max-instance-memory 1024");
        assert_eq!(line(&command(&worker, &["crop", "scale"], listen, Some(1024))), limited);
    }

    #[test]
    fn process_has_no_credentials() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment = BTreeMap::from(
            [
                ("STORAGECS", "hidden"),
                ("IDENTITY_HEADER", "hidden"),
                ("SPIN_VARIABLE_CALLBACK_SECRETS", "hidden"),
                ("PATH", "/bin"),
            ]
            .map(pair),
        );
        let of_worker = [
            ("SPIN_VARIABLE_STORAGE_CONNECTION_STRING", "hidden"),
            ("SPIN_VARIABLE_DRAIN_TOKEN", "token"),
            ("SPIN_VARIABLE_HANDLER_PROCESS_HOST", "http://127.0.0.1:3001"),
        ];
        let of_worker = of_worker.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        let found = variables(&environment, &of_worker);
        let set: Vec<_> =
            found.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(set, ["SPIN_VARIABLE_DRAIN_TOKEN", "SPIN_WASMTIME_LINEAR_MEMORY_KEEP_RESIDENT"]);
        assert!(found["STORAGECS"].is_empty() && found["IDENTITY_HEADER"].is_empty());
        assert!(!found.contains_key("PATH"), "it is inherited");
        let own = BTreeMap::from([pair((KEEP_RESIDENT.0, "0"))]);
        assert!(!variables(&own, &BTreeMap::new()).contains_key(KEEP_RESIDENT.0), "it is inherited");
    }
}
