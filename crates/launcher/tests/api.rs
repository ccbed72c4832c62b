//! `launcher api` with a tiny host: variables, signals, exit codes, orphans.

// Marked as test code, where a failed expectation may panic.
#[cfg(test)]
mod support;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{HOST, LIMIT, Launcher, free_port, get, healthz_is, metrics_address, signal_to};

async fn api(script: &str, environment: &[(&str, &str)]) -> support::Ended {
    Launcher::start(&["api", "--", "sh", "-c", script], environment).ended().await
}

#[tokio::test]
async fn host_gets_values_of_the_platform_as_spin_variables() {
    let environment = [
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:42356/msi/token"),
        ("IDENTITY_HEADER", "header-secret"),
        ("AzureADManagedIdentityClientId", "client"),
        ("StorageCS", "UseDevelopmentStorage=true"),
        ("SPIN_VARIABLE_QUEUE_HOST", "http://already.set"),
    ];
    let ended = api("env | grep ^SPIN_VARIABLE_ | sort", &environment).await;
    let expected = "\
SPIN_VARIABLE_BLOB_HOST=http://127.0.0.1:10000
SPIN_VARIABLE_IDENTITY_ENDPOINT=http://127.0.0.1:42356/msi/token
SPIN_VARIABLE_IDENTITY_HEADER=header-secret
SPIN_VARIABLE_IDENTITY_HOST=http://127.0.0.1:42356
SPIN_VARIABLE_MANAGED_IDENTITY_CLIENT_ID=client
SPIN_VARIABLE_QUEUE_HOST=http://already.set
SPIN_VARIABLE_STORAGE_CONNECTION_STRING=UseDevelopmentStorage=true
";
    assert_eq!(ended.stdout, expected);
    assert!(ended.stderr.contains("SPIN_VARIABLE_IDENTITY_HEADER"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("header-secret"), "{}", ended.stderr);
}

#[tokio::test]
async fn host_may_open_as_many_files_as_the_hard_limit_allows() {
    let launcher = env!("CARGO_BIN_EXE_launcher");
    let print = "echo $(ulimit -S -n) of $(ulimit -H -n)";
    let lower = format!("ulimit -S -n 100; {print}; exec {launcher} api -- sh -c '{print}'");
    let ended = api(&lower, &[]).await;
    let limits: Vec<_> = ended.stdout.lines().filter_map(|line| line.split_once(" of ")).collect();
    let [(before, hard), (after, _)] = limits[..] else { panic!("{ended:?}") };
    assert_eq!((before, after), ("100", hard));
}

#[tokio::test]
async fn exit_code_is_the_one_of_the_host() {
    assert_eq!(api("exit 0", &[]).await.code, 0);
    assert_eq!(api("exit 7", &[]).await.code, 7);
    assert_eq!(api("kill -9 $$", &[]).await.code, 137);
}

#[tokio::test]
async fn signal_is_passed_on_and_the_end_is_clean() {
    for signal in [Signal::TERM, Signal::INT] {
        let script = "trap 'echo told; exit 143' TERM; echo ready; while :; do sleep 0.05; done";
        let mut launcher = Launcher::start(&["api", "--linger", "0.1", "--", "sh", "-c", script], &[]);
        assert_eq!(launcher.output_line().await, "ready");
        launcher.signal(signal);
        let ended = launcher.ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (0, "told\n"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn request_in_flight_at_sigterm_gets_its_response_within_the_linger() {
    for (linger, responds) in [("3", true), ("0", false)] {
        let port = free_port().to_string();
        let line = ["api", "--linger", linger, "--", "python3", "-c", HOST, &port];
        let mut launcher = Launcher::start(&line, &[]);
        launcher.output_line().await;
        let address = format!("127.0.0.1:{port}");
        let request = tokio::spawn(async move { get(&address, "/slow").await });
        assert_eq!(launcher.output_line().await, "slow");
        launcher.signal(Signal::TERM);
        let told = Instant::now();
        let ended = launcher.ended().await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let response = request.await.unwrap();
        assert_eq!(response.starts_with("HTTP/1.1 200"), responds, "--linger {linger}: {response}");
        let took = told.elapsed();
        assert_eq!(took >= Duration::from_secs(3), responds, "--linger {linger}: {took:?}");
    }
}

#[tokio::test]
async fn requests_are_served_in_the_linger_until_a_second_signal() {
    let port = free_port().to_string();
    let line = ["api", "--linger", "3600", "--", "python3", "-c", HOST, &port];
    let mut launcher = Launcher::start(&line, &[]);
    launcher.output_line().await;
    launcher.signal(Signal::TERM);
    launcher.error_until("stopping").await;
    // A platform goes on routing for some seconds.
    assert!(get(&format!("127.0.0.1:{port}"), "/").await.starts_with("HTTP/1.1 200"));
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("cut short"), "{}", ended.stderr);
}

#[tokio::test]
async fn linger_ends_with_the_host() {
    let script = "trap '' TERM; echo ready; sleep 0.5; exit 7";
    let line = ["api", "--linger", "3600", "--", "sh", "-c", script];
    let mut launcher = Launcher::start(&line, &[]);
    launcher.output_line().await;
    launcher.signal(Signal::TERM);
    assert_eq!(launcher.ended().await.code, 7);
}

#[tokio::test]
async fn healthz_is_503_while_the_host_hangs_and_200_after() {
    let port = free_port().to_string();
    let url = format!("http://127.0.0.1:{port}/");
    let own = ["api", "--linger", "0", "--metrics-listen", "127.0.0.1:0", "--health-interval", "0.2"];
    let host = ["--health-url", &url, "--", "python3", "-c", HOST, &port];
    let mut launcher = Launcher::start(&[&own[..], &host[..]].concat(), &[]);
    let pid = launcher.output_line().await;
    let address = metrics_address(&mut launcher).await;
    healthz_is(&address, 200).await;
    // The kernel still accepts its connections, which get no response.
    signal_to(&pid, Signal::STOP);
    healthz_is(&address, 503).await;
    assert!(get(&address, "/metrics").await.contains("accepted_host_healthy 0"));
    signal_to(&pid, Signal::CONT);
    healthz_is(&address, 200).await;
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("no response in time"), "{}", ended.stderr);
}

#[tokio::test]
async fn process_group_is_killed_when_the_grace_period_is_over() {
    let script = "trap '' TERM; sleep 300 & echo $!; wait; sleep 300";
    let line = ["api", "--linger", "0", "--grace", "0.5", "--", "sh", "-c", script];
    let mut launcher = Launcher::start(&line, &[]);
    let grandchild = launcher.output_line().await;
    let told = Instant::now();
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(told.elapsed() >= Duration::from_millis(450), "{:?}", told.elapsed());
    assert!(gone(&grandchild).await, "{grandchild} still runs");
}

/// Whether the process ends soon: what was killed may take a moment to disappear.
async fn gone(pid: &str) -> bool {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        if !status.is_ok_and(|text| !text.contains("State:\tZ")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn orphans_of_the_host_are_reaped() {
    // The inner shell ends at once; its child becomes an orphan.
    let script = "sh -c 'sleep 0.1 & echo $!'; sleep 300";
    let mut launcher = Launcher::start(&["api", "--linger", "0", "--", "sh", "-c", script], &[]);
    let orphan = launcher.output_line().await;
    let deadline = Instant::now() + LIMIT;
    while std::fs::exists(format!("/proc/{orphan}")).unwrap() {
        assert!(Instant::now() < deadline, "{orphan} was never reaped");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    launcher.signal(Signal::TERM);
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn refusals_have_their_own_exit_code_and_sentence() {
    let missing = Launcher::start(&["api", "--", "/no/such/host"], &[]).ended().await;
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("cannot be started"), "{}", missing.stderr);
    let unclear = Launcher::start(&["api", "spin"], &[]).ended().await;
    assert_eq!(unclear.code, 2);
    assert!(unclear.stderr.contains("--help"), "{}", unclear.stderr);
    let help = Launcher::start(&["api", "--help"], &[]).ended().await;
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Exit codes:"));
    let script = Launcher::start(&["completions", "bash"], &[]).ended().await;
    assert_eq!(script.code, 0);
    assert!(script.stdout.contains("--drain-url"));
}
