//! Which operation a request asks for, and what it takes to be allowed it.

use http::Method;

use crate::rights::Action;
use crate::service::Service;
use crate::target::Target;

/// Everything that is counted separately, named as in the REST reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the REST operation of that name")]
pub enum Operation {
    ListContainers,
    GetUserDelegationKey,
    CreateContainer,
    GetContainerProperties,
    DeleteContainer,
    ListBlobs,
    PutBlob,
    PutBlock,
    PutBlockList,
    GetBlob,
    GetBlobProperties,
    SetBlobMetadata,
    DeleteBlob,
    ListQueues,
    CreateQueue,
    GetQueueMetadata,
    SetQueueMetadata,
    DeleteQueue,
    PutMessage,
    GetMessages,
    PeekMessages,
    UpdateMessage,
    DeleteMessage,
    ClearMessages,
    GetToken,
    GetSecret,
    /// A browser's question whether it may send the real request.
    Preflight,
    /// A request that is none of the above.
    Unknown,
}

/// What a caller needs for an operation.
pub(crate) struct Need {
    /// Any one of these `sp` letters.
    pub(crate) letters: &'static str,
    /// The `srt` letter of an account SAS.
    pub(crate) resource_type: char,
    /// Whether a service SAS can allow it at all.
    pub(crate) by_service_sas: bool,
    /// The alternatives for an identity; each is enough.
    pub(crate) actions: &'static [Action],
}

impl Operation {
    /// What a request with this method asks of its target.
    #[must_use]
    pub fn of(method: &Method, target: &Target) -> Self {
        if method == Method::OPTIONS {
            return Self::Preflight;
        }
        match target.service {
            Service::Blob => blob(method, target),
            Service::Queue => queue(method, target),
            Service::Identity if method == Method::GET => Self::GetToken,
            Service::Vault if method == Method::GET && target.name == "secrets" && target.rest.is_some() => {
                Self::GetSecret
            }
            Service::Identity | Service::Vault => Self::Unknown,
        }
    }

    /// What the storage services demand for it. The actions are those of the REST reference, "Permissions for
    /// blob and queue operations".
    pub(crate) fn need(self) -> Need {
        let need = |letters, resource_type, by_service_sas, actions| Need {
            letters,
            resource_type,
            by_service_sas,
            actions,
        };
        match self {
            Self::ListContainers => need("l", 's', false, &[Action::ContainersRead]),
            Self::GetUserDelegationKey => need("", 's', false, &[Action::GenerateUserDelegationKey]),
            Self::CreateContainer => need("cw", 'c', false, &[Action::ContainersWrite]),
            Self::GetContainerProperties => need("r", 'c', false, &[Action::ContainersRead]),
            Self::DeleteContainer => need("d", 'c', false, &[Action::ContainersDelete]),
            Self::ListBlobs => need("l", 'c', true, &[Action::BlobsRead]),
            // Creating needs less than overwriting; which of the two it is, is known only with the blob at hand.
            Self::PutBlob | Self::PutBlock | Self::PutBlockList => {
                need("wc", 'o', true, &[Action::BlobsWrite, Action::BlobsAdd])
            }
            Self::GetBlob | Self::GetBlobProperties => need("r", 'o', true, &[Action::BlobsRead]),
            Self::SetBlobMetadata => need("w", 'o', true, &[Action::BlobsWrite]),
            Self::DeleteBlob => need("d", 'o', true, &[Action::BlobsDelete]),
            Self::ListQueues => need("l", 's', false, &[Action::QueuesRead]),
            Self::CreateQueue => need("cw", 'c', false, &[Action::QueuesWrite]),
            Self::GetQueueMetadata => need("r", 'c', true, &[Action::QueuesRead]),
            Self::SetQueueMetadata => need("w", 'c', false, &[Action::QueuesWrite]),
            Self::DeleteQueue => need("d", 'c', false, &[Action::QueuesDelete]),
            Self::PutMessage => need("a", 'o', true, &[Action::MessagesAdd, Action::MessagesWrite]),
            Self::GetMessages => need("p", 'o', true, &[Action::MessagesProcess]),
            Self::PeekMessages => need("r", 'o', true, &[Action::MessagesRead]),
            Self::UpdateMessage => need("u", 'o', true, &[Action::MessagesWrite]),
            Self::DeleteMessage => need("p", 'o', true, &[Action::MessagesProcess, Action::MessagesDelete]),
            Self::ClearMessages => need("d", 'o', false, &[Action::MessagesDelete]),
            Self::GetToken | Self::GetSecret | Self::Preflight | Self::Unknown => need("", ' ', false, &[]),
        }
    }
}

fn blob(method: &Method, target: &Target) -> Operation {
    let (restype, comp) = (target.param("restype"), target.param("comp"));
    let has_blob = target.rest.as_deref().is_some_and(|rest| !rest.is_empty());
    match (method.as_str(), target.name.is_empty(), has_blob, restype, comp) {
        ("GET", true, false, None, Some("list")) => Operation::ListContainers,
        ("POST", true, false, Some("service"), Some("userdelegationkey")) => Operation::GetUserDelegationKey,
        ("PUT", false, false, Some("container"), None) => Operation::CreateContainer,
        ("GET" | "HEAD", false, false, Some("container"), None | Some("metadata")) => {
            Operation::GetContainerProperties
        }
        ("DELETE", false, false, Some("container"), None) => Operation::DeleteContainer,
        ("GET", false, false, Some("container"), Some("list")) => Operation::ListBlobs,
        ("PUT", false, true, None, None) => Operation::PutBlob,
        ("PUT", false, true, None, Some("block")) => Operation::PutBlock,
        ("PUT", false, true, None, Some("blocklist")) => Operation::PutBlockList,
        ("GET", false, true, None, None) => Operation::GetBlob,
        ("HEAD", false, true, None, None) | ("GET" | "HEAD", false, true, None, Some("metadata")) => {
            Operation::GetBlobProperties
        }
        ("PUT", false, true, None, Some("metadata")) => Operation::SetBlobMetadata,
        ("DELETE", false, true, None, None) => Operation::DeleteBlob,
        _ => Operation::Unknown,
    }
}

fn queue(method: &Method, target: &Target) -> Operation {
    let comp = target.param("comp");
    let rest = target.rest.as_deref().map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let peek = target.param("peekonly").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match (method.as_str(), target.name.is_empty(), rest.unwrap_or(""), comp) {
        ("GET", true, "", Some("list")) => Operation::ListQueues,
        ("PUT", false, "", None) => Operation::CreateQueue,
        ("GET" | "HEAD", false, "", Some("metadata")) => Operation::GetQueueMetadata,
        ("PUT", false, "", Some("metadata")) => Operation::SetQueueMetadata,
        ("DELETE", false, "", None) => Operation::DeleteQueue,
        ("POST", false, "messages", None) => Operation::PutMessage,
        ("GET", false, "messages", None) if peek => Operation::PeekMessages,
        ("GET", false, "messages", None) => Operation::GetMessages,
        ("DELETE", false, "messages", None) => Operation::ClearMessages,
        ("PUT", false, path, None) if path.starts_with("messages/") => Operation::UpdateMessage,
        ("DELETE", false, path, None) if path.starts_with("messages/") => Operation::DeleteMessage,
        _ => Operation::Unknown,
    }
}
