//! What a request that leaves a component means, read from the request alone.

use bytes::Bytes;
use fake_azure::{Operation, Service, Target};
use http::Request;
use models::TaskId;

pub use crate::queues::{QUEUE, QueueKind, TASK_QUEUES};
use crate::scenario::{Op, Part};

/// Where the components believe Azure to be. Loopback, so that bearer tokens may travel over http.
pub const BLOB_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";
/// See [`BLOB_ENDPOINT`].
pub const QUEUE_ENDPOINT: &str = "http://127.0.0.1:10001/devstoreaccount1";
/// The identity endpoint.
pub const IDENTITY_ENDPOINT: &str = "http://127.0.0.1:10003/msi/token";
/// The Key Vault.
pub const VAULT_URL: &str = "http://127.0.0.1:10004";
/// Where scripted handlers are.
pub const HANDLER_URL: &str = "http://handler.test/run";
/// The host process of the handlers, when they have one.
pub const HANDLER_PROCESS: &str = "http://handler.test";
/// The container of documents.
pub const CONTAINER: &str = "tasks";

/// A request, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// What it asks for.
    pub op: Op,
    /// The queue it is about.
    pub queue: Option<QueueKind>,
    /// The name of that queue.
    pub queue_name: String,
    /// The message it is about.
    pub message: Option<String>,
    /// The pop receipt it shows, decoded.
    pub receipt: Option<String>,
    /// The blob it is about, without the container.
    pub blob: Option<String>,
    /// The block of it.
    pub block: Option<String>,
    /// The task whose status document it is about.
    pub task: Option<TaskId>,
    /// Whether it depends on the version that is stored.
    pub conditional: bool,
    /// Which service it goes to.
    pub part: Option<Part>,
}

impl Call {
    /// Reads `request`.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Self {
        let uri = request.uri();
        let mut call = Self::default();
        let (part, service) = match (uri.host(), uri.port_u16()) {
            (Some("127.0.0.1"), Some(10000)) => (Part::Blobs, Service::Blob),
            (Some("127.0.0.1"), Some(10001)) => (Part::Queues, Service::Queue),
            (Some("127.0.0.1"), Some(10003)) => (Part::Identity, Service::Identity),
            (Some("127.0.0.1"), Some(10004)) => (Part::Vault, Service::Vault),
            (Some("handler.test"), _) => {
                (call.op, call.part) = (Op::Handler, Some(Part::Handler));
                return call;
            }
            (Some("receiver.test" | "sink.test"), _) => {
                call.op = Op::Receiver;
                return call;
            }
            _ => return call,
        };
        call.part = Some(part);
        let Ok(target) = Target::of(service, uri) else { return call };
        let operation = Operation::of(request.method(), &target);
        match service {
            Service::Blob => call.read_blob(request, target),
            Service::Queue => call.read_queue(&target),
            Service::Identity | Service::Vault => {}
        }
        call.op = Op::of(operation, call.task.is_some());
        call
    }

    /// Whether an outage of `part` concerns it, when it comes from a worker or not.
    #[must_use]
    pub fn is_hit_by(&self, part: Part, from_worker: bool) -> bool {
        let Some(hit) = self.part else { return false };
        match part {
            Part::Everything => hit != Part::Handler,
            Part::Credentials => matches!(hit, Part::Identity | Part::Vault),
            Part::BlobsOfWorkers => hit == Part::Blobs && from_worker,
            part => hit == part,
        }
    }

    fn read_blob(&mut self, request: &Request<Bytes>, target: Target) {
        self.block = target.param("blockid").map(str::to_owned);
        self.blob = target.rest.filter(|name| !name.is_empty());
        self.task = self.blob.as_deref().and_then(|name| name.strip_suffix("-202")?.parse().ok());
        let headers = request.headers();
        self.conditional = headers.contains_key("if-match") || headers.contains_key("if-none-match");
    }

    fn read_queue(&mut self, target: &Target) {
        self.queue = QueueKind::named(&target.name);
        self.queue_name.clone_from(&target.name);
        self.message =
            target.rest.as_deref().and_then(|rest| rest.strip_prefix("messages/")).map(str::to_owned);
        self.receipt = target.param("popreceipt").map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str) -> Call {
        Call::of(&Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap())
    }

    #[test]
    fn requests_are_told_apart_by_their_method_and_address() {
        let queue = |rest: &str| format!("{QUEUE_ENDPOINT}/{rest}");
        let blob = |rest: &str| format!("{BLOB_ENDPOINT}/{rest}");
        let id = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";
        assert_eq!(call("GET", &queue("taskqueue/messages?numofmessages=3")).op, Op::GetMessages);
        assert_eq!(call("GET", &queue("taskqueue/messages?peekonly=true")).op, Op::LookAtQueue);
        assert_eq!(call("PUT", &queue("taskqueue/messages/x?popreceipt=y")).op, Op::UpdateMessage);
        assert_eq!(call("DELETE", &queue("taskqueue/messages/x?popreceipt=y")).message.unwrap(), "x");
        assert_eq!(call("POST", &queue("taskqueue-poison/messages")).queue, Some(QueueKind::Poison));
        assert_eq!(call("POST", &queue("taskqueue-low/messages")).queue, Some(QueueKind::Tasks));
        assert_eq!(call("PUT", &queue("taskqueue")).op, Op::Create);
        assert_eq!(call("PUT", &blob(&format!("tasks/{id}-202"))).task.unwrap().to_string(), id);
        assert_eq!(call("PUT", &blob("tasks/m-poison")).op, Op::PutAttachment);
        assert_eq!(call("GET", &blob("tasks?restype=container&comp=list")).op, Op::ListBlobs);
        assert_eq!(call("PUT", &blob("tasks?restype=container")).op, Op::Create);
        assert_eq!(call("POST", HANDLER_URL).op, Op::Handler);
    }
}
