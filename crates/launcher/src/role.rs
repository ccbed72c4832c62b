//! The roles of the launcher, put together from the other modules: two for a replica, one for the build of the
//! image and one for its probe.

mod api;
mod warm;
mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use azure::Secret;
use clap::CommandFactory as _;

use crate::arguments::{CommandLine, Role};
use crate::child::Host;
use crate::environment::{Additions, additions};
use crate::health;
use crate::listener;
use crate::metrics::Metrics;
use crate::stderr::WriteLine as _;
use logging::Line;

/// Why the launcher ends, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Stopped by a signal.
    Clean,
    /// The host could not be started, was not healthy in time, ended, or did not respond to a request.
    HostFailed,
    /// The command line or the environment is not usable.
    Usage,
    /// The host's own code, in the api role.
    Host(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::HostFailed => 1,
            Exit::Usage => 2,
            Exit::Host(code) => code,
        })
    }
}

/// Runs what the command line asks for, with `environment` as the launcher's own.
pub async fn run(role: Role, environment: &BTreeMap<String, String>) -> Exit {
    match role {
        Role::Api(options) => api::run(&options, environment).await,
        Role::Worker(options) => worker::run(&options, environment).await,
        Role::Warm(options) => warm::run(&options, environment).await,
        Role::Health(options) => match health::probe(&options.url, options.timeout).await {
            Ok(()) => Exit::Clean,
            Err(reason) => {
                Line::error("not healthy").with("reason", reason).write();
                Exit::HostFailed
            }
        },
        Role::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut CommandLine::command(), "launcher", &mut script);
            // Refused only by a reader that has left.
            let _ = io::stdout().write_all(&script);
            Exit::Clean
        }
    }
}

/// The variables to add for the host; their names are logged.
fn host_variables(environment: &BTreeMap<String, String>) -> BTreeMap<String, Secret> {
    let additions = additions(environment);
    if !additions.variables.is_empty() {
        Line::info("variables set from the environment").with("names", additions.names()).write();
    }
    let Additions { variables, warnings } = additions;
    for warning in warnings {
        Line::warn("a variable is missing").with("advice", warning).write();
    }
    variables
}

/// Starts the host; `None` after a log line with the reason when that fails.
fn start_host(command: &[OsString], variables: &BTreeMap<String, Secret>) -> Option<Host> {
    Host::start(command, variables)
        .inspect_err(|error| {
            Line::error("the host cannot be started").with("reason", error.to_string()).write();
        })
        .ok()
}

/// Starts the listener when there is to be one.
async fn listen(address: Option<SocketAddr>, metrics: &Arc<Metrics>) -> Result<(), Exit> {
    let Some(address) = address else { return Ok(()) };
    match listener::start(address, Arc::clone(metrics)).await {
        Ok(bound) => {
            Line::info("listening for /metrics, /healthz and /readyz")
                .with("address", bound.to_string())
                .write();
            Ok(())
        }
        Err(error) => {
            Line::error("--metrics-listen cannot be used").with("reason", error.to_string()).write();
            Err(Exit::Usage)
        }
    }
}
