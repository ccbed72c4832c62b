//! What a request that leaves a component means, read from the request alone.

use bytes::Bytes;
use http::{Method, Request};
use models::TaskId;

use crate::scenario::{Op, Part};

/// Where the components believe Azure to be. Loopback, so that bearer tokens may travel over http.
pub const BLOB_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";
/// See [`BLOB_ENDPOINT`].
pub const QUEUE_ENDPOINT: &str = "http://127.0.0.1:10001/devstoreaccount1";
/// The identity endpoint.
pub const IDENTITY_ENDPOINT: &str = "http://127.0.0.1:10003/msi/token";
/// The Key Vault.
pub const VAULT_URL: &str = "http://127.0.0.1:10004";
/// Where scripted handlers answer.
pub const HANDLER_URL: &str = "http://handler.test/run";
/// The queue of tasks.
pub const QUEUE: &str = "taskqueue";
/// The container of documents.
pub const CONTAINER: &str = "tasks";

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueKind {
    /// Messages ready for a worker.
    Tasks,
    /// Messages that wait for their time.
    Scheduled,
    /// Copies of messages that were given up.
    Poison,
}

/// A request, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it asks for.
    pub op: Op,
    /// The queue it is about.
    pub queue: Option<QueueKind>,
    /// The message it is about.
    pub message: Option<String>,
    /// The pop receipt it shows, decoded.
    pub receipt: Option<String>,
    /// The blob it is about, without the container.
    pub blob: Option<String>,
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
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let mut call = Self {
            op: Op::Other,
            queue: None,
            message: None,
            receipt: None,
            blob: None,
            task: None,
            conditional: false,
            part: None,
        };
        match (uri.host(), uri.port_u16()) {
            (Some("127.0.0.1"), Some(10000)) => call.read_blob(request, path, query),
            (Some("127.0.0.1"), Some(10001)) => call.read_queue(request.method(), path, query),
            (Some("127.0.0.1"), Some(10003)) => (call.op, call.part) = (Op::Credential, Some(Part::Identity)),
            (Some("127.0.0.1"), Some(10004)) => (call.op, call.part) = (Op::Credential, Some(Part::Vault)),
            (Some("handler.test"), _) => (call.op, call.part) = (Op::Handler, Some(Part::Handler)),
            _ => {}
        }
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

    fn read_blob(&mut self, request: &Request<Bytes>, path: &str, query: &str) {
        let rest = path.strip_prefix("/devstoreaccount1/").unwrap_or_default();
        self.part = Some(Part::Blobs);
        if has(query, "comp", "userdelegationkey") {
            self.op = Op::Credential;
            return;
        }
        let Some((_, blob)) = rest.split_once('/') else {
            let list = has(query, "comp", "list");
            self.op = match *request.method() {
                Method::PUT => Op::Create,
                _ if list => Op::ListBlobs,
                _ => Op::GetBlob,
            };
            return;
        };
        self.task = blob.strip_suffix("-202").and_then(|id| id.parse().ok());
        self.blob = Some(blob.to_owned());
        let headers = request.headers();
        self.conditional = headers.contains_key("if-match") || headers.contains_key("if-none-match");
        self.op = match *request.method() {
            Method::PUT if self.task.is_some() => Op::PutStatus,
            Method::PUT => Op::PutAttachment,
            Method::DELETE => Op::DeleteBlob,
            _ => Op::GetBlob,
        };
    }

    fn read_queue(&mut self, method: &Method, path: &str, query: &str) {
        let rest = path.strip_prefix("/devstoreaccount1/").unwrap_or_default();
        let mut parts = rest.split('/');
        self.part = Some(Part::Queues);
        self.queue = match parts.next() {
            Some(name) if name == QUEUE => Some(QueueKind::Tasks),
            Some(name) if name.ends_with("-scheduled") => Some(QueueKind::Scheduled),
            Some(name) if name.ends_with("-poison") => Some(QueueKind::Poison),
            _ => None,
        };
        let messages = parts.next().is_some();
        self.message = parts.next().map(str::to_owned);
        self.receipt =
            query.split('&').find_map(|pair| pair.strip_prefix("popreceipt=")).map(crate::sign::decode);
        self.op = match (method.as_str(), messages, self.message.is_some()) {
            ("PUT", true, true) => Op::UpdateMessage,
            ("DELETE", true, true) => Op::DeleteMessage,
            ("POST", true, false) => Op::PutMessage,
            ("GET", true, false) if has(query, "peekonly", "true") => Op::LookAtQueue,
            ("GET", true, false) => Op::GetMessages,
            ("PUT", false, false) => Op::Create,
            ("GET" | "HEAD", false, false) => Op::LookAtQueue,
            _ => Op::Other,
        };
    }
}

fn has(query: &str, name: &str, value: &str) -> bool {
    query.split('&').any(|pair| pair.split_once('=') == Some((name, value)))
}

/// The texts of all elements `name` in `xml`, in order.
pub fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once(&open) {
        let Some((text, after)) = after.split_once(&close) else { break };
        found.push(text);
        rest = after;
    }
    found
}

/// The text of an XML element without its escapes.
#[must_use]
pub fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let Some((name, after)) = after.split_once(';') else { break };
        match name {
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "amp" => out.push('&'),
            "quot" => out.push('"'),
            "apos" => out.push('\''),
            _ => {
                let code = name.strip_prefix("#x").map_or_else(
                    || name.strip_prefix('#').and_then(|digits| digits.parse().ok()),
                    |digits| u32::from_str_radix(digits, 16).ok(),
                );
                out.extend(code.and_then(char::from_u32));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
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
        assert_eq!(call("PUT", &queue("taskqueue")).op, Op::Create);
        assert_eq!(call("PUT", &blob(&format!("tasks/{id}-202"))).task.unwrap().to_string(), id);
        assert_eq!(call("PUT", &blob("tasks/m-poison")).op, Op::PutAttachment);
        assert_eq!(call("GET", &blob("tasks?restype=container&comp=list")).op, Op::ListBlobs);
        assert_eq!(call("PUT", &blob("tasks?restype=container")).op, Op::Create);
        assert_eq!(call("POST", HANDLER_URL).op, Op::Handler);
    }

    #[test]
    fn escaped_text_is_read_back() {
        let xml = "<A><B>1 &lt; 2 &amp;&#x20;3</B><B/><B>x</B></A>";
        assert_eq!(elements(xml, "B").into_iter().map(unescape).collect::<Vec<_>>(), ["1 < 2 & 3", "x"]);
    }
}
