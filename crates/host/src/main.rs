//! `host up`: serves the components of a `spin.toml`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory as _;
use clap_complete::Shell;
use host::arguments::{Command, CommandLine, Settings};
use host::outbound::Network;
use host::server::{ServerOptions, serve};
use host::{
    App, Blueprint, CompileCache, Followed, LoadError, LogSink, Options, Outbound, Providers, Runtime,
    Terminal,
};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let line = match CommandLine::read(std::env::args_os()) {
        Ok(line) => line,
        // Also the way to --help. Code 2 for a mistake, as Spin has it.
        Err(error) => error.exit(),
    };
    let own = ServerOptions { grace: line.grace, access_log: line.access_log, max_buffer: None };
    let outcome = match line.command {
        Command::Up(up) => up.into_settings().and_then(|settings| up_and_wait(settings, own)),
        Command::Completions { shell } => print_completions(shell),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("host: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn print_completions(shell: Shell) -> Result<(), String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "host", &mut script);
    std::io::stdout().write_all(&script).map_err(|error| format!("cannot write the script: {error}"))
}

fn up_and_wait(settings: Settings, own: ServerOptions) -> Result<(), String> {
    let executor = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let outcome = executor.block_on(run(settings, own));
    // What still runs was killed; its threads need not be waited for.
    executor.shutdown_background();
    outcome
}

async fn run(settings: Settings, own: ServerOptions) -> Result<(), String> {
    let stop = stop_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
    for warning in &settings.runtime_config.warnings {
        eprintln!("host: warning: {warning}");
    }
    let listener = listen(settings.listen, settings.further_ports).await?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen: {error}"))?;
    let options = ServerOptions { max_buffer: settings.max_buffer, ..own };
    let app = start(settings).map_err(|error| error.to_string())?;
    println!("Serving http://{address}");
    for (route, component) in app.routes() {
        println!("  {component}: http://{address}{route}");
    }
    serve(app, listener, options, stop).await;
    Ok(())
}

/// Listens on the address, or with `--find-free-port` on one of the ports after it.
async fn listen(wanted: SocketAddr, further_ports: u16) -> Result<TcpListener, String> {
    let mut address = wanted;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                let next = address.port().checked_add(1);
                match next.filter(|next| next - wanted.port() <= further_ports) {
                    Some(next) => address.set_port(next),
                    None if further_ports == 0 => {
                        return Err(format!(
                            "cannot listen on {wanted}: {error}; --find-free-port takes another"
                        ));
                    }
                    None => return Err(format!("no port from {wanted} to {} is free", address.port())),
                }
            }
            Err(error) => return Err(format!("cannot listen on {address}: {error}")),
        }
    }
}

fn start(settings: Settings) -> Result<App, LoadError> {
    let cache = match &settings.cache_file {
        _ if !settings.cache => CompileCache::Off,
        None => CompileCache::of_user(),
        Some(file) => CompileCache::of_file(file).map_err(LoadError::Refused)?,
    };
    let runtime = Runtime::interruptible(&cache)?;
    let blueprint = Blueprint::load(&runtime, &settings.manifest, &settings.components)?;
    let manifest = blueprint.manifest();
    let log: Arc<dyn LogSink> = match settings.follow {
        None => Arc::new(Terminal),
        Some(names) => {
            if let Some(unknown) = names.iter().find(|name| !manifest.components.contains_key(*name)) {
                return Err(LoadError::Refused(format!("--follow: there is no component {unknown:?}")));
            }
            Arc::new(Followed::only(names))
        }
    };
    let providers =
        Providers::of_process(settings.variables, &manifest.folder).map_err(LoadError::Refused)?;
    let config = settings.runtime_config;
    let network = Network::new(config.connection_pooling, config.max_connections);
    blueprint.start(Options {
        providers,
        outbound: Outbound::Network(Arc::new(network)),
        limits: settings.limits,
        environment: settings.environment,
        log,
        ..Options::default()
    })
}

/// Resolves at the first SIGINT or SIGTERM. The second one ends the program at once.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            let code = next().await;
            std::process::exit(code);
        });
    })
}

/// Resolves at the first Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
