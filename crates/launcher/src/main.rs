//! See `launcher --help`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser as _;
use launcher::arguments::CommandLine;
use launcher::{open_files, role};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Ends here with code 2 when the command line is not usable, and with 0 after --help.
    let line = CommandLine::parse();
    open_files::raise_limit();
    // What is not Unicode cannot be one of the names and values that matter here; the host inherits it.
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    role::run(line.role, &environment).await.into()
}
