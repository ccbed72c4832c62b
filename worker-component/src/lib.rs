//! The worker component: one bounded drain of the task queue per request. Everything it does is in `service::worker`.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    guest::worker(request).await
}
