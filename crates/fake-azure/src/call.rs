//! One request, taken apart: which service and account it is for, and what it names.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, StatusCode};
use percent_encoding::percent_decode_str;

use crate::config::{Config, Service};
use crate::reply::Refusal;

/// The address a request came from, put into its extensions by the server; `sip` of a SAS is checked with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// A request for a known service.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The account, or the vault; empty when the host tells nothing.
    pub(crate) account: String,
    /// Container or queue, decoded; empty for the service itself.
    pub(crate) name: String,
    /// What follows the name, decoded: the blob's name, or `messages` and a message id.
    pub(crate) rest: Option<String>,
    /// Names and values, decoded, in the order of the request.
    pub(crate) query: Vec<(String, String)>,
    /// The path as it was sent; signatures cover it.
    pub(crate) raw_path: String,
    /// Whether it came over TLS.
    pub(crate) secure: bool,
    /// Whether it came to this machine's loopback address.
    pub(crate) loopback: bool,
    /// Scheme, host and, with path-style addresses, the account: what lists call `ServiceEndpoint`.
    pub(crate) endpoint: String,
    pub(crate) peer: Option<IpAddr>,
}

impl Call {
    /// Takes `request` apart. `listener` is the service of the port it came in on, if that is known.
    ///
    /// # Errors
    /// `400` when the path or the query is not decodable.
    pub(crate) fn parse(
        request: Request<Bytes>,
        listener: Option<Service>,
        config: &Config,
    ) -> Result<Self, Box<(Method, Refusal)>> {
        let (parts, body) = request.into_parts();
        let refuse =
            |message: &str| Box::new((parts.method.clone(), Refusal::bad_request("InvalidUri", message)));
        let authority = parts.uri.authority().cloned().or_else(|| {
            parts.headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok())
        });
        let host = authority.as_ref().map_or("", Authority::host).to_ascii_lowercase();
        let raw_path = parts.uri.path().to_owned();
        let query = decode_query(parts.uri.query().unwrap_or(""))
            .ok_or_else(|| refuse("The query of the request is not valid percent-encoded UTF-8."))?;

        let by_name = by_host_name(&host);
        let service = listener
            .or_else(|| config.endpoints.get(authority.as_ref()?.as_str()).copied())
            .or(by_name.map(|(service, _)| service))
            .unwrap_or_else(|| by_shape(&raw_path, &query, config));
        let host_style =
            by_name.filter(|(named, _)| *named == service).map(|(_, account)| account.to_owned());

        // Segments are split before decoding, so that an encoded slash stays inside a name.
        let path = raw_path.strip_prefix('/').unwrap_or(&raw_path);
        let is_storage = matches!(service, Service::Blob | Service::Queue);
        let scheme = parts.uri.scheme_str().unwrap_or("http");
        let mut endpoint = format!("{scheme}://{}/", authority.as_ref().map_or("", Authority::as_str));
        let (account, path) = match host_style {
            Some(account) => (account, path),
            None if is_storage => {
                let (account, path) = path.split_once('/').unwrap_or((path, ""));
                endpoint.push_str(account);
                (account.to_owned(), path)
            }
            None => (String::new(), path),
        };
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(Cow::into_owned)
                .map_err(|_| refuse("The path of the request is not valid percent-encoded UTF-8."))
        };
        let name = decode(name)?;
        // Azure, like Windows, makes no difference between the two slashes.
        let rest = rest.map(decode).transpose()?.map(|rest| rest.replace('\\', "/"));
        Ok(Self {
            service,
            account: decode(&account)?,
            name,
            rest,
            query,
            secure: scheme == "https",
            loopback: is_loopback(&host),
            endpoint,
            raw_path,
            peer: parts.extensions.get::<PeerAddress>().map(|peer| peer.0),
            method: parts.method,
            headers: parts.headers,
            body,
        })
    }

    /// The first value of the query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The header's value when it is text; several are joined as HTTP says.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut values =
            self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let first = values.next()?.into_owned();
        Some(values.fold(first, |joined, value| joined + "," + &value))
    }

    /// A whole number from the query, within `least..=most`.
    ///
    /// # Errors
    /// `400` when it is not a number or outside.
    pub(crate) fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.param(name) else { return Ok(None) };
        let number: i64 = value.parse().map_err(|_| Refusal::invalid_query(name, value))?;
        if number < least || number > most {
            return Err(Refusal::query_out_of_range(name, value, least, most));
        }
        Ok(Some(number))
    }

    /// Refuses a body whose length was not announced (a chunked upload is not accepted) or announced wrongly.
    ///
    /// # Errors
    /// `411` or `400`.
    pub(crate) fn check_length(&self) -> Result<(), Refusal> {
        let Some(length) = self.header("content-length") else {
            return Err(Refusal::new(
                StatusCode::LENGTH_REQUIRED,
                "MissingContentLengthHeader",
                "The Content-Length header was not specified.",
            ));
        };
        match length.parse::<usize>() {
            Ok(length) if length == self.body.len() => Ok(()),
            _ => Err(Refusal::invalid_header("Content-Length", &length)),
        }
    }

    /// The `x-ms-meta-*` headers. HTTP names have no case, so neither have these.
    ///
    /// # Errors
    /// `400 InvalidMetadata` when a name is not a C# identifier, or all together exceed 8 KiB.
    pub(crate) fn metadata(&self) -> Result<Vec<(String, String)>, Refusal> {
        let mut metadata = Vec::new();
        let mut size = 0;
        for (name, value) in &self.headers {
            let Some(name) = name.as_str().strip_prefix("x-ms-meta-") else { continue };
            let mut characters = name.chars();
            let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !starts_well || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(Refusal::bad_request(
                    "InvalidMetadata",
                    "The metadata specified is invalid. It has characters that are not permitted.",
                ));
            }
            size += name.len() + value.len();
            metadata.push((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
        if size > 8 * 1024 {
            return Err(Refusal::bad_request(
                "MetadataTooLarge",
                "The metadata specified exceeds the maximum permissible limit (8KB).",
            ));
        }
        metadata.sort();
        Ok(metadata)
    }
}

/// Decodes `a=b&c=d`. A parameter without a value has the empty one.
fn decode_query(query: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// The service and account that a host name of Azure names, in any cloud.
fn by_host_name(host: &str) -> Option<(Service, &str)> {
    let (account, suffix) = host.split_once('.')?;
    let service = match suffix.split_once('.')?.0 {
        "blob" => Service::Blob,
        "queue" => Service::Queue,
        "vault" => Service::Vault,
        _ => return None,
    };
    Some((service, account))
}

/// A guess for one port that serves everything.
fn by_shape(path: &str, query: &[(String, String)], config: &Config) -> Service {
    let has = |name: &str| query.iter().any(|(n, _)| n == name);
    if path == config.identity_path {
        return Service::Identity;
    }
    if path.starts_with("/secrets/") {
        return Service::Vault;
    }
    let mut segments = path.split('/').skip(2);
    let (name, rest) = (segments.next().unwrap_or(""), segments.next());
    let is_queue = match rest {
        Some(rest) => rest == "messages",
        None => !name.is_empty() && !has("restype"),
    };
    if is_queue { Service::Queue } else { Service::Blob }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
