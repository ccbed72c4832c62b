//! What a request that leaves a component asks for.

/// Kinds of requests that leave a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Create Container or Create Queue.
    Create,
    /// Put Blob of a status document.
    PutStatus,
    /// Put Blob of anything else.
    PutAttachment,
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
    /// Anything else.
    Other,
}

impl Op {
    /// The word under which its requests are counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "request: create",
            Self::PutStatus => "request: put status",
            Self::PutAttachment => "request: put attachment",
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
