//! Signing requests, for tests that write to storage what no client would.

use bytes::Bytes;
use http::{HeaderValue, Request};
use time::OffsetDateTime;

use crate::access;
use crate::call::Call;
use crate::dates::http_date;
use crate::fake::{FakeAzure, VERSION};

impl FakeAzure {
    /// Signs `request` (Shared Key) with the first key of its account, as of `now`: sets `x-ms-date`, `x-ms-version`,
    /// `Content-Length` and `Authorization`. A request to an account without keys is not signed.
    pub fn sign(&self, request: &mut Request<Bytes>, now: OffsetDateTime) {
        let length = request.body().len().to_string();
        for (name, value) in
            [("x-ms-date", http_date(now).as_str()), ("x-ms-version", VERSION), ("content-length", &length)]
        {
            set(request, name, value);
        }
        let Ok(call) = Call::parse(request.clone(), None, &self.config) else { return };
        if let Some(key) = self.keys.get(&call.target.account).and_then(|keys| keys.first()) {
            set(request, "authorization", &access::authorization(&call, key));
        }
    }
}

fn set(request: &mut Request<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}
