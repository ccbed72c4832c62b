//! Schemas: those of `models`, and the request body, which is read by hand and so described by hand.

use models::{
    AttemptOutcome, MAX_DELAY_SECONDS, MAX_NAME_CHARS, Monitor, MonitorAttempt, MonitorError, MonitorList,
    MonitorState, Problem,
};
use serde_json::json;
use utoipa::openapi::schema::{
    AnyOfBuilder, ComponentsBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type, empty,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Object, Ref, Schema};

/// Adds every schema and the security schemes.
pub(crate) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let key = ApiKeyValue::with_description("api-key", "A key whose SHA-256 the service knows.");
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The same key as a bearer token."))
        .build();
    components
        .schema_from::<AttemptOutcome>()
        .schema_from::<Monitor>()
        .schema_from::<MonitorAttempt>()
        .schema_from::<MonitorError>()
        .schema_from::<MonitorList>()
        .schema_from::<MonitorState>()
        .schema_from::<Problem>()
        .schema("TaskEvent", task_event())
        .schema("TaskRequest", task_request())
        .schema("TaskPriority", choice("Medium when omitted.", &["Low", "Medium", "High"]))
        .security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(key)))
        .security_scheme("bearer", SecurityScheme::Http(bearer))
}

/// A plain type.
pub(crate) fn plain(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(kind))
}

/// A moment.
pub(crate) fn moment() -> ObjectBuilder {
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

fn task_request() -> Object {
    let states = ["Pending", "InProgress", "Completed", "Failed", "Cancelled"];
    let uri = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    plain(Type::Object)
        .description(Some(
            "Names are compared without case; unknown members are ignored. What is omitted gets its default, \
             what is `null` is refused (`Input` and `returnUri` excepted).",
        ))
        .property(
            "TaskId",
            guid().description(Some("The client's own id; made by the service when omitted.")),
        )
        .property(
            "TaskName",
            plain(Type::String)
                .min_length(Some(1))
                .max_length(Some(MAX_NAME_CHARS))
                .default(Some(json!("task")))
                .description(Some("Which work to do: chooses the handler.")),
        )
        .property(
            "TaskDescription",
            plain(Type::String).default(Some(json!(""))).description(Some("Free text for people.")),
        )
        .property("Priority", Ref::from_schema_name("TaskPriority"))
        .property("Input", any("Any JSON value, given to the handler."))
        .property(
            "DelaySeconds",
            plain(Type::Integer)
                .minimum(Some(0))
                .maximum(Some(MAX_DELAY_SECONDS))
                .default(Some(json!(0)))
                .description(Some("The task does not start before so many seconds have passed.")),
        )
        .property(
            "NotBefore",
            moment().description(Some(
                "The task does not start before this moment, at most seven days away. Not together with \
                 `DelaySeconds`.",
            )),
        )
        .property("Status", choice("Checked, then ignored: a new task is Pending.", &states))
        .property("returnUri", uri.description(Some("Checked, then ignored: the service gives the address.")))
        .examples([json!({
            "TaskName": "simulate",
            "TaskDescription": "Month-end report",
            "Priority": "High",
            "Input": { "month": "2026-10" },
        })])
        .build()
}

/// One server-sent event. OpenAPI 3.1 has no words for streams; tools take the schema as that of each event.
fn task_event() -> Object {
    let text = |words: &str| plain(Type::String).description(Some(words));
    plain(Type::Object)
        .description(Some("One event of the stream, by its fields."))
        .property("id", text("Version of the document, for `Last-Event-ID`."))
        .property(
            "event",
            text("`status`: the task has changed. `gone`: it has been deleted, and the stream ends.")
                .enum_values(Some(["status", "gone"])),
        )
        .property("data", text("JSON: the status monitor; for `gone` its `id` alone."))
        .property(
            "retry",
            plain(Type::Integer)
                .description(Some("Milliseconds to wait before reconnecting; in the first event.")),
        )
        .build()
}

fn any(description: &str) -> Schema {
    match empty() {
        Schema::Object(object) => ObjectBuilder::from(object).description(Some(description)).build().into(),
        other => other,
    }
}
