//! Submissions with a `UniqueKey`. `lifecycle::unique` decides.

use lifecycle::delayed;
use lifecycle::unique::{Unique, unique};
use models::{TaskId, TaskStatus};
use service::problem::HttpError;
use storage::{Read, StoredDocument, Write, key_marker_name, read_key_marker};

use crate::tasks::accepted::{Accepted, with_address};
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended};

/// The result of one try to get the key.
enum Claim {
    /// The key is free, and the marker contains this id: create the document under it.
    Create(TaskId),
    /// This task holds the key.
    Held(Box<StoredDocument>),
    /// Another request changed the marker.
    Contended,
}

/// Creates the document and sends its message, unless another task holds the key; then returns that task.
pub(crate) async fn create_or_join(tasks: &Tasks, document: &TaskStatus) -> Result<Accepted, HttpError> {
    let key = document.unique_key.as_deref().unwrap_or_default();
    let marker = key_marker_name(document.owner.as_deref(), key);
    for _ in 0..MAX_WRITE_TRIES {
        let task_id = match claim(tasks, &marker, document.task_id).await? {
            Claim::Create(id) => id,
            Claim::Held(stored) => return Ok(Accepted { stored: *stored, is_new: false }),
            Claim::Contended => continue,
        };
        let document = with_address(tasks, TaskStatus { task_id, ..document.clone() }).await?;
        // A conflict means that another submission has created the document under this id.
        if let Write::Done(etag) = tasks.store.create(&document).await? {
            let stored = StoredDocument { document, etag };
            tasks
                .send_first_message(&stored, delayed::delay(&stored.document, tasks.env.timestamp()))
                .await?;
            return Ok(Accepted { stored, is_new: true });
        }
    }
    Err(contended())
}

/// `own_id` is an id that no other submission uses.
async fn claim(tasks: &Tasks, marker_name: &str, own_id: TaskId) -> Result<Claim, HttpError> {
    if let Write::Done(_) = tasks.store.put_marker(marker_name, own_id, None).await? {
        return Ok(Claim::Create(own_id));
    }
    let Some(marker) = read_key_marker(&*tasks.store, marker_name).await? else {
        return Ok(Claim::Contended); // deleted with its task since
    };
    let id = match marker.holder {
        // Another program has changed the marker.
        None => own_id,
        Some(id) => match tasks.store.read(id, None).await? {
            Read::Found(stored) => match unique(&stored.document, tasks.env.timestamp()) {
                Unique::Held => return Ok(Claim::Held(stored)),
                Unique::ResendMessage(delay) => {
                    tasks.send_first_message(&stored, delay).await?;
                    return Ok(Claim::Held(stored));
                }
                Unique::Released => own_id,
            },
            // The submission that wrote the marker has not created its document, and may have been interrupted. With
            // the same id, one of the two submissions creates the document.
            Read::Missing | Read::Unchanged => id,
        },
    };
    // Also for the same id: a deletion that read the marker before must not delete it any more.
    Ok(match tasks.store.put_marker(marker_name, id, Some(&marker.etag)).await? {
        Write::Done(_) => Claim::Create(id),
        Write::Conflict => Claim::Contended,
    })
}
