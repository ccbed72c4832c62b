//! Reads single variables and checks them.

use std::cell::OnceCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use azure::{AccountConfig, Secret};
use lifecycle::handlers::Handlers;
use logging::Level;

use super::error::SettingsError;
use super::variables::{CALLBACK_HOSTS, VARIABLES};
use super::{ApiAuth, Operators, StorageSettings};
use crate::callback::{CallbackHosts, Callbacks, MAX_KEYS, SigningKey};
use crate::sink::{self, Sink, SinkAuth};

/// Reads variables and checks them. An absent variable has its default.
///
/// In place of an invalid value the reader returns any other one and notes the error, which [`Reader::checked`] returns: an
/// early return for each variable is more code than reading them.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    first_error: OnceCell<SettingsError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, first_error: OnceCell::new() }
    }

    /// The settings that were read, unless a variable was invalid.
    pub(super) fn checked<T>(self, settings: T) -> Result<T, SettingsError> {
        match self.first_error.into_inner() {
            Some(error) => Err(error),
            None => Ok(settings),
        }
    }

    /// Notes an error unless there is an earlier one.
    pub(super) fn note(&self, error: SettingsError) {
        let _ = self.first_error.set(error);
    }

    pub(super) fn refuse(&self, name: &str, why: &str) {
        self.note(refused(name, why));
    }

    /// The value without white space around it. An empty value counts as absent, because deployment templates set every
    /// variable.
    pub(super) fn text(&self, name: &str) -> String {
        let found =
            (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let default = || VARIABLES.iter().find(|v| v.name == name).map(|v| v.default.to_owned());
        found.or_else(default).unwrap_or_default()
    }

    /// Whether the variable is set to an empty value.
    fn is_blank(&self, name: &str) -> bool {
        (self.lookup)(name).is_some_and(|value| value.trim().is_empty())
    }

    pub(super) fn number(&self, name: &str, range: RangeInclusive<u64>) -> u64 {
        let text = self.text(name);
        match text.parse() {
            Ok(number) if range.contains(&number) => return number,
            Ok(_) => self.refuse(name, "it is outside that range"),
            Err(_) => self.refuse(name, &format!("it is {}", appearance(&text))),
        }
        *range.start()
    }

    pub(super) fn count(&self, name: &str, range: RangeInclusive<u32>) -> u32 {
        let (start, end) = range.into_inner();
        u32::try_from(self.number(name, start.into()..=end.into())).unwrap_or(end)
    }

    pub(super) fn size(&self, name: &str, range: RangeInclusive<u32>) -> usize {
        usize::try_from(self.count(name, range)).unwrap_or(usize::MAX)
    }

    pub(super) fn seconds(&self, name: &str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, range))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        let text = self.text(name);
        if !matches!(text.as_str(), "true" | "false") {
            self.refuse(name, &format!("it is {}", appearance(&text)));
        }
        text == "true"
    }

    pub(super) fn url(&self, name: &str) -> String {
        if self.address(name).is_some_and(|uri| uri.query().is_some()) {
            self.refuse(name, "it has a query");
        }
        self.text(name).trim_end_matches('/').to_owned()
    }

    /// An absolute URL; `None` if it is empty.
    pub(super) fn address(&self, name: &str) -> Option<http::Uri> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        let why = match text.parse::<http::Uri>() {
            Err(_) => "it is no URL",
            Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => "it begins otherwise",
            Ok(uri) if uri.host().is_none_or(str::is_empty) => "it names no host",
            Ok(uri) if uri.authority().is_some_and(|a| a.as_str().contains('@')) => "it holds a user name",
            Ok(_) if text.contains('#') => "it has a fragment",
            Ok(uri) => return Some(uri),
        };
        self.refuse(name, why);
        None
    }

    fn name(&self, name: &str, longest: usize) -> String {
        let text = self.text(name);
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !(3..=longest).contains(&text.len()) {
            self.refuse(name, &format!("it has {} characters", text.chars().count()));
        } else if !plain {
            self.refuse(name, "it holds another character");
        } else if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            self.refuse(name, "a hyphen in it is not between two letters or digits");
        }
        text
    }

    pub(super) fn storage(&self) -> StorageSettings {
        let vault_name = self.text("key_vault_name");
        if !vault_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            self.refuse("key_vault_name", "it holds other characters than letters, digits and hyphens");
        }
        let mut key_vault_url = self.url("key_vault_url");
        if key_vault_url.is_empty() && !vault_name.is_empty() {
            key_vault_url = format!("https://{vault_name}.vault.azure.net");
        }
        let secret_name = self.text("storage_secret_name");
        let named = (1..=127).contains(&secret_name.len())
            && secret_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !named {
            self.refuse("storage_secret_name", "it is longer or holds another character");
        }
        let account_name = self.text("storage_account_name");
        let known = account_name.is_empty()
            || (3..=24).contains(&account_name.len())
                && account_name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !known {
            let why = "it is shorter or longer, or holds another character";
            self.refuse("storage_account_name", why);
        }
        let account = AccountConfig {
            connection_string: Secret::new(self.text("storage_connection_string")),
            key_vault_url,
            secret_name,
            secret_max_age: self.seconds("secret_max_age_seconds", 1..=86_400),
            account_name,
            blob_endpoint: self.url("blob_endpoint"),
            queue_endpoint: self.url("queue_endpoint"),
            client_id: self.text("managed_identity_client_id"),
            identity_endpoint: self.url("identity_endpoint"),
            identity_header: Secret::new(self.text("identity_header")),
        };
        StorageSettings {
            account,
            // Room for the suffixes of the scheduled and poison queues, and of the container of poisoned originals.
            queue_name: self.name("task_queue_name", 53),
            priority_queues: self.flag("priority_queues"),
            container_name: self.name("task_blob_container_name", 56),
            deadline: None,
        }
    }

    pub(super) fn auth(&self) -> ApiAuth {
        match self.text("api_auth").as_str() {
            // Must not be empty, because its default disables authentication.
            _ if self.is_blank("api_auth") => self.refuse("api_auth", "it is empty"),
            "none" => {}
            "easy-auth" => return ApiAuth::EasyAuth,
            "api-key" => return ApiAuth::ApiKey(self.hashes("api_key_hashes", &self.text("api_key_hashes"))),
            _ => self.refuse("api_auth", "it is something else"),
        }
        ApiAuth::None
    }

    /// The operators. With API keys, their keys become known ones.
    pub(super) fn operators(&self, auth: &mut ApiAuth) -> Operators {
        let list = self.text("api_operators");
        let mut operators = Operators::default();
        match auth {
            _ if list.is_empty() => {}
            ApiAuth::None => self.refuse("api_operators", "it is set, and api_auth is none"),
            ApiAuth::ApiKey(known) => {
                operators.keys = self.hashes("api_operators", &list);
                known.extend(&operators.keys);
            }
            ApiAuth::EasyAuth => {
                let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
                operators.principals = items.map(str::to_owned).collect();
            }
        }
        operators
    }

    /// The digests of a list in the variable `name`, at least one.
    fn hashes(&self, name: &str, list: &str) -> Vec<[u8; 32]> {
        let mut hashes = Vec::new();
        let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
        for (index, item) in items.enumerate() {
            match digest(item) {
                Some(hash) => hashes.push(hash),
                None => self.refuse(name, &format!("number {} is no such digest", index + 1)),
            }
        }
        if hashes.is_empty() {
            self.refuse(name, "it is empty");
        }
        hashes
    }

    pub(super) fn log_level(&self) -> Level {
        match self.text("log_level").as_str() {
            "info" => Level::Info,
            "warn" => Level::Warn,
            "error" => Level::Error,
            _ => {
                self.refuse("log_level", "it is something else");
                Level::Info
            }
        }
    }

    pub(super) fn handlers(&self) -> Handlers {
        let handlers = Handlers::parse(&self.text("task_handlers")).unwrap_or_else(|why| {
            self.refuse("task_handlers", &why);
            Handlers::default()
        });
        if handlers.urls().any(|url| url.parse::<http::Uri>().is_err()) {
            self.refuse("task_handlers", "the handler of a member is no absolute http(s) URL");
        }
        handlers
    }

    /// A value that is also an entry of `allowed_outbound_hosts`, which may have no path.
    pub(super) fn origin(&self, name: &str) -> String {
        let origin = self.url(name);
        if origin.split_once("://").is_some_and(|(_, authority)| authority.contains('/')) {
            self.refuse(name, "it has a path");
        }
        origin
    }

    pub(super) fn callback_hosts(&self) -> CallbackHosts {
        CallbackHosts::parse(&CALLBACK_HOSTS.map(|name| self.text(name))).unwrap_or_else(|index| {
            self.refuse(CALLBACK_HOSTS.get(index).unwrap_or(&"callback_hosts"), "it is something else");
            CallbackHosts::default()
        })
    }

    /// `None` without a receiver. A receiver without a key is refused: it could not verify what it receives.
    pub(super) fn callbacks(&self) -> Option<Callbacks> {
        let (hosts, name) = (self.callback_hosts(), "callback_secrets");
        let max_attempts = self.count("callback_max_attempts", 1..=1000);
        let text = self.text(name);
        let secrets = text.split([',', ' ']).map(str::trim).filter(|secret| !secret.is_empty());
        let mut keys = Vec::new();
        for (index, secret) in secrets.enumerate() {
            match SigningKey::parse(secret) {
                Some(key) => keys.push(key),
                None => self.refuse(name, &format!("number {} is no such secret", index + 1)),
            }
        }
        match keys.len() {
            0 if !hosts.is_empty() => self.refuse(name, "it is empty while callback_hosts is set"),
            count if count > MAX_KEYS => self.refuse(name, &format!("it has {count} secrets")),
            _ => {}
        }
        (!hosts.is_empty()).then_some(Callbacks { hosts, keys, max_attempts })
    }

    /// `None` without `event_sink_url`.
    pub(super) fn sink(&self, account: &AccountConfig) -> Option<Sink> {
        let max_attempts = self.count("event_sink_max_attempts", 1..=1000);
        let progress_interval = self.seconds("event_sink_progress_seconds", 0..=3600);
        let (auth, key) = (self.text("event_sink_auth"), Secret::new(self.text("event_sink_key")));
        if !matches!(auth.as_str(), "none" | "key" | "identity") {
            self.refuse("event_sink_auth", "it is something else");
        }
        let url = self.address("event_sink_url")?;
        if !sink::is_origin_of(&self.origin("event_sink_host"), &url) {
            self.refuse("event_sink_host", "it is something else or empty, and event_sink_url is set");
        }
        if auth != "none" && !sink::may_carry_secrets(&url) {
            let why = "it begins with http://, over which no key and no token is sent";
            self.refuse("event_sink_url", why);
        }
        let auth = match auth.as_str() {
            "key" => {
                if key.is_empty() {
                    self.refuse("event_sink_key", "it is empty while event_sink_auth is key");
                } else if http::HeaderValue::from_str(key.expose()).is_err() {
                    self.refuse("event_sink_key", "it does not fit a header");
                }
                SinkAuth::Key(key)
            }
            "identity" => match account.identity("event_sink_auth") {
                Ok(identity) => SinkAuth::Identity(identity),
                Err(error) => {
                    self.refuse("event_sink_auth", &format!("it cannot be identity: {error}"));
                    SinkAuth::None
                }
            },
            _ => SinkAuth::None,
        };
        Some(Sink { url, auth, max_attempts, progress_interval })
    }

    pub(super) fn retention(&self) -> Duration {
        Duration::from_secs(self.number("retention_days", 1..=3650) * 86_400)
    }
}

fn refused(name: &str, why: &str) -> SettingsError {
    let why = why.to_owned();
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
