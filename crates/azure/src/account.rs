//! An account: where its services are and how requests to them are authorised.

use crate::shared_key::Key;
use crate::{ConfigError, Secret};

/// The account name of the storage emulators.
pub(crate) const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
/// The account key of the storage emulators, which is public.
pub(crate) const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// How requests are authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The account key.
    Key(Key),
    /// A SAS token, added to every query unchanged because it is already encoded. It cannot sign.
    Sas(Secret),
    /// Bearer tokens of the managed identity.
    Identity,
}

/// A storage account: its name, the addresses of its services and how requests are authorised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Empty if unknown, which is possible with [`Credential::Sas`] only.
    pub(crate) name: String,
    pub(crate) blob: Endpoint,
    pub(crate) queue: Endpoint,
    pub(crate) credential: Credential,
}

/// The absolute address of a service, without trailing slash, query, fragment and user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: String,
    path_at: usize,
    https: bool,
    loopback: bool,
}

impl Endpoint {
    /// Parses and checks an address. `name` is the variable or setting, for the error.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let refused =
            || ConfigError(format!("{name} must be an absolute http:// or https:// address without a query"));
        let text = text.trim().trim_end_matches('/');
        let uri: http::Uri = text.parse().map_err(|_| refused())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refused()),
        };
        let authority = uri.authority().ok_or_else(refused)?;
        let host = authority.host();
        if host.is_empty() || authority.as_str().contains('@') || text.contains(['?', '#']) {
            return Err(refused());
        }
        // The path begins after "scheme://authority".
        let path_at = if https { "https://" } else { "http://" }.len() + authority.as_str().len();
        let octets = host.strip_prefix("127.");
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host == "[::1]"
            || octets.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        Ok(Self { url: text.to_owned(), path_at, https, loopback })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        self.url.get(..self.path_at).unwrap_or(&self.url)
    }

    /// The prefix of every path of the service; empty if the account is in the host name.
    pub(crate) fn path(&self) -> &str {
        self.url.get(self.path_at..).unwrap_or_default()
    }

    /// First label of the host name.
    pub(crate) fn first_label(&self) -> &str {
        let host = self.origin().split_once("://").map_or("", |(_, host)| host);
        host.split(['.', ':']).next().unwrap_or_default()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether a bearer token may be sent to the address: over TLS, or within this machine.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.https || self.loopback
    }
}

impl Account {
    /// Refuses the emulators' public key for an account in Azure, which means that two configurations were mixed up.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let public = |endpoint: &Endpoint| endpoint.origin().contains(".core.");
        let emulated = Key::from_base64(EMULATOR_KEY).map(Credential::Key);
        if emulated.as_ref() == Some(&self.credential) && (public(&self.blob) || public(&self.queue)) {
            return Err(ConfigError(
                "AccountKey is the public key of the storage emulator: use the account's own key".to_owned(),
            ));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_is_split_into_origin_and_path() {
        let emulator = Endpoint::parse("blob_endpoint", "http://127.0.0.1:10000/devstoreaccount1/").unwrap();
        assert_eq!(emulator.url(), "http://127.0.0.1:10000/devstoreaccount1");
        assert_eq!((emulator.origin(), emulator.path()), ("http://127.0.0.1:10000", "/devstoreaccount1"));
        let azure = Endpoint::parse("blob_endpoint", "https://acct.blob.core.windows.net").unwrap();
        assert_eq!((azure.origin(), azure.path()), ("https://acct.blob.core.windows.net", ""));
        assert_eq!(azure.first_label(), "acct");
    }

    #[test]
    fn tokens_are_sent_over_tls_or_to_this_machine() {
        let takes = |url: &str| Endpoint::parse("x", url).unwrap().takes_tokens();
        for url in ["https://a.example", "http://localhost:1", "http://127.0.0.1:1/x", "http://[::1]:1"] {
            assert!(takes(url), "{url}");
        }
        for url in
            ["http://a.example", "http://127.evil.example", "http://localhost.example", "http://10.0.0.1"]
        {
            assert!(!takes(url), "{url}");
        }
    }

    #[test]
    fn invalid_address_is_refused_without_its_text() {
        for url in [
            "",
            "acct",
            "ftp://a",
            "http://",
            "https://u:secret@h",
            "https://h?sig=secret",
            "https://h/#secret",
        ] {
            let error = Endpoint::parse("blob_endpoint", url).unwrap_err().to_string();
            assert!(error.contains("blob_endpoint") && !error.contains("secret"), "{error}");
        }
    }
}
