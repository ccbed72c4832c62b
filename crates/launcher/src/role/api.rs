//! `launcher api`: starts the host with the right variables and is otherwise not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{Exit, listen, prepare};
use crate::arguments::ApiOptions;
use crate::child::{Ending, Host};
use crate::health;
use crate::log::Line;
use crate::metrics::Metrics;
use crate::signals::StopSignals;

/// Runs until the host ends.
pub(super) async fn run(options: &ApiOptions, environment: &BTreeMap<String, String>) -> Exit {
    // Before anything else: from here on no signal can end the launcher and leave a host behind.
    let Ok(mut signals) = StopSignals::listen() else { return Exit::HostFailed };
    let metrics = Arc::new(Metrics::default());
    if let Err(exit) = listen(options.metrics_listen, &metrics).await {
        return exit;
    }
    let mut host = match Host::start(&options.command, &prepare(environment)) {
        Ok(host) => host,
        Err(error) => {
            Line::error("the host cannot be started").with("reason", error.to_string()).write();
            return Exit::HostFailed;
        }
    };
    let watch = options
        .health_url()
        .map(|url| health::Watch::start(url, options.health_interval, Arc::clone(&metrics)));
    let ending = tokio::select! {
        ending = host.ended() => {
            Line::error("the host ended by itself").with("exit_code", ending.exit_code()).write();
            return Exit::Host(ending.exit_code());
        }
        signal = signals.next() => {
            let seconds = options.linger.as_secs_f64();
            Line::info("stopping").with("signal", signal).with("linger_seconds", seconds).write();
            stop(&mut host, &mut signals, options).await
        }
    };
    drop(watch);
    metrics.set_healthy(false);
    match ending {
        // What was asked for: it ended by the signal that was passed on, or with the code that shells and
        // runtimes give for it (128 + SIGINT or SIGTERM), or with success.
        Ending::Signal(_) | Ending::Code(0 | 130 | 143) => Exit::Clean,
        ending @ Ending::Code(_) => Exit::Host(ending.exit_code()),
    }
}

/// Lets the host serve for a while, as the platform takes the replica out of its routes at about the time of the
/// signal; then ends it. A host may stop in the middle of a request when it is told to.
async fn stop(host: &mut Host, signals: &mut StopSignals, options: &ApiOptions) -> Ending {
    tokio::select! {
        ending = host.ended() => return ending,
        () = sleep(options.linger) => {}
        signal = signals.next() => Line::info("the linger is cut short").with("signal", signal).write(),
    }
    host.stop(Instant::now() + options.grace).await
}
