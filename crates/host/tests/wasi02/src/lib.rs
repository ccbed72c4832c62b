//! Responds with the number of requests that the instance has had, and the path.
#![cfg(target_family = "wasm")]

use std::cell::Cell;
use std::io::Write as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Component;

wasip2::http::proxy::export!(Component);

thread_local! {
    static REQUESTS: Cell<u32> = const { Cell::new(0) };
}

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        REQUESTS.set(REQUESTS.get() + 1);
        let text = format!("{} {}", REQUESTS.get(), request.path_with_query().unwrap_or_default());
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        if let Ok(body) = body {
            if let Ok(mut stream) = body.write() {
                // An error means that the client has disconnected.
                let _ = stream.write_all(text.as_bytes());
            }
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
