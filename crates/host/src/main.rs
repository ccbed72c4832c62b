//! `host up`: serves the components of a `spin.toml`.

use std::process::ExitCode;

use host::arguments::{Command, HELP, Up, parse};
use host::server::{ServerOptions, serve};
use host::{App, Blueprint, CompileCache, Options, Providers, Runtime};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let outcome = match parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{HELP}");
            Ok(())
        }
        Ok(Command::Up(up)) => up_and_wait(*up),
        Err(sentence) => Err(sentence),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("host: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn up_and_wait(up: Up) -> Result<(), String> {
    let executor = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let outcome = executor.block_on(run(up));
    // What still runs was killed; its threads need not be waited for.
    executor.shutdown_background();
    outcome
}

async fn run(up: Up) -> Result<(), String> {
    let stop = stop_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let listen = up.listen;
    let listener =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let options = ServerOptions { grace: up.grace, access_log: up.access_log };
    let app = start(up).map_err(|error| error.to_string())?;
    println!("Serving http://{address}");
    for (route, component) in app.routes() {
        println!("  {component}: http://{address}{route}");
    }
    serve(app, listener, options, stop).await;
    Ok(())
}

fn start(up: Up) -> Result<App, host::LoadError> {
    let cache = if !up.cache {
        CompileCache::Off
    } else if up.cache_file.as_os_str().is_empty() {
        CompileCache::of_user()
    } else {
        CompileCache::of_file(&up.cache_file).map_err(host::LoadError::Refused)?
    };
    let runtime = Runtime::new(&cache)?;
    let blueprint = Blueprint::load(&runtime, &up.manifest, &up.components)?;
    let providers = Providers::of_process(up.variables, &blueprint.manifest().folder)
        .map_err(host::LoadError::Refused)?;
    blueprint.start(Options {
        providers,
        limits: up.limits,
        environment: up.environment,
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
