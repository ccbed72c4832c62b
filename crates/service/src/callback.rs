//! Which receivers of events a `CallbackUri` may name, and the keys of their signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;

/// The length of a key in bytes, a limit of Standard Webhooks (24 to 64 bytes).
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The most keys at a time. Two are enough to exchange a key.
pub(crate) const MAX_KEYS: usize = 4;

/// Scheme, host in lower case and port of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        Some(Self { is_https, host, port: uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }) })
    }
}

/// The receivers that the operator allows (`callback_hosts`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackHosts(Vec<Origin>);

impl CallbackHosts {
    /// Parses the values of `callback_hosts` and its further variables; an empty value is none.
    ///
    /// # Errors
    /// The index of the first value that is not `scheme://host[:port]`.
    pub(crate) fn parse(values: &[String]) -> Result<Self, usize> {
        let listed = values.iter().enumerate().filter(|(_, value)| !value.is_empty());
        let parsed = listed.map(|(index, value)| {
            let is_plain = !value.contains(['*', '@', '?', '#', ',']);
            let uri = value.parse::<Uri>().ok().filter(|uri| is_plain && matches!(uri.path(), "" | "/"));
            uri.as_ref().and_then(Origin::of).ok_or(index)
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether no receiver is allowed, so that events are off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses a `CallbackUri` whose scheme, host and port are listed.
    ///
    /// Only listed hosts are called, and redirects are not followed, so that a client cannot make the worker call an address
    /// inside the operator's network. The parser is the one that the request is sent with.
    ///
    /// # Errors
    /// A clause that says what is wrong, to follow the name of the member. It does not contain the address.
    pub fn check(&self, address: &str) -> Result<Uri, &'static str> {
        let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
        let uri = address.parse::<Uri>().ok().filter(|_| is_plain);
        let uri = uri.ok_or("must be an absolute http(s) address without a fragment")?;
        let origin = Origin::of(&uri).ok_or("must be an absolute http(s) address without a fragment")?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("must not contain a user name");
        }
        if self.is_empty() {
            return Err("this service calls no receivers; its operator can allow some with callback_hosts");
        }
        if self.0.contains(&origin) { Ok(uri) } else { Err("its scheme and host are not in callback_hosts") }
    }
}

/// A key of signatures. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Parses a secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        KEY_BYTES.contains(&key.len()).then_some(Self(key))
    }

    /// The bytes, for signing. They must never go into a log line or an error.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(set)")
    }
}

/// How events are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callbacks {
    /// `callback_hosts`.
    pub hosts: CallbackHosts,
    /// `callback_secrets`. Every event is signed with each of them.
    pub keys: Vec<SigningKey>,
    /// `callback_max_attempts`: calls of a receiver for one event.
    pub max_attempts: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(values: &[&str]) -> Result<CallbackHosts, usize> {
        CallbackHosts::parse(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_listed_scheme_host_and_port_are_allowed() {
        let hosts = hosts(&["https://hooks.example", "", "http://10.0.0.7:8080"]).unwrap();
        for allowed in [
            "https://hooks.example",
            "https://hooks.example/",
            "https://HOOKS.example:443/done?task=7&x=@y",
            "http://10.0.0.7:8080/",
        ] {
            assert!(hosts.check(allowed).is_ok(), "{allowed}");
        }
        for refused in [
            "http://hooks.example/",
            "https://hooks.example:444/",
            "https://hooks.example.evil.test/",
            "https://evil.test/https://hooks.example",
            "https://hooks.example@evil.test/",
            "https://evil.test\\@hooks.example/",
            "https://hooks.example#@evil.test/",
            "https://user@hooks.example/",
            "https://user:word@hooks.example/",
            "https://hooks.example./",
            "//hooks.example/",
            "hooks.example",
            "/done",
            "",
            "ftp://hooks.example/",
            "https:///done",
            "https://hooks.example/a b",
            "https://hooks.example/\u{e4}",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://169.254.169.254/metadata",
            "http://10.0.0.7/",
            "http://worker.spin.internal/drain",
        ] {
            assert!(hosts.check(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn internal_addresses_are_allowed_only_if_listed() {
        let hosts = hosts(&["http://audit.spin.internal", "http://[::1]:9000"]).unwrap();
        assert!(hosts.check("http://audit.spin.internal/events").is_ok());
        assert!(hosts.check("http://[::1]:9000/").is_ok());
        assert!(hosts.check("http://worker.spin.internal/events").is_err());
    }

    #[test]
    fn nothing_is_allowed_without_a_list() {
        let error = hosts(&["", ""]).unwrap().check("https://hooks.example/").unwrap_err();
        assert!(error.contains("callback_hosts"));
    }

    #[test]
    fn value_that_is_no_origin_is_refused_by_its_index() {
        for wrong in [
            "hooks.example",
            "https://*.example",
            "https://a.test/x",
            "https://u@a.test",
            "ftp://a.test",
            "https://a.test,https://b.test",
        ] {
            assert_eq!(hosts(&["https://a.test", wrong]), Err(1), "{wrong}");
        }
    }

    #[test]
    fn key_has_24_to_64_bytes_and_is_not_shown() {
        let secret = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        assert!(SigningKey::parse(&secret(24)).is_some() && SigningKey::parse(&secret(64)).is_some());
        assert!(SigningKey::parse(&secret(23)).is_none() && SigningKey::parse(&secret(65)).is_none());
        assert!(SigningKey::parse(&STANDARD.encode([7; 32])).is_none());
        assert!(SigningKey::parse("whsec_not base64").is_none());
        assert_eq!(format!("{:?}", SigningKey::parse(&secret(24)).unwrap()), "SigningKey(set)");
    }
}
