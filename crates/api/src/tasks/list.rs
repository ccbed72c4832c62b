//! `GET /tasks`: lists the caller's tasks, with filters and continuation tokens.

use http::StatusCode;
use models::MonitorList;
use service::problem::HttpError;
use service::response::{self, Response};

use crate::http::request::ApiRequest;
use crate::tasks::selection::{Selected, Selection};
use crate::tasks::{Tasks, monitor_at};

pub(crate) async fn list(tasks: &Tasks, request: &ApiRequest) -> Result<Response, HttpError> {
    let selection = Selection::of(tasks, request)?;
    let base = &selection.base;
    let listed = selection.collect(tasks, request, |document, _| {
        Some(monitor_at(document, format!("{base}/tasks/{}", document.task_id)))
    });
    let Selected { value, unreadable, next } = listed.await?;
    let next_link = next.map(|position| selection.link("/tasks", &position));
    Ok(response::json(StatusCode::OK, &MonitorList { value, unreadable, next_link }))
}
