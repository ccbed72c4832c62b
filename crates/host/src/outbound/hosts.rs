//! `allowed_outbound_hosts`: which destinations a component may reach.

use std::net::IpAddr;

use ipnet::IpNet;

/// The destinations of one component; everything else is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// `None` is any.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// `*.example.com`, kept as `.example.com`.
    Below(String),
    /// `self`: the application's own routes.
    Own,
    Name(String),
    Network(IpNet),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Any,
    One(u16),
    /// From the first up to, not including, the second.
    Range(u16, u16),
}

impl AllowedHosts {
    /// Reads the entries, their templates already resolved. One that is empty (a template without a
    /// value) is ignored.
    ///
    /// # Errors
    /// The sentence of the first entry that is wrong. As on Spin, the whole list is then void.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let entries = entries.iter().map(|entry| entry.as_ref().trim()).filter(|entry| !entry.is_empty());
        Ok(Self { entries: entries.map(parse_entry).collect::<Result<_, _>>()? })
    }

    /// Whether a request to this destination may leave. `host` in lower case, without the port.
    #[must_use]
    pub fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        self.entries.iter().any(|entry| {
            entry.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
                && entry.host.allows(host)
                && entry.port.allows(port.or_else(|| well_known_port(scheme)))
        })
    }

    /// Whether the component may call its own application's public routes.
    #[must_use]
    pub fn allows_own_routes(&self) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry.host, Host::Own | Host::Any)
                && entry.scheme.as_deref().is_none_or(|scheme| matches!(scheme, "http" | "https"))
        })
    }
}

fn parse_entry(entry: &str) -> Result<Entry, String> {
    let Some((scheme, rest)) = entry.split_once("://") else {
        return Err(format!("{entry:?} does not begin with a scheme, such as http:// or *://"));
    };
    let scheme_name = match scheme {
        "*" => None,
        _ if !scheme.is_empty() && scheme.chars().all(char::is_alphabetic) => Some(scheme.to_owned()),
        _ => return Err(format!("{entry:?} has the unknown scheme {scheme:?}")),
    };
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let port = match port.split_once('/') {
        Some((port, "")) => port,
        Some(_) => return Err(has_a_path(entry)),
        None => port,
    };
    Ok(Entry { scheme: scheme_name, host: parse_host(entry, host)?, port: parse_port(entry, scheme, port)? })
}

fn has_a_path(entry: &str) -> String {
    format!("{entry:?} has a path: an entry is scheme://host[:port]")
}

fn parse_host(entry: &str, host: &str) -> Result<Host, String> {
    match host {
        "*" => return Ok(Host::Any),
        "self" | "self.alt" => return Ok(Host::Own),
        _ => {}
    }
    if let Ok(network) = host.parse().or_else(|_| host.parse::<IpAddr>().map(IpNet::from)) {
        return Ok(Host::Network(network));
    }
    let host = match host.split_once('/') {
        Some((host, "")) => host,
        Some(_) => return Err(has_a_path(entry)),
        None => host,
    };
    if host.is_empty() || host.starts_with('{') {
        return Err(format!("{entry:?} names no host"));
    }
    match host.strip_prefix("*.") {
        Some(domain) if !domain.contains('*') => Ok(Host::Below(format!(".{domain}"))),
        None if !host.contains('*') => Ok(Host::Name(host.to_owned())),
        _ => Err(format!("{entry:?} may have * only as the whole host or its first label")),
    }
}

fn parse_port(entry: &str, scheme: &str, port: &str) -> Result<Port, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{entry:?} has the unclear port {text:?}"));
    match port {
        "" => match well_known_port(scheme) {
            Some(port) => Ok(Port::One(port)),
            None => Err(format!("{entry:?} needs a port: {scheme:?} has no usual one")),
        },
        "*" => Ok(Port::Any),
        _ => match port.split_once("..") {
            Some((first, end)) => Ok(Port::Range(number(first)?, number(end)?)),
            None => Ok(Port::One(number(port)?)),
        },
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

impl Host {
    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(suffix) => host.ends_with(suffix),
            Self::Name(name) => name == host,
            Self::Own => false,
            Self::Network(network) => host.parse::<IpAddr>().is_ok_and(|host| network.contains(&host)),
        }
    }
}

impl Port {
    fn allows(&self, port: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::One(allowed) => port == Some(*allowed),
            Self::Range(first, end) => port.is_some_and(|port| (*first..*end).contains(&port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_allows_its_scheme_host_and_port_and_nothing_else() {
        let table: &[(&str, &[&str], &[&str])] = &[
            (
                "http://127.0.0.1:*",
                &["http://127.0.0.1:1", "http://127.0.0.1"],
                &["https://127.0.0.1:1", "http://127.0.0.2:1", "http://localhost:1"],
            ),
            (
                "http://127.0.0.1:10000",
                &["http://127.0.0.1:10000"],
                &["http://127.0.0.1", "http://127.0.0.1:10001"],
            ),
            (
                "https://*.blob.core.windows.net",
                &["https://a.blob.core.windows.net", "https://a.b.blob.core.windows.net:443"],
                &[
                    "https://blob.core.windows.net",
                    "https://a.blob.core.windows.net:444",
                    "http://a.blob.core.windows.net",
                    "https://ablob.core.windows.net",
                    "https://a.blob.core.windows.net.evil.example",
                ],
            ),
            ("http://*.spin.internal", &["http://worker.spin.internal"], &["http://spin.internal"]),
            ("https://vault.example/", &["https://vault.example"], &["https://vault.example:8443"]),
            ("*://*:*", &["http://a:1", "https://b", "other://c"], &[]),
            ("http://host:8000..8002", &["http://host:8000", "http://host:8001"], &["http://host:8002"]),
            ("http://10.0.0.0/8:*", &["http://10.1.2.3:9"], &["http://11.1.2.3:9"]),
            ("http://[::1]:3000", &["http://[::1]:3000"], &["http://[::2]:3000"]),
            ("http://self", &[], &["http://self", "http://127.0.0.1"]),
        ];
        for (entry, allowed, denied) in table {
            let hosts = AllowedHosts::parse(&[entry]).unwrap();
            for (urls, expected) in [(allowed, true), (denied, false)] {
                for url in *urls {
                    let uri: http::Uri =
                        if url.contains("other") { "other://c:1".parse() } else { url.parse() }.unwrap();
                    let allows = hosts.allows(uri.scheme_str().unwrap(), uri.host().unwrap(), uri.port_u16());
                    assert_eq!(allows, expected, "{entry} and {url}");
                }
            }
        }
    }

    #[test]
    fn entry_with_a_path_makes_the_list_void() {
        for entry in [
            "http://127.0.0.1:10000/devstoreaccount1",
            "https://a.blob.core.windows.net/tasks",
            "http://localhost:42356/msi/token",
        ] {
            let error = AllowedHosts::parse(&["http://good.example", entry]).unwrap_err();
            assert_eq!(error, format!("{entry:?} has a path: an entry is scheme://host[:port]"));
        }
    }

    #[test]
    fn empty_entry_is_ignored() {
        let hosts = AllowedHosts::parse(&["", " ", "http://a.example"]).unwrap();
        assert!(hosts.allows("http", "a.example", None));
        assert_eq!(AllowedHosts::parse::<&str>(&[]).unwrap(), AllowedHosts::default());
        assert!(!AllowedHosts::default().allows("http", "a.example", None));
    }

    #[test]
    fn unclear_entries_are_refused() {
        for entry in [
            "*",
            "a.example",
            "://a",
            "ht-tp://a",
            "http://",
            "http://a*b",
            "http://*.*.a",
            "x://a",
            "http://a:b",
        ] {
            AllowedHosts::parse(&[entry]).unwrap_err();
        }
    }

    #[test]
    fn own_routes_need_self_or_everything() {
        for (entry, expected) in [("http://self", true), ("*://*:*", true), ("http://a", false)] {
            assert_eq!(AllowedHosts::parse(&[entry]).unwrap().allows_own_routes(), expected, "{entry}");
        }
    }
}
