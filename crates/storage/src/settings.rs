use std::time::Duration;

use ::azure::AccountConfig;

/// How the storage account is found, how requests to it are authorised, and what things in it are called.
#[derive(Debug, Clone, Default)]
pub struct StorageSettings {
    /// The account: raw values, in the order in which they are tried. `azure::AccountSource::decide` chooses.
    pub account: AccountConfig,
    /// `task_queue_name`.
    pub queue_name: String,
    /// `task_blob_container_name`.
    pub container_name: String,
    /// Longest time for one operation with all its tries, where that is less than usual.
    pub deadline: Option<Duration>,
}
