//! Get User Delegation Key.
//! <https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key>

use http::StatusCode;
use time::Duration;

use super::Context;
use crate::access::Caller;
use crate::dates::{iso, parse_iso};
use crate::response::{ServiceError, ServiceResponse};
use crate::xml::{escape, leaves};

/// How far ahead a key may end.
const MAX_LIFETIME: Duration = Duration::days(7);

pub(super) fn key(context: &Context<'_>) -> Result<ServiceResponse, ServiceError> {
    let Caller::Identity { object_id } = &context.caller else {
        return Err(ServiceError::forbidden(
            "AuthorizationFailure",
            "This request is not authorized to perform this operation: it needs a bearer token.",
        ));
    };
    context.call.check_length()?;
    let leaves = leaves(&context.call.body, "KeyInfo").ok_or_else(|| {
        ServiceError::bad_request("InvalidXmlDocument", "XML specified is not syntactically valid.")
    })?;
    let invalid = |name: &str| {
        ServiceError::bad_request(
            "InvalidXmlNodeValue",
            "The value for one of the XML nodes is not in the correct format.",
        )
        .detail("XmlNodeName", name)
    };
    let time = |name: &str| {
        // Fractions of a second are refused.
        let text = leaves.get(name).ok_or_else(|| {
            ServiceError::bad_request(
                "MissingRequiredXmlNode",
                "A required XML node was not specified in the request body.",
            )
            .detail("XmlNodeName", name)
        })?;
        if text.contains('.') { Err(invalid(name)) } else { parse_iso(text).ok_or_else(|| invalid(name)) }
    };
    let expiry = time("Expiry")?;
    let start = if leaves.contains_key("Start") { time("Start")? } else { context.now };
    if start >= expiry || expiry <= context.now || expiry - context.now > MAX_LIFETIME {
        return Err(invalid("Expiry"));
    }
    let version = context.call.header("x-ms-version").unwrap_or_default();
    let (start, expiry) = (iso(start), iso(expiry));
    let value = context.issuer.delegation_key(object_id, &start, &expiry, "b", &version);
    let text = format!(
        "<UserDelegationKey><SignedOid>{}</SignedOid><SignedTid>{}</SignedTid><SignedStart>{start}</SignedStart>\
         <SignedExpiry>{expiry}</SignedExpiry><SignedService>b</SignedService><SignedVersion>{}</SignedVersion>\
         <Value>{value}</Value></UserDelegationKey>",
        escape(object_id),
        escape(context.issuer.tenant_id()),
        escape(&version)
    );
    Ok(ServiceResponse::xml(StatusCode::OK, &text))
}
