//! `GET /tasks/{id}`: the status monitor.

use http::StatusCode;
use http::header::{ACCEPT, LOCATION, VARY};
use models::{TaskId, TaskState};
use service::problem::HttpError;
use service::response::{self, Response};

use crate::http::headers::PREFERENCE_APPLIED;
use crate::http::precondition;
use crate::http::request::ApiRequest;
use crate::tasks::{Tasks, long_poll};

pub(crate) async fn monitor(tasks: &Tasks, request: &ApiRequest, id: TaskId) -> Result<Response, HttpError> {
    let redirect = request.flag("redirect")?;
    // Reads the document despite `If-None-Match`: the headers of a 304 are computed from it.
    let stored = tasks.find(request, id).await?;
    let (stored, waited) = long_poll::wait_if_preferred(tasks, request, stored).await;
    request.check_preconditions(&stored.etag)?;
    tasks.refresh_queue_depth(&stored).await;
    let mut response = if redirect && stored.document.state == TaskState::Completed {
        let mut response = tasks.monitor_response(request, StatusCode::SEE_OTHER, &stored)?;
        let address = request.task_url(&tasks.settings, id)?;
        response::set(&mut response, LOCATION, &format!("{address}/result"));
        response
    } else if precondition::if_none_match(request.headers(), &stored.etag) {
        let mut response = response::empty(StatusCode::NOT_MODIFIED);
        tasks.set_monitor_headers(&mut response, &stored);
        response
    } else {
        tasks.monitor_response(request, StatusCode::OK, &stored)?
    };
    // The representation is JSON or an event stream.
    response::set(&mut response, VARY, ACCEPT.as_str());
    if let Some(seconds) = waited {
        response::set(&mut response, PREFERENCE_APPLIED, &format!("wait={seconds}"));
    }
    Ok(response)
}
