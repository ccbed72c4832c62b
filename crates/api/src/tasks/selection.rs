//! The tasks that a request selects: filters, page size and continuation, for the list and the bulk actions.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use models::{TaskId, TaskState, TaskStatus, Timestamp};
use service::log::Line;
use service::problem::HttpError;
use storage::{Page, Read, StorageError, StoredDocument};

use crate::http::auth;
use crate::http::query::{Query, encode, invalid_parameter};
use crate::http::request::ApiRequest;
use crate::tasks::continuation::{self, Position};
use crate::tasks::{Tasks, public_name};

const DEFAULT_TOP: usize = 50;
const MAX_TOP: usize = 200;

/// Concurrent reads of documents.
const MAX_CONCURRENT_READS: usize = 16;

/// Documents read for one response. A filter that matches few of them gives a short page with a `nextLink`
/// instead of a slow response.
const MAX_DOCUMENTS: usize = 600;

/// Storage pages listed for one response. They may contain blobs that are not documents.
const MAX_STORAGE_PAGES: usize = 10;

/// Maximum number of blobs per storage page.
const MAX_PAGE_BLOBS: u32 = 200;

/// Maximum difference between the clock of storage, which dates blobs, and the clock of this service, which
/// writes the creation time. Storage refuses requests from clients whose clock differs by more.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);

/// Query parameters of the list.
const PARAMETERS: [&str; 5] = ["status", "name", "createdAfter", "top", "continuation"];

/// Conditions that a listed task meets.
struct Filter {
    status: Option<TaskState>,
    name: Option<String>,
    created_after: Option<Timestamp>,
}

/// What the query of a request selects.
pub(crate) struct Selection {
    filter: Filter,
    page_size: usize,
    start: Position,
    /// Identifies the list in continuation tokens: its caller and its filters.
    listing: String,
    /// Absolute address of the API.
    pub(crate) base: String,
}

/// One page of selected tasks.
pub(crate) struct Selected<T> {
    pub(crate) value: Vec<T>,
    /// Number of documents that could not be read.
    pub(crate) unreadable: u32,
    /// Start of the next page; `None` on the last one.
    pub(crate) next: Option<Position>,
}

impl Selection {
    /// Parses the query.
    ///
    /// # Errors
    /// If a parameter is unknown or invalid.
    pub(crate) fn of(tasks: &Tasks, request: &ApiRequest) -> Result<Self, HttpError> {
        let query = request.query()?.allow_only(&PARAMETERS)?;
        let filter = Filter::from_query(&query)?;
        let page_size = page_size(&query)?;
        let base = request.base_url(&tasks.settings)?;
        let listing = format!("{}\0{}", request.caller.as_deref().unwrap_or_default(), filter.as_query());
        let start = match query.get("continuation") {
            None => Position::default(),
            Some(token) => continuation::position(token, &listing).ok_or_else(invalid_continuation)?,
        };
        Ok(Self { filter, page_size, start, listing, base })
    }

    /// Whether the filters accept a document.
    pub(crate) fn accepts(&self, document: &TaskStatus) -> bool {
        self.filter.accepts(document)
    }

    /// The absolute address of the page at `position`, below `path`.
    pub(crate) fn link(&self, path: &str, position: &Position) -> String {
        let token = continuation::token(position, &self.listing);
        let (base, query, top) = (&self.base, self.filter.as_query(), self.page_size);
        format!("{base}{path}?{query}top={top}&continuation={token}")
    }

    /// Reads documents until a page is full. `pick` gets each document that the caller may see, and the position from
    /// which a later request finds it again; the page contains what it returns.
    ///
    /// # Errors
    /// If storage fails as a whole.
    pub(crate) async fn collect<T>(
        &self,
        tasks: &Tasks,
        request: &ApiRequest,
        pick: impl Fn(&TaskStatus, &Position) -> Option<T>,
    ) -> Result<Selected<T>, HttpError> {
        let mut position = self.start.clone();
        let (mut value, mut unreadable) = (Vec::new(), 0);
        let mut documents_read = 0;
        for _ in 0..MAX_STORAGE_PAGES {
            let Page { tasks: listed, next } = storage_page(tasks, &position).await?;
            let after = position.after;
            let created_after = self.filter.created_after;
            // Sorted by id, because the continuation token contains the id of the last task read. By insertion: storage
            // lists almost in this order.
            let mut candidates: Vec<TaskId> = Vec::with_capacity(listed.len());
            for task in listed {
                if after.is_none_or(|after| task.id > after)
                    && created_after.is_none_or(|at| task.written.plus(MAX_CLOCK_SKEW) > at)
                {
                    candidates.insert(candidates.partition_point(|id| *id <= task.id), task.id);
                }
            }
            let count = candidates.len();
            let reads =
                candidates.into_iter().map(|id| async move { (id, tasks.store.read(id, None).await) });
            let mut reads = stream::iter(reads).buffered(MAX_CONCURRENT_READS).enumerate();
            while let Some((index, (id, read))) = reads.next().await {
                documents_read += 1;
                let entry = entry(tasks, id, read)?;
                // The owner of an unreadable document is unknown, and identified callers only see their own tasks.
                unreadable += u32::from(matches!(entry, Entry::Unreadable) && request.caller.is_none());
                if let Entry::Document(stored) = entry
                    && let document = &stored.document
                    && auth::may_see(document.owner.as_deref(), &request.caller)
                    && self.filter.accepts(document)
                {
                    value.extend(pick(document, &position));
                }
                position.after = Some(id);
                let is_last = index + 1 == count;
                if !is_last && (value.len() == self.page_size || documents_read >= MAX_DOCUMENTS) {
                    return Ok(Selected { value, unreadable, next: Some(position) });
                }
            }
            let Some(next) = next else { return Ok(Selected { value, unreadable, next: None }) };
            position = Position { page: Some(next), after: None };
            if value.len() == self.page_size || documents_read >= MAX_DOCUMENTS {
                break;
            }
        }
        Ok(Selected { value, unreadable, next: Some(position) })
    }
}

async fn storage_page(tasks: &Tasks, position: &Position) -> Result<Page, HttpError> {
    let from = position.page.as_deref();
    match tasks.store.list(from, MAX_PAGE_BLOBS).await {
        // Storage refuses a marker that it did not create.
        Err(StorageError::Refused(_)) if from.is_some() => Err(invalid_continuation()),
        outcome => Ok(outcome?),
    }
}

/// Classifies a read. A document that is unreadable, or that storage refuses to return, is logged and counted, and
/// the list continues.
///
/// # Errors
/// If storage fails as a whole: an empty list would be wrong.
fn entry(tasks: &Tasks, id: TaskId, read: Result<Read, StorageError>) -> Result<Entry, HttpError> {
    match read {
        Ok(Read::Found(stored)) => Ok(Entry::Document(stored)),
        Ok(Read::Missing | Read::Unchanged) => Ok(Entry::Gone),
        Err(error) if error.affects_one_item() => {
            tasks.env.log(
                &Line::warn("a document could not be listed")
                    .with("task_id", id.to_string())
                    .with("cause", error.to_string()),
            );
            Ok(Entry::Unreadable)
        }
        Err(error) => Err(error.into()),
    }
}

/// A listed blob after its read.
enum Entry {
    Document(Box<StoredDocument>),
    /// Deleted since it was listed.
    Gone,
    Unreadable,
}

fn invalid_continuation() -> HttpError {
    invalid_parameter("continuation: must come from the nextLink of a list with the same filters.")
}

/// The parameter `top`.
pub(crate) fn page_size(query: &Query) -> Result<usize, HttpError> {
    let Some(text) = query.get("top") else { return Ok(DEFAULT_TOP) };
    let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    number
        .filter(|size| (1..=MAX_TOP).contains(size))
        .ok_or_else(|| invalid_parameter(format!("top: must be a whole number from 1 to {MAX_TOP}.")))
}

impl Filter {
    fn from_query(query: &Query) -> Result<Self, HttpError> {
        let status = query.get("status").map(state).transpose()?;
        let created_after =
            query.get("createdAfter").map(str::parse::<Timestamp>).transpose().map_err(|_| {
                invalid_parameter(
                    "createdAfter: must be a date and time as RFC 3339, such as 2026-11-20T10:00:00Z.",
                )
            })?;
        Ok(Self { status, name: query.get("name").map(str::to_owned), created_after })
    }

    fn accepts(&self, document: &TaskStatus) -> bool {
        self.status.is_none_or(|state| document.state == state)
            && self.name.as_deref().is_none_or(|name| document.task_name == name)
            && self.created_after.is_none_or(|limit| document.created_at.is_some_and(|at| at > limit))
    }

    /// The filter as query parameters, each followed by `&`.
    fn as_query(&self) -> String {
        let mut query = String::new();
        let status = self.status.map(|state| public_name(state).to_owned());
        let created_after = self.created_after.map(|limit| limit.to_string());
        for (name, value) in
            [("status", status), ("name", self.name.clone()), ("createdAfter", created_after)]
        {
            if let Some(value) = value {
                query.push_str(&format!("{name}={}&", encode(&value)));
            }
        }
        query
    }
}

/// The state with this public name.
fn state(text: &str) -> Result<TaskState, HttpError> {
    TaskState::ALL.into_iter().find(|state| public_name(*state).eq_ignore_ascii_case(text)).ok_or_else(|| {
        invalid_parameter("status: must be NotStarted, Running, Succeeded, Failed or Canceled.")
    })
}
