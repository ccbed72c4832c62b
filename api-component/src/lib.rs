//! The API component: the crate `api` in the environment of the crate `guest`.

use std::cell::OnceCell;
use std::rc::Rc;

use api::Api;
use guest::{ErrorCode, Guest, Request, Response, WasiEnv};
use service::log::Level;
use service::settings::{ApiSettings, Role};

mod pages;

thread_local! {
    static API: OnceCell<Rc<Api>> = const { OnceCell::new() };
}

struct Component;

guest::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let api = guest::shared(&API, Role::Api, |variables| {
            let settings = variables.and_then(|values| ApiSettings::from_variables(&|name| values.get(name)));
            let level = settings.as_ref().map_or(Level::Info, |settings| settings.log_level);
            Api::new(Rc::new(WasiEnv::new(level)), settings, pages::assets())
        })
        .await;
        guest::respond(request, async |request| api.handle(request).await).await
    }
}
