//! `launcher warm`: lets a host compile its components while the image is built.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{StatusCode, Uri};
use tokio::time::Instant;

use super::{Exit, prepare};
use crate::arguments::WarmOptions;
use crate::child::{Ending, Host};
use crate::connection::get;
use crate::health;
use crate::log::Line;
use crate::signals::StopSignals;

/// One answer of a component whose first instance has to be made.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs until the host has answered everything, and has ended.
pub(super) async fn run(options: &WarmOptions, environment: &BTreeMap<String, String>) -> Exit {
    let Ok(mut signals) = StopSignals::listen() else { return Exit::HostFailed };
    let mut host = match Host::start(&options.command, &prepare(environment)) {
        Ok(host) => host,
        Err(error) => {
            Line::error("the host cannot be started").with("reason", error.to_string()).write();
            return Exit::HostFailed;
        }
    };
    let started = Instant::now();
    let outcome = tokio::select! {
        ending = host.ended() => Err(ended(ending)),
        signal = signals.next() => Err(format!("{signal} came before the end")),
        outcome = ask(options) => outcome,
    };
    host.stop(Instant::now() + options.grace).await;
    match outcome {
        Ok(()) => {
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Line::info("warm").with("requests", options.get.len()).with("duration_ms", milliseconds).write();
            Exit::Clean
        }
        Err(reason) => {
            Line::error("the host could not be warmed").with("reason", reason).write();
            Exit::HostFailed
        }
    }
}

fn ended(ending: Ending) -> String {
    format!("the host ended by itself with {}", ending.exit_code())
}

async fn ask(options: &WarmOptions) -> Result<(), String> {
    health::wait(&options.health_url, options.start_timeout).await?;
    for url in &options.get {
        one(url).await.map_err(|reason| format!("{}: {reason}", url.path()))?;
    }
    Ok(())
}

/// Without configuration a component may well refuse what it is asked; it ran all the same.
async fn one(url: &Uri) -> Result<(), String> {
    match get(url, ANSWER).await {
        Ok(answer) if answer.status() == StatusCode::INTERNAL_SERVER_ERROR => {
            Err("it answered 500, which a host does for a component that cannot run".to_owned())
        }
        Ok(_) => Ok(()),
        Err(broken) => Err(broken.to_string()),
    }
}
