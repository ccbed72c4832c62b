//! `POST /tasks`, and `POST /Tasks/QueueTask` of the .NET sample: writes the document, sends the message, then
//! responds with `202`.

use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use models::TaskRequest;
use service::problem::HttpError;
use service::response::{self, Response};

use crate::http::headers::{OPERATION_LOCATION, PREFERENCE_APPLIED};
use crate::http::request::ApiRequest;
use crate::tasks::accept::{accept, check_capacity, new_document};
use crate::tasks::identity::single_task_id;
use crate::tasks::{Tasks, long_poll, monitor_at};

/// The body of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseBody {
    /// The status monitor.
    Monitor,
    /// None, like the response of the .NET sample.
    Empty,
}

pub(crate) async fn submit(
    tasks: &Tasks,
    request: &ApiRequest,
    body: &[u8],
    response_body: ResponseBody,
) -> Result<Response, HttpError> {
    submit_task(tasks, request, TaskRequest::parse(body)?, response_body).await
}

/// Submits a task whose body is parsed.
pub(crate) async fn submit_task(
    tasks: &Tasks,
    request: &ApiRequest,
    submission: TaskRequest,
    response_body: ResponseBody,
) -> Result<Response, HttpError> {
    let begin = tasks.env.instant();
    let id = single_task_id(tasks, request, &submission)?;
    let mut address = request.task_url(&tasks.settings, id)?;
    let document = new_document(tasks, request, id, submission.clone())?;
    check_capacity(tasks).await?;
    // The link is obtained before the first write, because the response needs it.
    let mut signed = tasks.store.signed_address(id, tasks.settings.sas_lifetime).await?;
    let stored = accept(tasks, request, &submission, document, begin).await?;
    let accepted_id = stored.document.task_id;
    if accepted_id != id {
        // Another task holds the unique key.
        address = request.task_url(&tasks.settings, accepted_id)?;
        signed = tasks.store.signed_address(accepted_id, tasks.settings.sas_lifetime).await?;
    }
    // A store whose credential is a SAS cannot sign links; `Location` is then the status monitor.
    let location = signed.unwrap_or_else(|| address.clone());
    let (stored, waited) = long_poll::wait_if_preferred(tasks, request, stored).await;

    let mut response = match response_body {
        ResponseBody::Monitor => {
            response::json(StatusCode::ACCEPTED, &monitor_at(&stored.document, address.clone()))
        }
        ResponseBody::Empty => response::empty(StatusCode::ACCEPTED),
    };
    tasks.set_monitor_headers(&mut response, &stored);
    if !response.headers().contains_key(RETRY_AFTER) {
        // Clients expect the header on every 202. A terminal task needs no wait.
        response::set(&mut response, RETRY_AFTER, "0");
    }
    response::set(&mut response, LOCATION, &location);
    response::set(&mut response, OPERATION_LOCATION, &address);
    if let Some(seconds) = waited {
        response::set(&mut response, PREFERENCE_APPLIED, &format!("wait={seconds}"));
    }
    Ok(response)
}
