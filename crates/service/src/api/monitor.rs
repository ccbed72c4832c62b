//! `GET /tasks/{id}`: the status monitor.

use http::StatusCode;
use http::header::{ACCEPT, LOCATION, VARY};
use models::{TaskId, TaskState};

use super::answer::{self, Answer};
use super::call::Call;
use super::headers::{self, PREFERENCE_APPLIED};
use super::problem::Refusal;
use super::tasks::Tasks;
use crate::env::Env;
use crate::storage::{StatusStore, TaskQueue};

impl<E: Env, S: StatusStore, Q: TaskQueue> Tasks<E, S, Q> {
    pub(crate) async fn monitor(&self, call: &Call, id: TaskId) -> Result<Answer, Refusal> {
        let redirect = call.flag("redirect")?;
        // Read whole also for `If-None-Match`: a 304 has the same headers, and those need the document.
        let stored = self.find(call, id).await?;
        let (stored, waited) = self.after_wait(call, stored).await;
        call.check_version(&stored.etag)?;
        self.learn_queue(&stored).await;
        let mut answer = if redirect && stored.document.state == TaskState::Completed {
            let mut answer = self.shown(call, StatusCode::SEE_OTHER, &stored)?;
            let address = call.task_url(&self.settings, id)?;
            answer::set(&mut answer, LOCATION, &format!("{address}/result"));
            answer
        } else if headers::none_match(call.headers(), &stored.etag) {
            let mut answer = answer::empty(StatusCode::NOT_MODIFIED);
            self.describe(&mut answer, &stored);
            answer
        } else {
            self.shown(call, StatusCode::OK, &stored)?
        };
        // The same address answers with JSON or with a stream of events.
        answer::set(&mut answer, VARY, ACCEPT.as_str());
        if let Some(seconds) = waited {
            answer::set(&mut answer, PREFERENCE_APPLIED, &format!("wait={seconds}"));
        }
        Ok(answer)
    }
}
