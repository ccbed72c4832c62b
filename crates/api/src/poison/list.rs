//! `GET /poison` and `GET /poison/{id}`: what is in the poison queue.

use http::StatusCode;
use models::PoisonList;
use service::problem::HttpError;
use service::response::{self, Response};
use storage::QueueName;

use crate::http::request::ApiRequest;
use crate::http::route::MessageId;
use crate::poison::copy::{GivenUp, task_named};
use crate::poison::{find, not_found};
use crate::tasks::Tasks;

/// Responds with the first visible messages and the number of all. It changes nothing.
pub(crate) async fn list(tasks: &Tasks, request: &ApiRequest) -> Result<Response, HttpError> {
    request.query()?.allow_only(&[])?;
    let messages = tasks.queue.peek(QueueName::Poison).await?;
    let count = tasks.queue.depth(QueueName::Poison).await?;
    let value = messages
        .iter()
        .map(|message| GivenUp::read(&message.message_id, message.inserted_at, &message.text).view)
        .collect();
    Ok(response::json(StatusCode::OK, &PoisonList { value, count }))
}

/// Responds with one message and its original. A message behind the first 32 has to be received for that, and is made
/// visible again.
pub(crate) async fn show(tasks: &Tasks, request: &ApiRequest, id: MessageId) -> Result<Response, HttpError> {
    request.query()?.allow_only(&[])?;
    let first = tasks.queue.peek(QueueName::Poison).await?;
    let given_up = match first.iter().find(|message| id.is(&message.message_id)) {
        Some(message) => GivenUp::read(&message.message_id, message.inserted_at, &message.text),
        None => {
            let message = find::receive_one(tasks, id).await?.ok_or_else(not_found)?;
            let given_up = GivenUp::read(&message.message_id, message.inserted_at, &message.text);
            find::release(tasks, vec![message]).await;
            given_up
        }
    };
    let original = given_up.original(tasks).await?;
    let mut view = given_up.view;
    view.task_id = original.as_deref().and_then(|text| task_named(view.kind.as_deref(), text));
    view.original = original;
    Ok(response::json(StatusCode::OK, &view))
}
