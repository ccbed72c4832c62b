//! The command line, parsed into values. No environment is read here.

mod help;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use lexopt::{Arg, Parser};

pub use help::HELP;
use values::{address, health_of, health_of_host, parallel, seconds, url};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Start a host and wait for it.
    Api(ApiOptions),
    /// Drive a drain route.
    Worker(Box<WorkerOptions>),
    /// Fill a host's compile cache.
    Warm(Box<WarmOptions>),
    /// Ask whether a host is healthy.
    Health(HealthOptions),
}

/// Options of `launcher api`.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiOptions {
    /// The host: program and arguments; never empty.
    pub command: Vec<OsString>,
    /// From a signal until SIGTERM.
    pub linger: Duration,
    /// From SIGTERM until SIGKILL.
    pub grace: Duration,
    /// Asked whether the host answers; `None` when nobody would hear of it.
    pub health_url: Option<Uri>,
    /// How often it is asked.
    pub health_interval: Duration,
    /// Where `/metrics` and `/healthz` are served.
    pub metrics_listen: Option<SocketAddr>,
}

/// Options of `launcher worker`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerOptions {
    /// The host: program and arguments; empty when it already runs.
    pub command: Vec<OsString>,
    /// The drain route.
    pub drain_url: Uri,
    /// Polled before the first drain, and asked from then on.
    pub health_url: Uri,
    /// How often it is asked.
    pub health_interval: Duration,
    /// Drains at a time.
    pub parallel: usize,
    /// Longest pause between drains that found nothing.
    pub idle_max: Duration,
    /// From a signal until SIGKILL.
    pub grace: Duration,
    /// How long the host may take until it is healthy.
    pub start_timeout: Duration,
    /// How long one drain may go on receiving.
    pub drain_timeout: Duration,
    /// Where `/metrics` and `/healthz` are served.
    pub metrics_listen: Option<SocketAddr>,
}

/// Options of `launcher warm`.
#[derive(Debug, Clone, PartialEq)]
pub struct WarmOptions {
    /// The host: program and arguments; never empty.
    pub command: Vec<OsString>,
    /// Polled until it answers 2xx.
    pub health_url: Uri,
    /// Asked once each, in this order.
    pub get: Vec<Uri>,
    /// From the last answer until SIGKILL.
    pub grace: Duration,
    /// How long the host may take until it is healthy.
    pub start_timeout: Duration,
}

/// Options of `launcher health`.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthOptions {
    /// Asked once.
    pub url: Uri,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// A sentence about what is wrong with the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Api,
    Worker,
    Warm,
    Health,
}

impl Role {
    fn named(name: &OsString) -> Result<Self, UsageError> {
        match name.to_str() {
            Some("api") => Ok(Self::Api),
            Some("worker") => Ok(Self::Worker),
            Some("warm") => Ok(Self::Warm),
            Some("health") => Ok(Self::Health),
            _ => Err(UsageError::new(format!(
                "unknown role {name:?}: it is `api`, `worker`, `warm` or `health`"
            ))),
        }
    }

    /// Whether it starts a host.
    fn has_host(self) -> bool {
        self != Self::Health
    }

    /// Whether it waits until a host is healthy.
    fn waits(self) -> bool {
        matches!(self, Self::Worker | Self::Warm)
    }

    /// Whether it runs until told to stop.
    fn stays(self) -> bool {
        matches!(self, Self::Api | Self::Worker)
    }
}

#[derive(Default)]
struct Raw {
    command: Vec<OsString>,
    url: Option<Uri>,
    get: Vec<Uri>,
    timeout: Option<Duration>,
    drain_url: Option<Uri>,
    health_url: Option<Uri>,
    health_interval: Option<Duration>,
    linger: Option<Duration>,
    parallel: Option<usize>,
    idle_max: Option<Duration>,
    grace: Option<Duration>,
    start_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
    metrics_listen: Option<SocketAddr>,
}

/// Parses the arguments that follow the program's name.
///
/// # Errors
/// A sentence naming the argument and what it accepts.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let (own, command) = split_command(arguments);
    let mut parser = Parser::from_args(own);
    let role = match parser.next()? {
        None => return Err(UsageError::new("say which role: `launcher api` or `launcher worker`")),
        Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Request::Help),
        Some(Arg::Long("version") | Arg::Short('V')) => return Ok(Request::Version),
        Some(Arg::Value(name)) => Role::named(&name)?,
        Some(other) => return Err(other.unexpected().into()),
    };
    let worker = role == Role::Worker;
    let mut raw = Raw { command, ..Raw::default() };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Request::Help),
            Arg::Long("grace") if role.has_host() => {
                raw.grace = Some(seconds(&mut parser, "--grace", 0.5, 3600.0)?);
            }
            Arg::Long("metrics-listen") if role.stays() => raw.metrics_listen = Some(address(&mut parser)?),
            Arg::Long("drain-url") if worker => raw.drain_url = Some(url(&mut parser, "--drain-url")?),
            Arg::Long("health-url") if role.has_host() => {
                raw.health_url = Some(url(&mut parser, "--health-url")?);
            }
            Arg::Long("health-interval") if role.stays() => {
                raw.health_interval = Some(seconds(&mut parser, "--health-interval", 0.1, 3600.0)?);
            }
            Arg::Long("linger") if role == Role::Api => {
                raw.linger = Some(seconds(&mut parser, "--linger", 0.0, 3600.0)?);
            }
            Arg::Long("get") if role == Role::Warm => raw.get.push(url(&mut parser, "--get")?),
            Arg::Long("url") if role == Role::Health => raw.url = Some(url(&mut parser, "--url")?),
            Arg::Long("timeout") if role == Role::Health => {
                raw.timeout = Some(seconds(&mut parser, "--timeout", 0.1, 3600.0)?);
            }
            Arg::Long("parallel") if worker => raw.parallel = Some(parallel(&mut parser)?),
            Arg::Long("idle-max") if worker => {
                raw.idle_max = Some(seconds(&mut parser, "--idle-max", 0.1, 3600.0)?);
            }
            Arg::Long("start-timeout") if role.waits() => {
                raw.start_timeout = Some(seconds(&mut parser, "--start-timeout", 0.1, 3600.0)?);
            }
            Arg::Long("drain-timeout") if worker => {
                raw.drain_timeout = Some(seconds(&mut parser, "--drain-timeout", 1.0, 1_000_000.0)?);
            }
            Arg::Value(value) => {
                return Err(UsageError::new(format!("put `--` before the host command: {value:?}")));
            }
            other => return Err(other.unexpected().into()),
        }
    }
    match role {
        Role::Api => raw.api().map(Request::Api),
        Role::Worker => raw.worker().map(|options| Request::Worker(Box::new(options))),
        Role::Warm => raw.warm().map(|options| Request::Warm(Box::new(options))),
        Role::Health => raw.health().map(Request::Health),
    }
}

impl Raw {
    fn api(self) -> Result<ApiOptions, UsageError> {
        if self.command.is_empty() {
            return Err(UsageError::new("the api role needs the host command after `--`"));
        }
        let derived = self.metrics_listen.map(|_| health_of_host(&self.command));
        Ok(ApiOptions {
            health_url: self.health_url.or(derived),
            health_interval: self.health_interval.unwrap_or(DEFAULT_HEALTH),
            command: self.command,
            linger: self.linger.unwrap_or(DEFAULT_LINGER),
            grace: self.grace.unwrap_or(DEFAULT_API_GRACE),
            metrics_listen: self.metrics_listen,
        })
    }

    fn worker(self) -> Result<WorkerOptions, UsageError> {
        let drain_url = self.drain_url.ok_or_else(|| UsageError::new("the worker role needs --drain-url"))?;
        let health_url = match self.health_url {
            Some(url) => url,
            None => health_of(&drain_url)?,
        };
        Ok(WorkerOptions {
            command: self.command,
            drain_url,
            health_url,
            health_interval: self.health_interval.unwrap_or(DEFAULT_HEALTH),
            parallel: self.parallel.unwrap_or(2),
            idle_max: self.idle_max.unwrap_or(Duration::from_secs(5)),
            grace: self.grace.unwrap_or(DEFAULT_GRACE),
            start_timeout: self.start_timeout.unwrap_or(DEFAULT_START),
            drain_timeout: self.drain_timeout.unwrap_or(DEFAULT_DRAIN),
            metrics_listen: self.metrics_listen,
        })
    }

    fn warm(self) -> Result<WarmOptions, UsageError> {
        if self.command.is_empty() {
            return Err(UsageError::new("the warm role needs the host command after `--`"));
        }
        Ok(WarmOptions {
            command: self.command,
            health_url: self.health_url.ok_or_else(|| UsageError::new("the warm role needs --health-url"))?,
            get: self.get,
            grace: self.grace.unwrap_or(DEFAULT_GRACE),
            start_timeout: self.start_timeout.unwrap_or(DEFAULT_START),
        })
    }

    fn health(self) -> Result<HealthOptions, UsageError> {
        if !self.command.is_empty() {
            return Err(UsageError::new("the health role starts no host: leave out `--` and what follows"));
        }
        Ok(HealthOptions {
            url: self.url.ok_or_else(|| UsageError::new("the health role needs --url"))?,
            timeout: self.timeout.unwrap_or(Duration::from_secs(5)),
        })
    }
}

/// The platform kills after 30 s unless told otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(25);
/// Longer than a load balancer goes on sending to a replica that it takes out of its routes.
const DEFAULT_LINGER: Duration = Duration::from_secs(10);
/// With the linger before it, as long as the worker's.
const DEFAULT_API_GRACE: Duration = Duration::from_secs(15);
/// As often as platforms ask.
const DEFAULT_HEALTH: Duration = Duration::from_secs(10);
/// Longer than the longest `task_timeout_seconds`, seven days: a drain lasts as long as its tasks.
const DEFAULT_DRAIN: Duration = Duration::from_secs(8 * 86_400);
/// Far more than a host takes that has to compile its components first.
const DEFAULT_START: Duration = Duration::from_secs(60);

fn split_command(arguments: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut own: Vec<OsString> = arguments.into_iter().collect();
    match own.iter().position(|argument| argument == "--") {
        Some(at) => {
            let command = own.split_off(at).into_iter().skip(1).collect();
            (own, command)
        }
        None => (own, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Result<Request, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn sentence(line: &str) -> String {
        request(line).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_worker_has_defaults_for_all_but_the_drain_url() {
        let Ok(Request::Worker(worker)) = request("worker --drain-url http://127.0.0.1:3001/drain") else {
            panic!("a worker")
        };
        assert_eq!(worker.health_url, "http://127.0.0.1:3001/.well-known/spin/health");
        assert_eq!((worker.parallel, worker.grace.as_secs(), worker.idle_max.as_secs()), (2, 25, 5));
        assert_eq!(worker.health_interval.as_secs(), 10);
        // An attempt may take seven days, and a drain as long as its tasks.
        assert!(worker.drain_timeout.as_secs() > 604_800);
        assert!(worker.command.is_empty());
    }

    #[test]
    fn everything_after_two_dashes_is_the_host_command() {
        let Ok(Request::Api(api)) = request("api --grace 3.5 -- spin up --grace 1 -- x") else {
            panic!("an api")
        };
        assert_eq!(api.command, ["spin", "up", "--grace", "1", "--", "x"]);
        assert_eq!(api.grace, Duration::from_millis(3500));
    }

    #[test]
    fn linger_and_grace_of_an_api_fit_into_the_platform_s_30_s() {
        let Ok(Request::Api(api)) = request("api -- spin up") else { panic!("an api") };
        assert_eq!((api.linger.as_secs(), api.health_url), (10, None));
        assert!((api.linger + api.grace).as_secs() <= 25);
        let Ok(Request::Api(api)) = request("api --linger 0 -- spin up") else { panic!("an api") };
        assert!(api.linger.is_zero());
    }

    #[test]
    fn health_of_an_api_is_asked_where_its_host_listens() {
        for (options, url) in [
            ("-- spin up", "http://127.0.0.1:3000/.well-known/spin/health"),
            ("-- spin up --listen 0.0.0.0:80", "http://127.0.0.1:80/.well-known/spin/health"),
            ("-- spin up --listen=[::]:8080 -q", "http://[::1]:8080/.well-known/spin/health"),
            ("-- spin up --listen 10.0.0.7:80", "http://10.0.0.7:80/.well-known/spin/health"),
            ("--health-url http://h/ok -- spin up --listen 0.0.0.0:80", "http://h/ok"),
        ] {
            let line = format!("api --metrics-listen 127.0.0.1:9090 {options}");
            let Ok(Request::Api(api)) = request(&line) else { panic!("an api") };
            assert_eq!(api.health_url.unwrap(), url, "{options}");
        }
    }

    #[test]
    fn warming_and_probing_have_their_own_options() {
        let line = "warm --health-url http://h/ok --get http://h/a --get http://h/b --grace 2 -- spin up";
        let Ok(Request::Warm(warm)) = request(line) else { panic!("a warm-up") };
        assert_eq!((warm.command.len(), warm.grace.as_secs(), warm.start_timeout.as_secs()), (2, 2, 60));
        assert_eq!(warm.get, ["http://h/a", "http://h/b"]);
        let Ok(Request::Health(health)) = request("health --url http://h/ok --timeout 0.5") else {
            panic!("a probe")
        };
        assert_eq!(
            health,
            HealthOptions { url: Uri::from_static("http://h/ok"), timeout: Duration::from_millis(500) }
        );
    }

    #[test]
    fn unusable_lines_are_refused_with_a_sentence_that_names_the_argument() {
        let table = [
            ("", "which role"),
            ("serve", "unknown role"),
            ("api", "host command"),
            ("api spin up", "`--`"),
            ("api --drain-url http://x/drain -- spin", "--drain-url"),
            ("worker", "--drain-url"),
            ("worker --drain-url https://x/drain", "http://"),
            ("worker --drain-url /drain", "http://"),
            ("worker --drain-url http://x/drain --parallel 0", "1 to 64"),
            ("worker --drain-url http://x/drain --grace never", "--grace"),
            ("worker --drain-url http://x/drain --grace -1", "--grace"),
            ("worker --drain-url http://x/drain --grace NaN", "--grace"),
            ("worker --drain-url http://x/drain --health-interval 0", "--health-interval"),
            ("worker --drain-url http://x/drain --linger 1", "--linger"),
            ("api --linger 3601 -- spin", "--linger"),
            ("worker --drain-url http://x/drain --metrics-listen 9464", "address:port"),
            ("worker --drain-url http://x/drain --idle-max", "--idle-max"),
            ("warm --health-url http://x/", "host command"),
            ("warm -- spin up", "--health-url"),
            ("warm --metrics-listen 127.0.0.1:1 --health-url http://x/ -- spin", "--metrics-listen"),
            ("health", "--url"),
            ("health --url http://x/ -- spin up", "no host"),
        ];
        for (line, words) in table {
            let sentence = sentence(line);
            assert!(sentence.contains(words), "{line:?}: {sentence}");
        }
    }

    #[test]
    fn help_names_every_option_and_exit_code() {
        for word in [
            "--grace",
            "--metrics-listen",
            "--drain-url",
            "--health-url",
            "--health-interval",
            "--linger",
            "--drain-timeout",
            "--start-timeout",
            "--parallel",
            "--idle-max",
            "--get",
            "--url",
        ] {
            assert!(HELP.contains(word), "{word}");
        }
        assert_eq!(request("--help"), Ok(Request::Help));
        assert_eq!(request("worker --help"), Ok(Request::Help));
    }
}
