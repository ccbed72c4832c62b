use std::str::FromStr;
use std::time::Duration;

use azure::{AccountConfig, ConfigError, Secret};
use lifecycle::handler_limit;
use lifecycle::handlers::Handlers;
use logging::Level;

use super::variables::{CALLBACK_HOSTS, VARIABLES};
use super::{ApiAuth, ApiSettings, Operators, StorageSettings, WorkerSettings};
use crate::callback::{CallbackHosts, Callbacks, MAX_KEYS, SigningKey};
use crate::sink::{self, Sink, SinkAuth};

/// A variable with an invalid value. Names the variable and the accepted values, and never contains the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: variable {name} must be {accepted}; {why}")]
pub struct SettingsError {
    /// Name of the variable.
    pub name: &'static str,
    /// Accepted values.
    pub accepted: &'static str,
    /// Why the value is invalid, as a clause that begins with "it" and does not contain the value.
    pub why: String,
}

/// A configuration with which a component cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// A variable is invalid.
    #[error(transparent)]
    Variable(#[from] SettingsError),
    /// The storage account is missing or incomplete.
    #[error("configuration: {0}")]
    Account(#[from] ConfigError),
}

/// Accepted values of `max_concurrency` according to [`handler_limit::fits`].
const BESIDE_OUTSIDE_HANDLERS: &str = "at most 200 while task_handlers names a host outside of the application, \
     because each of these tasks holds one of the host's 256 connections and storage needs the rest";

/// The size of the parts of a large result: as the client libraries of storage have it, and 50,000 blocks suffice for all.
const RESULT_PART_BYTES: usize = 4 * 1024 * 1024;

/// Reads variables and checks them. An absent variable has its default.
struct Reader<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Reader<'_> {
    /// The value without white space around it. An empty value counts as absent, because deployment templates set every
    /// variable.
    fn text(&self, name: &str) -> String {
        let found = (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let default = || VARIABLES.iter().find(|v| v.name == name).map(|v| v.default.to_owned());
        found.or_else(default).unwrap_or_default()
    }

    /// Whether the variable is set to an empty value.
    fn is_blank(&self, name: &str) -> bool {
        (self.0)(name).is_some_and(|value| value.trim().is_empty())
    }

    fn parsed<T: FromStr>(&self, name: &str, check: impl Fn(&T) -> bool) -> Result<T, SettingsError> {
        let text = self.text(name);
        let value = text.parse().map_err(|_| refused(name, format!("it is {}", appearance(&text))))?;
        if check(&value) { Ok(value) } else { Err(refused(name, "it is outside that range")) }
    }

    fn seconds(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Duration, SettingsError> {
        self.parsed(name, |value| range.contains(value)).map(Duration::from_secs)
    }

    fn url(&self, name: &str) -> Result<String, SettingsError> {
        let text = self.text(name);
        match self.address(name)? {
            Some(uri) if uri.query().is_some() => Err(refused(name, "it has a query")),
            _ => Ok(text.trim_end_matches('/').to_owned()),
        }
    }

    /// An absolute URL; `None` if it is empty.
    fn address(&self, name: &str) -> Result<Option<http::Uri>, SettingsError> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        let why = match text.parse::<http::Uri>() {
            Err(_) => "it is no URL",
            Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => "it begins otherwise",
            Ok(uri) if uri.host().is_none_or(str::is_empty) => "it names no host",
            Ok(uri) if uri.authority().is_some_and(|a| a.as_str().contains('@')) => "it holds a user name",
            Ok(_) if text.contains('#') => "it has a fragment",
            Ok(uri) => return Ok(Some(uri)),
        };
        Err(refused(name, why))
    }

    fn name(&self, name: &str, longest: usize) -> Result<String, SettingsError> {
        let text = self.text(name);
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let why = if !(3..=longest).contains(&text.len()) {
            format!("it has {} characters", text.chars().count())
        } else if !plain {
            "it holds another character".to_owned()
        } else if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            "a hyphen in it is not between two letters or digits".to_owned()
        } else {
            return Ok(text);
        };
        Err(refused(name, why))
    }

    fn storage(&self) -> Result<StorageSettings, SettingsError> {
        let vault_name = self.text("key_vault_name");
        if !vault_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(refused(
                "key_vault_name",
                "it holds other characters than letters, digits and hyphens",
            ));
        }
        let mut key_vault_url = self.url("key_vault_url")?;
        if key_vault_url.is_empty() && !vault_name.is_empty() {
            key_vault_url = format!("https://{vault_name}.vault.azure.net");
        }
        let secret_name = self.text("storage_secret_name");
        let named = (1..=127).contains(&secret_name.len())
            && secret_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !named {
            return Err(refused("storage_secret_name", "it is longer or holds another character"));
        }
        let account_name = self.text("storage_account_name");
        let known = account_name.is_empty()
            || (3..=24).contains(&account_name.len())
                && account_name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !known {
            let why = "it is shorter or longer, or holds another character";
            return Err(refused("storage_account_name", why));
        }
        let account = AccountConfig {
            connection_string: Secret::new(self.text("storage_connection_string")),
            key_vault_url,
            secret_name,
            secret_max_age: self.seconds("secret_max_age_seconds", 1..=86_400)?,
            account_name,
            blob_endpoint: self.url("blob_endpoint")?,
            queue_endpoint: self.url("queue_endpoint")?,
            client_id: self.text("managed_identity_client_id"),
            identity_endpoint: self.url("identity_endpoint")?,
            identity_header: Secret::new(self.text("identity_header")),
        };
        Ok(StorageSettings {
            account,
            // Room for the suffixes of the scheduled and poison queues, and of the container of poisoned originals.
            queue_name: self.name("task_queue_name", 53)?,
            priority_queues: self.parsed("priority_queues", |_| true)?,
            container_name: self.name("task_blob_container_name", 56)?,
            deadline: None,
        })
    }

    /// The operators. With API keys, their keys become known ones.
    fn operators(&self, auth: &mut ApiAuth) -> Result<Operators, SettingsError> {
        let list = self.text("api_operators");
        let mut operators = Operators::default();
        match auth {
            _ if list.is_empty() => {}
            ApiAuth::None => return Err(refused("api_operators", "it is set, and api_auth is none")),
            ApiAuth::ApiKey(known) => {
                operators.keys = hashes(&list).map_err(|why| refused("api_operators", why))?;
                known.extend(&operators.keys);
            }
            ApiAuth::EasyAuth => {
                let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
                operators.principals = items.map(str::to_owned).collect();
            }
        }
        Ok(operators)
    }

    fn log_level(&self) -> Result<Level, SettingsError> {
        match self.text("log_level").as_str() {
            "info" => Ok(Level::Info),
            "warn" => Ok(Level::Warn),
            "error" => Ok(Level::Error),
            _ => Err(refused("log_level", "it is something else")),
        }
    }

    fn handlers(&self) -> Result<Handlers, SettingsError> {
        let handlers =
            Handlers::parse(&self.text("task_handlers")).map_err(|why| refused("task_handlers", why))?;
        if handlers.urls().any(|url| url.parse::<http::Uri>().is_err()) {
            return Err(refused("task_handlers", "the handler of a member is no absolute http(s) URL"));
        }
        Ok(handlers)
    }

    /// A value that is also an entry of `allowed_outbound_hosts`, which may have no path.
    fn origin(&self, name: &str) -> Result<String, SettingsError> {
        let origin = self.url(name)?;
        if origin.split_once("://").is_some_and(|(_, authority)| authority.contains('/')) {
            return Err(refused(name, "it has a path"));
        }
        Ok(origin)
    }

    fn callback_hosts(&self) -> Result<CallbackHosts, SettingsError> {
        CallbackHosts::parse(&CALLBACK_HOSTS.map(|name| self.text(name))).map_err(|index| {
            refused(CALLBACK_HOSTS.get(index).unwrap_or(&"callback_hosts"), "it is something else")
        })
    }

    /// `None` without a receiver. A receiver without a key is refused: it could not verify what it receives.
    fn callbacks(&self) -> Result<Option<Callbacks>, SettingsError> {
        let (hosts, name) = (self.callback_hosts()?, "callback_secrets");
        let max_attempts = self.parsed("callback_max_attempts", |n| (1..=1000).contains(n))?;
        let text = self.text(name);
        let secrets = text.split([',', ' ']).map(str::trim).filter(|secret| !secret.is_empty()).enumerate();
        let keys: Result<Vec<_>, _> = secrets
            .map(|(index, secret)| {
                let why = || refused(name, format!("number {} is no such secret", index + 1));
                SigningKey::parse(secret).ok_or_else(why)
            })
            .collect();
        let keys = keys?;
        match keys.len() {
            0 if !hosts.is_empty() => Err(refused(name, "it is empty while callback_hosts is set")),
            count if count > MAX_KEYS => Err(refused(name, format!("it has {count} secrets"))),
            _ => Ok((!hosts.is_empty()).then_some(Callbacks { hosts, keys, max_attempts })),
        }
    }

    /// `None` without `event_sink_url`.
    fn sink(&self, account: &AccountConfig) -> Result<Option<Sink>, SettingsError> {
        let max_attempts = self.parsed("event_sink_max_attempts", |n| (1..=1000).contains(n))?;
        let progress_interval = self.seconds("event_sink_progress_seconds", 0..=3600)?;
        let (auth, key) = (self.text("event_sink_auth"), Secret::new(self.text("event_sink_key")));
        if !matches!(auth.as_str(), "none" | "key" | "identity") {
            return Err(refused("event_sink_auth", "it is something else"));
        }
        let Some(url) = self.address("event_sink_url")? else { return Ok(None) };
        if !sink::is_origin_of(&self.origin("event_sink_host")?, &url) {
            return Err(refused(
                "event_sink_host",
                "it is something else or empty, and event_sink_url is set",
            ));
        }
        if auth != "none" && !sink::may_carry_secrets(&url) {
            let why = "it begins with http://, over which no key and no token is sent";
            return Err(refused("event_sink_url", why));
        }
        let auth =
            match auth.as_str() {
                "key" if key.is_empty() => {
                    return Err(refused("event_sink_key", "it is empty while event_sink_auth is key"));
                }
                "key" if http::HeaderValue::from_str(key.expose()).is_err() => {
                    return Err(refused("event_sink_key", "it does not fit a header"));
                }
                "key" => SinkAuth::Key(key),
                "identity" => {
                    let identity = account.identity("event_sink_auth");
                    SinkAuth::Identity(identity.map_err(|error| {
                        refused("event_sink_auth", format!("it cannot be identity: {error}"))
                    })?)
                }
                _ => SinkAuth::None,
            };
        Ok(Some(Sink { url, auth, max_attempts, progress_interval }))
    }

    fn retention(&self) -> Result<Duration, SettingsError> {
        let days: u64 = self.parsed("retention_days", |days| (1..=3650).contains(days))?;
        Ok(Duration::from_secs(days * 86_400))
    }
}

fn refused(name: &str, why: impl Into<String>) -> SettingsError {
    let why = why.into();
    match VARIABLES.iter().find(|v| v.name == name) {
        Some(variable) => SettingsError { name: variable.name, accepted: variable.accepted, why },
        None => SettingsError { name: "unknown", accepted: "declared in the table of variables", why },
    }
}

/// Describes a value without repeating it.
fn appearance(text: &str) -> &'static str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if text.strip_prefix('-').is_some_and(digits) {
        "negative"
    } else if digits(text) {
        "far outside that range"
    } else if text.starts_with(['"', '\'']) {
        "in quotation marks"
    } else if text.split_once('.').is_some_and(|(whole, rest)| digits(whole) && digits(rest)) {
        "a decimal number"
    } else {
        "something else"
    }
}

fn hashes(list: &str) -> Result<Vec<[u8; 32]>, String> {
    let items = list.split(',').map(str::trim).filter(|s| !s.is_empty()).enumerate();
    let parsed: Result<Vec<_>, _> = items
        .map(|(index, item)| digest(item).ok_or_else(|| format!("number {} is no such digest", index + 1)))
        .collect();
    parsed.and_then(|list| if list.is_empty() { Err("it is empty".to_owned()) } else { Ok(list) })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let bytes = hex.as_bytes();
    if bytes.len() != 64 || !bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(bytes.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// Parses minutes as a decimal number, to the millisecond. Parsed by hand, because the floating-point parser of the
/// standard library would be one fortieth of the component.
fn minutes(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok().filter(|minutes| *minutes <= 1_000_000)?;
    // Five digits are finer than a millisecond.
    let thousandths: u64 = format!("{fraction:0<5.5}").parse().ok()?;
    Some(Duration::from_millis(whole * 60_000 + thousandths * 60_000 / 100_000))
}

impl ApiSettings {
    /// Reads the variables of the API component.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let reader = Reader(lookup);
        let sas_lifetime = minutes(&reader.text("sas_token_expiry_minutes"))
            .filter(|lifetime| !lifetime.is_zero() && *lifetime <= Duration::from_secs(10_080 * 60))
            .ok_or_else(|| {
                refused("sas_token_expiry_minutes", "it is outside that range, or no such number")
            })?;
        let mut auth = match reader.text("api_auth").as_str() {
            // Must not be empty, because its default disables authentication.
            _ if reader.is_blank("api_auth") => return Err(refused("api_auth", "it is empty")),
            "none" => ApiAuth::None,
            "easy-auth" => ApiAuth::EasyAuth,
            "api-key" => ApiAuth::ApiKey(
                hashes(&reader.text("api_key_hashes")).map_err(|why| refused("api_key_hashes", why))?,
            ),
            _ => return Err(refused("api_auth", "it is something else")),
        };
        let operators = reader.operators(&mut auth)?;
        let depth: u64 = reader.parsed("queue_depth_limit", |_| true)?;
        Ok(Self {
            storage: reader.storage()?,
            sas_lifetime,
            public_base_url: Some(reader.url("public_base_url")?).filter(|url| !url.is_empty()),
            trust_forwarded: reader.parsed("trust_forwarded", |_| true)?,
            auth,
            operators,
            body_limit: reader.parsed("body_limit_bytes", |n| (1024..=67_108_864).contains(n))?,
            queue_depth_limit: Some(depth).filter(|depth| *depth > 0),
            retention: reader.retention()?,
            queue_pause: reader.parsed("queue_pause", |_| true)?,
            schedules: reader.parsed("schedules", |_| true)?,
            log_level: reader.log_level()?,
            handlers: reader.handlers()?,
            callback_hosts: reader.callback_hosts()?,
            sink_events: reader.address("event_sink_url")?.is_some(),
        })
    }
}

impl WorkerSettings {
    /// Reads the variables of the worker component.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn from_variables(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let reader = Reader(lookup);
        let handlers = reader.handlers()?;
        let handler_process = reader.origin("handler_process_host")?;
        let handler_watch = reader.origin("handler_watch_host")?;
        let max_concurrency = reader.parsed("max_concurrency", |n| (1..=256).contains(n))?;
        let is_process_used = !handler_process.is_empty() && !handlers.components().is_empty();
        if (is_process_used || handlers.urls().any(handler_limit::is_outside))
            && !handler_limit::fits(1, max_concurrency)
        {
            return Err(SettingsError {
                name: "max_concurrency",
                accepted: BESIDE_OUTSIDE_HANDLERS,
                why: "it is above that".to_owned(),
            });
        }
        let unit: u64 = reader.parsed("simulate_unit_ms", |ms| (1..=3_600_000).contains(ms))?;
        let visibility = reader.seconds("visibility_timeout_seconds", 1..=604_800)?;
        // A delivery that fails is released while its lease is valid.
        let storage = StorageSettings { deadline: Some(visibility / 2), ..reader.storage()? };
        let sink = reader.sink(&storage.account)?;
        Ok(Self {
            storage,
            drain_token: Secret::new(reader.text("drain_token")),
            visibility,
            max_dequeue_count: reader.parsed("max_dequeue_count", |n| (1..=1000).contains(n))?,
            max_concurrency,
            drain_budget: reader.seconds("drain_seconds", 1..=3600)?,
            task_timeout: reader.seconds("task_timeout_seconds", 1..=604_800)?,
            retry_base: reader.seconds("retry_base_seconds", 1..=3600)?,
            retry_cap: reader.seconds("retry_cap_seconds", 1..=604_800)?,
            retention: reader.retention()?,
            sweep_interval: reader.seconds("sweep_interval_seconds", 1..=86_400)?,
            simulate_unit: Duration::from_millis(unit),
            queue_pause: reader.parsed("queue_pause", |_| true)?,
            schedules: reader.parsed("schedules", |_| true)?,
            log_level: reader.log_level()?,
            handlers,
            callbacks: reader.callbacks()?,
            sink,
            handler_process,
            result_part_bytes: RESULT_PART_BYTES,
            handler_watch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_read_to_the_millisecond() {
        for (text, millis) in [
            ("10", Some(600_000)),
            ("0.5", Some(30_000)),
            ("0.001", Some(60)),
            ("1.123456789", Some(67_407)),
            ("10080.0", Some(604_800_000)),
            ("", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("1.5.2", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(minutes(text), millis.map(Duration::from_millis), "{text}");
        }
        let set = |value: &'static str| {
            ApiSettings::from_variables(&|name| {
                (name == "sas_token_expiry_minutes").then(|| value.to_owned())
            })
        };
        assert!(set("10080").is_ok() && set("0.01").is_ok());
        assert!(set("10080.1").is_err() && set("0").is_err() && set("0.0").is_err());
    }
}
