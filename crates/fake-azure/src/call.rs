//! One request, taken apart.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, StatusCode};

use crate::config::Config;
use crate::response::ServiceError;
use crate::service::Service;
use crate::target::{Target, by_host_name, decode_query};

/// The address a request came from, put into its extensions by the server; `sip` of a SAS is checked with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// A request for a known service.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
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
    ) -> Result<Self, Box<(Method, ServiceError)>> {
        let (parts, body) = request.into_parts();
        let authority = parts.uri.authority().cloned().or_else(|| {
            parts.headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok())
        });
        let host = authority.as_ref().map_or("", Authority::host).to_ascii_lowercase();
        let raw_path = parts.uri.path().to_owned();
        let target = decode_query(parts.uri.query().unwrap_or("")).and_then(|query| {
            let service = listener
                .or_else(|| config.endpoints.get(authority.as_ref()?.as_str()).copied())
                .or_else(|| by_host_name(&host).map(|(service, _)| service))
                .unwrap_or_else(|| by_shape(&raw_path, &query, config));
            Target::new(service, &host, &raw_path, query)
        });
        let Ok(target) = target else {
            let message = "The address of the request is not valid percent-encoded UTF-8.";
            return Err(Box::new((parts.method, ServiceError::bad_request("InvalidUri", message))));
        };
        let scheme = parts.uri.scheme_str().unwrap_or("http");
        let mut endpoint = format!("{scheme}://{}/", authority.as_ref().map_or("", Authority::as_str));
        if target.is_path_style(&host) {
            endpoint.push_str(raw_path.split('/').nth(1).unwrap_or(""));
        }
        Ok(Self {
            secure: scheme == "https",
            loopback: is_loopback(&host),
            peer: parts.extensions.get::<PeerAddress>().map(|peer| peer.0),
            method: parts.method,
            headers: parts.headers,
            target,
            raw_path,
            endpoint,
            body,
        })
    }

    /// The first value of the query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.target.param(name)
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
    pub(crate) fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, ServiceError> {
        let Some(value) = self.param(name) else { return Ok(None) };
        let number: i64 = value.parse().map_err(|_| ServiceError::invalid_query(name, value))?;
        if number < least || number > most {
            return Err(ServiceError::query_out_of_range(name, value, least, most));
        }
        Ok(Some(number))
    }

    /// Refuses a body whose length was not announced (a chunked upload is not accepted) or announced wrongly.
    ///
    /// # Errors
    /// `411` or `400`.
    pub(crate) fn check_length(&self) -> Result<(), ServiceError> {
        let Some(length) = self.header("content-length") else {
            return Err(ServiceError::new(
                StatusCode::LENGTH_REQUIRED,
                "MissingContentLengthHeader",
                "The Content-Length header was not specified.",
            ));
        };
        match length.parse::<usize>() {
            Ok(length) if length == self.body.len() => Ok(()),
            _ => Err(ServiceError::invalid_header("Content-Length", &length)),
        }
    }

    /// The `x-ms-meta-*` headers. HTTP names have no case, so neither have these.
    ///
    /// # Errors
    /// `400 InvalidMetadata` when a name is not a C# identifier, or all together exceed 8 KiB.
    pub(crate) fn metadata(&self) -> Result<Vec<(String, String)>, ServiceError> {
        let mut metadata = Vec::new();
        let mut size = 0;
        for (name, value) in &self.headers {
            let Some(name) = name.as_str().strip_prefix("x-ms-meta-") else { continue };
            let mut characters = name.chars();
            let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !starts_well || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(ServiceError::bad_request(
                    "InvalidMetadata",
                    "The metadata specified is invalid. It has characters that are not permitted.",
                ));
            }
            size += name.len() + value.len();
            metadata.push((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
        if size > 8 * 1024 {
            return Err(ServiceError::bad_request(
                "MetadataTooLarge",
                "The metadata specified exceeds the maximum permissible limit (8KB).",
            ));
        }
        metadata.sort();
        Ok(metadata)
    }
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
