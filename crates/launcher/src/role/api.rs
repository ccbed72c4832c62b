//! `launcher api`: starts the host with the right variables and is otherwise not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Exit, listen, prepare};
use crate::arguments::ApiOptions;
use crate::child::{Ending, Host};
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
    metrics.set_healthy(true);
    tokio::select! {
        ending = host.ended() => {
            Line::error("the host ended by itself").with("exit_code", ending.exit_code()).write();
            Exit::Host(ending.exit_code())
        }
        signal = signals.next() => {
            Line::info("stopping").with("signal", signal).write();
            match host.stop(Instant::now() + options.grace).await {
                // What was asked for: it ended by the signal that was passed on, or with the code that shells and
                // runtimes give for it (128 + SIGINT or SIGTERM), or with success.
                Ending::Signal(_) | Ending::Code(0 | 130 | 143) => Exit::Clean,
                ending @ Ending::Code(_) => Exit::Host(ending.exit_code()),
            }
        }
    }
}
