//! What identities may do.

/// A data action, or the one management action that the data plane checks, of Azure's role definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the action of that name")]
pub enum Action {
    ContainersRead,
    ContainersWrite,
    ContainersDelete,
    BlobsRead,
    BlobsWrite,
    BlobsAdd,
    BlobsDelete,
    GenerateUserDelegationKey,
    QueuesRead,
    QueuesWrite,
    QueuesDelete,
    MessagesRead,
    MessagesWrite,
    MessagesAdd,
    MessagesProcess,
    MessagesDelete,
    SecretsGet,
}

/// A built-in role, by its name in Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the role of that name")]
pub enum Role {
    StorageBlobDataContributor,
    StorageBlobDataReader,
    StorageBlobDelegator,
    StorageQueueDataContributor,
    StorageQueueDataReader,
    StorageQueueDataMessageProcessor,
    StorageQueueDataMessageSender,
    KeyVaultSecretsUser,
}

impl Role {
    /// The actions that the role grants.
    #[must_use]
    pub fn actions(self) -> &'static [Action] {
        use Action as A;
        match self {
            Self::StorageBlobDataContributor => &[
                A::ContainersRead,
                A::ContainersWrite,
                A::ContainersDelete,
                A::BlobsRead,
                A::BlobsWrite,
                A::BlobsAdd,
                A::BlobsDelete,
                A::GenerateUserDelegationKey,
            ],
            Self::StorageBlobDataReader => &[A::ContainersRead, A::BlobsRead, A::GenerateUserDelegationKey],
            Self::StorageBlobDelegator => &[A::GenerateUserDelegationKey],
            Self::StorageQueueDataContributor => &[
                A::QueuesRead,
                A::QueuesWrite,
                A::QueuesDelete,
                A::MessagesRead,
                A::MessagesWrite,
                A::MessagesAdd,
                A::MessagesProcess,
                A::MessagesDelete,
            ],
            Self::StorageQueueDataReader => &[A::QueuesRead, A::MessagesRead],
            Self::StorageQueueDataMessageProcessor => &[A::MessagesRead, A::MessagesProcess],
            Self::StorageQueueDataMessageSender => &[A::MessagesAdd],
            Self::KeyVaultSecretsUser => &[A::SecretsGet],
        }
    }
}
