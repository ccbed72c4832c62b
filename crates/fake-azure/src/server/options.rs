//! The command line of the server.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, Identity};
use crate::service::Service;

/// What the server serves and where. Port 0 is a free port.
#[derive(Clone)]
pub struct Options {
    /// Port of Blob Storage.
    pub blob_port: u16,
    /// Port of Queue Storage.
    pub queue_port: u16,
    /// Port of the identity endpoint; `None` is not served.
    pub identity_port: Option<u16>,
    /// Port of Key Vault; `None` is not served.
    pub vault_port: Option<u16>,
    /// Account names with their keys; empty is the emulator's account.
    pub accounts: Vec<(String, String)>,
    /// What `X-IDENTITY-HEADER` must be.
    pub identity_header: String,
    /// Client ids of user-assigned identities; empty is one system-assigned identity.
    pub client_ids: Vec<String>,
    /// Name of the secret that holds the first account's connection string.
    pub secret_name: String,
    /// File that keeps the data.
    pub data: Option<PathBuf>,
    /// Whether pages of any origin may read.
    pub cors: bool,
}

/// A command line that is not understood; its text says what is wrong and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{USAGE}", self.0)
    }
}

impl std::error::Error for UsageError {}

const USAGE: &str = "\
usage: fake-azure [--blob-port N] [--queue-port N] [--identity-port N] [--vault-port N]
                  [--account NAME:KEY]... [--identity-header TEXT] [--client-id ID]...
                  [--secret-name NAME] [--data FILE] [--cors]

Serves Azure Storage in memory on 127.0.0.1. Port 0 is a free port; blob and queue have 10000 and 10001,
the others are served when asked for. Prints one line per service, its name and its address, then `ready`.
  --account          replaces the emulator's account devstoreaccount1; KEY is base64; repeat for more
  --identity-header  what callers of the identity endpoint must send
  --client-id        adds a user-assigned identity; without any there is a system-assigned one
  --secret-name      the secret of the vault that holds the connection string (StorageCS)
  --data             keeps the data in FILE
  --cors             lets pages of any origin read";

impl Default for Options {
    fn default() -> Self {
        Self {
            blob_port: 10000,
            queue_port: 10001,
            identity_port: None,
            vault_port: None,
            accounts: Vec::new(),
            identity_header: String::new(),
            client_ids: Vec::new(),
            secret_name: "StorageCS".to_owned(),
            data: None,
            cors: false,
        }
    }
}

impl Options {
    /// Both storage services on free ports.
    #[must_use]
    pub fn on_free_ports() -> Self {
        Self { blob_port: 0, queue_port: 0, ..Self::default() }
    }

    /// Reads the command line, without the program's name.
    ///
    /// # Errors
    /// A sentence about the first argument that is not understood.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, UsageError> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument == "--cors" {
                options.cors = true;
                continue;
            }
            let mut value =
                || arguments.next().ok_or_else(|| UsageError(format!("{argument} needs a value after it.")));
            let port = |text: String| {
                text.parse::<u16>().map_err(|_| UsageError(format!("{argument} {text}: not a port number.")))
            };
            match argument.as_str() {
                "--blob-port" => options.blob_port = port(value()?)?,
                "--queue-port" => options.queue_port = port(value()?)?,
                "--identity-port" => options.identity_port = Some(port(value()?)?),
                "--vault-port" => options.vault_port = Some(port(value()?)?),
                "--account" => {
                    let text = value()?;
                    let (name, key) = text.split_once(':').ok_or_else(|| {
                        UsageError("--account takes NAME:KEY, with the key in base64.".to_owned())
                    })?;
                    options.accounts.push((name.to_owned(), key.to_owned()));
                }
                "--identity-header" => options.identity_header = value()?,
                "--client-id" => options.client_ids.push(value()?),
                "--secret-name" => options.secret_name = value()?,
                "--data" => options.data = Some(PathBuf::from(value()?)),
                _ => return Err(UsageError(format!("{argument} is not an option."))),
            }
        }
        Ok(options)
    }

    /// The services to serve, with their ports.
    pub(super) fn ports(&self) -> impl Iterator<Item = (Service, u16)> {
        let storage = [(Service::Blob, self.blob_port), (Service::Queue, self.queue_port)];
        let identity = self.identity_port.map(|port| (Service::Identity, port));
        let vault = self.vault_port.map(|port| (Service::Vault, port));
        storage.into_iter().chain(identity).chain(vault)
    }

    /// The services' configuration, once it is known where they listen.
    pub(super) fn config(&self, addresses: &[(Service, SocketAddr)]) -> Config {
        let mut accounts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, key) in self.accounts() {
            accounts.entry(name).or_default().push(key);
        }
        let identities = if self.client_ids.is_empty() {
            vec![Identity::system_assigned("00000000-0000-4000-8000-000000000001")]
        } else {
            self.client_ids.iter().map(|id| Identity::user_assigned(id, id)).collect()
        };
        let secret = self.connection_string(addresses);
        let vault = BTreeMap::from([(self.secret_name.clone(), secret)]);
        Config {
            accounts,
            identities,
            identity_header: self.identity_header.clone(),
            vaults: BTreeMap::from([("vault".to_owned(), vault)]),
            cors: self.cors,
            ..Config::default()
        }
    }

    /// The lines that say where the services are, as they are printed.
    #[must_use]
    pub fn announce(&self, address: impl Fn(Service) -> Option<SocketAddr>) -> Vec<String> {
        let account = self.first_account().0;
        let line = |service, name: &str, path: &str| {
            address(service).map(|address| format!("{name} http://{address}{path}"))
        };
        let account_path = format!("/{account}");
        [
            line(Service::Blob, "blob", &account_path),
            line(Service::Queue, "queue", &account_path),
            line(Service::Identity, "identity", &Config::default().identity_path),
            line(Service::Vault, "vault", ""),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn accounts(&self) -> Vec<(String, String)> {
        if self.accounts.is_empty() {
            return vec![(EMULATOR_ACCOUNT.to_owned(), EMULATOR_KEY.to_owned())];
        }
        self.accounts.clone()
    }

    fn first_account(&self) -> (String, String) {
        self.accounts().into_iter().next().unwrap_or_default()
    }

    fn connection_string(&self, addresses: &[(Service, SocketAddr)]) -> String {
        let (account, key) = self.first_account();
        let endpoint = |service| {
            let address =
                addresses.iter().find(|(s, _)| *s == service).map(|(_, address)| address.to_string());
            format!("http://{}/{account}", address.unwrap_or_default())
        };
        format!(
            "DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};BlobEndpoint={};QueueEndpoint={};",
            endpoint(Service::Blob),
            endpoint(Service::Queue)
        )
    }
}
