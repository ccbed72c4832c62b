//! Exports the function as `accepted:handler/work`.

wit_bindgen::generate!({ path: "wit", world: "handler" });

use accepted::handler::types::{Failure, Outcome, Retry, Task};

use crate::Error;

struct Handler;

export!(Handler);

impl exports::accepted::handler::work::Guest for Handler {
    async fn run(task: Task) -> Result<Outcome, Failure> {
        crate::work(task.input.as_deref().unwrap_or("null")).map(Outcome::Json).map_err(failure)
    }
}

fn failure(error: Error) -> Failure {
    let (code, message, retry) = match error {
        Error::Fail(message) => ("invalid-input", message, Retry::Never),
        Error::Retry(message, None) => ("try-again", message, Retry::BackedOff),
        Error::Retry(message, Some(seconds)) => ("try-again", message, Retry::After(seconds)),
    };
    Failure { code: code.to_owned(), message, retry }
}
