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
use crate::storage::{Read, StatusStore, Stored, TaskQueue};

impl<E: Env, S: StatusStore, Q: TaskQueue> Tasks<E, S, Q> {
    pub(crate) async fn monitor(&self, call: &Call, id: TaskId) -> Result<Answer, Refusal> {
        let redirect = call.flag("redirect")?;
        let Some(stored) = self.find_newer(call, id).await? else {
            return Ok(vary(answer::empty(StatusCode::NOT_MODIFIED)));
        };
        let (stored, waited) = self.after_wait(call, stored).await;
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
        if let Some(seconds) = waited {
            answer::set(&mut answer, PREFERENCE_APPLIED, &format!("wait={seconds}"));
        }
        Ok(vary(answer))
    }

    /// The task; `None` when it still is as the client knows it and nothing else needs it. Storage
    /// compares where it may: not where callers are told apart, because the owner must be read first.
    async fn find_newer(&self, call: &Call, id: TaskId) -> Result<Option<Stored>, Refusal> {
        let known = headers::single_etag(call.headers())
            .filter(|_| call.caller.is_none() && headers::wait(call.headers()).is_none());
        match self.store.read(id, known).await? {
            Read::Found(stored) => Self::only_visible(call, *stored).map(Some),
            Read::Missing => Err(Refusal::task_not_found()),
            Read::Unchanged => Ok(None),
        }
    }
}

/// The same address answers with JSON or with a stream of events.
fn vary(mut answer: Answer) -> Answer {
    answer::set(&mut answer, VARY, ACCEPT.as_str());
    answer
}
