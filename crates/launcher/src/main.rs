//! See `launcher --help`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use launcher::arguments;
use launcher::role::{self, Exit};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let request = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(request) => request,
        Err(sentence) => {
            eprintln!("launcher: {sentence}\nSee launcher --help.");
            return Exit::Usage.into();
        }
    };
    // What is not Unicode cannot be one of the names and values that matter here; the host inherits it.
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    role::run(request, &environment).await.into()
}
