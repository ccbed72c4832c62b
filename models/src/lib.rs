//! The wire formats of Accepted: task request, stored task status, queue message, status monitor, problem document
//! and drain report.
//!
//! A .NET sample reads and writes the stored document and the queue message with Newtonsoft.Json, so that each side
//! of the system can be replaced independently of the other. They have six members in PascalCase (except
//! `returnUri`), enums as integers, and case-insensitive names. This project adds further members, which the .NET side
//! ignores.
//!
//! This crate contains types, parsing and serialisation. It makes no decisions and does no I/O.
//!
//! A document of the .NET sample, and the status monitor that a client gets for it:
//!
//! ```
//! use models::{Monitor, MonitorState, TaskPriority, TaskState, TaskStatus};
//!
//! let stored = br#"{"TaskName":"report","TaskDescription":"","Status":2,"Priority":1,
//!     "TaskId":"7f9c24e8-3b1d-4a55-9e0a-d2f1b7c6a301","returnUri":"https://example.org/tasks/x-202"}"#;
//! let status = TaskStatus::parse(stored)?;
//! assert_eq!((status.state, status.priority), (TaskState::Completed, TaskPriority::Medium));
//! assert_eq!(Monitor::of(&status).status, MonitorState::Succeeded);
//! # Ok::<(), models::ContractError>(())
//! ```

mod batch;
mod callback;
mod drain;
mod error;
mod event;
mod json;
mod members;
mod message;
mod monitor;
mod node;
mod note;
mod number;
mod poison;
mod problem;
mod queue;
mod request;
mod schedule;
mod schedule_view;
mod schedules;
mod sink;
mod state;
mod status;
mod task_id;
mod timestamp;

pub use batch::{BatchOutcome, BatchResponse, BulkReport, MAX_BATCH_TASKS, TaskBatch};
pub use callback::{CallbackRecord, CallbackState, MAX_CALLBACK_URI_BYTES};
pub use drain::DrainReport;
pub use error::ContractError;
pub use event::EventMessage;
pub use json::{Json, JsonError, MAX_INPUT_LEVELS, MAX_JSON_LEVELS, MAX_NUMBER_CHARS, MAX_RESULT_LEVELS};
pub use members::members;
pub use message::{MAX_MESSAGE_BYTES, MessageError, TaskMessage, fits_message};
pub use monitor::{Monitor, MonitorAttempt, MonitorCallback, MonitorError, MonitorList, MonitorState};
pub use node::text;
pub use note::DeliveryNote;
pub use poison::{EVENT_KIND, PoisonCopy, PoisonList, PoisonMessage, PoisonReport};
pub use problem::Problem;
pub use queue::{QueueDepth, QueueState};
pub use request::{
    MAX_ATTEMPTS, MAX_DELAY_SECONDS, MAX_NAME_CHARS, MAX_TIMEOUT_SECONDS, MAX_UNIQUE_KEY_CHARS,
    MAX_UNIQUE_SECONDS, Start, TaskRequest, UniqueKey,
};
pub use schedule::{MAX_SCHEDULE_NAME_CHARS, Missed, Overlap, ScheduleDefinition, is_schedule_name};
pub use schedule_view::{ScheduleList, ScheduleState, ScheduleView};
pub use schedules::{MAX_SCHEDULES, MAX_SCHEDULES_BYTES, Schedules, StoredSchedule, WakeUp};
pub use sink::{SinkEvent, SinkMessage};
pub use state::{TaskPriority, TaskState};
pub use status::{
    AttemptOutcome, AttemptRecord, DeliveryId, MAX_HISTORY_RECORDS, ResultBlob, TaskError, TaskStatus,
};
pub use task_id::TaskId;
pub use timestamp::{Timestamp, milliseconds};
