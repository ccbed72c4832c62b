//! The options of `up` and `demo`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt as _};

/// What runs the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// Spin, from PATH.
    Spin,
    /// `crates/host`.
    Embedded,
}

impl HostKind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Embedded => "embedded",
        }
    }

    /// For the person at the terminal.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Spin => "Spin",
            Self::Embedded => "crates/host",
        }
    }

    fn read(parser: &mut Parser) -> Result<Self> {
        match parser.value()?.string()?.as_str() {
            "spin" => Ok(Self::Spin),
            "embedded" => Ok(Self::Embedded),
            other => bail!("--host is `spin` or `embedded`, not `{other}`"),
        }
    }
}

/// Parses the arguments of `test`, which has one option.
///
/// # Errors
/// A sentence that names the argument and what it accepts.
pub(crate) fn host_of_tests(arguments: Vec<OsString>) -> Result<HostKind> {
    let mut kind = HostKind::Embedded;
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("host") => kind = HostKind::read(&mut parser)?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(kind)
}

/// What stands in for Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorageKind {
    /// `crates/fake-azure`.
    Fake,
    /// Azurite, from npm.
    Azurite,
}

/// How the components get at storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// By connection string.
    ConnectionString,
    /// By a connection string from a key vault, through a managed identity.
    Identity,
    /// By managed identity alone.
    Keyless,
}

/// The options of `up` and `demo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// `None`: Spin when it is there and new enough.
    pub(crate) host: Option<HostKind>,
    /// `--host-binary`.
    pub(crate) host_binary: Option<PathBuf>,
    /// `--storage`.
    pub(crate) storage: StorageKind,
    /// `--identity` and `--keyless`.
    pub(crate) credentials: Credentials,
    /// `--listen`.
    pub(crate) listen: SocketAddr,
    /// Whether the queue is drained.
    pub(crate) trigger: bool,
    /// `--kill`.
    pub(crate) kill: bool,
}

impl Options {
    /// Parses the arguments after the command's name.
    ///
    /// # Errors
    /// A sentence that names the argument and what it accepts.
    pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Self> {
        let mut options = Self {
            host: None,
            host_binary: None,
            storage: StorageKind::Fake,
            credentials: Credentials::ConnectionString,
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            trigger: true,
            kill: false,
        };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("host") => options.host = Some(HostKind::read(&mut parser)?),
                Arg::Long("storage") => {
                    options.storage = match parser.value()?.string()?.as_str() {
                        "fake" => StorageKind::Fake,
                        "azurite" => StorageKind::Azurite,
                        other => bail!("--storage is `fake` or `azurite`, not `{other}`"),
                    };
                }
                Arg::Long("listen") => {
                    let text = parser.value()?.string()?;
                    let Ok(address) = text.parse() else {
                        bail!("--listen is an address and a port such as 127.0.0.1:3000, not `{text}`");
                    };
                    options.listen = address;
                }
                Arg::Long("host-binary") => options.host_binary = Some(parser.value()?.into()),
                Arg::Long("identity") => options.authorise_by(Credentials::Identity)?,
                Arg::Long("keyless") => options.authorise_by(Credentials::Keyless)?,
                Arg::Long("kill") => options.kill = true,
                Arg::Long("no-trigger") => options.trigger = false,
                other => return Err(other.unexpected().into()),
            }
        }
        if options.credentials != Credentials::ConnectionString && options.storage == StorageKind::Azurite {
            bail!(
                "--identity and --keyless need `--storage fake`: Azurite has no key vault and no identity endpoint"
            );
        }
        Ok(options)
    }

    fn authorise_by(&mut self, credentials: Credentials) -> Result<()> {
        if self.credentials != Credentials::ConnectionString && self.credentials != credentials {
            bail!("--identity and --keyless exclude each other");
        }
        self.credentials = credentials;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn without_options_there_is_a_fake_account_and_a_trigger_on_port_3000() {
        let options = parse("").unwrap();
        assert_eq!((options.listen.to_string().as_str(), options.trigger), ("127.0.0.1:3000", true));
        assert_eq!((options.host, options.storage), (None, StorageKind::Fake));
    }

    #[test]
    fn every_option_is_understood() {
        let options = parse("--host embedded --storage azurite --listen [::1]:8080 --no-trigger").unwrap();
        assert_eq!((options.host, options.storage), (Some(HostKind::Embedded), StorageKind::Azurite));
        assert_eq!((options.listen.to_string().as_str(), options.trigger), ("[::1]:8080", false));
        assert_eq!(parse("--identity").unwrap().credentials, Credentials::Identity);
        assert_eq!(parse("--keyless --host-binary x").unwrap().credentials, Credentials::Keyless);
    }

    #[test]
    fn tests_run_under_the_embedded_host_unless_spin_is_named() {
        let read = |line: &str| host_of_tests(line.split_whitespace().map(OsString::from).collect());
        assert_eq!(read("").unwrap(), HostKind::Embedded);
        assert_eq!(read("--host spin").unwrap(), HostKind::Spin);
        assert_eq!(read("--host=embedded").unwrap(), HostKind::Embedded);
        assert!(read("--host wasmtime").unwrap_err().to_string().contains("`spin` or `embedded`"));
        assert!(read("--storage fake").unwrap_err().to_string().contains("--storage"));
    }

    #[test]
    fn what_is_not_understood_is_a_sentence() {
        for (line, words) in [
            ("--host wasmtime", "`spin` or `embedded`"),
            ("--storage s3", "`fake` or `azurite`"),
            ("--listen 3000", "127.0.0.1:3000"),
            ("--identity --keyless", "exclude"),
            ("--identity --storage azurite", "--storage fake"),
            ("--loud", "--loud"),
        ] {
            let sentence = parse(line).unwrap_err().to_string();
            assert!(sentence.contains(words), "{line}: {sentence}");
        }
    }
}
