//! Storage connection strings
//! (<https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string>).

use crate::account::{Account, Credential, EMULATOR_ACCOUNT, EMULATOR_KEY, Endpoint};
use crate::shared_key::Key;
use crate::{ConfigError, Secret};

/// A parsed and checked storage connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionString(pub(crate) Account);

impl ConnectionString {
    /// Parses a connection string.
    ///
    /// # Errors
    /// The text names the setting that is missing, repeated or unusable, and contains no value.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, "", "")
    }

    /// Parses a connection string. A `blob_endpoint` or `queue_endpoint` that is not empty replaces the address in it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and if such an endpoint is not an address.
    pub fn parse_with(text: &str, blob_endpoint: &str, queue_endpoint: &str) -> Result<Self, ConfigError> {
        let settings = Settings::read(text)?;
        let name = settings.get("AccountName").unwrap_or_default();
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return refuse("AccountName must be letters and digits");
        }
        let emulated = settings.emulator_origin()?;
        let (name, credential) = match &emulated {
            Some(_) => (EMULATOR_ACCOUNT, key(EMULATOR_KEY)?),
            None => (name, settings.credential()?),
        };
        let suffix = settings.get("EndpointSuffix").unwrap_or("core.windows.net");
        if suffix.contains(['/', '@', '?', '#', ' ']) {
            return refuse(INVALID_SUFFIX);
        }
        let scheme = match settings.get("DefaultEndpointsProtocol").map(str::to_ascii_lowercase).as_deref() {
            None | Some("https") => "https",
            Some("http") => "http",
            Some(_) => return refuse("DefaultEndpointsProtocol must be http or https"),
        };
        let endpoint = |service: &str, setting: &str, variable: &str, replaced: &str, port: u16| {
            if !replaced.is_empty() {
                return Endpoint::parse(variable, replaced);
            }
            match (settings.get(setting), &emulated) {
                (Some(explicit), _) => Endpoint::parse(setting, explicit),
                (None, Some(origin)) => Endpoint::parse(
                    "DevelopmentStorageProxyUri",
                    &format!("{origin}:{port}/{EMULATOR_ACCOUNT}"),
                ),
                (None, None) if name.is_empty() => {
                    refuse(&format!("{setting} is missing (or AccountName, from which it could be made)"))
                }
                (None, None) => {
                    let url = format!("{scheme}://{name}.{service}.{suffix}");
                    Endpoint::parse(setting, &url).or_else(|_| refuse(INVALID_SUFFIX))
                }
            }
        };
        let blob = endpoint("blob", "BlobEndpoint", "blob_endpoint", blob_endpoint, 10_000)?;
        let queue = endpoint("queue", "QueueEndpoint", "queue_endpoint", queue_endpoint, 10_001)?;
        Account { name: name.to_owned(), blob, queue, credential }.checked().map(Self)
    }

    /// The address of the Blob service, without a trailing slash.
    #[must_use]
    pub fn blob_endpoint(&self) -> &str {
        self.0.blob.url()
    }

    /// The address of the Queue service, without a trailing slash.
    #[must_use]
    pub fn queue_endpoint(&self) -> &str {
        self.0.queue.url()
    }
}

const INVALID_SUFFIX: &str = "EndpointSuffix must be a host name such as core.windows.net";

/// The settings that are used.
const KNOWN_SETTINGS: [&str; 9] = [
    "AccountKey",
    "AccountName",
    "BlobEndpoint",
    "DefaultEndpointsProtocol",
    "DevelopmentStorageProxyUri",
    "EndpointSuffix",
    "QueueEndpoint",
    "SharedAccessSignature",
    "UseDevelopmentStorage",
];
/// Settings of services that this client does not use.
const IGNORED_SETTINGS: [&str; 6] = [
    "BlobSecondaryEndpoint",
    "FileEndpoint",
    "FileSecondaryEndpoint",
    "QueueSecondaryEndpoint",
    "TableEndpoint",
    "TableSecondaryEndpoint",
];

/// The settings of a string: known, not empty, none twice.
struct Settings<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Settings<'a> {
    fn read(text: &'a str) -> Result<Self, ConfigError> {
        let mut settings: Vec<(&'static str, &str)> = Vec::new();
        for (index, part) in text.split(';').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty()) {
            // The part may be a key without its name, so the error has its position and not its text.
            let place = index + 1;
            let Some((name, value)) = part.split_once('=') else {
                return refuse(&format!("part {place} between semicolons is not of the form Name=value"));
            };
            let known = KNOWN_SETTINGS
                .iter()
                .chain(&IGNORED_SETTINGS)
                .find(|known| known.eq_ignore_ascii_case(name.trim()));
            let Some(known) = known else {
                return refuse(&format!(
                    "the name of part {place} between semicolons is not one of a connection string"
                ));
            };
            if value.trim().is_empty() {
                return refuse(&format!("{known} is empty"));
            }
            if settings.iter().any(|(earlier, _)| earlier == known) {
                return refuse(&format!("{known} is given twice"));
            }
            settings.push((known, value.trim()));
        }
        if settings.is_empty() {
            refuse("AccountName and AccountKey are missing")
        } else {
            Ok(Self(settings))
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Scheme and host of the emulator; `None` if the string does not select it.
    fn emulator_origin(&self) -> Result<Option<String>, ConfigError> {
        let proxy = self.get("DevelopmentStorageProxyUri");
        match self.get("UseDevelopmentStorage") {
            None if proxy.is_some() => refuse("DevelopmentStorageProxyUri needs UseDevelopmentStorage=true"),
            None => Ok(None),
            Some(value) if !value.eq_ignore_ascii_case("true") => {
                refuse("UseDevelopmentStorage can only be true; leave it out otherwise")
            }
            Some(_) => {
                for other in ["AccountName", "AccountKey", "SharedAccessSignature"] {
                    if self.get(other).is_some() {
                        return refuse(&format!("{other} cannot stand beside UseDevelopmentStorage=true"));
                    }
                }
                let Some(proxy) = proxy else { return Ok(Some("http://127.0.0.1".to_owned())) };
                let origin = Endpoint::parse("DevelopmentStorageProxyUri", proxy)?.origin().to_owned();
                // The port is left out: each service has its own.
                let port = origin.rfind(':').filter(|at| origin.get(at + 1..).is_some_and(is_number));
                Ok(Some(port.and_then(|at| origin.get(..at)).unwrap_or(&origin).to_owned()))
            }
        }
    }

    fn credential(&self) -> Result<Credential, ConfigError> {
        match (self.get("AccountName"), self.get("AccountKey"), self.get("SharedAccessSignature")) {
            (_, Some(_), Some(_)) => {
                refuse("AccountKey and SharedAccessSignature exclude each other: leave one of them out")
            }
            (None, Some(_), None) => refuse("AccountName is missing"),
            (Some(_), None, None) => refuse("AccountKey (or SharedAccessSignature) is missing"),
            (None, None, None) => refuse("AccountName and AccountKey are missing"),
            (Some(_), Some(value), None) => key(value),
            (_, None, Some(token)) => {
                let token = token.strip_prefix('?').unwrap_or(token);
                let sendable = token.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
                let signed = token.split('&').any(|pair| pair.starts_with("sig=") && pair.len() > 4);
                if sendable && signed {
                    Ok(Credential::Sas(Secret::new(token)))
                } else {
                    refuse("SharedAccessSignature must be the whole query of a SAS, with its sig")
                }
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn key(text: &str) -> Result<Credential, ConfigError> {
    match Key::from_base64(text) {
        Some(key) => Ok(Credential::Key(key)),
        None => refuse("AccountKey is not valid Base64: was it copied as a whole?"),
    }
}

fn refuse<T>(sentence: &str) -> Result<T, ConfigError> {
    Err(ConfigError(sentence.to_owned()))
}

#[cfg(test)]
mod tests;
