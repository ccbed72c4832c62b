//! An accepted task.

use models::TaskStatus;
use service::problem::HttpError;
use storage::StoredDocument;

use crate::tasks::Tasks;

/// Returns the document with the address of its blob.
pub(crate) async fn with_address(tasks: &Tasks, document: TaskStatus) -> Result<TaskStatus, HttpError> {
    Ok(TaskStatus { return_uri: Some(tasks.store.address(document.task_id).await?), ..document })
}

/// The stored task, and whether this request created it.
pub(crate) struct Accepted {
    pub(crate) stored: StoredDocument,
    pub(crate) is_new: bool,
}
