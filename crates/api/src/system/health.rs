//! `/healthz`: the process answers. `/readyz`: storage and credentials answer as well.

use std::time::Duration;

use http::StatusCode;
use service::problem::Refusal;
use service::response::{self, Response};
use service::settings::ApiAuth;
use storage::{QueueName, StorageError};

use crate::tasks::Tasks;

/// How long a probe's outcome is believed.
const READINESS_AGE: Duration = Duration::from_secs(5);

pub(crate) fn alive() -> Response {
    response::json(StatusCode::OK, &serde_json::json!({ "status": "alive" }))
}

pub(crate) async fn ready(tasks: &Tasks) -> Result<Response, Refusal> {
    let probe = async {
        tasks.store.probe().await?;
        tasks.queue.depth(QueueName::Tasks).await.map(drop)
    };
    let found = tasks.readiness.get(|| tasks.env.instant(), READINESS_AGE, probe).await;
    match found {
        Some(Ok(())) => Ok(response::json(StatusCode::OK, &serde_json::json!({ "status": "ready" }))),
        Some(Err(error)) => {
            let refusal = Refusal::from(error);
            // This route is open; what is wrong with the configuration is not for everybody.
            let is_open = tasks.settings.auth == ApiAuth::None;
            Err(if is_open { refusal } else { refusal.without_detail() })
        }
        None => Err(Refusal::from(StorageError::Unavailable {
            credentials: false,
            detail: "the first probe has not ended".to_owned(),
            retry_after: Some(Duration::from_secs(1)),
        })),
    }
}
