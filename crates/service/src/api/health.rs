//! `/healthz`: the process answers. `/readyz`: storage and credentials answer as well.

use std::time::Duration;

use http::StatusCode;

use super::answer::{self, Answer};
use super::problem::Refusal;
use super::tasks::Tasks;
use crate::settings::ApiAuth;
use crate::storage::{QueueName, StorageError};

/// How long a probe's outcome is believed.
const READINESS_AGE: Duration = Duration::from_secs(5);

pub(crate) fn alive() -> Answer {
    answer::json(StatusCode::OK, &serde_json::json!({ "status": "alive" }))
}

pub(crate) async fn ready(tasks: &Tasks) -> Result<Answer, Refusal> {
    let probe = async {
        tasks.store.probe().await?;
        tasks.queue.depth(QueueName::Tasks).await.map(drop)
    };
    let found = tasks.readiness.get(|| tasks.env.instant(), READINESS_AGE, probe).await;
    match found {
        Some(Ok(())) => Ok(answer::json(StatusCode::OK, &serde_json::json!({ "status": "ready" }))),
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
