//! Exports the function as `accepted:handler/work`.

wit_bindgen::generate!({ path: "wit", world: "handler" });

use accepted::handler::types::{Failure, Outcome, Retry, Task};

struct Handler;

export!(Handler);

impl exports::accepted::handler::work::Guest for Handler {
    async fn run(task: Task) -> Result<Outcome, Failure> {
        match crate::work(task.input.as_deref().unwrap_or("null")) {
            Ok(result) => Ok(Outcome::Json(result)),
            Err(message) => Err(Failure { code: "invalid-input".to_owned(), message, retry: Retry::Never }),
        }
    }
}
