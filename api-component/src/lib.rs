//! The API component: the crate `api` in the environment of the crate `guest`.

use std::cell::OnceCell;
use std::rc::Rc;

use api::Api;
use guest::WasiEnv;
use service::settings::{ApiSettings, Role};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

mod pages;

thread_local! {
    static API: OnceCell<Rc<Api>> = const { OnceCell::new() };
}

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let api = guest::shared(&API, Role::Api, |variables| {
        let settings =
            variables.and_then(|values| ApiSettings::from_variables(&|name| values.get(name).cloned()));
        Api::new(Rc::new(WasiEnv), settings, pages::assets())
    })
    .await;
    guest::respond(request, async |request| api.handle(request).await).await
}
