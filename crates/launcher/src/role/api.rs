//! `launcher api`: starts the host with the right variables, passes signals on and exits with its code.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{Exit, host_variables, listen, start_host};
use crate::arguments::ApiOptions;
use crate::child::{Host, HostExit};
use crate::health;
use crate::metrics::Metrics;
use crate::signals::StopSignals;
use crate::stderr::WriteLine as _;
use logging::Line;

/// Runs until the host ends.
pub(super) async fn run(options: &ApiOptions, environment: &BTreeMap<String, String>) -> Exit {
    // First of all: from here on neither signal can end the launcher and leave a host behind.
    let Ok(mut signals) = StopSignals::listen() else { return Exit::HostFailed };
    let metrics = Arc::new(Metrics::default());
    if let Err(exit) = listen(options.metrics_listen, &metrics).await {
        return exit;
    }
    let Some(mut host) = start_host(&options.command, &host_variables(environment)) else {
        return Exit::HostFailed;
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
        // As requested: ended by the signal that was passed on, with the code of shells and runtimes for it
        // (128 + SIGINT or SIGTERM), or with success.
        HostExit::Signal(_) | HostExit::Code(0 | 130 | 143) => Exit::Clean,
        ending @ HostExit::Code(_) => Exit::Host(ending.exit_code()),
    }
}

/// Lets the host serve for the linger, because the platform takes the replica out of its routes at about the time
/// of the signal; then ends it. On SIGTERM a host may stop in the middle of a request.
async fn stop(host: &mut Host, signals: &mut StopSignals, options: &ApiOptions) -> HostExit {
    tokio::select! {
        ending = host.ended() => return ending,
        () = sleep(options.linger) => {}
        signal = signals.next() => Line::info("the linger is cut short").with("signal", signal).write(),
    }
    host.stop(Instant::now() + options.grace).await
}
