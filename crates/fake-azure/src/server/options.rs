//! The command line of the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::config::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, Identity};
use crate::service::Service;

/// Azure Storage, Key Vault and the identity endpoint in memory, on 127.0.0.1.
///
/// Prints one line for each service, its name and its address, then `ready`. Port 0 is a free port.
#[derive(Clone, Parser)]
#[command(name = "fake-azure", version, verbatim_doc_comment)]
pub struct Options {
    /// Port of Blob Storage.
    #[arg(long, value_name = "PORT", default_value_t = 10_000)]
    pub blob_port: u16,

    /// Port of Queue Storage.
    #[arg(long, value_name = "PORT", default_value_t = 10_001)]
    pub queue_port: u16,

    /// Port of the identity endpoint; without this option it is not served.
    #[arg(long, value_name = "PORT")]
    pub identity_port: Option<u16>,

    /// Port of Key Vault; without this option it is not served.
    #[arg(long, value_name = "PORT")]
    pub vault_port: Option<u16>,

    /// An account and its key in base64, in place of the emulator's account devstoreaccount1. Repeat it for more keys
    /// and accounts.
    #[arg(long = "account", value_name = "NAME:KEY", value_parser = account)]
    pub accounts: Vec<(String, String)>,

    /// What callers of the identity endpoint must send in `X-IDENTITY-HEADER`.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub identity_header: String,

    /// A user-assigned identity; without any there is one system-assigned identity. Repeat it for more.
    #[arg(long = "client-id", value_name = "ID")]
    pub client_ids: Vec<String>,

    /// The secret of the vault that holds the first account's connection string.
    #[arg(long, value_name = "NAME", default_value = "StorageCS")]
    pub secret_name: String,

    /// Keep the data in this file.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Let pages of any origin read.
    #[arg(long)]
    pub cors: bool,

    /// Delay each response by so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub latency: u64,
}

/// Reads `NAME:KEY`. The error does not repeat the key.
fn account(text: &str) -> Result<(String, String), &'static str> {
    let (name, key) = text.split_once(':').ok_or("it takes NAME:KEY, with the key in base64")?;
    Ok((name.to_owned(), key.to_owned()))
}

impl Options {
    /// Both storage services on free ports.
    #[must_use]
    pub fn on_free_ports() -> Self {
        Self {
            blob_port: 0,
            queue_port: 0,
            identity_port: None,
            vault_port: None,
            accounts: Vec::new(),
            identity_header: String::new(),
            client_ids: Vec::new(),
            secret_name: "StorageCS".to_owned(),
            data: None,
            cors: false,
            latency: 0,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(["fake-azure"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn defaults_are_the_emulators() {
        let options = parse("").unwrap();
        assert_eq!((options.blob_port, options.queue_port, options.vault_port), (10_000, 10_001, None));
        assert_eq!(options.accounts(), [(EMULATOR_ACCOUNT.to_owned(), EMULATOR_KEY.to_owned())]);
    }

    #[test]
    fn repeated_accounts_and_identities_add_up() {
        let options = parse("--account a:k --account a:l --client-id x --client-id y --cors").unwrap();
        let of = |key: &str| ("a".to_owned(), key.to_owned());
        assert_eq!((options.accounts, options.cors), (vec![of("k"), of("l")], true));
        assert_eq!(options.client_ids, ["x", "y"]);
    }
}
