//! Azure Storage, Key Vault and the identity endpoint in memory, on sockets.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use fake_azure::server::{Options, Server};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(run(options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fake-azure: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal asks it to stop.
async fn run(options: Options) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut server = Server::start(options.clone()).await?;
    let mut stdout = std::io::stdout();
    for line in options.announce(|service| server.address(service)) {
        writeln!(stdout, "{line}")?;
    }
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    tokio::select! {
        error = server.failure() => return Err(error),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    Ok(())
}
