//! `GET /healthz`: the process is alive. `GET /readyz`: storage is available with the configured credentials.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};
use service::problem::HttpError;
use service::response::{self, Response};
use service::settings::ApiAuth;
use storage::{QueueName, StorageError};

use crate::tasks::Tasks;

/// Maximum age of a probe.
const MAX_READINESS_AGE: Duration = Duration::from_secs(5);

pub(crate) fn liveness() -> Response {
    response::json(StatusCode::OK, &status("alive"))
}

/// The response while storage is available. Shows the rules of `task_handlers`, if there are any, to callers who may see
/// the configuration.
fn ready(tasks: &Tasks) -> Map<String, Value> {
    let settings = &tasks.settings;
    let mut response = status("ready");
    if !settings.handlers.is_empty() && settings.auth == ApiAuth::None {
        response.insert("handlers".to_owned(), settings.handlers.describe());
    }
    response
}

/// Not by `json!`, which converts each value by a serialiser of its own.
fn status(text: &str) -> Map<String, Value> {
    let mut response = Map::new();
    response.insert("status".to_owned(), text.into());
    response
}

pub(crate) async fn readiness(tasks: &Tasks) -> Result<Response, HttpError> {
    let probe = async {
        tasks.store.probe().await?;
        tasks.queue.depth(QueueName::Tasks).await.map(drop)
    };
    let outcome = tasks.readiness.get(|| tasks.env.instant(), MAX_READINESS_AGE, probe).await;
    match outcome {
        Some(Ok(())) => Ok(response::json(StatusCode::OK, &ready(tasks))),
        Some(Err(error)) => {
            let error = HttpError::from(error);
            // The route needs no authentication, and the detail may contain the configuration.
            let is_open = tasks.settings.auth == ApiAuth::None;
            Err(if is_open { error } else { error.without_detail() })
        }
        None => Err(HttpError::from(StorageError::Unavailable {
            credentials: false,
            detail: "the first probe has not ended".to_owned(),
            retry_after: Some(Duration::from_secs(1)),
        })),
    }
}
