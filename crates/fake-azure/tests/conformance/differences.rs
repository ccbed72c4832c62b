//! Where Azurite 3.37 is known not to do what Azure does. The fake does what Azure does.

use crate::ground::{Kind, RawResponse};

/// A response: status and error code.
type Outcome = (u16, &'static str);

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Difference {
    /// In which situation.
    what: &'static str,
    azure: Outcome,
    azurite: Outcome,
}

impl Difference {
    /// Asserts that `response` is the one of the ground it came from.
    pub(crate) fn check(&self, kind: Kind, response: &RawResponse) {
        let expected = match kind {
            Kind::FakeAzure => self.azure,
            Kind::Azurite => self.azurite,
        };
        assert_eq!((response.status, response.code.as_str()), expected, "{}", self.what);
    }
}

const fn row(what: &'static str, azure: Outcome, azurite: Outcome) -> Difference {
    Difference { what, azure, azurite }
}

// Each row: the situation, the response of Azure, the response of Azurite.
pub(crate) const STALE_RECEIPT: Difference =
    row("a receipt that this message no longer has", (404, "MessageNotFound"), (400, "PopReceiptMismatch"));
pub(crate) const TOO_LARGE_MESSAGE: Difference =
    row("a message of 65,537 bytes", (400, "MessageTooLarge"), (413, "RequestBodyTooLarge"));
pub(crate) const NO_MESSAGES_ASKED: Difference =
    row("numofmessages=0", (400, "OutOfRangeQueryParameterValue"), (400, ""));
pub(crate) const NO_RECEIPT: Difference =
    row("a delete without popreceipt", (400, "MissingRequiredQueryParameter"), (400, ""));
pub(crate) const NO_VISIBILITY: Difference =
    row("an update without visibilitytimeout", (400, "MissingRequiredQueryParameter"), (400, ""));
pub(crate) const NOT_XML: Difference =
    row("a message body that is not XML", (400, "InvalidXmlDocument"), (400, ""));
pub(crate) const NO_BLOB_TYPE: Difference =
    row("a put without x-ms-blob-type", (400, "MissingRequiredHeader"), (400, ""));
pub(crate) const RANGE_AT_THE_END: Difference =
    row("a range that begins right after the last byte", (416, "InvalidRange"), (206, ""));
pub(crate) const BAD_LINK: Difference = row(
    "a link with a wrong signature, of another blob, or expired",
    (403, "AuthenticationFailed"),
    (403, "AuthorizationFailure"),
);
pub(crate) const ANONYMOUS_BLOB: Difference = row(
    "a blob without credentials, with a version",
    (401, "NoAuthenticationInformation"),
    (403, "AuthorizationFailure"),
);
pub(crate) const ANONYMOUS_QUEUE: Difference =
    row("a queue without credentials", (401, "NoAuthenticationInformation"), (403, "AuthenticationFailed"));
pub(crate) const KEY_FOR_DELEGATION: Difference = row(
    "a delegation key asked for with an account SAS",
    (403, "AuthorizationPermissionMismatch"),
    (403, "AuthenticationFailed"),
);
pub(crate) const WRONG_AUDIENCE: Difference =
    row("a token for Key Vault", (401, "InvalidAuthenticationInfo"), (403, "AuthenticationFailed"));
pub(crate) const NO_TOKEN: Difference =
    row("a token that is none", (401, "InvalidAuthenticationInfo"), (403, "AuthenticationFailed"));
