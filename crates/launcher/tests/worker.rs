//! `launcher worker` against a fake worker on a real socket.

// Marked as test code, where a failed expectation may panic.
#[cfg(test)]
mod support;

use std::time::Duration;

use rustix::process::Signal;
use support::{
    FakeWorker, HOST, Launcher, Seen, Step, free_port, get, healthz_is, metrics_address, signal_to,
};

const TOKEN: [(&str, &str); 1] = [("SPIN_VARIABLE_DRAIN_TOKEN", "token-of-the-test")];

fn line(text: &str) -> Seen {
    Seen::Line(text.to_owned())
}

/// A worker that drives a host which already runs.
fn attached(worker: &FakeWorker, more: &[&str]) -> Launcher {
    let url = worker.drain_url();
    let arguments: Vec<&str> =
        ["worker", "--parallel", "1", "--drain-url", &url].into_iter().chain(more.iter().copied()).collect();
    Launcher::start(&arguments, &TOKEN)
}

/// A worker with a host of its own: a shell that runs `script`.
fn with_host(worker: &FakeWorker, script: &str, more: &[&str]) -> Launcher {
    let url = worker.drain_url();
    let arguments: Vec<&str> = ["worker", "--parallel", "1", "--drain-url", &url]
        .into_iter()
        .chain(more.iter().copied())
        .chain(["--", "sh", "-c", script])
        .collect();
    Launcher::start(&arguments, &[])
}

#[tokio::test]
async fn running_drain_is_told_to_stop_on_a_signal_and_waited_for() {
    let mut worker = FakeWorker::start([Step::After("stop")]).await;
    let launcher = attached(&worker, &[]);
    assert_eq!(worker.next_drain().await, "Bearer token-of-the-test");
    launcher.signal(Signal::TERM);
    assert_eq!(worker.next().await, line("stop"));
    let ended = launcher.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(r#""released":1"#), "{}", ended.stderr);
    assert!(!ended.stderr.contains("token-of-the-test"), "{}", ended.stderr);
    assert!(worker.seen.try_recv().is_err(), "no drain after the stop");
}

#[tokio::test]
async fn messages_are_handed_back_when_the_grace_period_is_nearly_over() {
    let mut worker = FakeWorker::start([Step::After("release")]).await;
    let launcher = attached(&worker, &["--grace", "1"]);
    worker.next_drain().await;
    launcher.signal(Signal::TERM);
    assert_eq!(worker.next().await, line("stop"));
    assert_eq!(worker.next().await, line("release"));
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn messages_are_handed_back_at_once_on_a_second_signal() {
    let mut worker = FakeWorker::start([Step::After("release")]).await;
    let launcher = attached(&worker, &["--grace", "3600"]);
    worker.next_drain().await;
    launcher.signal(Signal::INT);
    assert_eq!(worker.next().await, line("stop"));
    launcher.signal(Signal::INT);
    assert_eq!(worker.next().await, line("release"));
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn endless_drain_does_not_outlast_the_grace_period() {
    let mut worker = FakeWorker::start([Step::Never]).await;
    let host = "trap 'echo told; exit 0' TERM; while :; do sleep 0.05; done";
    let launcher = with_host(&worker, host, &["--grace", "1"]);
    worker.next_drain().await;
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "told\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did not end in time"), "{}", ended.stderr);
}

#[tokio::test]
async fn host_gets_sigterm_only_after_the_drains_ended() {
    let mut worker = FakeWorker::start([Step::After("release")]).await;
    let host = "trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let mut launcher = with_host(&worker, host, &["--grace", "3600"]);
    assert_eq!(launcher.output_line().await, "up");
    worker.next_drain().await;
    launcher.signal(Signal::TERM);
    assert_eq!(worker.next().await, line("stop"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let host_runs = launcher.error_until("stopping").await;
    assert!(!host_runs.contains("ended by itself"));
    launcher.signal(Signal::TERM);
    assert_eq!(worker.next().await, line("release"));
    let ended = launcher.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "told\n"), "{}", ended.stderr);
}

#[tokio::test]
async fn launcher_exits_with_1_when_the_host_dies() {
    let mut worker = FakeWorker::start([Step::Never]).await;
    let mut launcher = with_host(&worker, "echo $$; exec sleep 300", &["--grace", "3600"]);
    let host = launcher.output_line().await.parse().unwrap();
    worker.next_drain().await;
    rustix::process::kill_process(rustix::process::Pid::from_raw(host).unwrap(), Signal::KILL).unwrap();
    let ended = launcher.ended().await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains(r#""exit_code":137"#), "{}", ended.stderr);
}

#[tokio::test]
async fn random_token_reaches_the_host_and_no_log_line() {
    let mut worker = FakeWorker::start([Step::Respond(503, "")]).await;
    let mut launcher = with_host(&worker, "echo $SPIN_VARIABLE_DRAIN_TOKEN; exec sleep 300", &[]);
    let token = launcher.output_line().await;
    assert_eq!(token.len(), 64);
    assert_eq!(worker.next_drain().await, format!("Bearer {token}"));
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    assert_eq!(ended.code, 0);
    assert!(!ended.stderr.contains(&token), "{}", ended.stderr);
}

#[tokio::test]
async fn next_drain_is_at_once_after_work_and_paused_after_failure() {
    const BUSY: usize = 100;
    /// The first pause after a drain that found nothing is 50 ms with the shortest jitter, so as many pauses are longer.
    const MAX_BUSY: Duration = Duration::from_secs(5);
    let busy = r#"{"received":2,"completed":2}"#;
    // So many that the machine's speed does not decide whether there was a pause.
    let script = (0..BUSY).map(|_| Step::Respond(200, busy));
    let script = script.chain([Step::Respond(503, "later"), Step::Respond(200, busy)]);
    let mut worker = FakeWorker::start(script).await;
    let launcher = attached(&worker, &[]);
    for _ in 0..BUSY + 2 {
        worker.next_drain().await;
    }
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    let times = worker.times.lock().unwrap().clone();
    let pause = times[BUSY + 1] - times[BUSY];
    assert!(pause >= Duration::from_millis(490), "{pause:?}");
    let took = times[BUSY] - times[0];
    assert!(took < MAX_BUSY, "{BUSY} drains took {took:?}");
    let lines: Vec<serde_json::Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let drained = lines.iter().filter(|line| line["message"] == "drained" && line["completed"] == 2).count();
    assert!(drained >= BUSY, "{}", ended.stderr);
    assert!(lines.iter().any(|line| line["status"] == 503), "{}", ended.stderr);
}

#[tokio::test]
async fn drains_go_on_when_nothing_reads_the_log() {
    let busy = || Step::Respond(200, r#"{"received":1,"completed":1}"#);
    let mut worker = FakeWorker::start([Step::Respond(503, ""), busy(), busy()]).await;
    let mut launcher = attached(&worker, &[]);
    launcher.close_error();
    for _ in 0..4 {
        worker.next_drain().await;
    }
    launcher.signal(Signal::TERM);
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn idle_drains_pause_longer_each_time_and_log_once() {
    let mut worker = FakeWorker::start([]).await;
    let launcher = attached(&worker, &[]);
    for _ in 0..5 {
        worker.next_drain().await;
    }
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    let times = worker.times.lock().unwrap().clone();
    // At least 50 + 100 + 200 + 400 ms, with the shortest jitter.
    assert!(times[4] - times[0] >= Duration::from_millis(740), "{:?}", times[4] - times[0]);
    assert_eq!(ended.stderr.matches("nothing to drain").count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn three_drains_run_side_by_side() {
    let script = [Step::After("stop"), Step::After("stop"), Step::After("stop")];
    let mut worker = FakeWorker::start(script).await;
    let url = worker.drain_url();
    let launcher = Launcher::start(&["worker", "--parallel", "3", "--drain-url", &url], &TOKEN);
    for _ in 0..3 {
        worker.next_drain().await;
    }
    launcher.signal(Signal::TERM);
    let lines = [worker.next().await, worker.next().await, worker.next().await];
    assert_eq!(lines, [line("stop"), line("stop"), line("stop")]);
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn metrics_and_health_are_served_when_asked_for() {
    let mut worker = FakeWorker::start([Step::Respond(200, r#"{"received":2,"completed":2}"#)]).await;
    let mut launcher = attached(&worker, &["--metrics-listen", "127.0.0.1:0"]);
    worker.next_drain().await;
    worker.next_drain().await;
    let text = launcher.error_until("drained").await;
    let listening: serde_json::Value = text
        .lines()
        .find(|line| line.contains("address"))
        .map(|line| serde_json::from_str(line).unwrap())
        .unwrap();
    let address = listening["address"].as_str().unwrap();
    let metrics = get(address, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("accepted_tasks_total{outcome=\"completed\"} 2"), "{metrics}");
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    launcher.signal(Signal::TERM);
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn host_that_never_gets_healthy_is_given_up_with_advice() {
    let url = "http://127.0.0.1:1/drain";
    let arguments =
        ["worker", "--drain-url", url, "--start-timeout", "0.3", "--", "sh", "-c", "echo $$; exec sleep 300"];
    let ended = Launcher::start(&arguments, &[]).ended().await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("not healthy within 0.3 s"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--start-timeout"), "{}", ended.stderr);
}

#[tokio::test]
async fn missing_token_is_refused_with_the_variable_to_set() {
    let ended = Launcher::start(&["worker", "--drain-url", "http://127.0.0.1:1/drain"], &[]).ended().await;
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("SPIN_VARIABLE_DRAIN_TOKEN"), "{}", ended.stderr);
}

#[tokio::test]
async fn retry_after_seconds_holds_for_every_loop() {
    // What a throttled worker says: it received something, so that there is more, and needs a rest.
    let throttled = r#"{"received":2,"lost":2,"more":true,"retryAfterSeconds":2}"#;
    let script =
        [Step::Respond(200, throttled), Step::Respond(200, r#"{"received":1,"completed":1,"more":true}"#)];
    let mut worker = FakeWorker::start(script).await;
    let url = worker.drain_url();
    let launcher = Launcher::start(&["worker", "--parallel", "2", "--drain-url", &url], &TOKEN);
    for _ in 0..4 {
        worker.next_drain().await;
    }
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    let times = worker.times.lock().unwrap().clone();
    // The second loop may have begun together with the first, before either was told.
    assert!(times[2] - times[0] >= Duration::from_millis(1_990), "{:?}", times[2] - times[0]);
    assert!(times[3] - times[0] < Duration::from_secs(4), "{:?}", times[3] - times[0]);
    assert!(ended.stderr.contains(r#""retry_after_seconds":2"#), "{}", ended.stderr);
}

#[tokio::test]
async fn retry_after_seconds_holds_for_a_loop_that_ends_later() {
    let script = [Step::After("stop"), Step::Respond(200, r#"{"received":1,"retryAfterSeconds":60}"#)];
    let mut worker = FakeWorker::start(script).await;
    let url = worker.drain_url();
    let launcher =
        Launcher::start(&["worker", "--parallel", "2", "--drain-url", &url, "--drain-timeout", "1"], &TOKEN);
    worker.next_drain().await;
    worker.next_drain().await;
    // After a second the first drain is told to stop, and its loop waits for what the other was told.
    assert_eq!(worker.next().await, line("stop"));
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(worker.seen.try_recv().is_err(), "no drain before the rest is over");
    launcher.signal(Signal::TERM);
    assert_eq!(launcher.ended().await.code, 0, "and the wait ends with a signal");
}

#[tokio::test]
async fn slow_drain_is_stopped_and_given_up_after_twice_its_time() {
    let mut worker = FakeWorker::start([Step::Never]).await;
    let launcher = attached(&worker, &["--drain-timeout", "1"]);
    worker.next_drain().await;
    let started = std::time::Instant::now();
    assert_eq!(worker.next().await, line("stop"));
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
    worker.next_drain().await;
    assert!(started.elapsed() >= Duration::from_millis(1_900), "{:?}", started.elapsed());
    launcher.signal(Signal::TERM);
    let ended = launcher.ended().await;
    assert!(ended.stderr.contains("--drain-timeout"), "{}", ended.stderr);
}

#[tokio::test]
async fn healthz_of_a_worker_is_503_while_the_host_hangs() {
    let worker = FakeWorker::start([]).await;
    let (port, url) = (free_port().to_string(), worker.drain_url());
    let health = format!("http://127.0.0.1:{port}/");
    let own = ["worker", "--drain-url", &url, "--health-url", &health, "--health-interval", "0.2"];
    let host = ["--metrics-listen", "127.0.0.1:0", "--", "python3", "-c", HOST, &port];
    let mut launcher = Launcher::start(&[&own[..], &host[..]].concat(), &[]);
    let pid = launcher.output_line().await;
    let address = metrics_address(&mut launcher).await;
    healthz_is(&address, 200).await;
    signal_to(&pid, Signal::STOP);
    healthz_is(&address, 503).await;
    signal_to(&pid, Signal::CONT);
    healthz_is(&address, 200).await;
    launcher.signal(Signal::TERM);
    assert_eq!(launcher.ended().await.code, 0);
}

#[tokio::test]
async fn too_many_task_handlers_are_refused_before_the_host_starts() {
    let handlers = [
        ("SPIN_VARIABLE_TASK_HANDLERS", r#"{"resize":"https://work.example.org/"}"#),
        ("SPIN_VARIABLE_MAX_CONCURRENCY", "101"),
    ];
    let line = ["worker", "--drain-url", "http://127.0.0.1:1/drain", "--", "echo", "started"];
    let ended = Launcher::start(&line, &handlers).ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("SPIN_VARIABLE_MAX_CONCURRENCY (101)"), "{}", ended.stderr);
}
