//! Shared Key authorization.
//! <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use time::{Duration, OffsetDateTime};

use super::{Key, failed};
use crate::call::Call;
use crate::dates::parse_http_date;
use crate::response::ServiceError;

/// How far the date of a request may be from the service's clock.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::minutes(15);

/// Checks `value`, the `{account}:{signature}` of the header, against every key of the account.
///
/// # Errors
/// `403 AuthenticationFailed` when the date or the signature is wrong.
pub(super) fn authenticate(
    call: &Call,
    value: &str,
    keys: &[Key],
    now: OffsetDateTime,
) -> Result<(), ServiceError> {
    let Some((account, signature)) = value.split_once(':') else {
        return Err(ServiceError::bad_request(
            "InvalidAuthenticationInfo",
            "Authentication information is not given in the correct format. Check the value of Authorization header.",
        ));
    };
    if account != call.target.account {
        return Err(failed(format!("The credential is of account {account}, the request is for another.")));
    }
    let date = call.header("x-ms-date").or_else(|| call.header("date"));
    let Some(date) = date else { return Err(failed("Neither x-ms-date nor Date is given.")) };
    let Some(at) = parse_http_date(&date) else {
        return Err(failed(format!("The date '{date}' is malformed.")));
    };
    if (now - at).abs() > MAX_CLOCK_DIFFERENCE {
        return Err(failed(format!("The date header in the request is more than 15 minutes off: '{date}'.")));
    }
    let text = string_to_sign(call);
    if keys.iter().any(|key| key.verify(&text, signature)) {
        return Ok(());
    }
    Err(failed(format!(
        "The MAC signature found in the HTTP request is not the same as any computed signature. Server used \
         following string to sign: '{text}'."
    )))
}

/// The value of `Authorization` for `call`.
pub(crate) fn authorization(call: &Call, key: &Key) -> String {
    format!("SharedKey {}:{}", call.target.account, STANDARD.encode(key.sign(&string_to_sign(call))))
}

fn string_to_sign(call: &Call) -> String {
    let header = |name: &str| call.header(name).unwrap_or_default();
    let length = header("content-length");
    let length = if length == "0" { String::new() } else { length };
    // With x-ms-date the service ignores Date.
    let date = if call.headers.contains_key("x-ms-date") { String::new() } else { header("date") };
    let mut text = String::with_capacity(512);
    for line in [
        call.method.as_str(),
        &header("content-encoding"),
        &header("content-language"),
        &length,
        &header("content-md5"),
        &header("content-type"),
        &date,
        &header("if-modified-since"),
        &header("if-match"),
        &header("if-none-match"),
        &header("if-unmodified-since"),
        &header("range"),
    ] {
        text.push_str(line);
        text.push('\n');
    }
    canonicalized_headers(call, &mut text);
    canonicalized_resource(call, &mut text);
    text
}

fn canonicalized_headers(call: &Call, text: &mut String) {
    let mut names: Vec<&str> =
        call.headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-ms-")).collect();
    names.sort_unstable_by(|a, b| service_order(a, b));
    for name in names {
        let value = call.header(name).unwrap_or_default();
        text.push_str(name);
        text.push(':');
        for (i, word) in value.split_ascii_whitespace().enumerate() {
            if i > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        text.push('\n');
    }
}

/// The order of header names is that of a dictionary, not of bytes: hyphens do not count at first, and an
/// underscore comes before digits and letters.
fn service_order(a: &str, b: &str) -> Ordering {
    let weight = |byte: u8| if byte == b'_' { 0 } else { byte };
    let key = |name: &str| name.bytes().filter(|byte| *byte != b'-').map(weight).collect::<Vec<u8>>();
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

fn canonicalized_resource(call: &Call, text: &mut String) {
    text.push('/');
    text.push_str(&call.target.account);
    text.push_str(&call.raw_path);
    let mut parameters: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in &call.target.query {
        parameters.entry(name.to_ascii_lowercase()).or_default().push(value);
    }
    for (name, mut values) in parameters {
        values.sort_unstable();
        text.push('\n');
        text.push_str(&name);
        text.push(':');
        text.push_str(&values.join(","));
    }
}
