//! Values of options.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::Uri;
use lexopt::{Parser, ValueExt as _};

use super::UsageError;

pub(super) fn health_of(drain_url: &Uri) -> Result<Uri, UsageError> {
    let mut parts = drain_url.clone().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/.well-known/spin/health"));
    Uri::from_parts(parts).map_err(|_| UsageError::new("--drain-url is not an http:// URL"))
}

/// Where a host that was started so answers whether it is healthy: at its own `--listen`, or Spin's default.
pub(super) fn health_of_host(command: &[OsString]) -> Uri {
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
    let text = format!("http://{listen}/.well-known/spin/health");
    text.parse().unwrap_or_else(|_| Uri::from_static("http://127.0.0.1:3000/.well-known/spin/health"))
}

fn text(parser: &mut Parser, option: &str) -> Result<String, UsageError> {
    let value = parser.value()?;
    value.string().map_err(|_| UsageError::new(format!("{option}: the value is not text")))
}

pub(super) fn seconds(
    parser: &mut Parser,
    option: &str,
    least: f64,
    most: f64,
) -> Result<Duration, UsageError> {
    let text = text(parser, option)?;
    match text.parse::<f64>() {
        Ok(number) if number >= least && number <= most => Ok(Duration::from_secs_f64(number)),
        _ => Err(UsageError::new(format!(
            "{option}: {text:?} is not a number of seconds from {least} to {most}"
        ))),
    }
}

pub(super) fn parallel(parser: &mut Parser) -> Result<usize, UsageError> {
    let text = text(parser, "--parallel")?;
    match text.parse::<usize>() {
        Ok(number) if (1..=64).contains(&number) => Ok(number),
        _ => Err(UsageError::new(format!("--parallel: {text:?} is not a whole number from 1 to 64"))),
    }
}

pub(super) fn address(parser: &mut Parser) -> Result<SocketAddr, UsageError> {
    let text = text(parser, "--metrics-listen")?;
    text.parse().map_err(|_| {
        UsageError::new(format!("--metrics-listen: {text:?} is not address:port, such as 127.0.0.1:9464"))
    })
}

pub(super) fn url(parser: &mut Parser, option: &str) -> Result<Uri, UsageError> {
    let text = text(parser, option)?;
    let refused = || {
        UsageError::new(format!(
            "{option}: {text:?} is not an http:// URL with a host (the drain token must not leave this machine \
             or pod, so no other scheme is needed)"
        ))
    };
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let usable = uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
    if usable { Ok(uri) } else { Err(refused()) }
}
