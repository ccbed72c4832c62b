//! `--runtime-config-file`: read as Spin reads it, and refused where this host cannot honour it.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

/// The settings of the file that this host honours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// Whether connections to other servers are kept for further requests.
    pub connection_pooling: bool,
    /// Most connections to other servers at a time; 0 allows none.
    pub max_connections: Option<usize>,
    /// For the user, at each start.
    pub warnings: Vec<String>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { connection_pooling: true, max_connections: None, warnings: Vec::new() }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OutboundHttp {
    /// Off when the section is there and does not mention it.
    connection_pooling: bool,
    max_connections: Option<usize>,
    max_concurrent_requests: Option<usize>,
}

/// Keys of Spin that this host cannot honour.
const UNSUPPORTED: [&str; 12] = [
    "client_tls",
    "config_provider",
    "key_value_store",
    "llm_compute",
    "max_instance_memory",
    "outbound_mqtt",
    "outbound_mysql",
    "outbound_networking",
    "outbound_pg",
    "outbound_redis",
    "sqlite_database",
    "variables_provider",
];

impl RuntimeConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence that names the file and the key.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("failed to read runtime config file '{shown}': {error}"))?;
        Self::parse(&text).map_err(|reason| format!("runtime config file '{shown}': {reason}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("it is not TOML: {error}"))?;
        let mut config = Self::default();
        for (key, value) in table {
            match key.as_str() {
                "outbound_http" => config.outbound_http(value)?,
                // This host keeps no state.
                "state_dir" => {}
                "log_dir" if value.as_str() == Some("") => {}
                "log_dir" => {
                    return Err("log_dir: this host writes no log files; leave the line out".to_owned());
                }
                known if UNSUPPORTED.contains(&known) => {
                    return Err(format!("this host cannot honour [{known}]; leave it out or use Spin"));
                }
                unknown => return Err(format!("unused runtime config key(s): {unknown}")),
            }
        }
        Ok(config)
    }

    fn outbound_http(&mut self, value: Value) -> Result<(), String> {
        let section: OutboundHttp = value.try_into().map_err(|error| format!("[outbound_http]: {error}"))?;
        self.connection_pooling = section.connection_pooling;
        self.max_connections = match (section.max_connections, section.max_concurrent_requests) {
            (Some(_), Some(_)) => {
                return Err(
                    "cannot set both `max_connections` and `max_concurrent_requests` in [outbound_http]; \
                            use `max_connections` only"
                        .to_owned(),
                );
            }
            (None, Some(number)) => {
                self.warnings.push(
                    "`max_concurrent_requests` in `[outbound_http]` is deprecated; use `max_connections` instead"
                        .to_owned(),
                );
                // The old name let one through at 0.
                Some(number.saturating_add(1))
            }
            (given, None) => given,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outbound_http_is_read_as_spin_reads_it() {
        for (text, pooling, connections, warnings) in [
            ("", true, None, 0),
            ("[outbound_http]", false, None, 0),
            ("[outbound_http]\nconnection_pooling = true\nmax_connections = 256", true, Some(256), 0),
            ("[outbound_http]\nmax_connections = 0", false, Some(0), 0),
            ("[outbound_http]\nmax_concurrent_requests = 256", false, Some(257), 1),
            ("state_dir = \"\"\nlog_dir = \"\"", true, None, 0),
        ] {
            let config = RuntimeConfig::parse(text).unwrap();
            assert_eq!((config.connection_pooling, config.max_connections), (pooling, connections), "{text}");
            assert_eq!(config.warnings.len(), warnings, "{text}");
        }
    }

    #[test]
    fn unknown_and_unsupported_keys_are_refused() {
        for (text, words) in [
            ("baz = 1", "unused runtime config key(s): baz"),
            ("[outbound_http]\nmax_connection = 1", "unknown field `max_connection`"),
            ("[outbound_http]\nmax_connections = -1", "[outbound_http]: "),
            ("[outbound_http]\nmax_connections = 1\nmax_concurrent_requests = 1", "cannot set both"),
            ("[outbound_http]\nconnection_pooling = \"yes\"", "[outbound_http]: "),
            ("[[variables_provider]]\ntype = \"env\"", "cannot honour [variables_provider]"),
            ("log_dir = \"logs\"", "writes no log files"),
            ("outbound_http", "it is not TOML"),
        ] {
            let reason = RuntimeConfig::parse(text).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
    }

    #[test]
    fn own_file_bounds_connections_without_a_warning() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtime-config.toml");
        let config = RuntimeConfig::read(&path).unwrap();
        assert_eq!(config.warnings, Vec::<String>::new());
        assert_eq!((config.connection_pooling, config.max_connections), (true, Some(1024)));
    }
}
