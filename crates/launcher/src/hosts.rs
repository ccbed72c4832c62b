//! Derives the hosts that the manifest must allow from the endpoints in use.

use azure::Secret;
use http::Uri;

/// Returns `scheme://host[:port]` of `address`; `None` if it is not an absolute http(s) URL.
///
/// Entries of `allowed_outbound_hosts` must have this form: an entry with a path makes Spin deny every outbound request.
#[must_use]
pub fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.trim().parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?;
    // A user name would end up in a log of denied hosts.
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return None;
    }
    Some(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
}

/// Returns the origin of one of the account's services; `None` if no variable determines it.
///
/// The most specific source is used: an explicit endpoint, the connection string, or the account's name in the public
/// cloud.
///
/// # Errors
/// A sentence that names the source that is not usable, never its value.
pub fn storage(
    service: Service,
    endpoint: &str,
    connection_string: &Secret,
    account: &str,
) -> Result<Option<String>, String> {
    let label = service.label();
    if !endpoint.is_empty() {
        return address(endpoint, &format!("{label}_endpoint"));
    }
    if !connection_string.is_empty() {
        let parsed = azure::ConnectionString::parse(connection_string.expose())
            .map_err(|error| format!("storage_connection_string is not usable: {error}"))?;
        let endpoint = match service {
            Service::Blob => parsed.blob_endpoint(),
            Service::Queue => parsed.queue_endpoint(),
        };
        return address(endpoint, "storage_connection_string");
    }
    if account.is_empty() {
        return Ok(None);
    }
    address(&format!("https://{account}.{label}.core.windows.net"), "storage_account_name")
}

/// The vault's origin: its address, else its name in the public cloud. `None` when there is neither.
///
/// # Errors
/// A sentence that names the source that is not usable, never its value.
pub fn key_vault(url: &str, name: &str) -> Result<Option<String>, String> {
    match (url, name) {
        ("", "") => Ok(None),
        ("", name) => address(&format!("https://{name}.vault.azure.net"), "key_vault_name"),
        (url, _) => address(url, "key_vault_url"),
    }
}

/// The identity endpoint's origin. `None` when there is no endpoint.
///
/// # Errors
/// A sentence that names the variable, never its value.
pub fn identity(endpoint: &str) -> Result<Option<String>, String> {
    if endpoint.is_empty() { Ok(None) } else { address(endpoint, "identity_endpoint") }
}

/// The origin of the operator's sink of events. `None` when there is none.
///
/// # Errors
/// A sentence that names the variable, never its value.
pub fn event_sink(url: &str) -> Result<Option<String>, String> {
    if url.is_empty() { Ok(None) } else { address(url, "event_sink_url") }
}

fn address(text: &str, source: &str) -> Result<Option<String>, String> {
    origin(text).map(Some).ok_or_else(|| format!("{source} does not hold an http:// or https:// address"))
}

/// A storage service with an endpoint of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Blob Storage.
    Blob,
    /// Queue Storage.
    Queue,
}

impl Service {
    fn label(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Queue => "queue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_has_scheme_host_and_port_and_nothing_else() {
        let table = [
            ("http://localhost:42356/msi/token", Some("http://localhost:42356")),
            ("https://Vault.Example/", Some("https://vault.example")),
            ("http://127.0.0.1:10000/devstoreaccount1", Some("http://127.0.0.1:10000")),
            ("http://[::1]:8080/x?y=z", Some("http://[::1]:8080")),
            (" https://a.b ", Some("https://a.b")),
            ("https://user:word@a.b/", None),
            ("ftp://a.b/", None),
            ("a.b", None),
            ("https://", None),
            ("", None),
        ];
        for (address, expected) in table {
            assert_eq!(origin(address).as_deref(), expected, "{address:?}");
        }
    }

    #[test]
    fn most_specific_source_of_an_account_wins() {
        let development = Secret::new("UseDevelopmentStorage=true");
        let none = Secret::default();
        let table = [
            ("https://own.example/x", &development, "acct", Some("https://own.example")),
            ("", &development, "acct", Some("http://127.0.0.1:10001")),
            ("", &none, "acct", Some("https://acct.queue.core.windows.net")),
            ("", &none, "", None),
        ];
        for (endpoint, connection_string, account, expected) in table {
            let host = storage(Service::Queue, endpoint, connection_string, account);
            assert_eq!(host.unwrap().as_deref(), expected, "{endpoint:?} {account:?}");
        }
    }

    #[test]
    fn hosts_come_from_every_form_of_connection_string() {
        let table = [
            (
                "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5;EndpointSuffix=core.usgovcloudapi.net",
                "https://acct.blob.core.usgovcloudapi.net",
            ),
            ("AccountName=acct;AccountKey=a2V5", "https://acct.blob.core.windows.net"),
            (
                "BlobEndpoint=https://b.example/;QueueEndpoint=https://q.example/;SharedAccessSignature=sv=x&sig=y",
                "https://b.example",
            ),
            ("UseDevelopmentStorage=true", "http://127.0.0.1:10000"),
        ];
        for (text, expected) in table {
            let host = storage(Service::Blob, "", &Secret::new(text), "");
            assert_eq!(host.unwrap().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn vault_is_found_by_address_or_name() {
        let found = |url, name| key_vault(url, name).unwrap();
        assert_eq!(found("https://v.vault.azure.cn/", "x").as_deref(), Some("https://v.vault.azure.cn"));
        assert_eq!(found("", "mine").as_deref(), Some("https://mine.vault.azure.net"));
        assert_eq!(found("", ""), None);
    }

    #[test]
    fn unusable_source_is_named_and_not_shown() {
        let secret = Secret::new("AccountName=a;AccountKey=hidden;BlobEndpoint=hidden");
        let sentences = [
            storage(Service::Queue, "hidden", &Secret::default(), "").unwrap_err(),
            storage(Service::Blob, "", &secret, "").unwrap_err(),
            storage(Service::Blob, "", &Secret::default(), "hid den").unwrap_err(),
            key_vault("hidden", "").unwrap_err(),
            identity("hidden").unwrap_err(),
        ];
        let sources = [
            "queue_endpoint",
            "storage_connection_string",
            "storage_account_name",
            "key_vault_url",
            "identity_endpoint",
        ];
        for (sentence, source) in sentences.iter().zip(sources) {
            assert!(sentence.contains(source) && !sentence.contains("hid"), "{sentence}");
        }
    }
}
