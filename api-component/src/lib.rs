//! The API component: accepts tasks with 202 and answers for them. Everything it does is in `service::api`.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;
// Linked for its `inter-task-wakeup` feature alone; see the workspace's Cargo.toml.
use wit_bindgen as _;

mod pages;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    guest::api(request, pages::assets).await
}
