//! The hosts of a worker's replica: that of the worker, and that of its handlers if they have one of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use azure::Secret;
use lifecycle::handlers::Handlers;
use logging::Line;

use crate::arguments::WorkerOptions;
use crate::child::Host;
use crate::environment::spin_name;
use crate::handler_process::{HandlerProcess, Plan};
use crate::handlers;
use crate::isolation;
use crate::manifest::Manifest;
use crate::metrics::Metrics;
use crate::overrun;
use crate::role::{Exit, host_variables, start_host};
use crate::stderr::WriteLine as _;

/// The hosts that the launcher has started.
#[derive(Default)]
pub(super) struct Hosts {
    /// `None` if the worker's host runs already.
    pub(super) worker: Option<Host>,
    /// `None` if the handlers are in the worker's host, or if there are none.
    pub(super) handlers: Option<HandlerProcess>,
}

/// What is known of the handlers before a host is started.
#[derive(Default)]
pub(super) struct Registered {
    handlers: Handlers,
    /// The hosts outside the application.
    variables: BTreeMap<String, Secret>,
}

/// Reads and checks the handlers of the host to be started. Nothing is known of a host that runs already.
///
/// # Errors
/// After a log line: the handlers are not usable.
pub(super) fn registered(
    options: &WorkerOptions,
    environment: &BTreeMap<String, String>,
) -> Result<Registered, Exit> {
    if options.command.is_empty() {
        return Ok(Registered::default());
    }
    let manifest = Manifest::of_command(&options.command);
    let read = handlers::read(environment, manifest.as_ref());
    let found = read.and_then(|found| Ok((handlers::host_variables(&found, environment)?, found)));
    let (variables, handlers) = found.map_err(|sentence| {
        Line::error("the task handlers are not usable").with("advice", sentence).write();
        Exit::Usage
    })?;
    let in_process = options.handlers_listen.is_none();
    if let Err(sentence) = handlers::check(&handlers, environment, options.parallel, in_process) {
        Line::error("there would be too many task handlers at a time").with("advice", sentence).write();
        return Err(Exit::Usage);
    }
    Ok(Registered { handlers, variables })
}

/// Starts the worker's host, and the host of the handlers if they have one of their own. `more` are variables of both.
///
/// # Errors
/// After a log line: a host cannot be started.
pub(super) async fn start(
    options: &WorkerOptions,
    environment: &BTreeMap<String, String>,
    Registered { handlers, variables }: Registered,
    token: &Secret,
    more: BTreeMap<String, Secret>,
    metrics: &Arc<Metrics>,
) -> Result<Hosts, Exit> {
    let mut all = host_variables(environment);
    all.extend(more);
    all.extend(variables);
    let components = handlers.components();
    let Some(listen) = options.handlers_listen.filter(|_| !components.is_empty()) else {
        let command = isolation::with_handlers(&options.command, &components);
        let worker = start_host(&command, &all).ok_or(Exit::HostFailed)?;
        return Ok(Hosts { worker: Some(worker), handlers: None });
    };
    let (watch, reports) = overrun::listen(token.clone()).await.map_err(|error| cannot_start(&error))?;
    all.insert(spin_name("handler_watch_host"), Secret::new(format!("http://{watch}")));
    let plan = Plan {
        command: isolation::command(&options.command, &components, listen, options.handlers_memory),
        variables: isolation::variables(environment, &all),
        health_url: WorkerOptions::handlers_health_url(listen),
        start_timeout: options.start_timeout,
        stall: options.handlers_stall,
    };
    all.insert(spin_name("handler_process_host"), Secret::new(format!("http://{listen}")));
    let handlers =
        HandlerProcess::start(plan, reports, Arc::clone(metrics)).map_err(|error| cannot_start(&error))?;
    log_started(listen, &components);
    match start_host(&options.command, &all) {
        Some(worker) => Ok(Hosts { worker: Some(worker), handlers: Some(handlers) }),
        None => {
            handlers.stop(tokio::time::Instant::now()).await;
            Err(Exit::HostFailed)
        }
    }
}

fn log_started(listen: SocketAddr, components: &[&str]) {
    Line::info("the handlers have a host of their own")
        .with("address", listen.to_string())
        .with("names", components.to_vec())
        .write();
}

fn cannot_start(error: &std::io::Error) -> Exit {
    Line::error("the host of the handlers cannot be started").with("reason", error.to_string()).write();
    Exit::HostFailed
}
