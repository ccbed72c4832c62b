//! Shared access signatures: account SAS, service SAS, user delegation SAS.
//! <https://learn.microsoft.com/rest/api/storageservices/delegate-access-with-shared-access-signature>

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;

use super::{Caller, Credentials, Key, failed};
use crate::call::Call;
use crate::dates::parse_iso;
use crate::response::ServiceError;
use crate::service::Service;

/// Authenticates a request with `sig` in its query.
///
/// # Errors
/// `403` with the code that Azure gives for what is wrong.
pub(super) fn authenticate(
    call: &Call,
    credentials: &Credentials<'_>,
    now: OffsetDateTime,
) -> Result<Caller, ServiceError> {
    let get = |name: &str| call.param(name).unwrap_or_default();
    let version = get("sv");
    if version.len() != 10 || version < "2015-04-05" {
        return Err(failed("The sv parameter of the SAS is missing or older than 2015-04-05."));
    }
    let caller = if call.param("ss").is_some() {
        account_sas(call, credentials.keys)?
    } else if call.target.service == Service::Queue {
        queue_sas(call, credentials.keys)?
    } else {
        blob_sas(call, credentials, now)?
    };
    // The signature is right: only now is the rest worth a response.
    check_time(get("st"), get("se"), now)?;
    check_protocol(get("spr"), call.secure)?;
    check_address(get("sip"), call.peer)?;
    Ok(caller)
}

fn account_sas(call: &Call, keys: &[Key]) -> Result<Caller, ServiceError> {
    let get = |name: &str| call.param(name).unwrap_or_default();
    let mut lines = vec![call.target.account.as_str()];
    lines.extend(["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(get));
    if get("sv") >= "2020-12-06" {
        lines.push(get("ses"));
    }
    verify(keys, &(lines.join("\n") + "\n"), get("sig"))?;
    let letter = if call.target.service == Service::Queue { 'q' } else { 'b' };
    if !get("ss").contains(letter) {
        return Err(ServiceError::forbidden(
            "AuthorizationServiceMismatch",
            "This request is not authorized to perform this operation using this service.",
        ));
    }
    Ok(Caller::AccountSas { permissions: get("sp").to_owned(), resource_types: get("srt").to_owned() })
}

fn queue_sas(call: &Call, keys: &[Key]) -> Result<Caller, ServiceError> {
    let get = |name: &str| call.param(name).unwrap_or_default();
    let resource = format!("/queue/{}/{}", call.target.account, call.target.name);
    refuse_policy(get("si"))?;
    let lines =
        [get("sp"), get("st"), get("se"), &resource, get("si"), get("sip"), get("spr"), get("sv")].join("\n");
    verify(keys, &lines, get("sig"))?;
    Ok(Caller::Sas { permissions: get("sp").to_owned(), object_id: None, whole_container: true })
}

/// A service SAS, or with `skoid` a user delegation SAS. The layout of the signed text depends on `sv`.
fn blob_sas(call: &Call, credentials: &Credentials<'_>, now: OffsetDateTime) -> Result<Caller, ServiceError> {
    let get = |name: &str| call.param(name).unwrap_or_default();
    let version = get("sv");
    let whole_container = match get("sr") {
        "b" => false,
        "c" => true,
        other => return Err(failed(format!("sr={other} is not supported; b and c are."))),
    };
    let mut resource = format!("/blob/{}/{}", call.target.account, call.target.name);
    if !whole_container {
        resource.push('/');
        resource.push_str(call.target.rest.as_deref().unwrap_or_default());
    }
    let delegated = call.param("skoid").is_some();
    let mut lines = vec![get("sp"), get("st"), get("se"), &resource];
    if delegated {
        lines.extend(["skoid", "sktid", "skt", "ske", "sks", "skv"].map(get));
        if version >= "2020-02-10" {
            lines.extend(["saoid", "suoid", "scid"].map(get));
        }
        if version >= "2025-07-05" {
            lines.extend(["skdutid", "sduoid"].map(get));
        }
    } else {
        refuse_policy(get("si"))?;
        lines.push(get("si"));
    }
    lines.extend(["sip", "spr", "sv"].map(get));
    if version >= "2018-11-09" {
        lines.extend(["sr", "snapshot"].map(get));
    }
    if version >= "2020-12-06" {
        lines.push(get("ses"));
    }
    if delegated && version >= "2026-04-06" {
        lines.extend(["srh", "srq"].map(get));
    }
    lines.extend(["rscc", "rscd", "rsce", "rscl", "rsct"].map(get));
    let text = lines.join("\n");
    if !delegated {
        verify(credentials.keys, &text, get("sig"))?;
        return Ok(Caller::Sas { permissions: get("sp").to_owned(), object_id: None, whole_container });
    }
    if version < "2018-11-09" {
        return Err(failed("A user delegation SAS needs sv 2018-11-09 or newer."));
    }
    let issuer = credentials.issuer;
    let value = issuer.delegation_key(get("skoid"), get("skt"), get("ske"), get("sks"), get("skv"));
    let key = STANDARD.decode(value).ok().and_then(|bytes| Key::new(&bytes));
    if get("sktid") != issuer.tenant_id() {
        return Err(failed("sktid names another directory."));
    }
    verify(key.as_slice(), &text, get("sig"))?;
    check_time(get("skt"), get("ske"), now)?;
    if get("sks") != "b" {
        return Err(failed("sks must be b."));
    }
    Ok(Caller::Sas {
        permissions: get("sp").to_owned(),
        object_id: Some(get("skoid").to_owned()),
        whole_container,
    })
}

fn verify(keys: &[Key], text: &str, signature: &str) -> Result<(), ServiceError> {
    if keys.iter().any(|key| key.verify(text, signature)) {
        return Ok(());
    }
    Err(failed(format!("Signature did not match. String to sign used was {text}")))
}

/// Stored access policies are not emulated: one that is named does not exist.
fn refuse_policy(policy: &str) -> Result<(), ServiceError> {
    if policy.is_empty() { Ok(()) } else { Err(failed("The access policy that si names does not exist.")) }
}

fn check_time(start: &str, expiry: &str, now: OffsetDateTime) -> Result<(), ServiceError> {
    let malformed = |name: &str| failed(format!("The {name} time of the SAS is missing or malformed."));
    if !start.is_empty() && now < parse_iso(start).ok_or_else(|| malformed("start"))? {
        return Err(failed(format!("Signature not valid in the specified time frame: Start [{start}]")));
    }
    if now >= parse_iso(expiry).ok_or_else(|| malformed("expiry"))? {
        return Err(failed(format!("Signature not valid in the specified time frame: Expiry [{expiry}]")));
    }
    Ok(())
}

fn check_protocol(protocol: &str, secure: bool) -> Result<(), ServiceError> {
    match protocol {
        "" | "https,http" => Ok(()),
        "https" if secure => Ok(()),
        "https" => Err(ServiceError::forbidden(
            "AuthorizationProtocolMismatch",
            "This request is not authorized to perform this operation using this protocol.",
        )),
        other => Err(failed(format!("spr={other} is not valid."))),
    }
}

/// `sip` is an address or an inclusive range of addresses.
fn check_address(range: &str, peer: Option<IpAddr>) -> Result<(), ServiceError> {
    if range.is_empty() {
        return Ok(());
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last)) = (first.parse::<Ipv4Addr>(), last.parse::<Ipv4Addr>()) else {
        return Err(failed(format!("sip={range} is not an IPv4 address or range.")));
    };
    match peer {
        Some(IpAddr::V4(peer)) if (first..=last).contains(&peer) => Ok(()),
        _ => Err(ServiceError::forbidden(
            "AuthorizationSourceIPMismatch",
            "This request is not authorized to perform this operation using this source IP.",
        )),
    }
}
