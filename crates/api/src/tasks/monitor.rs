//! `GET /tasks/{id}`: the status monitor.

use http::StatusCode;
use http::header::{ACCEPT, LOCATION, VARY};
use models::{TaskId, TaskState};
use service::problem::Refusal;
use service::response::{self, Response};

use crate::http::call::Call;
use crate::http::headers::{self, PREFERENCE_APPLIED};
use crate::tasks::Tasks;
use crate::tasks::wait;

pub(crate) async fn monitor(tasks: &Tasks, call: &Call, id: TaskId) -> Result<Response, Refusal> {
    let redirect = call.flag("redirect")?;
    // Read whole also for `If-None-Match`: a 304 has the same headers, and those need the document.
    let stored = tasks.find(call, id).await?;
    let (stored, waited) = wait::after_wait(tasks, call, stored).await;
    call.check_version(&stored.etag)?;
    tasks.learn_queue(&stored).await;
    let mut answer = if redirect && stored.document.state == TaskState::Completed {
        let mut answer = tasks.shown(call, StatusCode::SEE_OTHER, &stored)?;
        let address = call.task_url(&tasks.settings, id)?;
        response::set(&mut answer, LOCATION, &format!("{address}/result"));
        answer
    } else if headers::none_match(call.headers(), &stored.etag) {
        let mut answer = response::empty(StatusCode::NOT_MODIFIED);
        tasks.describe(&mut answer, &stored);
        answer
    } else {
        tasks.shown(call, StatusCode::OK, &stored)?
    };
    // The same address answers with JSON or with a stream of events.
    response::set(&mut answer, VARY, ACCEPT.as_str());
    if let Some(seconds) = waited {
        response::set(&mut answer, PREFERENCE_APPLIED, &format!("wait={seconds}"));
    }
    Ok(answer)
}
