//! The project's own commands, `cargo xtask help` lists them, and what starts the whole system ([`stack`]).

mod artefacts;
mod cli;
mod command;
mod delegate;
mod demo;
pub mod handlers;
mod snapshots;
pub mod stack;
mod summary;
mod test;
mod tidy;
mod trial;
mod up;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser as _};

pub use command::root;

use cli::{Command, CommandLine};

/// Runs the command line of this process. A mistake in it ends the process with code 2.
#[must_use]
pub fn run() -> ExitCode {
    match perform(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // The closing line of counts has said it, and stays the last line.
        Err(error) if error.is::<summary::Closed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Option<Command>) -> Result<()> {
    match command {
        Some(Command::Build) => {
            artefacts::reference();
            artefacts::components()
        }
        Some(Command::NewHandler { name, language }) => {
            handlers::scaffold::create(&root(), &root().join("templates"), &name, language)?;
            println!("{}", handlers::scaffold::next_steps(&name, language));
            Ok(())
        }
        Some(Command::TryHandler(options)) => trial::run(&options),
        Some(Command::Up(options)) => up::run(options),
        Some(Command::Demo(options)) => demo::run(options),
        Some(Command::Test(options)) => test::run(options.host),
        Some(Command::Verify) => verify::run(),
        Some(Command::Tidy) => tidy::run(),
        Some(Command::Snapshots) => snapshots::run(),
        Some(Command::Bench { arguments }) => delegate::run("bench", arguments),
        Some(Command::Sim { arguments }) => delegate::run("sim", arguments),
        None => Ok(CommandLine::command().print_help()?),
    }
}
