//! How the service is doing, and what describes it.

use service::api::problem::Kind;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{Route, STORAGE};
use crate::answers::{bare, other, with_headers};
use crate::schemas::plain;

const JSON: &str = "application/json";

fn status() -> ObjectBuilder {
    plain(Type::Object).property("status", plain(Type::String)).required("status")
}

pub(super) fn health() -> Route {
    Route::new(HttpMethod::Get, "/healthz", "getHealth", "system", "Whether the process answers")
        .answers("200", other("It does.", JSON, status()))
}

pub(super) fn ready() -> Route {
    Route::new(HttpMethod::Get, "/readyz", "getReadiness", "system", "Whether storage and credentials answer")
        .describe("Believed for a few seconds.")
        .problems(&STORAGE)
        .problems(&[Kind::DocumentUnreadable])
        .answers("200", other("They do.", JSON, status()))
}

pub(super) fn metrics() -> Route {
    Route::new(
        HttpMethod::Get,
        "/metrics",
        "getMetrics",
        "system",
        "Depths of the queues, age of the oldest message",
    )
    .describe("Prometheus text. What storage does not tell is left out.")
    .closed()
    .answers("200", other("The numbers.", "text/plain", plain(Type::String)))
}

pub(super) fn description(path: &'static str, id: &str) -> Route {
    Route::new(HttpMethod::Get, path, id, "system", "This description")
        .takes(&["IfNoneMatch"])
        .answers("200", with_headers(other("OpenAPI 3.1.", JSON, plain(Type::Object)), &["ETag"]))
        .answers("304", with_headers(bare("It still has the version of `If-None-Match`."), &["ETag"]))
}
