//! Writes the OpenAPI document to where the pages are: `cargo run -p openapi`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = openapi::path();
    match std::fs::write(&path, openapi::text()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} cannot be written: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
