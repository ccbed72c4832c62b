//! `GET /tasks`: the caller's tasks, filtered, page by page.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use http::StatusCode;
use models::{Monitor, MonitorList, TaskId, TaskState, TaskStatus, Timestamp};
use service::log::Line;
use service::problem::Refusal;
use service::response::{self, Response};
use storage::{Page, Read, StorageError, StoredDocument};

use crate::http::auth;
use crate::http::call::Call;
use crate::http::query::{Query, encode, refused};
use crate::tasks::continuation::{self, Position};
use crate::tasks::{Tasks, monitor_at, word};

const DEFAULT_TOP: usize = 50;
const LARGEST_TOP: usize = 200;

/// Documents read at a time.
const CONCURRENT_READS: usize = 16;

/// Documents looked at for one answer. A filter that finds little gives a short page with a next one
/// rather than a slow answer.
const MOST_LOOKED_AT: usize = 600;

/// Pages of storage asked for one answer: they may hold other things than documents.
const MOST_PAGES: usize = 10;

/// A document is never older than its creation, but the one is told by storage's clock and the other by
/// this service's. Storage accepts no request from a clock further off than this.
const CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);

const KNOWN: [&str; 5] = ["status", "name", "createdAfter", "top", "continuation"];

/// Which tasks are wanted.
struct Filter {
    status: Option<TaskState>,
    name: Option<String>,
    created_after: Option<Timestamp>,
}

pub(crate) async fn list(tasks: &Tasks, call: &Call) -> Result<Response, Refusal> {
    let query = call.query()?.only(&KNOWN)?;
    let filter = Filter::of(&query)?;
    let top = top(&query)?;
    let base = call.base_url(&tasks.settings)?;
    let listing = format!("{}\0{}", call.caller.as_deref().unwrap_or_default(), filter.as_query());
    let start = match query.get("continuation") {
        None => Position::default(),
        Some(token) => continuation::position(token, &listing).ok_or_else(forged)?,
    };
    let Found { value, unreadable, next } = collect(tasks, call, &filter, top, start, &base).await?;
    let next_link = next.map(|position| {
        let token = continuation::token(&position, &listing);
        format!("{base}/tasks?{}top={top}&continuation={token}", filter.as_query())
    });
    Ok(response::json(StatusCode::OK, &MonitorList { value, unreadable, next_link }))
}

/// Up to `top` tasks from `position` on, and where to go on.
async fn collect(
    tasks: &Tasks,
    call: &Call,
    filter: &Filter,
    top: usize,
    mut position: Position,
    base: &str,
) -> Result<Found, Refusal> {
    let (mut value, mut unreadable) = (Vec::new(), 0);
    let mut looked_at = 0;
    for _ in 0..MOST_PAGES {
        let Page { tasks: mut listed, next } = page(tasks, &position).await?;
        // In an order of our own: the continuation names the last task that was looked at.
        listed.sort_unstable_by_key(|task| task.id);
        let after = position.after;
        let candidates: Vec<TaskId> = listed
            .into_iter()
            .filter(|task| after.is_none_or(|after| task.id > after))
            .filter(|task| filter.created_after.is_none_or(|at| task.written.plus(CLOCK_SKEW) > at))
            .map(|task| task.id)
            .collect();
        let count = candidates.len();
        let reads = candidates.into_iter().map(|id| async move { (id, tasks.store.read(id, None).await) });
        let mut reads = stream::iter(reads).buffered(CONCURRENT_READS).enumerate();
        while let Some((index, (id, read))) = reads.next().await {
            looked_at += 1;
            position.after = Some(id);
            let read = readable(tasks, id, read)?;
            // Whose it is cannot be told; callers that are told apart hear of their own tasks only.
            unreadable += u32::from(matches!(read, Readable::Not) && call.caller.is_none());
            if let Readable::Yes(stored) = read
                && let document = &stored.document
                && auth::may_see(document.owner.as_deref(), &call.caller)
                && filter.accepts(document)
            {
                value.push(monitor_at(document, format!("{base}/tasks/{id}")));
            }
            let is_last = index + 1 == count;
            if !is_last && (value.len() == top || looked_at >= MOST_LOOKED_AT) {
                return Ok(Found { value, unreadable, next: Some(position) });
            }
        }
        let Some(next) = next else { return Ok(Found { value, unreadable, next: None }) };
        position = Position { page: Some(next), after: None };
        if value.len() == top || looked_at >= MOST_LOOKED_AT {
            break;
        }
    }
    Ok(Found { value, unreadable, next: Some(position) })
}

async fn page(tasks: &Tasks, position: &Position) -> Result<Page, Refusal> {
    let from = position.page.as_deref();
    match tasks.store.list(from, 200).await {
        // A mark that storage did not make.
        Err(StorageError::Refused(_)) if from.is_some() => Err(forged()),
        outcome => Ok(outcome?),
    }
}

/// What a read found. A document that is gone by now is not listed. One that breaks the contract, or that
/// storage does not give for a reason of its own, is counted and logged: the others are listed all the
/// same. While storage gives nothing the whole list is unavailable; an empty one would be a lie.
fn readable(tasks: &Tasks, id: TaskId, read: Result<Read, StorageError>) -> Result<Readable, Refusal> {
    match read {
        Ok(Read::Found(stored)) => Ok(Readable::Yes(stored)),
        Ok(Read::Missing | Read::Unchanged) => Ok(Readable::Gone),
        Err(error) if error.concerns_one() => {
            tasks.env.log(
                &Line::warn("a document could not be listed")
                    .with("task_id", id.to_string())
                    .with("cause", error.to_string()),
            );
            Ok(Readable::Not)
        }
        Err(error) => Err(error.into()),
    }
}

/// What was found for one answer.
struct Found {
    value: Vec<Monitor>,
    /// How many documents could not be read.
    unreadable: u32,
    /// Where to go on; `None` at the end.
    next: Option<Position>,
}

enum Readable {
    Yes(Box<StoredDocument>),
    Gone,
    Not,
}

fn forged() -> Refusal {
    refused("continuation: must come from the nextLink of a list with the same filters.")
}

fn top(query: &Query) -> Result<usize, Refusal> {
    let Some(text) = query.get("top") else { return Ok(DEFAULT_TOP) };
    let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    number
        .filter(|top| (1..=LARGEST_TOP).contains(top))
        .ok_or_else(|| refused(format!("top: must be a whole number from 1 to {LARGEST_TOP}.")))
}

impl Filter {
    fn of(query: &Query) -> Result<Self, Refusal> {
        let status = query.get("status").map(state).transpose()?;
        let created_after =
            query.get("createdAfter").map(str::parse::<Timestamp>).transpose().map_err(|_| {
                refused("createdAfter: must be a date and time as RFC 3339, such as 2026-11-20T10:00:00Z.")
            })?;
        Ok(Self { status, name: query.get("name").map(str::to_owned), created_after })
    }

    fn accepts(&self, document: &TaskStatus) -> bool {
        self.status.is_none_or(|state| document.state == state)
            && self.name.as_deref().is_none_or(|name| document.task_name == name)
            && self.created_after.is_none_or(|moment| document.created_at.is_some_and(|at| at > moment))
    }

    /// The filter as query parameters, each with an `&` behind it.
    fn as_query(&self) -> String {
        let mut query = String::new();
        let status = self.status.map(|state| word(state).to_owned());
        let moment = self.created_after.map(|moment| moment.to_string());
        for (name, value) in [("status", status), ("name", self.name.clone()), ("createdAfter", moment)] {
            if let Some(value) = value {
                query.push_str(&format!("{name}={}&", encode(&value)));
            }
        }
        query
    }
}

/// A status in the words of the monitor.
fn state(text: &str) -> Result<TaskState, Refusal> {
    TaskState::ALL
        .into_iter()
        .find(|state| word(*state).eq_ignore_ascii_case(text))
        .ok_or_else(|| refused("status: must be NotStarted, Running, Succeeded, Failed or Canceled."))
}
