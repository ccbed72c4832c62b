//! Local storage in place of Azure.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::options::{Credentials, StorageKind};
use super::process::{Output, Process};
use super::programs::Programs;
use crate::artefacts::node_modules;
use crate::command::{command, root};

/// The account that every emulator knows; its key is public.
const ACCOUNT: &str = "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const NAME: &str = "devstoreaccount1";
/// Node starts slowly on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// Storage that runs, and how the application finds it.
pub struct Storage {
    /// `None` when this program did not start it.
    pub process: Option<Process>,
    /// Environment variables for the application.
    pub environment: BTreeMap<String, String>,
    /// For the person at the terminal; no secrets.
    pub description: String,
}

impl Storage {
    /// An account that exists: its connection string is in the environment and stays there.
    pub fn account_of_the_environment() -> Self {
        Self {
            process: None,
            environment: BTreeMap::new(),
            description: "the account in SPIN_VARIABLE_STORAGE_CONNECTION_STRING".to_owned(),
        }
    }

    /// Starts an emulator.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start(
        kind: StorageKind,
        credentials: Credentials,
        programs: &Programs,
        ports: Ports,
        output: &Output,
    ) -> Result<Self> {
        match kind {
            StorageKind::Fake => fake(credentials, programs, ports, output),
            StorageKind::Azurite => azurite(ports, output),
        }
    }
}

/// Which ports an emulator listens on; 0 takes a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    blob: u16,
    queue: u16,
}

impl Ports {
    /// Any free ones.
    pub const FREE: Self = Self { blob: 0, queue: 0 };

    /// The emulator's usual ones where they are free: tools like Storage Explorer look there.
    pub fn usual() -> Self {
        let free_or_any = |port| {
            let usual = SocketAddr::from(([127, 0, 0, 1], port));
            if TcpListener::bind(usual).is_ok() { port } else { 0 }
        };
        Self { blob: free_or_any(10_000), queue: free_or_any(10_001) }
    }
}

/// The connection string of the emulator's account at these endpoints.
pub fn connection_string(blob: &str, queue: &str) -> BTreeMap<String, String> {
    let text = format!("DefaultEndpointsProtocol=http;{ACCOUNT};BlobEndpoint={blob};QueueEndpoint={queue}");
    BTreeMap::from([("SPIN_VARIABLE_STORAGE_CONNECTION_STRING".to_owned(), text)])
}

fn azurite(ports: Ports, output: &Output) -> Result<Storage> {
    node_modules()?;
    let program = root().join("node_modules/.bin/azurite");
    let mut azurite = command(&program.to_string_lossy());
    azurite.args(["--inMemoryPersistence", "--silent", "--disableTelemetry", "--tablePort", "0"]);
    azurite.args(["--blobPort", &ports.blob.to_string(), "--queuePort", &ports.queue.to_string()]);
    let mut process = Process::start("azurite", &mut azurite, output, Duration::from_secs(5))?;
    let (mut blob, mut queue) = (None, None);
    let (blob, queue) = process.wait_until_ready(READY, |line| {
        let (service, address) = line.split_once(" service is successfully listening at ")?;
        match service {
            "Azurite Blob" => blob = Some(address.trim().to_owned()),
            "Azurite Queue" => queue = Some(address.trim().to_owned()),
            _ => {}
        }
        Some((blob.clone()?, queue.clone()?))
    })?;
    Ok(Storage {
        process: Some(process),
        environment: connection_string(&format!("{blob}/{NAME}"), &format!("{queue}/{NAME}")),
        description: format!("Azurite, blobs at {blob}, queues at {queue} (in memory)"),
    })
}

/// What the application presents to the identity endpoint; as worthless as the account's key.
const IDENTITY_HEADER: &str = "local-identity-header";
const CLIENT_ID: &str = "00000000-0000-4000-8000-00000000c11e";

fn fake(credentials: Credentials, programs: &Programs, ports: Ports, output: &Output) -> Result<Storage> {
    let mut fake = command(&programs.get("fake-azure")?.to_string_lossy());
    fake.args(["--blob-port", &ports.blob.to_string(), "--queue-port", &ports.queue.to_string()]);
    if credentials != Credentials::ConnectionString {
        fake.args(["--identity-port", "0", "--identity-header", IDENTITY_HEADER, "--client-id", CLIENT_ID]);
    }
    if credentials == Credentials::Identity {
        fake.args(["--vault-port", "0"]);
    }
    let mut process = Process::start("fake-azure", &mut fake, output, Duration::from_secs(5))?;
    let mut found = BTreeMap::new();
    let found = process.wait_until_ready(READY, |line| {
        if let Some((service, address)) = line.split_once(' ') {
            found.insert(service.to_owned(), address.to_owned());
        }
        (line == "ready").then(|| std::mem::take(&mut found))
    })?;
    let at = |service: &str| {
        found
            .get(service)
            .map(String::as_str)
            .with_context(|| format!("fake-azure did not say where {service} is"))
    };
    let (blob, queue) = (at("blob")?, at("queue")?);
    let (environment, way) = match credentials {
        Credentials::ConnectionString => (connection_string(blob, queue), "by connection string"),
        Credentials::Identity => {
            let mut environment = identity(at("identity")?);
            // The names of the platform and of the vault are all the application gets: the launcher makes the
            // rest of them, as in Azure. Only where the account is cannot be known from a vault.
            environment.extend([
                ("SPIN_VARIABLE_KEY_VAULT_URL".to_owned(), at("vault")?.to_owned()),
                ("SPIN_VARIABLE_BLOB_HOST".to_owned(), origin(blob).to_owned()),
                ("SPIN_VARIABLE_QUEUE_HOST".to_owned(), origin(queue).to_owned()),
            ]);
            (environment, "by connection string from a key vault, through a managed identity")
        }
        Credentials::Keyless => {
            let mut environment = identity(at("identity")?);
            environment.extend([
                ("SPIN_VARIABLE_STORAGE_ACCOUNT_NAME".to_owned(), NAME.to_owned()),
                ("SPIN_VARIABLE_BLOB_ENDPOINT".to_owned(), blob.to_owned()),
                ("SPIN_VARIABLE_QUEUE_ENDPOINT".to_owned(), queue.to_owned()),
            ]);
            (environment, "keyless, by managed identity")
        }
    };
    let description = format!("crates/fake-azure, blobs at {blob}, queues at {queue} (in memory; {way})");
    Ok(Storage { process: Some(process), environment, description })
}

/// What Container Apps puts into a container's environment.
fn identity(endpoint: &str) -> BTreeMap<String, String> {
    [
        ("IDENTITY_ENDPOINT", endpoint),
        ("IDENTITY_HEADER", IDENTITY_HEADER),
        ("AzureADManagedIdentityClientId", CLIENT_ID),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// An endpoint without the account's name in its path.
fn origin(endpoint: &str) -> &str {
    endpoint.strip_suffix(NAME).map_or(endpoint, |origin| origin.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_has_no_account_in_its_path() {
        assert_eq!(origin("http://127.0.0.1:10000/devstoreaccount1"), "http://127.0.0.1:10000");
        assert_eq!(origin("http://127.0.0.1:10000"), "http://127.0.0.1:10000");
    }

    #[test]
    fn emulator_takes_its_usual_ports_while_they_are_free() {
        let taken = TcpListener::bind("127.0.0.1:10000");
        let ports = Ports::usual();
        assert_eq!(ports.blob, 0, "{taken:?}");
    }
}
