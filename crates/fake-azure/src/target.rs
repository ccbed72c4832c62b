//! What a request names: the service, the account, and what belongs to it.

use std::borrow::Cow;
use std::str::Utf8Error;

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::service::Service;

/// What a request names, decoded from its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub service: Service,
    /// The account, or the vault; empty if the host does not name it.
    pub account: String,
    /// Container or queue; empty for the service itself.
    pub name: String,
    /// What follows the name: the blob's name, or `messages` and a message id.
    pub rest: Option<String>,
    /// Names and values in the order of the request.
    pub query: Vec<(String, String)>,
}

impl Target {
    /// What `uri` names at `service`.
    ///
    /// # Errors
    /// When its path or query is not percent-encoded UTF-8.
    pub fn of(service: Service, uri: &Uri) -> Result<Self, Utf8Error> {
        let query = decode_query(uri.query().unwrap_or(""))?;
        Self::new(service, uri.host().unwrap_or(""), uri.path(), query)
    }

    /// The same from the parts of a URI: the host in lower case, the path as it was sent, the query decoded.
    pub(crate) fn new(
        service: Service,
        host: &str,
        path: &str,
        query: Vec<(String, String)>,
    ) -> Result<Self, Utf8Error> {
        // Segments are split before decoding, so that an encoded slash stays inside a name.
        let path = path.strip_prefix('/').unwrap_or(path);
        let (account, path) = match by_host_name(host) {
            Some((named, account)) if named == service => (account, path),
            _ if is_storage(service) => path.split_once('/').unwrap_or((path, "")),
            _ => ("", path),
        };
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8().map(Cow::into_owned);
        Ok(Self {
            service,
            account: decode(account)?,
            name: decode(name)?,
            // Azure, like Windows, makes no difference between the two slashes.
            rest: rest.map(decode).transpose()?.map(|rest| rest.replace('\\', "/")),
            query,
        })
    }

    /// Whether the first segment of the path is the account.
    pub(crate) fn is_path_style(&self, host: &str) -> bool {
        is_storage(self.service) && by_host_name(host).is_none_or(|(named, _)| named != self.service)
    }

    /// The first value of the query parameter; its name has no case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn is_storage(service: Service) -> bool {
    matches!(service, Service::Blob | Service::Queue)
}

/// Decodes `a=b&c=d`. A parameter without a value has the empty one.
pub(crate) fn decode_query(query: &str) -> Result<Vec<(String, String)>, Utf8Error> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(Cow::into_owned)
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The service and account that a host name of Azure names, in any cloud.
pub(crate) fn by_host_name(host: &str) -> Option<(Service, &str)> {
    let (account, suffix) = host.split_once('.')?;
    let service = match suffix.split_once('.')?.0 {
        "blob" => Service::Blob,
        "queue" => Service::Queue,
        "vault" => Service::Vault,
        _ => return None,
    };
    Some((service, account))
}
