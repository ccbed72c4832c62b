//! The options that `up`, `demo` and `test` share.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

/// What runs the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HostKind {
    /// Spin 4.1 or newer, from PATH.
    Spin,
    /// The host in crates/host.
    Embedded,
}

impl HostKind {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Embedded => "embedded",
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Spin => "Spin",
            Self::Embedded => "crates/host",
        }
    }
}

/// What stands in for Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StorageKind {
    /// The emulator in crates/fake-azure.
    Fake,
    /// Azurite, from npm.
    Azurite,
}

/// How the components get at storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// By connection string.
    ConnectionString,
    /// By a connection string from a key vault, through a managed identity.
    Identity,
    /// By managed identity alone.
    Keyless,
}

/// Options of `up` and `demo`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct StackOptions {
    /// What runs the components; by default Spin when there is a new enough one on PATH.
    #[arg(long, value_enum, value_name = "HOST")]
    pub host: Option<HostKind>,

    /// Use this build of crates/host instead of building it.
    #[arg(long, value_name = "PATH")]
    pub host_binary: Option<PathBuf>,

    /// What stands in for Azure Storage.
    #[arg(long, value_enum, value_name = "STORAGE", default_value_t = StorageKind::Fake)]
    pub storage: StorageKind,

    /// Build the examples in handlers/ and make them a part of the application; needs npm and Python 3.
    #[arg(long)]
    pub handlers: bool,

    /// Read the connection string from a key vault, through a managed identity.
    #[arg(long, conflicts_with = "keyless")]
    identity: bool,

    /// Use no key at all: managed identity on storage, user delegation SAS for clients.
    #[arg(long)]
    keyless: bool,
}

impl StackOptions {
    /// How the components get at storage.
    ///
    /// # Errors
    /// When the storage does not offer what is asked for.
    pub fn credentials(&self) -> Result<Credentials> {
        let credentials = match (self.identity, self.keyless) {
            (true, _) => Credentials::Identity,
            (false, true) => Credentials::Keyless,
            (false, false) => return Ok(Credentials::ConnectionString),
        };
        if self.storage == StorageKind::Azurite {
            bail!(
                "--identity and --keyless need `--storage fake`: Azurite has no key vault and no identity endpoint"
            );
        }
        Ok(credentials)
    }
}

/// Options of `up`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct UpOptions {
    /// What is started.
    #[command(flatten)]
    pub stack: StackOptions,

    /// Where the application listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// Do not drain the queue: tasks stay `NotStarted`.
    #[arg(long)]
    pub no_trigger: bool,
}

/// Options of `demo`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DemoOptions {
    /// What is started.
    #[command(flatten)]
    pub stack: StackOptions,

    /// Submit 500 tasks while storage, host and launcher are killed at random.
    #[arg(long, conflicts_with_all = ["storage", "identity", "keyless"])]
    pub kill: bool,
}

/// Options of `test`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TestOptions {
    /// With spin: only the tests that run whole programs, under the Spin on PATH.
    #[arg(long, value_enum, value_name = "HOST", default_value_t = HostKind::Embedded)]
    pub host: HostKind,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Up {
        #[command(flatten)]
        options: UpOptions,
    }

    fn parse(line: &str) -> UpOptions {
        Up::try_parse_from(["up"].into_iter().chain(line.split_whitespace())).unwrap().options
    }

    #[test]
    fn defaults_are_a_fake_account_and_port_3000() {
        let options = parse("");
        assert_eq!((options.listen.to_string().as_str(), options.no_trigger), ("127.0.0.1:3000", false));
        assert_eq!((options.stack.host, options.stack.storage), (None, StorageKind::Fake));
        assert_eq!(options.stack.credentials().unwrap(), Credentials::ConnectionString);
    }

    #[test]
    fn every_option_is_understood() {
        let options = parse("--host embedded --storage azurite --listen [::1]:8080 --no-trigger");
        assert_eq!(
            (options.stack.host, options.stack.storage),
            (Some(HostKind::Embedded), StorageKind::Azurite)
        );
        assert_eq!((options.listen.to_string().as_str(), options.no_trigger), ("[::1]:8080", true));
        assert_eq!(parse("--identity").stack.credentials().unwrap(), Credentials::Identity);
        assert_eq!(parse("--keyless --host-binary x").stack.credentials().unwrap(), Credentials::Keyless);
    }

    #[test]
    fn identity_needs_the_fake_storage() {
        let error = parse("--identity --storage azurite").stack.credentials().unwrap_err();
        assert!(error.to_string().contains("--storage fake"), "{error}");
    }
}
