//! Requests to an instance: they get an absolute URI and the headers that Spin adds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use crate::outbound::chained_component;
use crate::route::Matched;

/// The address of the client, in the extensions of a request. Without it the address is `0.0.0.0:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

const UNKNOWN_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Gives the request an absolute URI. A `Host` header that names a component of the application
/// (`*.spin.internal`) is removed when it comes from outside.
///
/// # Errors
/// When the host is missing, unreadable or contradictory.
pub(crate) fn make_absolute<B>(request: &mut Request<B>, from_outside: bool) -> Result<(), &'static str> {
    if from_outside
        && let Some(host) = request.headers().get(HOST).and_then(|host| host.to_str().ok())
        && chained_component(host.split(':').next().unwrap_or_default()).is_some()
    {
        request.headers_mut().remove(HOST);
    }
    if from_outside {
        // About the connection to the host, not about the request.
        request.headers_mut().remove(CONNECTION);
    }
    let in_header = match request.headers().get(HOST) {
        None => None,
        Some(host) => {
            let host = host.to_str().map_err(|_| "the Host header is not text")?;
            Some(host.parse::<Authority>().map_err(|_| "the Host header names no host")?)
        }
    };
    let mut parts = request.uri().clone().into_parts();
    let authority = match (in_header, parts.authority.take()) {
        (Some(header), Some(uri)) if header != uri => return Err("the Host header and the URI differ"),
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return Err("the Host header is missing"),
    };
    parts.scheme.get_or_insert(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| "the URI is unusable")?;
    Ok(())
}

/// Adds the headers that Spin adds, over any of the same name. The URI must be absolute.
pub(crate) fn add_spin_headers<B>(request: &mut Request<B>, matched: &Matched) {
    let client = request.extensions().get::<ClientAddress>().map_or(UNKNOWN_CLIENT, |client| client.0);
    let full_url = request.uri().to_string();
    let headers = request.headers_mut();
    let without_end = matched.raw_route.strip_suffix("/...").unwrap_or(&matched.raw_route);
    let based = matched.raw_route.strip_suffix('/').unwrap_or(&matched.raw_route);
    for (name, value) in [
        ("spin-path-info", matched.path_info.as_str()),
        ("spin-full-url", full_url.as_str()),
        ("spin-matched-route", based),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", matched.raw_route.as_str()),
        ("spin-component-route", without_end),
        ("spin-client-addr", client.to_string().as_str()),
    ] {
        set(headers, name, value);
    }
    for (name, value) in &matched.parameters {
        set(headers, &format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-")), value);
    }
}

/// Paths and routes are printable by the time they get here; what is no header after all is left out.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Route, Router};

    fn seen(route: &str, host: &str, target: &str) -> Request<()> {
        let mut request =
            Request::get(target).header(HOST, host).header("spin-path-info", "forged").body(()).unwrap();
        request.extensions_mut().insert(ClientAddress("10.0.0.1:7".parse().unwrap()));
        let router = Router::new(vec![(Route::parse(route).unwrap(), "c".to_owned())]).unwrap();
        let matched = router.find(request.uri().path()).unwrap();
        make_absolute(&mut request, true).unwrap();
        add_spin_headers(&mut request, &matched);
        request
    }

    #[test]
    fn component_gets_the_headers_that_spin_adds() {
        let request = seen("/foo/:userId/...", "example.org:80", "/foo/42/bar?a=b");
        for (name, value) in [
            ("spin-full-url", "http://example.org:80/foo/42/bar?a=b"),
            ("spin-path-info", "/bar"),
            ("spin-path-match-userid", "42"),
            ("spin-matched-route", "/foo/:userId/..."),
            ("spin-raw-component-route", "/foo/:userId/..."),
            ("spin-component-route", "/foo/:userId"),
            ("spin-base-path", "/"),
            ("spin-client-addr", "10.0.0.1:7"),
        ] {
            assert_eq!(request.headers()[name], value, "{name}");
        }
    }

    #[test]
    fn exact_route_has_no_path_info() {
        let request = seen("/drain", "a", "/drain");
        assert_eq!(request.headers()["spin-path-info"], "");
        assert_eq!(request.headers()["spin-component-route"], "/drain");
    }

    #[test]
    fn request_without_a_clear_host_is_refused() {
        let mut none = Request::get("/").body(()).unwrap();
        make_absolute(&mut none, true).unwrap_err();
        let mut two = Request::get("http://a/").header(HOST, "b").body(()).unwrap();
        make_absolute(&mut two, true).unwrap_err();
    }

    #[test]
    fn host_header_from_outside_names_no_component() {
        let mut request = Request::get("http://a/").header(HOST, "worker.spin.internal").body(()).unwrap();
        make_absolute(&mut request, true).unwrap();
        assert_eq!(request.uri().host(), Some("a"));
    }
}
