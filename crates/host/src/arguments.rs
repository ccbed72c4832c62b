//! The command line: options before `up` are this host's own, those after it are Spin's.
//!
//! Spin 4.1 parses its options with clap, and so does this host: what Spin refuses (an empty path, an option given
//! twice, a duration in minutes) is refused here in the same words. What this host cannot honour is refused with a
//! sentence, unless leaving it out does no harm; `--help` says which is which.

mod settings;
mod value;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use settings::Settings;
pub use value::VariableSource;

/// Runs the components of a spin.toml.
#[derive(Parser)]
#[command(
    name = "host",
    version,
    after_help = "Options before `up` are this host's own; those after it are Spin's."
)]
pub struct CommandLine {
    /// How long running requests may go on after a stop (Spin ends them at once)
    #[arg(long, default_value = "10s", value_parser = value::duration)]
    pub grace: Duration,

    /// Write one line per request to standard error
    #[arg(long)]
    pub access_log: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands: the one of Spin that the image uses, and one of this host.
#[derive(Subcommand)]
pub enum Command {
    /// Start the Spin application
    #[command(alias = "u")]
    Up(Box<Up>),
    /// Print a completion script for a shell
    Completions {
        /// The shell that reads the script
        shell: Shell,
    },
}

impl CommandLine {
    /// Reads the arguments, the program's name first, and the environment variables of options.
    ///
    /// # Errors
    /// clap's, also for `--help` and `--version`.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(value::split_clusters(arguments))
    }
}

const FROM: &str = "Application";
const SPIN: &str = "As in Spin";
const NO_EFFECT: &str = "Accepted without effect: nothing of the kind happens in this host";
const REFUSED: &str = "Refused: options of Spin that this host cannot honour";

/// The options of `spin up` and of its HTTP trigger.
// Without `Debug`: values of variables and of the environment may be secrets.
#[derive(Args)]
#[command(next_help_heading = SPIN)]
pub struct Up {
    /// The application to run: a manifest (spin.toml) or its folder. Without it, spin.toml here or in a folder above
    #[arg(short = 'f', long = "from", value_name = "APPLICATION", group = "source", help_heading = FROM)]
    pub from: Option<String>,

    /// The same as `--from`, but always a file or folder
    #[arg(
        long = "from-file",
        alias = "file",
        value_name = "APP_MANIFEST_FILE",
        group = "source",
        hide = true
    )]
    pub from_file: Option<PathBuf>,

    /// The application to run: a reference into a registry
    #[arg(long, value_name = "REGISTRY_REFERENCE", group = "source", help_heading = REFUSED)]
    pub from_registry: Option<String>,

    /// Run only this component (repeatable)
    #[arg(short = 'c', long = "component-id", help_heading = FROM)]
    pub components: Vec<String>,

    /// Pass an environment variable (key=value) to all components (repeatable)
    #[arg(short = 'e', long = "env", value_parser = value::environment)]
    pub env: Vec<(String, String)>,

    /// Set application variables (repeatable; the last value of a name counts)
    #[arg(long, value_name = "KEY=VALUE | KEY=@FILE | @FILE.json | @FILE.toml", value_parser = value::variable)]
    pub variable: Vec<VariableSource>,

    /// IP address and port to listen on; port 0 takes a free one
    #[arg(long = "listen", value_name = "ADDRESS", env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000",
        value_parser = value::listen)]
    pub listen: SocketAddr,

    /// Take the next free port, up to ten further, when this one is in use
    #[arg(long)]
    pub find_free_port: bool,

    /// Maximum buffer size in bytes for an HTTP/1 connection, at least 8192
    #[arg(long, env = "SPIN_HTTP1_MAX_BUF_SIZE", value_parser = value::buffer)]
    pub http1_max_buf_size: Option<usize>,

    /// Requests that one instance serves before it is dropped (one number; Spin takes a range as well)
    #[arg(long, default_value = "128", value_parser = value::count)]
    pub max_instance_reuse_count: usize,

    /// Requests that one instance serves at the same time (one number; Spin takes a range as well)
    #[arg(long, default_value = "16", value_parser = value::count)]
    pub max_instance_concurrent_reuse_count: usize,

    /// How long a response may take: seconds, or a number with `s`, `ms`, `us` or `ns`
    #[arg(long, value_parser = value::duration)]
    pub request_timeout: Option<Duration>,

    /// How long an idle instance is kept: seconds, or a number with `s`, `ms`, `us` or `ns`
    #[arg(long, default_value = "1s", value_parser = value::duration)]
    pub idle_instance_timeout: Duration,

    /// Largest memory of an instance, in bytes
    #[arg(long, env = "SPIN_MAX_INSTANCE_MEMORY")]
    pub max_instance_memory: Option<usize>,

    /// Wasmtime cache configuration file. Without it, a folder of this host's own in the user's cache
    #[arg(
        long = "cache",
        env = "WASMTIME_CACHE_FILE",
        value_name = "WASMTIME_CACHE_FILE",
        conflicts_with = "disable_cache"
    )]
    pub cache: Option<PathBuf>,

    /// Compile the components anew
    #[arg(long, env = "DISABLE_WASMTIME_CACHE", conflicts_with = "cache", value_parser = BoolishValueParser::new())]
    pub disable_cache: bool,

    /// Runtime configuration (TOML). This host honours `[outbound_http]` and refuses what it cannot honour
    #[arg(long, env = "RUNTIME_CONFIG_FILE", value_name = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,

    /// Print output only of this component (repeatable)
    #[arg(long = "follow", value_name = "FOLLOW_ID")]
    pub follow: Vec<String>,

    /// Silence all component output
    #[arg(short = 'q', long = "quiet", aliases = ["sh", "shush"], conflicts_with = "follow")]
    pub quiet: bool,

    /// State folder; this host keeps no state. An empty value is accepted
    #[arg(long, help_heading = NO_EFFECT)]
    pub state_dir: Option<String>,

    /// Truncate the log files before the start
    #[arg(long, help_heading = NO_EFFECT)]
    pub truncate_logs: bool,

    /// Mount folders directly instead of copying them: always so here
    #[arg(long, help_heading = NO_EFFECT)]
    pub direct_mounts: bool,

    /// Folder for copies of static assets: none are made
    #[arg(long = "temp", alias = "tmp", value_name = "TMP", help_heading = NO_EFFECT)]
    pub temp: Option<PathBuf>,

    /// Folder for downloaded components: none are downloaded
    #[arg(long, help_heading = NO_EFFECT)]
    pub cache_dir: Option<PathBuf>,

    /// Ignore certificate errors of a registry: none is asked
    #[arg(short = 'k', long, help_heading = NO_EFFECT)]
    pub insecure: bool,

    /// Disable wasmtime's pooling instance allocator: it is not in use
    #[arg(long, help_heading = NO_EFFECT)]
    pub disable_pooling: bool,

    /// Folder for the components' log files. An empty value is an error, as in Spin
    #[arg(short = 'L', long = "log-dir", env = "SPIN_LOG_DIR", value_name = "APP_LOG_DIR", help_heading = REFUSED)]
    pub log_dir: Option<PathBuf>,

    /// The build profile to run
    #[arg(long, help_heading = REFUSED)]
    pub profile: Option<String>,

    /// Run `spin build` first
    #[arg(long, env = "SPIN_ALWAYS_BUILD", value_parser = BoolishValueParser::new(), help_heading = REFUSED)]
    pub build: bool,

    /// Compile with debugging information
    #[arg(long, help_heading = REFUSED)]
    pub debug_info: bool,

    /// Certificate for https
    #[arg(long, env = "SPIN_TLS_CERT", requires = "tls_key", help_heading = REFUSED)]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate
    #[arg(long, env = "SPIN_TLS_KEY", requires = "tls_cert", help_heading = REFUSED)]
    pub tls_key: Option<PathBuf>,

    /// How the routes are printed at the start; `json` is refused
    #[arg(long, value_enum, default_value_t = Format::Plain, help_heading = REFUSED)]
    pub format: Format,

    /// Let components write to static assets
    #[arg(long = "allow-transient-write", help_heading = REFUSED)]
    pub allow_transient_write: bool,

    /// WASI OTel
    #[arg(long, help_heading = REFUSED)]
    pub experimental_wasi_otel: bool,

    /// Set a pair (key=value) in the default key-value store
    #[arg(long = "key-value", value_name = "KEY_VALUES", value_parser = value::pair, help_heading = REFUSED)]
    pub key_values: Vec<(String, String)>,

    /// Run a statement against the default database
    #[arg(long = "sqlite", value_name = "SQLITE_STATEMENTS", help_heading = REFUSED)]
    pub sqlite_statements: Vec<String>,
}

/// The values of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Plain,
    /// A JSON document.
    Json,
}

#[cfg(test)]
mod tests;
