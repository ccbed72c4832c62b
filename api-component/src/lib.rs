//! The API component: accepts tasks with 202 and answers for them. Everything it does is in `service::api`.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

mod pages;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    guest::api(request, pages::assets).await
}
