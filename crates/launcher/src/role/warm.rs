//! `launcher warm`: lets a host compile its components while the image is built.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{StatusCode, Uri};
use tokio::time::Instant;

use super::{Exit, host_variables, start_host};
use crate::arguments::WarmOptions;
use crate::child::HostExit;
use crate::connection::get;
use crate::handlers;
use crate::health;
use crate::isolation;
use crate::manifest::Manifest;
use crate::signals::StopSignals;
use crate::stderr::WriteLine as _;
use logging::Line;
use models::milliseconds;

/// How long one response may take: the first instance of the component has to be made.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs until the host has responded to every request, and has ended.
pub(super) async fn run(options: &WarmOptions, environment: &BTreeMap<String, String>) -> Exit {
    let Ok(mut signals) = StopSignals::listen() else { return Exit::HostFailed };
    let handlers = match handlers::read(environment, Manifest::of_command(&options.command).as_ref()) {
        Ok(handlers) => handlers,
        Err(sentence) => {
            Line::error("the task handlers are not usable").with("advice", sentence).write();
            return Exit::Usage;
        }
    };
    let command = isolation::to_warm(&options.command, &handlers.components());
    let Some(mut host) = start_host(&command, &host_variables(environment)) else {
        return Exit::HostFailed;
    };
    let started = Instant::now();
    let outcome = tokio::select! {
        ending = host.ended() => Err(ended(ending)),
        signal = signals.next() => Err(format!("{signal} came before the end")),
        outcome = request_all(options) => outcome,
    };
    host.stop(Instant::now() + options.grace).await;
    match outcome {
        Ok(()) => {
            let took = milliseconds(started.elapsed());
            Line::info("warm").with("requests", options.get.len()).with("duration_ms", took).write();
            Exit::Clean
        }
        Err(reason) => {
            Line::error("the host could not be warmed").with("reason", reason).write();
            Exit::HostFailed
        }
    }
}

fn ended(ending: HostExit) -> String {
    format!("the host ended by itself with {}", ending.exit_code())
}

async fn request_all(options: &WarmOptions) -> Result<(), String> {
    health::wait_until_healthy(&options.health_url, options.start_timeout).await?;
    for url in &options.get {
        request_page(url).await.map_err(|reason| format!("{}: {reason}", url.path()))?;
    }
    Ok(())
}

/// Accepts every status but 500: without configuration a component may refuse the request, but it ran.
async fn request_page(url: &Uri) -> Result<(), String> {
    match get(url, RESPONSE_TIMEOUT).await {
        Ok(response) if response.status() == StatusCode::INTERNAL_SERVER_ERROR => {
            Err("it responded 500, which a host does for a component that cannot run".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
