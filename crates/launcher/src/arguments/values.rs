//! Values of options.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::Uri;

/// Parses a number of seconds from `min` to `max`, with decimals.
pub(super) fn seconds(
    min: f64,
    max: f64,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse::<f64>() {
        Ok(number) if number >= min && number <= max => Ok(Duration::from_secs_f64(number)),
        _ => Err(format!("it is not a number of seconds from {min} to {max}")),
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "it is not address:port, such as 127.0.0.1:9464")
}

/// Parses an address of this machine: the calls of handlers must not leave it.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address = address(text)?;
    if address.ip().is_loopback() && address.port() != 0 {
        Ok(address)
    } else {
        Err("it is not a loopback address with a port, such as 127.0.0.1:3001")
    }
}

/// Parses an absolute http:// URL. The drain token must not leave this machine or pod, so no other scheme is
/// needed.
pub(super) fn url(text: &str) -> Result<Uri, &'static str> {
    let uri = text.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
    uri.filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))
        .ok_or("it is not an http:// URL with a host, on this machine or in this pod")
}

/// The health route of Spin at `authority`.
pub(crate) fn health_at(authority: &str) -> Uri {
    // Comes from a parsed URL or address, so it parses.
    let url = format!("http://{authority}/.well-known/spin/health").parse();
    url.unwrap_or_else(|_| Uri::from_static("http://127.0.0.1:3000/.well-known/spin/health"))
}

/// Where a host that was started so can be reached: at its own `--listen`, or Spin's default.
pub(super) fn listen_address(command: &[OsString]) -> SocketAddr {
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 3000));
    let mut arguments = command.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        let value = match argument {
            "--listen" => arguments.next(),
            other => other.strip_prefix("--listen="),
        };
        listen = value.and_then(|value| value.parse().ok()).unwrap_or(listen);
    }
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}
