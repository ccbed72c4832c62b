//! What the services are set up with: accounts and keys, identities and their rights, addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::rights::Action;
use crate::service::Service;

/// The account that every emulator of Azure Storage knows.
pub const EMULATOR_ACCOUNT: &str = "devstoreaccount1";

/// The key of [`EMULATOR_ACCOUNT`]: public, well known, worthless.
pub const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A setting that cannot be used; the text says which and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupError(pub(crate) String);

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetupError {}

/// A managed identity that the identity endpoint gives tokens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What requests name in `client_id`.
    pub client_id: String,
    /// The directory's id of the identity; it appears as `oid` in tokens and as `skoid` in a SAS.
    pub object_id: String,
    /// Whether it serves requests that name no `client_id`.
    pub system_assigned: bool,
    /// What it may do; `None` is everything.
    pub allowed: Option<BTreeSet<Action>>,
}

impl Identity {
    /// A user-assigned identity that may do everything.
    #[must_use]
    pub fn user_assigned(client_id: &str, object_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            object_id: object_id.to_owned(),
            system_assigned: false,
            allowed: None,
        }
    }

    /// A system-assigned identity that may do everything.
    #[must_use]
    pub fn system_assigned(object_id: &str) -> Self {
        Self { system_assigned: true, ..Self::user_assigned(object_id, object_id) }
    }

    /// The same identity with these rights only.
    #[must_use]
    pub fn allowing(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.allowed = Some(actions.into_iter().collect());
        self
    }
}

/// How the services behave. Everything that tests may want to set has a field; [`Config::default`] is the
/// emulator account on the emulator's ports.
#[derive(Clone)]
pub struct Config {
    /// Makes ids, ETags, receipts and token signatures; the same seed and requests give the same responses.
    pub seed: u64,
    /// Account names with their keys (base64), normally two each; any of them signs.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// Which service is at which `host:port`. Other hosts are recognised by their name
    /// (`{account}.blob.…`, `{account}.queue.…`, `{name}.vault.…`), else by the shape of the request.
    pub endpoints: BTreeMap<String, Service>,
    /// The identities of the identity endpoint.
    pub identities: Vec<Identity>,
    /// What the endpoint expects in `X-IDENTITY-HEADER`.
    pub identity_header: String,
    /// The path of the identity endpoint.
    pub identity_path: String,
    /// The directory's id, in tokens and delegation keys.
    pub tenant_id: String,
    /// How long a token is valid.
    pub token_lifetime: Duration,
    /// Vault name to secret name to value. Requests by address find the only vault there is.
    pub vaults: BTreeMap<String, BTreeMap<String, String>>,
    /// How long the name of a deleted queue or container cannot be used again; Azure needs 30 seconds or more.
    pub deletion_delay: Duration,
    /// Whether browsers of any origin may read (an account with an open CORS rule).
    pub cors: bool,
}

impl Default for Config {
    fn default() -> Self {
        let key = EMULATOR_KEY.to_owned();
        let endpoints = [
            ("127.0.0.1:10000", Service::Blob),
            ("localhost:10000", Service::Blob),
            ("127.0.0.1:10001", Service::Queue),
            ("localhost:10001", Service::Queue),
            ("127.0.0.1:42356", Service::Identity),
            ("localhost:42356", Service::Identity),
        ];
        Self {
            seed: 0,
            accounts: BTreeMap::from([(EMULATOR_ACCOUNT.to_owned(), vec![key])]),
            endpoints: endpoints.map(|(authority, service)| (authority.to_owned(), service)).into(),
            identities: Vec::new(),
            identity_header: String::new(),
            identity_path: "/msi/token".to_owned(),
            tenant_id: "72f988bf-0000-4000-8000-2d7cd011db47".to_owned(),
            token_lifetime: Duration::from_secs(24 * 60 * 60),
            vaults: BTreeMap::new(),
            deletion_delay: Duration::from_secs(30),
            cors: false,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys, secrets and the identity header stay out.
        f.debug_struct("Config")
            .field("seed", &self.seed)
            .field("accounts", &self.accounts.keys())
            .field("endpoints", &self.endpoints)
            .field("identities", &self.identities)
            .field("vaults", &self.vaults.keys())
            .finish_non_exhaustive()
    }
}

/// The bytes of an account key.
///
/// # Errors
/// When `key` is not standard base64 of at least one byte.
pub(crate) fn decode_key(account: &str, key: &str) -> Result<Vec<u8>, SetupError> {
    STANDARD
        .decode(key)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(|| SetupError(format!("the key of account {account} is not base64")))
}
