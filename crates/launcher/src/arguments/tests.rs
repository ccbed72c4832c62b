use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

/// Words are separated by spaces; `''` is an empty one.
fn parse(line: &str) -> Result<Role, clap::Error> {
    let words = line.split_whitespace().map(|word| if word == "''" { "" } else { word });
    CommandLine::try_parse_from(std::iter::once("launcher").chain(words)).map(|line| line.role)
}

fn api(line: &str) -> ApiOptions {
    match parse(line) {
        Ok(Role::Api(api)) => api,
        other => panic!("{line}: {other:?}"),
    }
}

fn worker(line: &str) -> WorkerOptions {
    match parse(line) {
        Ok(Role::Worker(worker)) => *worker,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn definition_is_consistent() {
    CommandLine::command().debug_assert();
}

#[test]
fn worker_has_defaults_for_all_but_the_drain_url() {
    let worker = worker("worker --drain-url http://127.0.0.1:3001/drain");
    assert_eq!(worker.health_url(), "http://127.0.0.1:3001/.well-known/spin/health");
    assert_eq!((worker.parallel, worker.grace.as_secs(), worker.idle_max.as_secs()), (2, 25, 5));
    assert_eq!((worker.health_interval.as_secs(), worker.start_timeout.as_secs()), (10, 60));
    // An attempt may take seven days, and a drain as long as its tasks.
    assert!(worker.drain_timeout.as_secs() > 604_800);
    assert!(worker.command.is_empty());
}

#[test]
fn everything_after_two_dashes_is_the_host_command() {
    let api = api("api --grace 3.5 -- spin up --grace 1 --state-dir '' -- x");
    assert_eq!(api.command, ["spin", "up", "--grace", "1", "--state-dir", "", "--", "x"]);
    assert_eq!(api.grace, Duration::from_millis(3500));
}

#[test]
fn repeated_option_counts_as_given_last() {
    let worker = worker("worker --drain-url http://a/ --parallel 3 --drain-url http://b/ --parallel 4");
    assert_eq!((worker.drain_url.host(), worker.parallel), (Some("b"), 4));
}

#[test]
fn linger_and_grace_of_an_api_fit_into_30_s() {
    let default = api("api -- spin up");
    assert_eq!((default.linger.as_secs(), default.health_url()), (10, None));
    assert!((default.linger + default.grace).as_secs() <= 25);
    assert!(api("api --linger 0 -- spin up").linger.is_zero());
}

#[test]
fn health_of_an_api_is_requested_where_its_host_listens() {
    for (options, url) in [
        ("-- spin up", "http://127.0.0.1:3000/.well-known/spin/health"),
        ("-- spin up --listen 0.0.0.0:80", "http://127.0.0.1:80/.well-known/spin/health"),
        ("-- spin up --listen=[::]:8080 -q", "http://[::1]:8080/.well-known/spin/health"),
        ("-- spin up --listen 10.0.0.7:80", "http://10.0.0.7:80/.well-known/spin/health"),
        ("--health-url http://h/ok -- spin up --listen 0.0.0.0:80", "http://h/ok"),
    ] {
        let api = api(&format!("api --metrics-listen 127.0.0.1:9090 {options}"));
        assert_eq!(api.health_url().unwrap(), url, "{options}");
    }
}

#[test]
fn warm_and_health_have_their_own_options() {
    let line = "warm --health-url http://h/ok --get http://h/a --get http://h/b --grace 2 -- spin up";
    let Ok(Role::Warm(warm)) = parse(line) else { panic!("a warm-up") };
    assert_eq!((warm.command.len(), warm.grace.as_secs(), warm.start_timeout.as_secs()), (2, 2, 60));
    assert_eq!(warm.get, ["http://h/a", "http://h/b"]);
    let health = HealthOptions { url: Uri::from_static("http://h/ok"), timeout: Duration::from_millis(500) };
    assert_eq!(parse("health --url http://h/ok --timeout 0.5").unwrap(), Role::Health(health));
    assert_eq!(parse("completions fish").unwrap(), Role::Completions { shell: Shell::Fish });
}

#[test]
fn unusable_lines_are_refused_with_code_2_and_the_argument() {
    let table = [
        ("", "Commands:\n  api "),
        ("serve", "unrecognized subcommand 'serve'"),
        ("api", "<HOST_COMMAND>"),
        ("api spin up", "-- <HOST_COMMAND>"),
        ("api --drain-url http://x/drain -- spin", "--drain-url"),
        ("worker", "--drain-url"),
        ("worker --drain-url https://x/drain", "http://"),
        ("worker --drain-url /drain", "http://"),
        ("worker --drain-url http://x/drain --parallel 0", "0 is not in 1..=64"),
        ("worker --drain-url http://x/drain --parallel 65", "65 is not in 1..=64"),
        ("worker --drain-url http://x/drain --grace never", "--grace"),
        ("worker --drain-url http://x/drain --grace -1", "unexpected argument '-1'"),
        ("worker --drain-url http://x/drain --grace=-1", "--grace"),
        ("worker --drain-url http://x/drain --grace NaN", "--grace"),
        ("worker --drain-url http://x/drain --health-interval 0", "from 0.1 to 3600"),
        ("worker --drain-url http://x/drain --linger 1", "--linger"),
        ("api --linger 3601 -- spin", "--linger"),
        ("worker --drain-url http://x/drain --metrics-listen 9464", "address:port"),
        ("worker --drain-url http://x/drain --idle-max", "--idle-max"),
        ("warm --health-url http://x/", "<HOST_COMMAND>"),
        ("warm -- spin up", "--health-url"),
        ("warm --metrics-listen 127.0.0.1:1 --health-url http://x/ -- spin", "--metrics-listen"),
        ("health", "--url"),
        ("health --url http://x/ -- spin up", "unexpected argument 'spin'"),
        ("completions", "<SHELL>"),
    ];
    for (line, words) in table {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line:?}");
        assert!(error.to_string().contains(words), "{line:?}: {error}");
    }
}

#[test]
fn help_of_each_role_has_its_exit_codes() {
    for role in ["api", "worker", "warm", "health"] {
        let help = parse(&format!("{role} --help")).unwrap_err();
        assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
        assert!(help.to_string().contains("Exit codes:"), "{help}");
    }
}
