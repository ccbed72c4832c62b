use bytes::Bytes;
use fake_azure::{BlobView, Block, EMULATOR_ACCOUNT, MessageView};
use http::{Request, Response};
use models::{TaskId, TaskStatus};

use super::TestWorld;

/// The container of the documents and results, as configured by default.
pub const CONTAINER: &str = "tasks";

/// The task queue, as configured by default. The names of the others begin with it.
pub(crate) const QUEUE: &str = "taskqueue";

/// Reading and changing what is stored as another program would: without requests, faults and latency.
impl TestWorld {
    /// The document of a task; `None` when there is none.
    ///
    /// # Panics
    /// When the document breaks the contract.
    pub fn document(&self, id: TaskId) -> Option<TaskStatus> {
        let blob = self.blob(&id.status_blob_name())?;
        Some(TaskStatus::parse(&blob.content).expect("a document that follows the contract"))
    }

    /// Stores a document whatever its version; its ETag.
    pub fn put_document(&self, document: &TaskStatus) -> String {
        self.put_blob(&document.task_id.status_blob_name(), document.to_bytes())
    }

    /// Changes a stored document; its new ETag.
    ///
    /// # Panics
    /// When there is no such document.
    pub fn change_document(&self, id: TaskId, change: impl FnOnce(&mut TaskStatus)) -> String {
        let mut document = self.document(id).expect("a stored document");
        change(&mut document);
        self.put_document(&document)
    }

    /// A blob beside the documents.
    pub fn blob(&self, name: &str) -> Option<BlobView> {
        self.azure.borrow().blob(EMULATOR_ACCOUNT, CONTAINER, name)
    }

    /// The names of the documents and of the blobs beside them, in order.
    pub fn blob_names(&self) -> Vec<String> {
        self.azure.borrow().blobs(EMULATOR_ACCOUNT, CONTAINER).map(|blob| blob.name).collect()
    }

    /// Stores a blob, replacing one of that name; its ETag.
    ///
    /// # Panics
    /// Never: a blob that was stored can be read.
    pub fn put_blob(&self, name: &str, content: impl Into<Bytes>) -> String {
        let now = self.now().to_date_time();
        let mut azure = self.azure.borrow_mut();
        azure.put_blob(EMULATOR_ACCOUNT, CONTAINER, name, content, "application/json", now);
        azure.blob(EMULATOR_ACCOUNT, CONTAINER, name).expect("stored just now").etag
    }

    /// Removes a blob, if it exists.
    pub fn remove_blob(&self, name: &str) {
        self.azure.borrow_mut().remove_blob(EMULATOR_ACCOUNT, CONTAINER, name);
    }

    /// Makes storage refuse to read, change or delete a blob; `None` ends it.
    pub fn block_blob(&self, name: &str, block: Option<Block>) {
        self.azure.borrow_mut().block_blob(EMULATOR_ACCOUNT, CONTAINER, name, block);
    }

    /// The messages of the queue whose name is the task queue's and `suffix`, in the order of their insertion,
    /// invisible ones too.
    pub fn messages(&self, suffix: &str) -> Vec<MessageView> {
        self.azure.borrow().messages(EMULATOR_ACCOUNT, &format!("{QUEUE}{suffix}")).collect()
    }

    /// Puts a message into the queue whose name is the task queue's and `suffix`, visible at once. No limit of the
    /// message's size applies, as if the text had been sent in the shortest spelling of XML.
    pub fn put_message(&self, suffix: &str, text: &str) {
        let now = self.now().to_date_time();
        self.azure.borrow_mut().put_message(EMULATOR_ACCOUNT, &format!("{QUEUE}{suffix}"), text, now);
    }

    /// Removes the task queue with its messages.
    pub fn remove_queue(&self) {
        self.azure.borrow_mut().remove_queue(EMULATOR_ACCOUNT, QUEUE);
    }

    /// Makes every received message of the task queue visible at once, as a difference of the clocks of storage's
    /// machines can.
    pub fn reveal_messages(&self) {
        let now = self.now().to_date_time();
        self.azure.borrow_mut().reveal_messages(EMULATOR_ACCOUNT, QUEUE, now);
    }

    /// Requests an address of Blob Storage as a client that has nothing else.
    ///
    /// # Panics
    /// When `url` is no address.
    pub fn get_url(&self, url: &str) -> Response<Bytes> {
        let request = Request::get(url).header("x-ms-version", "2023-11-03").body(Bytes::new()).unwrap();
        self.azure.borrow_mut().handle(request, self.now().to_date_time())
    }
}
