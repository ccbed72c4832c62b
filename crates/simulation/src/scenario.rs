//! The scenario language: everything that happens in one run, as plain data.
//!
//! A scenario is a list of [`Element`]s over a set of [`Knobs`]. Elements are independent: any of them can
//! be left out, which is how a failing run is reduced.

use std::fmt;
use std::time::Duration;

use lifecycle::firing::MAX_MISSED;

pub use crate::former::Former;
pub use crate::knobs::{Credential, Knobs, TOLERATED_SKEW_MS};
pub use crate::op::Op;
use crate::plan::Change;
pub use crate::plan::Plan;
pub use crate::queues::QueueKind;
pub use crate::receive::Receive;

/// Which instance of a role, counted from 0.
pub type Index = usize;

/// What a handler does on one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Responds 200 with a small JSON result.
    Complete,
    /// Responds 200 with a result of this many bytes that is not JSON.
    CompleteBytes(usize),
    /// Responds 200 with progress lines and then the result.
    Progress,
    /// Works for this many seconds, then completes.
    Slow(u64),
    /// Responds 422: the work cannot be done.
    Fail,
    /// Responds 503: another try may help.
    Retry,
    /// Responds 429 with this `Retry-After`, in seconds.
    Throttle(u64),
    /// The handler's instance traps: 500 without a body.
    Trap,
    /// Never responds.
    Hang,
    /// The connection to the handler breaks.
    Reset,
}

/// One task that clients may submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id, where the client chooses one.
    pub id: String,
    /// What its handler does on the first, second, … call; the last is repeated.
    pub steps: Vec<Step>,
    /// `TaskName`: `scripted` runs the steps, anything else the built-in handler.
    pub name: &'static str,
    /// Size of its input, in bytes.
    pub padding: usize,
    /// Whether its description holds characters that XML cannot carry.
    pub strange: bool,
    /// `DelaySeconds`; 0 is none.
    pub delay: u64,
    /// `Priority`.
    pub priority: u8,
    /// `ExpiresAt`, in seconds after the submission; 0 is none.
    pub expires: u64,
    /// `MaxAttempts`; 0 is none.
    pub max_attempts: u32,
    /// What the receiver of its event does on the first, second, … call; the last is repeated. Empty: it has none.
    pub calls: Vec<Receive>,
}

/// How a submission says which task it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// `TaskId` in the body.
    TaskId,
    /// `Idempotency-Key` header.
    Key,
    /// Not at all: each submission is a task of its own.
    None,
    /// `UniqueKey` in the body: one task at a time.
    Unique,
}

/// Which route a submission takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /tasks`.
    Tasks,
    /// `POST /Tasks/QueueTask`.
    QueueTask,
    /// `POST /tasks:batch`, as the first task.
    Batch,
}

/// A request of a client about a task that may exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `POST /tasks/{id}/cancel`.
    Cancel,
    /// `POST /tasks/{id}/retry`.
    Retry,
    /// `DELETE /tasks/{id}`.
    Delete,
    /// `GET /tasks/{id}`.
    Get,
    /// `GET /tasks/{id}/result`.
    Result,
    /// `GET /tasks`.
    List,
    /// `POST /tasks:cancel`, for all tasks.
    CancelAll,
    /// `POST /tasks:retry`, for all tasks.
    RetryAll,
    /// `POST /tasks:delete`, for all tasks.
    DeleteAll,
    /// `POST /poison:replay`.
    ReplayPoison,
    /// `POST /poison:delete`.
    RemovePoison,
}

/// A message or a document that another program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// A message without a meaning.
    Garbage(String),
    /// A second message for a task, as a retried put or a sweep would leave it.
    SecondMessage(Index),
    /// The .NET API's document (with this `Status`) and message of a task.
    DotNet {
        /// Id of the task.
        id: String,
        /// The random `Status` its API writes.
        status: u8,
        /// Whether the document exists, or only the message.
        document: bool,
    },
    /// A message that names a task and is otherwise unusable.
    Unusable(Index),
    /// A second message for a task. An instance that reads or writes the document while it holds it crashes.
    Deadly(Index),
    /// A document that breaks the contract, and a message for it.
    UnreadableDocument {
        /// Id of the task.
        id: String,
        /// What the blob holds.
        content: String,
    },
}

/// The fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused with this status, without effect.
    Refused(u16),
    /// Done, but with this status as its response.
    DoneYetRefused(u16),
    /// The connection is never made.
    NoConnection,
    /// The connection breaks before the request arrives.
    ResetBefore,
    /// Done, but the response is lost.
    ResetAfter,
    /// Arrives this many milliseconds late, also if the sender has given up.
    Late(u64),
    /// Done at once, with a response this many milliseconds late.
    LateResponse(u64),
    /// Arrives twice.
    Twice,
    /// Messages, or blobs of a list, come in the opposite order.
    Reordered,
    /// The sender's instance crashes before it is sent.
    CrashBefore,
    /// The sender's instance crashes after it is done.
    CrashAfter,
}

/// The service that an outage affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Blob Storage.
    Blobs,
    /// Blob Storage as workers reach it, not as the API does. With status 404 the container does not exist,
    /// as in another account.
    BlobsOfWorkers,
    /// Storage Queue.
    Queues,
    /// Identity endpoint and Key Vault.
    Credentials,
    /// The identity endpoint.
    Identity,
    /// Key Vault.
    Vault,
    /// The task handler.
    Handler,
    /// Storage and credentials.
    Everything,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// A client submits a task, and tries again until it has a response or has tried `tries` times.
    Submit {
        /// When.
        at: Duration,
        /// Which task.
        task: Index,
        /// How the task is named.
        identity: Identity,
        /// 0 is the task's content; others differ from it.
        variant: u8,
        /// Which route.
        route: Route,
        /// How many times it tries.
        tries: u32,
        /// Whether it polls until the task is finished.
        polls: bool,
        /// Whether it does not receive the first response, and tries again.
        deaf: bool,
    },
    /// A client sends one request.
    Ask {
        /// When.
        at: Duration,
        /// Which task.
        task: Index,
        /// What.
        ask: Ask,
    },
    /// An operator pauses the queue, and resumes it until the response says so.
    Pause {
        /// When.
        at: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// An operator has a schedule, and deletes it in the end.
    Schedule {
        /// When.
        at: Duration,
        /// Which.
        plan: Plan,
    },
    /// Another writer writes to storage.
    Foreign {
        /// When.
        at: Duration,
        /// What.
        what: Foreign,
    },
    /// The `nth` request of its kind (counted from 0) goes wrong.
    Fault {
        /// Which kind.
        op: Op,
        /// Which of them.
        nth: u32,
        /// How.
        fault: Fault,
    },
    /// A service refuses everything with `status`; 0: does not respond.
    Outage {
        /// From when.
        at: Duration,
        /// For how long.
        lasts: Duration,
        /// Which service.
        part: Part,
        /// How.
        status: u16,
    },
    /// Some requests to a service go wrong, each in a way of its own.
    Unreliable {
        /// From when.
        at: Duration,
        /// For how long.
        lasts: Duration,
        /// Which service.
        part: Part,
        /// How many of a hundred.
        percent: u64,
    },
    /// A worker's host crashes and a new one starts.
    KillWorker {
        /// When.
        at: Duration,
        /// Which worker.
        worker: Index,
    },
    /// An API host crashes and a new one starts.
    KillApi {
        /// When.
        at: Duration,
        /// Which.
        api: Index,
    },
    /// A worker is asked to stop: `stop`, then `release` after `grace`; a new one starts.
    StopWorker {
        /// When.
        at: Duration,
        /// Which worker.
        worker: Index,
        /// Between the two.
        grace: Duration,
    },
    /// From `at` on, the replicas, which started with the former settings, are replaced one after the other.
    Update {
        /// When.
        at: Duration,
        /// Between `stop` and `release` of each worker.
        grace: Duration,
        /// The settings until then.
        former: Former,
    },
    /// A lease ends early: storage gives the messages that are out to the next receiver.
    LeasesEnd {
        /// When.
        at: Duration,
    },
    /// The wall clocks of all machines of a role are set. At the end of the fault period they are set right.
    ClockSet {
        /// When.
        at: Duration,
        /// Whose clocks: those of the workers, otherwise those of the API.
        workers: bool,
        /// By how many seconds they are then ahead of true time, their skew aside.
        ahead: i64,
    },
    /// The account's keys (or the vault's secret) are exchanged.
    Rotate {
        /// When.
        at: Duration,
    },
    /// A queue is deleted with everything in it.
    QueueLost {
        /// When.
        at: Duration,
        /// Which.
        queue: QueueKind,
    },
}

impl Element {
    /// A submission by `TaskId`, with no more than repeated tries.
    #[must_use]
    pub fn plain_submission(at: Duration, task: Index) -> Self {
        Self::Submit {
            at,
            task,
            identity: Identity::TaskId,
            variant: 0,
            route: Route::Tasks,
            tries: 4,
            polls: false,
            deaf: false,
        }
    }

    /// Whether a run that has nothing left to do has to wait for it.
    #[must_use]
    pub fn brings_work(&self) -> bool {
        matches!(
            self,
            Self::Submit { .. }
                | Self::Ask { .. }
                | Self::Pause { .. }
                | Self::Schedule { .. }
                | Self::Foreign { .. }
                | Self::Rotate { .. }
                | Self::QueueLost { .. }
        )
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The seed of the scenario, and of the random numbers during the run.
    pub seed: u64,
    /// What holds throughout.
    pub knobs: Knobs,
    /// Tasks that elements refer to.
    pub tasks: Vec<Task>,
    /// What happens.
    pub elements: Vec<Element>,
}

impl Scenario {
    /// How far clocks that are set differ from true time at most, in milliseconds.
    #[must_use]
    pub fn clock_steps_ms(&self) -> u64 {
        let steps = self.elements.iter().map(|element| match element {
            Element::ClockSet { ahead, .. } => ahead.unsigned_abs() * 1_000,
            _ => 0,
        });
        steps.max().unwrap_or(0)
    }

    /// How long the submitted tasks work, one after the other, that take an hour or more, and how long those wait
    /// whose handlers ask for an hour between two attempts.
    #[must_use]
    pub fn hours(&self) -> Duration {
        let attempts = u64::from(self.knobs.max_dequeue_count);
        let hours = |task: &Task| {
            let steps = task.steps.iter().map(|step| match step {
                Step::Slow(seconds) if *seconds >= 3_600 => *seconds,
                Step::Throttle(seconds) if *seconds >= 3_600 => attempts * *seconds,
                _ => 0,
            });
            Duration::from_secs(steps.max().unwrap_or(0))
        };
        let submitted = self.elements.iter().filter_map(|element| match element {
            // Without an identity, each try may be a task of its own.
            Element::Submit { task, identity: Identity::None, tries, .. } => Some((task, *tries)),
            Element::Submit { task, .. } => Some((task, 1)),
            _ => None,
        });
        submitted.filter_map(|(task, times)| Some(hours(self.tasks.get(*task)?) * times)).sum()
    }

    /// How many tasks clients create at most. Without an identity, each try of a submission may create one.
    #[must_use]
    pub fn most_submitted(&self) -> u32 {
        let tries = self.elements.iter().map(|element| match element {
            Element::Submit { identity: Identity::None, tries, .. } => *tries,
            _ => 0,
        });
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX).saturating_add(tries.sum())
    }

    /// How often schedules fire at most, what they make up for after clocks were wrong included.
    #[must_use]
    pub fn firings(&self) -> u32 {
        let wrong = 2 * self.clock_steps_ms() / 1_000;
        let firings = self.elements.iter().map(|element| match element {
            Element::Schedule { plan, .. } => {
                let each = |interval: u64| ((plan.ends + wrong) / interval.max(1) + 1).min(MAX_MISSED as u64);
                each(plan.interval)
                    + if let Change::Replace(_, interval) = plan.change { each(interval) } else { 0 }
            }
            _ => 0,
        });
        u32::try_from(firings.sum::<u64>()).unwrap_or(u32::MAX)
    }

    /// Whether the order of deliveries can be judged: one drain at a time, which nothing disturbs.
    #[must_use]
    pub fn has_plain_order(&self) -> bool {
        let knobs = &self.knobs;
        knobs.priority_queues
            && (knobs.workers, knobs.parallel, knobs.fresh_percent) == (1, 1, 0)
            && self.elements.iter().all(|element| {
                matches!(element, Element::Submit { .. } | Element::Ask { .. } | Element::ClockSet { .. })
            })
    }

    /// Whether clocks differ by no more than the service expects.
    #[must_use]
    pub fn clocks_agree(&self) -> bool {
        self.knobs.skew_ms() + 2 * self.clock_steps_ms() <= TOLERATED_SKEW_MS
    }

    /// Without the elements at `left_out`.
    #[must_use]
    pub fn without(mut self, left_out: &[usize]) -> Self {
        let mut index = 0;
        self.elements.retain(|_| {
            index += 1;
            !left_out.contains(&(index - 1))
        });
        self
    }
}

impl fmt::Display for Scenario {
    /// Shown at the head of a trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "  {:?}", self.knobs)?;
        for (index, task) in self.tasks.iter().enumerate() {
            writeln!(f, "  task {index}: {task:?}")?;
        }
        for (index, element) in self.elements.iter().enumerate() {
            let text = format!("{element:?}");
            let short: String = text.chars().take(240).collect();
            writeln!(f, "  element {index}: {short}")?;
        }
        Ok(())
    }
}
