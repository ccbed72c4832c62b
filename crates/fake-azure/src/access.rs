//! Who a storage request comes from, and whether that allows it what it asks for.
//!
//! Written from the REST reference alone: the client under test has its own signer, so that a mistake in one is
//! seen by the other.

mod sas;
mod shared_key;
mod signature;
mod token;

pub(crate) use shared_key::authorization;
pub(crate) use signature::Key;
pub(crate) use token::{Audience, TokenIssuer, bearer};

use http::StatusCode;
use time::OffsetDateTime;

use crate::call::Call;
use crate::config::Identity;
use crate::operation::{Need, Operation};
use crate::response::ServiceError;
use crate::service::Service;

/// What storage knows about credentials.
pub(crate) struct Credentials<'a> {
    /// The account's keys.
    pub(crate) keys: &'a [Key],
    pub(crate) issuer: &'a TokenIssuer,
    pub(crate) identities: &'a [Identity],
}

/// An authenticated caller with its rights.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Signed with an account key: everything but delegation keys.
    SharedKey,
    /// An account SAS.
    AccountSas { permissions: String, resource_types: String },
    /// A service SAS, or a user delegation SAS of the identity with `object_id`.
    Sas { permissions: String, object_id: Option<String>, whole_container: bool },
    /// A bearer token of the identity.
    Identity { object_id: String },
}

/// Authenticates `call` and checks that the caller may do `operation`.
///
/// # Errors
/// `401` or `403` with the code that Azure gives.
pub(crate) fn authorize(
    call: &Call,
    operation: Operation,
    credentials: &Credentials<'_>,
    now: OffsetDateTime,
) -> Result<Caller, ServiceError> {
    let caller = authenticate(call, credentials, now)?;
    let need = operation.need();
    let mismatch = || {
        ServiceError::forbidden(
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )
    };
    let letters_fit = |permissions: &str| need.letters.chars().any(|letter| permissions.contains(letter));
    match &caller {
        Caller::SharedKey if operation == Operation::GetUserDelegationKey => Err(ServiceError::forbidden(
            "AuthenticationFailed",
            "Only a bearer token of Microsoft Entra ID can ask for a user delegation key.",
        )),
        Caller::AccountSas { resource_types, .. } if !resource_types.contains(need.resource_type) => {
            Err(resource_type_mismatch())
        }
        Caller::AccountSas { permissions, .. } if !letters_fit(permissions) => Err(mismatch()),
        Caller::Sas { whole_container, .. }
            if !need.by_service_sas || operation == Operation::ListBlobs && !whole_container =>
        {
            Err(resource_type_mismatch())
        }
        Caller::Sas { permissions, .. } if !letters_fit(permissions) => Err(mismatch()),
        Caller::Sas { object_id: Some(id), .. } | Caller::Identity { object_id: id } => {
            let allowed = is_allowed(credentials.identities, id, &need);
            if allowed { Ok(()) } else { Err(mismatch()) }
        }
        Caller::SharedKey | Caller::AccountSas { .. } | Caller::Sas { object_id: None, .. } => Ok(()),
    }?;
    Ok(caller)
}

/// Whether one of the actions is among the identity's rights. An identity that was removed has none.
fn is_allowed(identities: &[Identity], object_id: &str, need: &Need) -> bool {
    identities.iter().find(|identity| identity.object_id == object_id).is_some_and(|identity| {
        identity.allowed.as_ref().is_none_or(|allowed| need.actions.iter().any(|a| allowed.contains(a)))
    })
}

fn resource_type_mismatch() -> ServiceError {
    ServiceError::forbidden(
        "AuthorizationResourceTypeMismatch",
        "This request is not authorized to perform this operation using this resource type.",
    )
}

fn authenticate(
    call: &Call,
    credentials: &Credentials<'_>,
    now: OffsetDateTime,
) -> Result<Caller, ServiceError> {
    let Some(authorization) = call.header("authorization") else {
        if call.param("sig").is_some() {
            return sas::authenticate(call, credentials, now);
        }
        return Err(anonymous(call, credentials.issuer));
    };
    match authorization.split_once(' ') {
        Some(("SharedKey", value)) => {
            shared_key::authenticate(call, value, credentials.keys, now)?;
            Ok(Caller::SharedKey)
        }
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => {
            // "Bearer tokens are supported over HTTPS only." Loopback is excepted, for local runs.
            if !call.secure && !call.loopback {
                return Err(failed("Authentication scheme Bearer is not supported over http."));
            }
            match call.header("x-ms-version") {
                Some(version) if version.as_str() >= "2017-11-09" => {}
                _ => {
                    return Err(failed(
                        "Authentication scheme Bearer needs x-ms-version 2017-11-09 or newer.",
                    ));
                }
            }
            let audience = Audience::Storage(&call.target.account, call.target.service);
            let object_id = credentials.issuer.check(token.trim(), audience, now).map_err(|why| {
                ServiceError::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", why)
                    .header("www-authenticate", credentials.issuer.storage_challenge())
            })?;
            Ok(Caller::Identity { object_id })
        }
        _ => Err(ServiceError::bad_request(
            "InvalidAuthenticationInfo",
            "Authentication information is not given in the correct format. Check the value of Authorization header.",
        )),
    }
}

/// The refusal of a request without credentials. No account here allows public access, which is Azure's default and
/// what the project's infrastructure sets. Since 2019-12-12 the refusal says where to get a token; older
/// and unversioned ones (a browser with a link that lost its signature) cannot be, and learn that public access
/// is off (Blob) or that they are not authenticated (Queue has no public access to speak of).
fn anonymous(call: &Call, issuer: &TokenIssuer) -> ServiceError {
    let version = call.header("x-ms-version");
    if version.is_some_and(|version| version.as_str() >= "2019-12-12")
        || call.target.service == Service::Queue
    {
        return ServiceError::new(
            StatusCode::UNAUTHORIZED,
            "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate \
             header.",
        )
        .header("www-authenticate", issuer.storage_challenge());
    }
    ServiceError::conflict(
        "PublicAccessNotPermitted",
        "Public access is not permitted on this storage account.",
    )
}

/// `403 AuthenticationFailed` with the reason that Azure puts beside its general sentence.
pub(crate) fn failed(detail: impl AsRef<str>) -> ServiceError {
    ServiceError::forbidden(
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
         correctly including the signature.",
    )
    .detail("AuthenticationErrorDetail", detail.as_ref())
}
