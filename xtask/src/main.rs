//! The project's own commands. `cargo xtask help` lists them.

mod artefacts;
mod command;
mod crash;
mod delegate;
mod demo;
mod http;
mod interrupt;
mod options;
mod process;
mod stack;
mod storage;
mod summary;
mod test;
mod tidy;
mod up;
mod verify;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  build    compiles both components for wasm32-wasip2 (adds the target when it is missing), and copies the API
           reference's assets when there is npm
  up       builds, then starts storage, the application and the launcher; Ctrl-C stops everything
  demo     the same on free ports; submits tasks, prints what is said on the wire, ends
  test     every test there is, with one closing line of counts; with --host spin those that run whole programs
  verify   what CI runs: format, clippy, tidy, test
  tidy     the rules that no compiler checks: dependency direction, documents, file length, …
  bench    measures the components (see docs/performance.md); arguments are passed on
  sim      simulates faults against the components; arguments are passed on
  help     this text

OPTIONS of test
  --host spin|embedded     spin: the demos, the journeys of clients and the deployed command lines, under the Spin on
                           PATH; fails without one (default: embedded, and every other test)

OPTIONS of up and demo
  --host spin|embedded     Spin 4.1 or newer from PATH, or the host in crates/host (default: spin when it is there)
  --storage fake|azurite   the emulator in crates/fake-azure, or Azurite from npm (default: fake)
  --identity               the connection string comes from a key vault, through a managed identity
  --keyless                no key at all: managed identity on storage, user delegation SAS for clients
  --host-binary PATH       use this build of crates/host instead of building it

OPTIONS of demo
  --kill                   500 tasks instead of three, while storage, host and launcher are killed at random

OPTIONS of up
  --listen ADDR:PORT       where the application listens (default 127.0.0.1:3000)
  --no-trigger             do not drain the queue: tasks stay Pending

With ACCEPTED_NO_BUILD=1 in the environment, up and demo start what was built before.
When SPIN_VARIABLE_STORAGE_CONNECTION_STRING is set, up uses that account and starts no storage.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<_> = arguments.collect();
    match run(&command.to_string_lossy(), rest) {
        Ok(()) => ExitCode::SUCCESS,
        // The closing line of counts has said it, and stays the last line.
        Err(error) if error.is::<summary::Closed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Every command, by name. `tidy` compares the documents with this list.
const COMMANDS: [&str; 9] = ["build", "up", "demo", "test", "verify", "tidy", "bench", "sim", "help"];

fn run(command: &str, arguments: Vec<std::ffi::OsString>) -> Result<()> {
    match command {
        "up" => return up::run(options::Options::parse(arguments)?),
        "demo" => return demo::run(options::Options::parse(arguments)?),
        "bench" | "sim" => return delegate::run(command, arguments),
        "test" => return test::run(options::host_of_tests(arguments)?),
        _ => {}
    }
    if let Some(first) = arguments.first() {
        bail!("`{command}` takes no arguments, not {first:?}");
    }
    match command {
        "build" => {
            artefacts::reference();
            artefacts::components()
        }
        "verify" => verify::run(),
        "tidy" => tidy::run(),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`; `cargo xtask help` lists them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_command() {
        for command in COMMANDS {
            assert!(HELP.lines().any(|line| line.starts_with(&format!("  {command} "))), "{command}");
        }
    }

    #[test]
    fn unknown_commands_and_surplus_arguments_are_refused_with_a_sentence() {
        assert!(run("dance", vec![]).unwrap_err().to_string().contains("no command `dance`"));
        assert!(run("tidy", vec!["now".into()]).unwrap_err().to_string().contains("takes no arguments"));
    }
}
