//! A call to storage, and the signed request for one try of it.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, Request};
use time::OffsetDateTime;

use crate::account::{Account, Credential, Endpoint};
use crate::retry::Repeat;
use crate::shared_key::{self, Parts};
use crate::{Error, ErrorKind, Part, Secret, encode, moment};

/// The version of the storage services that all calls and all SAS use (`x-ms-version`).
pub(crate) const VERSION: &str = "2023-11-03";

/// Space for most addresses, in bytes.
const TYPICAL_URI_BYTES: usize = 192;

/// A service of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Blob,
    Queue,
}

impl Service {
    pub(crate) fn endpoint(self, account: &Account) -> &Endpoint {
        match self {
            Self::Blob => &account.blob,
            Self::Queue => &account.queue,
        }
    }

    /// The service, for errors.
    pub(crate) fn part(self) -> Part {
        match self {
            Self::Blob => Part::Blob,
            Self::Queue => Part::Queue,
        }
    }

    /// The variable with its address.
    fn variable(self) -> &'static str {
        match self {
            Self::Blob => "blob_endpoint",
            Self::Queue => "queue_endpoint",
        }
    }

    /// The variable in the manifest that allows its host.
    pub(crate) fn host_variable(self) -> &'static str {
        match self {
            Self::Blob => "blob_host",
            Self::Queue => "queue_host",
        }
    }
}

/// One call, independent of account, credential and time. No `Debug`, because queries contain pop receipts and bodies
/// contain documents and messages.
pub(crate) struct Call {
    /// The operation's name in the service's documentation.
    pub(crate) operation: &'static str,
    pub(crate) service: Service,
    pub(crate) method: Method,
    /// Percent-encoded, with a leading slash, relative to the endpoint's own path.
    pub(crate) path: String,
    /// Lower-case names, each at most once, and decoded values.
    pub(crate) query: Vec<(&'static str, Cow<'static, str>)>,
    /// Lower-case names, each at most once.
    pub(crate) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) body: Bytes,
    pub(crate) repeat: Repeat,
}

impl Call {
    /// An idempotent call without query, headers and body.
    pub(crate) fn new(operation: &'static str, service: Service, method: Method, path: String) -> Self {
        Self {
            operation,
            service,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            repeat: Repeat::Idempotent,
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn xml_body(mut self, xml: String) -> Self {
        self.body = Bytes::from(xml);
        self.header("content-type", "application/xml")
    }

    pub(crate) fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// The request for one try, with the date `now` and a signature. `token` is for [`Credential::Identity`].
    pub(crate) fn request(
        &self,
        account: &Account,
        token: Option<&Secret>,
        now: OffsetDateTime,
    ) -> Result<Request<Bytes>, Error> {
        let endpoint = self.service.endpoint(account);
        let date = moment::http_date(now);
        let mut headers = Vec::with_capacity(self.headers.len() + 2);
        headers.extend(self.headers.iter().map(|(name, value)| (*name, value.as_ref())));
        headers.extend([("x-ms-date", date.as_str()), ("x-ms-version", VERSION)]);
        let mut uri = String::with_capacity(TYPICAL_URI_BYTES);
        uri.push_str(endpoint.url());
        uri.push_str(&self.path);
        let path = uri.get(endpoint.origin().len()..).unwrap_or_default();
        let authorization = match &account.credential {
            Credential::Key(key) => Some(shared_key::authorization(
                key,
                &Parts {
                    method: self.method.as_str(),
                    content_length: self.body.len(),
                    headers: &headers,
                    account: &account.name,
                    path,
                    query: &self.query,
                },
            )),
            Credential::Sas(_) => None,
            Credential::Identity if !endpoint.takes_tokens() => {
                let variable = self.service.variable();
                return Err(Error::configuration(
                    self.operation,
                    format!(
                        "{variable} must be https:// without an account key: a token may not leave the machine without TLS"
                    ),
                ));
            }
            Credential::Identity => token.map(|token| format!("Bearer {}", token.expose())),
        };
        let mut separator = '?';
        for (name, value) in &self.query {
            uri.push(separator);
            uri.push_str(name);
            uri.push('=');
            uri.push_str(&encode::value(value));
            separator = '&';
        }
        if let Credential::Sas(token) = &account.credential {
            uri.push(separator);
            uri.push_str(token.expose());
        }
        self.assemble(uri, &headers, authorization)
    }

    fn assemble(
        &self,
        uri: String,
        headers: &[(&'static str, &str)],
        authorization: Option<String>,
    ) -> Result<Request<Bytes>, Error> {
        let refused = |code: &str| {
            Error::new(self.operation, ErrorKind::Refused { status: 400, code: code.to_owned() })
        };
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .body(self.body.clone())
            .map_err(|_| refused("InvalidUri"))?;
        let map = request.headers_mut();
        *map = HeaderMap::with_capacity(headers.len() + 2);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| refused("InvalidHeaderValue"))?;
            map.insert(*name, value);
        }
        // Also for an empty body: without it the request would be sent in chunks.
        if self.method != Method::GET && self.method != Method::HEAD {
            map.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        if let Some(text) = authorization {
            let mut value = HeaderValue::try_from(text).map_err(|_| refused("InvalidAuthenticationInfo"))?;
            value.set_sensitive(true);
            map.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnectionString;
    use crate::moment::parse_iso;

    fn now() -> OffsetDateTime {
        parse_iso("2026-11-20T10:00:00Z").unwrap()
    }

    fn messages() -> Call {
        Call::new("Get Messages", Service::Queue, Method::GET, "/jobs/messages".to_owned())
            .query("numofmessages", "16")
            .query("visibilitytimeout", "60")
    }

    #[test]
    fn request_is_absolute_dated_and_signed_as_vector_a() {
        let account = ConnectionString::parse("UseDevelopmentStorage=true").unwrap().0;
        let request = messages().request(&account, None, now()).unwrap();
        assert_eq!(
            request.uri().to_string(),
            "http://127.0.0.1:10001/devstoreaccount1/jobs/messages?numofmessages=16&visibilitytimeout=60"
        );
        let header = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap());
        assert_eq!(header("x-ms-date"), Some("Fri, 20 Nov 2026 10:00:00 GMT"));
        assert_eq!(header("x-ms-version"), Some("2023-11-03"));
        assert_eq!(
            header("authorization"),
            Some("SharedKey devstoreaccount1:FJeV9af/mhO6eMdR2KSifRnh3UWpYhoxO2ebkjapOQA=")
        );
        assert_eq!(header("content-length"), None);
        assert!(!format!("{request:?}").contains("FJeV9af"), "the signature is marked as sensitive");
    }

    #[test]
    fn content_length_is_sent_for_an_empty_body() {
        let account = ConnectionString::parse("UseDevelopmentStorage=true").unwrap().0;
        let call = Call::new("Delete Message", Service::Queue, Method::DELETE, "/q/messages/1".to_owned());
        let request = call.query("popreceipt", "a+b/c=").request(&account, None, now()).unwrap();
        assert_eq!(request.headers()["content-length"], "0");
        assert_eq!(request.uri().query(), Some("popreceipt=a%2Bb%2Fc%3D"));
    }

    #[test]
    fn sas_goes_into_the_query_and_token_into_a_header() {
        let sas = ConnectionString::parse("SharedAccessSignature=sv=1&sig=a%2B;AccountName=acct").unwrap().0;
        let request = messages().request(&sas, None, now()).unwrap();
        assert_eq!(request.uri().query(), Some("numofmessages=16&visibilitytimeout=60&sv=1&sig=a%2B"));
        assert_eq!(request.headers().get("authorization"), None);

        let keyless = Account { credential: Credential::Identity, ..sas };
        let token = Secret::new("eyJ0");
        let request = messages().request(&keyless, Some(&token), now()).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer eyJ0");
        let plain = Account { queue: Endpoint::parse("x", "http://queue.example").unwrap(), ..keyless };
        let error = messages().request(&plain, Some(&token), now()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Configuration(s) if s.contains("queue_endpoint")));
    }

    #[test]
    fn unsendable_request_is_refused() {
        let account = ConnectionString::parse("UseDevelopmentStorage=true").unwrap().0;
        let error = messages().header("if-match", "a\nb").request(&account, None, now()).unwrap_err();
        assert_eq!(error.code(), Some("InvalidHeaderValue"));
        let long = Call::new("Get Blob", Service::Blob, Method::GET, format!("/{}", "a".repeat(70_000)));
        assert_eq!(long.request(&account, None, now()).unwrap_err().code(), Some("InvalidUri"));
    }
}
