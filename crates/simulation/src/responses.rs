//! The responses of the API and the worker, checked at the moment they are made.

use bytes::Bytes;
use http::{Method, Response};
use models::TaskId;

use crate::batch;
use crate::clients::task_of;
use crate::promise::Promise;
use crate::record::{Document, InstanceId};
use crate::world::World;

impl World {
    /// An instance has responded to a request; the response is still on its way.
    pub fn responded(&self, instance: InstanceId, method: &Method, path: &str, response: &Response<Bytes>) {
        self.no_secret_in(instance, path, response);
        let status = response.status().as_u16();
        let submitted = *method == Method::POST
            && matches!(path.to_ascii_lowercase().as_str(), "/tasks" | "/tasks/queuetask");
        if submitted && status == 202 {
            self.both_are_stored(instance, task_of(response));
        }
        if path == "/tasks:batch" && status == 207 {
            for id in batch::accepted_ids(response) {
                self.both_are_stored(instance, id.parse().ok());
            }
        }
        if let Some(id) = path.strip_suffix("/cancel").and_then(task_in)
            && matches!(status, 200 | 202)
        {
            self.cancellation_is_stored(id, status);
        }
    }

    /// P1 at the moment of the 202.
    fn both_are_stored(&self, instance: InstanceId, id: Option<TaskId>) {
        let Some(id) = id else { return };
        let now = self.exec.now();
        let mut record = self.record.borrow_mut();
        let life = record.life(id);
        let (document, ended) = (life.content.is_some(), life.document().is_some_and(Document::is_terminal));
        let (message, deleted) = (life.message_stored, life.deleted);
        let ended = ended || life.seen_ended.contains(&instance);
        if !document && !deleted {
            record.broken(Promise::P1, now, format!("task {id} was accepted without a document"));
        } else if !message && !ended && !deleted {
            record.broken(Promise::P1, now, format!("task {id} was accepted without a message"));
        }
    }

    fn cancellation_is_stored(&self, id: TaskId, status: u16) {
        let now = self.exec.now();
        let mut record = self.record.borrow_mut();
        record.count("cancel confirmed");
        let Some(document) = record.life(id).document() else { return };
        let stored = match status {
            200 => document.status == 4,
            _ => document.is_terminal() || document.cancel_requested_at.is_some(),
        };
        if !stored {
            let text = format!("task {id}: {status} for a cancellation, and it is {}", document.state());
            record.broken(Promise::P2, now, text);
        }
    }

    /// P7 for responses: only `Location` may carry a signature, and only one for reading.
    fn no_secret_in(&self, instance: InstanceId, path: &str, response: &Response<Bytes>) {
        let mut record = self.record.borrow_mut();
        let body = std::str::from_utf8(response.body()).unwrap_or_default();
        let mut found = record.secrets.find(body).map(str::to_owned);
        for (name, value) in response.headers() {
            if name != "location" {
                found = found.or_else(|| record.secrets.find(value.to_str().ok()?).map(str::to_owned));
            }
        }
        if let Some(secret) = found {
            let text = format!("the response of instance {instance} to {path} holds {secret:?}");
            record.broken(Promise::P7, self.exec.now(), text);
        }
    }
}

fn task_in(path: &str) -> Option<TaskId> {
    path.strip_prefix("/tasks/")?.parse().ok()
}
