use std::time::Duration;

use ::azure::AccountConfig;

/// The storage account, how requests to it are authorised, and the names of container and queues.
#[derive(Debug, Clone, Default)]
pub struct StorageSettings {
    /// The raw values of the account's variables. `azure::AccountSource::decide` chooses between them.
    pub account: AccountConfig,
    /// `task_queue_name`.
    pub queue_name: String,
    /// `priority_queues`: whether High and Low tasks have queues of their own.
    pub priority_queues: bool,
    /// `task_blob_container_name`.
    pub container_name: String,
    /// Maximum time for one operation with all its tries, if it is less than the default.
    pub deadline: Option<Duration>,
}
