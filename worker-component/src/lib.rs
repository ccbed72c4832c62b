//! The worker component: one bounded drain of the task queue per request. Everything it does is in `service::worker`.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
// Linked for its `inter-task-wakeup` feature alone; see the workspace's Cargo.toml.
use wit_bindgen as _;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    guest::worker(request).await
}
