//! The command line. `tidy` compares the documents with it.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::handlers::scaffold::Language;
use crate::stack::options::{DemoOptions, TestOptions, UpOptions};
use crate::trial::TryOptions;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version)]
pub(crate) struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compile the components for wasm32-wasip2.
    ///
    /// Adds the compiler's target when it is missing, and copies the assets of the API reference when there is npm.
    Build,
    /// Build, then run storage, the application and the launcher until Ctrl-C.
    ///
    /// Builds only the handlers that have changed. With `ACCEPTED_NO_BUILD=1` in the environment it starts what was built
    /// before. With `SPIN_VARIABLE_STORAGE_CONNECTION_STRING` set it uses that account and starts no storage.
    Up(UpOptions),
    /// Run the same on free ports, submit tasks, print every HTTP exchange and exit.
    Demo(DemoOptions),
    /// Write the folder of a new task handler and its entries in spin.toml.
    NewHandler {
        /// The name: `TaskName`, the component's id and the folder in handlers/.
        name: String,
        /// What it is written in.
        #[arg(long, value_enum)]
        language: Language,
    },
    /// Run one task on one handler, without queue and storage; show progress, outcome and time.
    ///
    /// Builds the handler if it has changed since it was built. With `ACCEPTED_NO_BUILD=1` in the environment it runs what was
    /// built before.
    TryHandler(TryOptions),
    /// Run every test and close with one line of counts.
    Test(TestOptions),
    /// Check format, lints, house rules and documentation, then run every test: what CI runs.
    Verify,
    /// Check the house rules, which no compiler checks.
    Tidy,
    /// Write the files anew that tests compare with the code, for review.
    ///
    /// These are the transcripts of docs/api.md, the golden files in models/fixtures, the description of the API in
    /// web/pages/openapi.json, the recorded request to a handler, and the host calls in docs/performance.md. A test with
    /// `UPDATE_SNAPSHOTS=1` in the environment writes its own.
    Snapshots,
    /// Measure the components; docs/performance.md says what the figures mean.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to crates/bench; --help lists them.
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        arguments: Vec<OsString>,
    },
    /// Simulate faults against the components; docs/simulation.md says what is checked.
    #[command(disable_help_flag = true)]
    Sim {
        /// Passed on to crates/simulation; --help lists them.
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        arguments: Vec<OsString>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn help_exists_for_every_command() {
        for command in CommandLine::command().get_subcommands() {
            // These two pass it on to the program that has the options.
            let name = command.get_name();
            if name == "bench" || name == "sim" {
                continue;
            }
            let help = parse(&format!("xtask {name} --help")).unwrap_err();
            assert_eq!(help.kind(), ErrorKind::DisplayHelp, "{name}");
        }
    }

    #[test]
    fn mistakes_name_the_argument() {
        for (line, words) in [
            ("xtask dance", "'dance'"),
            ("xtask tidy now", "'now'"),
            ("xtask up --kill", "'--kill'"),
            ("xtask up --host wasmtime", "[possible values: spin, embedded]"),
            ("xtask up --storage s3", "[possible values: fake, azurite]"),
            ("xtask up --listen 3000", "'--listen <ADDRESS:PORT>'"),
            ("xtask up --identity --keyless", "'--identity' cannot be used with '--keyless'"),
            ("xtask test --storage fake", "'--storage'"),
        ] {
            let text = parse(line).unwrap_err().to_string();
            assert!(text.contains(words), "{line}: {text}");
        }
    }

    #[test]
    fn arguments_of_other_programs_are_passed_on() {
        let Some(Command::Sim { arguments }) = parse("xtask sim --seed 7 --help").unwrap().command else {
            panic!("another command")
        };
        assert_eq!(arguments, ["--seed", "7", "--help"]);
    }
}
