//! The command line, parsed by clap into one struct of options for each role.

mod help;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use http::Uri;

use values::{address, health_at, listen_address, loopback, seconds, url};

/// Starts a Spin host with variables made from the platform's environment, and drives its drain route.
// An option that is repeated counts as it was given last, so that one can be appended to a given command line.
#[derive(Debug, Parser)]
#[command(name = "launcher", version, args_override_self = true, after_long_help = help::LAUNCHER)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub role: Role,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Role {
    /// Start a host and wait for its end.
    #[command(after_long_help = help::API)]
    Api(ApiOptions),
    /// Call the drain route of a host until told to stop.
    ///
    /// Without a host command the worker drives a host that already runs; `SPIN_VARIABLE_DRAIN_TOKEN` must then be
    /// set. With one, a random token is made and handed to the host when none is set.
    #[command(verbatim_doc_comment, after_long_help = help::WORKER)]
    Worker(Box<WorkerOptions>),
    /// Fill the compile cache of a host.
    ///
    /// Starts a host, waits until it is healthy, requests each --get URL once and stops the host: what the host
    /// compiled is then in its compile cache.
    #[command(verbatim_doc_comment, after_long_help = help::WARM)]
    Warm(Box<WarmOptions>),
    /// Request a URL once and say by the exit code whether the response was 2xx.
    #[command(after_long_help = help::HEALTH)]
    Health(HealthOptions),
    /// Print a completion script for a shell.
    Completions {
        /// The shell that reads the script.
        shell: Shell,
    },
}

/// Options of `launcher api`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ApiOptions {
    /// How long the host goes on serving after SIGTERM or SIGINT, 0 to 3600.
    // Longer than a load balancer goes on sending to a replica that it takes out of its routes.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds(0.0, 3600.0))]
    pub linger: Duration,

    /// From the end of the linger until the host is killed, 0.5 to 3600.
    // With the linger before it, as long as the worker's.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds(0.5, 3600.0))]
    pub grace: Duration,

    /// Requested to see whether the host responds.
    ///
    /// With --metrics-listen the default is /.well-known/spin/health at the --listen address of the host
    /// command, else at 127.0.0.1:3000. Without both options nothing is requested.
    #[arg(long, value_name = "URL", value_parser = url, verbatim_doc_comment)]
    health_url: Option<Uri>,

    /// How often, 0.1 to 3600: three failures in a row turn /healthz to 503, one 2xx turns it to 200.
    // As often as platforms ask.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds(0.1, 3600.0))]
    pub health_interval: Duration,

    /// Serve GET /metrics (Prometheus text), /healthz and /readyz on this address:port.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub metrics_listen: Option<SocketAddr>,

    /// The host: program and arguments; never empty.
    #[arg(last = true, required = true, value_name = "HOST_COMMAND")]
    pub command: Vec<OsString>,
}

impl ApiOptions {
    /// The URL that shows whether the host responds; `None` when nothing would report it.
    #[must_use]
    pub fn health_url(&self) -> Option<Uri> {
        let of_host = || health_at(&listen_address(&self.command).to_string());
        self.health_url.clone().or_else(|| self.metrics_listen.map(|_| of_host()))
    }
}

/// Options of `launcher worker`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct WorkerOptions {
    /// The worker's drain route, http://.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub drain_url: Uri,

    /// Polled before the first drain, and requested from then on to see whether the host responds.
    ///
    /// The default is /.well-known/spin/health at the host of --drain-url.
    #[arg(long, value_name = "URL", value_parser = url)]
    health_url: Option<Uri>,

    /// How often, 0.1 to 3600: three failures in a row turn /healthz to 503, one 2xx turns it to 200.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds(0.1, 3600.0))]
    pub health_interval: Duration,

    /// Drains at a time, 1 to 64.
    #[arg(long, value_name = "N", default_value = "2", value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub parallel: usize,

    /// Longest pause between drains that found nothing, 0.1 to 3600; it starts at 0.1 and doubles.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds(0.1, 3600.0))]
    pub idle_max: Duration,

    /// From SIGTERM or SIGINT until everything has ended, 0.5 to 3600.
    // Platforms kill after 30 s unless told otherwise.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds(0.5, 3600.0))]
    pub grace: Duration,

    /// How long the host may take until it is healthy, 0.1 to 3600.
    // Far more than a host takes that has to compile its components first.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds(0.1, 3600.0))]
    pub start_timeout: Duration,

    /// How long one drain may go on receiving, 1 to 1000000.
    ///
    /// It is then told to stop and reports when its running tasks have ended; after twice the time its
    /// connection is closed. The default is 8 days.
    // Longer than the longest `task_timeout_seconds`, seven days: a drain lasts as long as its tasks.
    #[arg(long, value_name = "SECONDS", default_value = "691200", value_parser = seconds(1.0, 1_000_000.0),
        verbatim_doc_comment)]
    pub drain_timeout: Duration,

    /// Serve GET /metrics (Prometheus text), /healthz and /readyz on this address:port.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub metrics_listen: Option<SocketAddr>,

    /// Run the task handlers in a host process of their own, which listens on this loopback address:port.
    ///
    /// Without it they run in the worker's host. The launcher kills and restarts the process when a handler has not
    /// ended in time.
    #[arg(long, value_name = "ADDRESS", value_parser = loopback, verbatim_doc_comment)]
    pub handlers_listen: Option<SocketAddr>,

    /// Most memory of a handler's instance, in bytes, from 1048576.
    #[arg(long, value_name = "BYTES", requires = "handlers_listen", value_parser = RangedU64ValueParser::<u64>::new().range(1_048_576..))]
    pub handlers_memory: Option<u64>,

    /// How long the host of the handlers may be without a response before it is restarted, 1 to 3600.
    // Handlers that compute without a pause keep a host with one thread from responding.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds(1.0, 3600.0))]
    pub handlers_stall: Duration,

    /// The host: program and arguments; without it the host already runs.
    #[arg(last = true, value_name = "HOST_COMMAND")]
    pub command: Vec<OsString>,
}

impl WorkerOptions {
    /// The URL that shows whether the host of the handlers at `address` responds.
    #[must_use]
    pub fn handlers_health_url(address: SocketAddr) -> Uri {
        health_at(&address.to_string())
    }

    /// The URL that shows whether the host responds.
    #[must_use]
    pub fn health_url(&self) -> Uri {
        let of_drain = || health_at(self.drain_url.authority().map_or("", |authority| authority.as_str()));
        self.health_url.clone().unwrap_or_else(of_drain)
    }
}

/// Options of `launcher warm`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct WarmOptions {
    /// Polled until the response is 2xx.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub health_url: Uri,

    /// Requested once each, in this order (repeatable).
    ///
    /// Every status but 500 is a success: a host responds 500 for a component that failed.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub get: Vec<Uri>,

    /// From the last response until the host is killed, 0.5 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds(0.5, 3600.0))]
    pub grace: Duration,

    /// How long the host may take until it is healthy, 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds(0.1, 3600.0))]
    pub start_timeout: Duration,

    /// The host: program and arguments; never empty.
    #[arg(last = true, required = true, value_name = "HOST_COMMAND")]
    pub command: Vec<OsString>,
}

/// Options of `launcher health`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct HealthOptions {
    /// Requested once.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub url: Uri,

    /// How long the response may take, 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds(0.1, 3600.0))]
    pub timeout: Duration,
}

#[cfg(test)]
mod tests;
