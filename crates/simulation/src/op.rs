//! What a request that leaves a component asks for.

use fake_azure::Operation;

/// Kinds of requests that leave a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Create Container or Create Queue.
    Create,
    /// Put Blob of a status document.
    PutStatus,
    /// Put Blob of anything else.
    PutAttachment,
    /// Put Block of a large result.
    PutPart,
    /// Put Block List of a large result.
    JoinParts,
    /// Get Blob or its properties.
    GetBlob,
    /// Delete Blob.
    DeleteBlob,
    /// List Blobs.
    ListBlobs,
    /// Put Message.
    PutMessage,
    /// Get Messages.
    GetMessages,
    /// Peek Messages, or the count.
    LookAtQueue,
    /// Update Message.
    UpdateMessage,
    /// Delete Message.
    DeleteMessage,
    /// A token, a vault secret or a delegation key.
    Credential,
    /// A call of a task handler.
    Handler,
    /// A call of a receiver of events.
    Receiver,
    /// Anything else.
    #[default]
    Other,
}

impl Op {
    /// The kind of a storage operation. `status`: whether it is about the status document of a task.
    #[must_use]
    pub fn of(operation: Operation, status: bool) -> Self {
        match operation {
            Operation::CreateContainer | Operation::CreateQueue => Self::Create,
            Operation::PutBlob | Operation::SetBlobMetadata if status => Self::PutStatus,
            Operation::PutBlob | Operation::SetBlobMetadata => Self::PutAttachment,
            Operation::PutBlock => Self::PutPart,
            Operation::PutBlockList => Self::JoinParts,
            Operation::GetBlob | Operation::GetBlobProperties | Operation::GetContainerProperties => {
                Self::GetBlob
            }
            Operation::DeleteBlob => Self::DeleteBlob,
            Operation::ListBlobs => Self::ListBlobs,
            Operation::PutMessage => Self::PutMessage,
            Operation::GetMessages => Self::GetMessages,
            Operation::PeekMessages | Operation::GetQueueMetadata => Self::LookAtQueue,
            Operation::UpdateMessage => Self::UpdateMessage,
            Operation::DeleteMessage => Self::DeleteMessage,
            Operation::GetUserDelegationKey | Operation::GetToken | Operation::GetSecret => Self::Credential,
            _ => Self::Other,
        }
    }

    /// The word under which its requests are counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "request: create",
            Self::PutStatus => "request: put status",
            Self::PutAttachment => "request: put attachment",
            Self::PutPart => "request: put part",
            Self::JoinParts => "request: join parts",
            Self::GetBlob => "request: get blob",
            Self::DeleteBlob => "request: delete blob",
            Self::ListBlobs => "request: list blobs",
            Self::PutMessage => "request: put message",
            Self::GetMessages => "request: get messages",
            Self::LookAtQueue => "request: look at queue",
            Self::UpdateMessage => "request: update message",
            Self::DeleteMessage => "request: delete message",
            Self::Credential => "request: credential",
            Self::Handler => "request: handler",
            Self::Receiver => "request: receiver",
            Self::Other => "request: other",
        }
    }

    /// Those that faults are aimed at; the more often one is named, the more often it is hit.
    pub const TARGETS: [Self; 20] = [
        Self::Create,
        Self::PutStatus,
        Self::PutStatus,
        Self::PutStatus,
        Self::PutStatus,
        Self::PutAttachment,
        Self::GetBlob,
        Self::GetBlob,
        Self::DeleteBlob,
        Self::ListBlobs,
        Self::PutMessage,
        Self::PutMessage,
        Self::PutMessage,
        Self::GetMessages,
        Self::UpdateMessage,
        Self::UpdateMessage,
        Self::UpdateMessage,
        Self::DeleteMessage,
        Self::DeleteMessage,
        Self::Credential,
    ];
}
