//! Schemas: those of `models`, and the request body, whose parser is written by hand and hence its schema as well.

use std::ops::RangeInclusive;

use models::{
    AttemptOutcome, BatchOutcome, BatchResponse, BulkReport, CallbackState, MAX_ATTEMPTS, MAX_BATCH_TASKS,
    MAX_CALLBACK_URI_BYTES, MAX_DELAY_SECONDS, MAX_NAME_CHARS, MAX_TIMEOUT_SECONDS, MAX_UNIQUE_KEY_CHARS,
    MAX_UNIQUE_SECONDS, Missed, Monitor, MonitorAttempt, MonitorCallback, MonitorError, MonitorList,
    MonitorState, Overlap, PoisonList, PoisonMessage, PoisonReport, Problem, QueueDepth, QueueState,
    ScheduleList, ScheduleState, ScheduleView,
};
use serde_json::json;
use utoipa::Number;
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Object, Ref, Schema};

/// Adds every schema and the security schemes.
pub(crate) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let key = ApiKeyValue::with_description("api-key", "A key whose SHA-256 digest is configured.");
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The same key as a bearer token."))
        .build();
    components
        .schema_from::<AttemptOutcome>()
        .schema_from::<BatchOutcome>()
        .schema_from::<BatchResponse>()
        .schema_from::<BulkReport>()
        .schema_from::<Monitor>()
        .schema_from::<MonitorAttempt>()
        .schema_from::<CallbackState>()
        .schema_from::<MonitorCallback>()
        .schema_from::<MonitorError>()
        .schema_from::<MonitorList>()
        .schema_from::<MonitorState>()
        .schema_from::<PoisonList>()
        .schema_from::<PoisonMessage>()
        .schema_from::<PoisonReport>()
        .schema_from::<Problem>()
        .schema_from::<QueueDepth>()
        .schema_from::<QueueState>()
        .schema_from::<Missed>()
        .schema_from::<Overlap>()
        .schema_from::<ScheduleList>()
        .schema_from::<ScheduleState>()
        .schema_from::<ScheduleView>()
        .schema("ScheduleRequest", schedule_request())
        .schema("TaskBatch", task_batch())
        .schema("TaskEvent", task_event())
        .schema("TaskRequest", task_request())
        .schema("TaskPriority", choice("Default: Medium.", &["Low", "Medium", "High"]))
        .security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(key)))
        .security_scheme("bearer", SecurityScheme::Http(bearer))
}

/// A plain type.
pub(crate) fn plain(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(kind))
}

/// A date and time.
pub(crate) fn date_time() -> ObjectBuilder {
    plain(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A task id.
pub(crate) fn guid() -> ObjectBuilder {
    plain(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())))
}

/// An enum that is read as its integer or as its name.
fn choice(description: &str, names: &[&str]) -> Schema {
    let numbers = 0..names.len();
    AnyOfBuilder::new()
        .description(Some(description))
        .item(plain(Type::Integer).enum_values(Some(numbers)))
        .item(plain(Type::String).enum_values(Some(names.iter().copied())))
        .build()
        .into()
}

/// A text whose number of characters is in `chars`.
fn text(chars: RangeInclusive<usize>, description: &str) -> ObjectBuilder {
    plain(Type::String)
        .min_length(Some(*chars.start()))
        .max_length(Some(*chars.end()))
        .description(Some(description))
}

/// A whole number in `range`.
fn whole<N: Into<Number>>(range: RangeInclusive<N>, description: &str) -> ObjectBuilder {
    let (min, max) = range.into_inner();
    plain(Type::Integer).minimum(Some(min)).maximum(Some(max)).description(Some(description))
}

fn task_request() -> Object {
    let states = ["Pending", "InProgress", "Completed", "Failed", "Cancelled"];
    let uri = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    // Without `default`: generated clients require such members, or send the value.
    plain(Type::Object)
        .description(Some(
            "Names are case-insensitive; unknown members are ignored. Omitted members get their defaults; `null` is \
             refused, except for `Input` and `returnUri`.",
        ))
        .property(
            "TaskId",
            guid().description(Some("Id of the task; generated if omitted.")),
        )
        .property(
            "TaskName",
            text(1..=MAX_NAME_CHARS, "Selects the handler; `task` if omitted."),
        )
        .property(
            "TaskDescription",
            plain(Type::String).description(Some("Description for people; empty if omitted.")),
        )
        .property("Priority", Ref::from_schema_name("TaskPriority"))
        .property("Input", any().description(Some("Any JSON value for the handler.")))
        .property(
            "DelaySeconds",
            whole(0..=MAX_DELAY_SECONDS, "Delay of the start in seconds; 0 if omitted."),
        )
        .property(
            "NotBefore",
            date_time().description(Some(
                "Earliest start, at most seven days ahead. Not together with `DelaySeconds`.",
            )),
        )
        .property(
            "ExpiresAt",
            date_time().description(Some(
                "The task is canceled unless an attempt has started by this time. Later than `NotBefore`.",
            )),
        )
        .property(
            "TimeoutSeconds",
            whole(1..=MAX_TIMEOUT_SECONDS, "Time limit of an attempt; the operator's limit is not exceeded."),
        )
        .property(
            "MaxAttempts",
            whole(1..=MAX_ATTEMPTS, "Maximum number of attempts; the operator's limit is not exceeded."),
        )
        .property(
            "CallbackUri",
            text(
                1..=MAX_CALLBACK_URI_BYTES,
                "Absolute http(s) address that is called when the task has ended, of a host that the operator allows.",
            ),
        )
        .property(
            "UniqueKey",
            text(
                1..=MAX_UNIQUE_KEY_CHARS,
                "Of the tasks with this key, one at most waits or runs; a further submission gets that task. Not together \
                 with `TaskId`.",
            ),
        )
        .property(
            "UniqueSeconds",
            whole(
                0..=MAX_UNIQUE_SECONDS,
                "Seconds after the acceptance in which an ended task keeps its key; 0 if omitted. Only with `UniqueKey`.",
            ),
        )
        .property("Status", choice("Validated, then ignored: a new task is Pending.", &states))
        .property("returnUri", uri.description(Some("Validated, then ignored: the service determines the address.")))
        .examples([json!({
            "TaskName": "simulate",
            "TaskDescription": "Month-end report",
            "Priority": "High",
            "Input": { "month": "2026-10" },
        })])
        .build()
}

fn schedule_request() -> Object {
    plain(Type::Object)
        .description(Some(
            "Names are case-insensitive; unknown members are ignored. Either `Cron` or `Interval` is given.",
        ))
        .property(
            "Cron",
            plain(Type::String).description(Some(
                "When it is due: minute, hour, day of the month, month and weekday, or `@hourly`, `@daily`, `@weekly`, `@monthly`, \
                 `@yearly`.",
            )),
        )
        .property(
            "TimeZone",
            plain(Type::String)
                .description(Some("Time zone of `Cron` by its name in the IANA database; UTC if omitted.")),
        )
        .property(
            "Interval",
            plain(Type::String)
                .description(Some("When it is due: an ISO 8601 duration from 10 seconds to 366 days.")),
        )
        .property(
            "StartsAt",
            date_time().description(Some("First possible firing; an interval counts from it. Now if omitted.")),
        )
        .property("EndsAt", date_time().description(Some("No firing takes place after this time.")))
        .property("Missed", Ref::from_schema_name("Missed"))
        .property("Overlap", Ref::from_schema_name("Overlap"))
        .property("Task", Ref::from_schema_name("TaskRequest"))
        .required("Task")
        .examples([json!({
            "Cron": "0 6 * * 1-5",
            "TimeZone": "Europe/Berlin",
            "Task": { "TaskName": "simulate", "TaskDescription": "Every working day at six" },
        })])
        .build()
}

/// The body of a batch. A bare array is accepted as well; one form is enough for clients that are generated from this
/// document.
fn task_batch() -> Object {
    let tasks = ArrayBuilder::new()
        .items(Ref::from_schema_name("TaskRequest"))
        .min_items(Some(1))
        .max_items(Some(MAX_BATCH_TASKS))
        .description(Some("The tasks. An invalid one does not affect the others."));
    plain(Type::Object)
        .description(Some("Up to 100 tasks. A bare array of them is accepted as well."))
        .property("tasks", tasks)
        .required("tasks")
        .build()
}

/// One server-sent event. OpenAPI 3.1 does not describe streams; tools use the schema for each event.
fn task_event() -> Object {
    let text = |words: &str| plain(Type::String).description(Some(words));
    plain(Type::Object)
        .description(Some("Fields of one event."))
        .property("id", text("Version of the task, for `Last-Event-ID`."))
        .property(
            "event",
            text("`status`: the task has changed. `gone`: the task was deleted, and the stream ends.")
                .enum_values(Some(["status", "gone"])),
        )
        .property("data", text("JSON: the status monitor; for `gone` only its `id`."))
        .property(
            "retry",
            plain(Type::Integer)
                .description(Some("Milliseconds to wait before reconnecting; only in the first event.")),
        )
        .build()
}

/// Any JSON value. utoipa's own has the default `null`, which generators take for a value to send.
pub(crate) fn any() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}
