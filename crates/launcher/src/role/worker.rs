//! `launcher worker`: starts the host if it is given one, and drains until told to stop.

mod hosts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use azure::Secret;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Exit, listen};
use crate::arguments::WorkerOptions;
use crate::child::{Host, HostExit};
use crate::drain::Target;
use crate::drainer::Replica;
use crate::environment::spin_name;
use crate::health;
use crate::metrics::Metrics;
use crate::signals::{Phase, StopSignals};
use crate::stderr::WriteLine as _;
use hosts::Hosts;
use logging::Line;

/// How long the host may take to end after the last drain.
const HOST_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs until a signal, or until the host ends.
pub(super) async fn run(options: &WorkerOptions, environment: &BTreeMap<String, String>) -> Exit {
    // First of all: from here on neither signal can end the launcher and leave a host behind.
    let Ok(signals) = StopSignals::listen() else { return Exit::HostFailed };
    let (token, variables) = match drain_token(environment, options.command.is_empty()) {
        Ok(found) => found,
        Err(sentence) => {
            Line::error("there is no usable drain token").with("advice", sentence).write();
            return Exit::Usage;
        }
    };
    let registered = match hosts::registered(options, environment) {
        Ok(registered) => registered,
        Err(exit) => return exit,
    };
    let metrics = Arc::new(Metrics::default());
    if let Err(exit) = listen(options.metrics_listen, &metrics).await {
        return exit;
    }
    let hosts = if options.command.is_empty() {
        Ok(Hosts::default())
    } else {
        hosts::start(options, environment, registered, &token, variables, &metrics).await
    };
    match hosts {
        Ok(hosts) => Worker { options, hosts, signals, metrics, watch: None }.run(token).await,
        Err(exit) => exit,
    }
}

/// The token to present, and the variables that hand it to a host started here.
fn drain_token(
    environment: &BTreeMap<String, String>,
    host_runs: bool,
) -> Result<(Secret, BTreeMap<String, Secret>), &'static str> {
    let name = spin_name("drain_token");
    if let Some(token) = environment.get(&name).filter(|token| !token.is_empty()) {
        if !token.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err("SPIN_VARIABLE_DRAIN_TOKEN may hold only visible ASCII characters without spaces");
        }
        return Ok((Secret::new(token.as_str()), BTreeMap::new()));
    }
    if host_runs {
        return Err("set SPIN_VARIABLE_DRAIN_TOKEN to the drain_token of the host that already runs");
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| "the system has no randomness to give: set SPIN_VARIABLE_DRAIN_TOKEN")?;
    let token = Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    Ok((token.clone(), BTreeMap::from([(name, token)])))
}

struct Worker<'a> {
    options: &'a WorkerOptions,
    hosts: Hosts,
    signals: StopSignals,
    metrics: Arc<Metrics>,
    watch: Option<health::Watch>,
}

impl Worker<'_> {
    async fn run(mut self, token: Secret) -> Exit {
        let health_url = self.options.health_url();
        let healthy = health::wait_until_healthy(&health_url, self.options.start_timeout);
        tokio::select! {
            ending = ended(&mut self.hosts.worker) => return host_failed(ending),
            signal = self.signals.next() => {
                Line::info("stopping before the first drain").with("signal", signal).write();
                self.end_host(Instant::now() + self.options.grace).await;
                return Exit::Clean;
            }
            result = healthy => if let Err(sentence) = result {
                Line::error("the host is not healthy").with("advice", sentence).write();
                return Exit::HostFailed;
            },
        }
        self.metrics.set_healthy(true);
        let interval = self.options.health_interval;
        self.watch = Some(health::Watch::start(health_url, interval, Arc::clone(&self.metrics)));
        Line::info("draining").with("parallel", self.options.parallel).write();

        let (phase, phases) = watch::channel(Phase::Running);
        let (loops, idle_max) = (self.options.parallel, self.options.idle_max);
        let (url, limit) = (self.options.drain_url.clone(), self.options.drain_timeout);
        let target = Target { url, token, limit, drains: loops };
        let replica = Replica::new(target, loops, idle_max, phases, Arc::clone(&self.metrics));
        let mut drains = JoinSet::new();
        for index in 0..loops {
            let replica = Arc::clone(&replica);
            drains.spawn(async move { replica.run(index).await });
        }
        tokio::select! {
            ending = ended(&mut self.hosts.worker) => {
                self.watch = None;
                self.metrics.set_healthy(false);
                return host_failed(ending);
            }
            signal = self.signals.next() => Line::info("stopping").with("signal", signal).write(),
        }
        self.stop(&phase, drains).await
    }

    /// Lets running drains finish, then makes them hand back, then ends the host.
    async fn stop(mut self, phase: &watch::Sender<Phase>, mut drains: JoinSet<()>) -> Exit {
        let times = StopTimes::after(Instant::now(), self.options.grace);
        phase.send_replace(Phase::Stopping);
        tokio::select! {
            () = all_ended(&mut drains) => {}
            ending = ended(&mut self.hosts.worker) => return host_failed(ending),
            () = sleep_until(times.release) => release(phase, "the grace period is nearly over"),
            _ = self.signals.next() => release(phase, "a second signal"),
        }
        tokio::select! {
            () = all_ended(&mut drains) => {}
            ending = ended(&mut self.hosts.worker) => return host_failed(ending),
            () = sleep_until(times.give_up) => {
                Line::warn("drains did not end in time; their messages come back when the leases run out")
                    .with("drains", drains.len())
                    .write();
            }
        }
        drains.abort_all();
        self.end_host(times.kill).await;
        Line::info("stopped").write();
        Exit::Clean
    }

    async fn end_host(&mut self, kill: Instant) {
        self.watch = None;
        self.metrics.set_healthy(false);
        let deadline = kill.min(Instant::now() + HOST_STOP_TIMEOUT);
        let handlers = self.hosts.handlers.take();
        if let Some(host) = &mut self.hosts.worker {
            host.stop(deadline).await;
        }
        if let Some(handlers) = handlers {
            handlers.stop(deadline).await;
        }
    }
}

/// The times of the steps after a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StopTimes {
    /// Running drains hand their messages back.
    release: Instant,
    /// Drains that still run are abandoned.
    give_up: Instant,
    /// The host is killed.
    kill: Instant,
}

impl StopTimes {
    fn after(now: Instant, grace: Duration) -> Self {
        Self { release: now + grace.mul_f32(0.8), give_up: now + grace.mul_f32(0.94), kill: now + grace }
    }
}

fn release(phase: &watch::Sender<Phase>, why: &'static str) {
    Line::info("handing unfinished messages back").with("reason", why).write();
    phase.send_replace(Phase::Releasing);
}

async fn all_ended(drains: &mut JoinSet<()>) {
    while drains.join_next().await.is_some() {}
}

/// Waits for the end of the host that was started here; forever when there is none.
async fn ended(host: &mut Option<Host>) -> HostExit {
    match host {
        Some(host) => host.ended().await,
        None => std::future::pending().await,
    }
}

fn host_failed(ending: HostExit) -> Exit {
    Line::error("the host ended by itself").with("exit_code", ending.exit_code()).write();
    Exit::HostFailed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(
        value: Option<&str>,
        host_runs: bool,
    ) -> Result<(Secret, BTreeMap<String, Secret>), &'static str> {
        let environment = value
            .map(|value| ("SPIN_VARIABLE_DRAIN_TOKEN".to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        drain_token(&environment, host_runs)
    }

    #[test]
    fn token_from_the_environment_is_used_as_it_is() {
        let (token, variables) = token_of(Some("given"), true).unwrap();
        assert_eq!((token.expose(), variables.len()), ("given", 0));
    }

    #[test]
    fn random_token_is_made_for_a_host_started_here() {
        let (token, variables) = token_of(None, false).unwrap();
        assert_eq!(token.expose().len(), 64);
        assert_eq!(variables["SPIN_VARIABLE_DRAIN_TOKEN"], token);
        assert_ne!(token_of(Some(""), false).unwrap().0, token);
    }

    #[test]
    fn missing_or_unusable_token_is_refused_with_the_variable() {
        for (value, host_runs) in [(None, true), (Some("two words"), false), (Some("é"), false)] {
            assert!(token_of(value, host_runs).unwrap_err().contains("SPIN_VARIABLE_DRAIN_TOKEN"));
        }
    }

    #[tokio::test]
    async fn messages_are_handed_back_within_the_grace_period() {
        let now = Instant::now();
        let times = StopTimes::after(now, Duration::from_secs(25));
        assert_eq!((times.release - now).as_secs(), 20);
        assert!(times.release < times.give_up && times.give_up < times.kill);
        assert_eq!((times.kill - now).as_secs(), 25);
    }
}
