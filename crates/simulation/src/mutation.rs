//! Deliberate mistakes.
//!
//! Each stands for one that a developer could make in the service; the simulator must report every one of them.
//! [`tampering`](crate::tampering) makes them, between the service and storage.

use std::collections::BTreeMap;

use crate::promise::Promise;
use crate::record::Record;

/// One deliberate mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// 202 is returned although the message was not stored.
    AcceptWithoutMessage,
    /// 202 is returned although the document was not stored.
    AcceptWithoutDocument,
    /// Documents are written without `If-Match`.
    IgnoreConditions,
    /// No task that lost its message is ever found.
    NeverSweep,
    /// A cancellation is confirmed and not stored.
    ForgetCancel,
    /// The message is deleted first and the outcome written afterwards.
    DeleteBeforeWrite,
    /// The outcome is believed to be stored although it is not.
    ForgetOutcome,
    /// The message is never deleted.
    NeverDelete,
    /// The copy in the poison queue does not say why.
    PoisonWithoutReason,
    /// There is no copy in the poison queue.
    PoisonWithoutCopy,
    /// The lease is never renewed.
    NeverRenew,
    /// A second message takes over a running attempt as if clocks were equal.
    TakeOverEarly,
    /// The first pop receipt is used after it was replaced.
    KeepOldReceipt,
    /// All attempts of a task share one result blob.
    ShareResultName,
    /// The parts of a large result are stored and not joined.
    LeavePartsApart,
    /// Any content counts as the same content.
    AcceptOtherContent,
    /// The idempotency key is not used.
    IgnoreKey,
    /// Leases, pauses and deadlines are judged by the wall clock.
    JudgeByWallClock,
    /// A lost lease goes unnoticed.
    IgnoreLoss,
    /// Pop receipts are logged.
    LogReceipt,
    /// Retries do not wait.
    NeverWait,
    /// More runs at a time than is allowed.
    TooManyAtOnce,
    /// The limit of a name is not kept.
    TooManyOfName,
    /// A task is tried again without a limit.
    RetryForEver,
    /// The launcher does not know that a worker can ask for a rest.
    ForgetRest,
    /// Only the loop whose drain asked for a pause pauses.
    RestAlone,
    /// A drain receives nothing any more once its budget is over.
    StopAtBudget,
    /// Low is received before High.
    TakeLowFirst,
    /// Low counts as empty.
    NeverTakeLow,
    /// A drain receives nothing while one of its tasks runs.
    LookWhenIdle,
    /// A second message starts the next attempt before the pause is over.
    IgnoreRetryAt,
    /// A container that does not exist counts as a task that was deleted.
    ContainerIsGone,
    /// Deliveries count as attempts.
    CountDeliveries,
    /// Attempts that a stopping worker handed back count.
    CountReleased,
    /// A task whose handlers end their process is tried again without a limit.
    ForgetProcessEnds,
    /// A message that was given back looks like one that killed its worker.
    ForgetSurvival,
    /// A handler that does not do its part for now has failed the task.
    HandlerErrorIsFinal,
    /// A task of which an attempt was interrupted has failed.
    InterruptionIsFinal,
    /// The marker of a unique key is written without a condition.
    ClaimWithoutCondition,
    /// A task starts although it has expired.
    IgnoreExpiry,
    /// The number of attempts that a submission allows is not used.
    IgnoreMaxAttempts,
    /// A message of the poison queue is deleted when it is received, before its task is queued again.
    DeleteBeforeReplay,
    /// The event of a task is put after the message of the task is deleted.
    DeleteBeforeEvent,
    /// The event of a task is not put.
    ForgetEvent,
    /// An event whose receiver did not accept it counts as delivered.
    BelieveReceiver,
    /// An event is given up without a copy in the poison queue.
    GiveUpEventSilently,
    /// A receiver is called without a limit.
    CallForEver,
    /// A worker does not read that the queue is paused.
    IgnorePause,
    /// The id of a firing's task is random.
    FireUnderRandomId,
    /// The wake-up message is deleted before the schedules are written.
    DeleteBeforeSchedules,
    /// No wake-up message follows, and no drain looks for a firing without one.
    NeverWakeUp,
    /// A paused schedule fires.
    FireWhilePaused,
    /// What was missed is made up for although the schedule skips it.
    MakeUpForSkipped,
    /// The schedules are written whatever others have written since.
    OverwriteSchedules,
    /// The event of an acceptance is not put by the submission.
    ForgetAccepted,
    /// The event of an acceptance is not put by the worker that finds that it may be missing.
    ForgetOwedAccepted,
    /// A message does not say that the event of the acceptance is owed.
    LoseAcceptedNote,
    /// The event of a start is not put.
    ForgetStarted,
    /// The event of an end is put for the sink after the message of the task is deleted.
    DeleteBeforeSinkEvent,
}

impl Mutation {
    /// All of them, with the promises that each breaks: the simulator must report one of these.
    pub const ALL: [(Self, &'static [Promise]); 59] = [
        (Self::AcceptWithoutMessage, &[Promise::P1]),
        (Self::AcceptWithoutDocument, &[Promise::P1]),
        (Self::IgnoreConditions, &[Promise::P2]),
        (Self::NeverSweep, &[Promise::P2]),
        (Self::ForgetCancel, &[Promise::P2]),
        (Self::DeleteBeforeWrite, &[Promise::P3]),
        (Self::ForgetOutcome, &[Promise::P3]),
        (Self::NeverDelete, &[Promise::P3]),
        (Self::PoisonWithoutReason, &[Promise::P3]),
        (Self::PoisonWithoutCopy, &[Promise::P3]),
        (Self::NeverRenew, &[Promise::P3, Promise::P4]),
        (Self::TakeOverEarly, &[Promise::P4]),
        (Self::KeepOldReceipt, &[Promise::P4]),
        (Self::ShareResultName, &[Promise::P4]),
        (Self::LeavePartsApart, &[Promise::P4]),
        (Self::AcceptOtherContent, &[Promise::P5]),
        (Self::IgnoreKey, &[Promise::P5]),
        (
            Self::JudgeByWallClock,
            &[Promise::P2, Promise::P4, Promise::P8, Promise::P11, Promise::P12, Promise::P14],
        ),
        (Self::IgnoreLoss, &[Promise::P6]),
        (Self::LogReceipt, &[Promise::P7]),
        (Self::NeverWait, &[Promise::P8]),
        (Self::TooManyAtOnce, &[Promise::P8]),
        (Self::TooManyOfName, &[Promise::P8]),
        (Self::RetryForEver, &[Promise::P8]),
        (Self::ForgetRest, &[Promise::P11]),
        (Self::RestAlone, &[Promise::P11]),
        (Self::StopAtBudget, &[Promise::P12]),
        (Self::LookWhenIdle, &[Promise::P12]),
        (Self::TakeLowFirst, &[Promise::P14]),
        (Self::NeverTakeLow, &[Promise::P14]),
        (Self::IgnoreRetryAt, &[Promise::P8]),
        (Self::ContainerIsGone, &[Promise::P3]),
        (Self::CountDeliveries, &[Promise::P9]),
        (Self::CountReleased, &[Promise::P9]),
        (Self::ForgetProcessEnds, &[Promise::P4, Promise::P8]),
        (Self::ForgetSurvival, &[Promise::P9]),
        (Self::HandlerErrorIsFinal, &[Promise::P10]),
        (Self::InterruptionIsFinal, &[Promise::P10]),
        (Self::ClaimWithoutCondition, &[Promise::P5]),
        (Self::IgnoreExpiry, &[Promise::P8]),
        (Self::IgnoreMaxAttempts, &[Promise::P8]),
        (Self::DeleteBeforeReplay, &[Promise::P3]),
        (Self::DeleteBeforeEvent, &[Promise::P13]),
        (Self::ForgetEvent, &[Promise::P13, Promise::P17]),
        (Self::BelieveReceiver, &[Promise::P13, Promise::P17]),
        (Self::GiveUpEventSilently, &[Promise::P13, Promise::P17]),
        (Self::CallForEver, &[Promise::P8]),
        (Self::IgnorePause, &[Promise::P15]),
        (Self::FireUnderRandomId, &[Promise::P16]),
        (Self::DeleteBeforeSchedules, &[Promise::P16]),
        (Self::NeverWakeUp, &[Promise::P16]),
        (Self::FireWhilePaused, &[Promise::P16]),
        (Self::MakeUpForSkipped, &[Promise::P16]),
        (Self::OverwriteSchedules, &[Promise::P16]),
        (Self::ForgetAccepted, &[Promise::P17]),
        (Self::ForgetOwedAccepted, &[Promise::P17]),
        (Self::LoseAcceptedNote, &[Promise::P17]),
        (Self::ForgetStarted, &[Promise::P17]),
        (Self::DeleteBeforeSinkEvent, &[Promise::P17]),
    ];

    /// The mutation of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().map(|(mutation, _)| *mutation).find(|mutation| format!("{mutation:?}") == name)
    }

    /// The value that a variable of the components gets instead of `value`.
    #[must_use]
    pub fn variable(self, name: &str, value: Option<String>) -> Option<String> {
        match (self, name) {
            (Self::TooManyAtOnce, "max_concurrency") => Some("32".to_owned()),
            (Self::TooManyOfName, "task_handlers") => {
                value.map(|rules| rules.replace("max_concurrency\":", "max_concurrency\":3"))
            }
            (Self::CallForEver, "callback_max_attempts" | "event_sink_max_attempts") => {
                value.map(|_| "1000".to_owned())
            }
            (Self::RetryForEver, "max_dequeue_count") => Some("1000".to_owned()),
            _ => value,
        }
    }
}

/// What mutations have to remember of a run.
#[derive(Debug, Default)]
pub struct Memory {
    /// First and newest receipt of each message's latest delivery.
    pub(crate) receipts: BTreeMap<String, (String, String)>,
}

/// A line that must not be in the log.
#[must_use]
pub fn leak(mutation: Mutation, record: &Record) -> Option<String> {
    let receipt = record.secrets.any_receipt()?;
    (mutation == Mutation::LogReceipt).then(|| format!(r#"{{"message":"renewed","receipt":"{receipt}"}}"#))
}
