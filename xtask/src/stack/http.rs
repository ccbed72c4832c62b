//! Requests to servers on this machine.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use ureq::http;

/// A client that takes every status as a response.
pub struct Client(ureq::Agent);

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    head: http::Response<()>,
    /// The body.
    pub text: String,
}

impl Default for Client {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .max_redirects(0)
            .proxy(None)
            .build();
        Self(config.into())
    }
}

impl Client {
    /// `GET`.
    ///
    /// # Errors
    /// When there is no response.
    pub fn get(&self, url: &str) -> Result<Response> {
        Response::read(self.0.get(url).call().with_context(|| format!("GET {} failed", without_query(url)))?)
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// When there is no response.
    pub fn post(&self, url: &str, body: &Value) -> Result<Response> {
        let request =
            http::Request::post(url).header("content-type", "application/json").body(body.to_string())?;
        Response::read(self.0.run(request).with_context(|| format!("POST {} failed", without_query(url)))?)
    }
}

/// A signature in a query must not end up in an error message.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

impl Response {
    fn read(response: http::Response<ureq::Body>) -> Result<Self> {
        let (head, mut body) = response.into_parts();
        Ok(Self { head: http::Response::from_parts(head, ()), text: body.read_to_string()? })
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    /// A header's value, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.head.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON, `null` when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Status line and headers, as they were on the wire.
    pub fn shown(&self) -> String {
        let status = self.head.status();
        let mut text =
            format!("< HTTP/1.1 {} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
        for (name, value) in self.head.headers() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "< {name}: {}", value.to_str().unwrap_or("(not text)"));
        }
        text
    }
}
