use std::fmt;

use bytes::Bytes;
use fake_azure::{Operation, Service, Target};
use http::Request;

/// A request to storage, reduced to what tests distinguish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageRequest {
    /// The operation of the REST reference.
    pub operation: Operation,
    /// `/container/blob` or `/queue`, without the account, message ids and pop receipts.
    pub path: String,
    /// Length of the body in bytes.
    pub body_bytes: usize,
}

impl StorageRequest {
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        let body_bytes = request.body().len();
        let uri = request.uri();
        let is_queue =
            uri.port_u16() == Some(10001) || uri.host().is_some_and(|host| host.starts_with("queue."));
        let service = if is_queue { Service::Queue } else { Service::Blob };
        let Ok(target) = Target::of(service, uri) else {
            return Self { operation: Operation::Unknown, path: uri.path().to_owned(), body_bytes };
        };
        let blob = target.rest.as_ref().filter(|_| !is_queue).map(|blob| format!("/{blob}"));
        let path = format!("/{}{}", target.name, blob.unwrap_or_default());
        Self { operation: Operation::of(request.method(), &target), path, body_bytes }
    }
}

impl fmt::Display for StorageRequest {
    /// The operation and the path, for example `GetMessages /taskqueue`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.operation, self.path)
    }
}
