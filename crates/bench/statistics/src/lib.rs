//! The work of the built-in handler `text-statistics`, as a function of the typed interface.
#![cfg(target_family = "wasm")]

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "../../../wit",
        world: "handler",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });
}

use bindings::accepted::handler::types::{Failure, Outcome, Retry, Task};

struct Handler;

bindings::export!(Handler with_types_in bindings);

impl bindings::exports::accepted::handler::work::Guest for Handler {
    async fn run(task: Task) -> Result<Outcome, Failure> {
        let text: String =
            serde_json::from_str(task.input.as_deref().unwrap_or("null")).map_err(|_| Failure {
                code: "invalid-input".to_owned(),
                message: "Input must be a string".to_owned(),
                retry: Retry::Never,
            })?;
        let statistics = serde_json::json!({
            "lines": text.lines().count(),
            "words": text.split_whitespace().count(),
            "characters": text.chars().count(),
        });
        Ok(Outcome::Json(statistics.to_string()))
    }
}
