//! Addresses on this machine.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result, bail};

/// A loopback address whose port is free at this moment.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    listener.local_addr().context("there is no free port")
}

/// Checks that a server can listen there.
///
/// # Errors
/// A sentence when it cannot.
pub(super) fn require_free(listen: SocketAddr) -> Result<()> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "{listen} is in use: stop what listens there (another `up`?), or choose another address with --listen \
             ADDRESS:PORT"
        ),
        Err(error) => {
            bail!("cannot listen on {listen}: {error}; choose another address with --listen ADDRESS:PORT")
        }
    }
}

/// How to reach a server on this machine that listens on `listen`.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_in_use_is_refused_with_the_option_that_takes_another() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let sentence = require_free(address).unwrap_err().to_string();
        assert!(sentence.starts_with(&format!("{address} is in use")), "{sentence}");
        assert!(sentence.contains("--listen ADDRESS:PORT"), "{sentence}");
        drop(taken);
        require_free(address).unwrap();
        // Reserved for documentation: no interface has it.
        let sentence = require_free("192.0.2.1:3000".parse().unwrap()).unwrap_err().to_string();
        assert!(sentence.starts_with("cannot listen on 192.0.2.1:3000"), "{sentence}");
    }

    #[test]
    fn unspecified_address_is_reached_on_loopback() {
        for (listen, reached) in
            [("0.0.0.0:3000", "127.0.0.1:3000"), ("[::]:3000", "[::1]:3000"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
