/// A document, request or message does not follow the contract.
///
/// The text names the member and says what is accepted. It never contains the invalid value, which may be large or
/// private.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The bytes are not one JSON object in UTF-8.
    #[error("the body must be one JSON object in UTF-8: {0}")]
    NotAnObject(String),
    /// A member has an invalid value.
    #[error("{member}: {reason}")]
    Member {
        /// The name of the member, in the spelling of the contract.
        member: &'static str,
        /// What is wrong and what is accepted.
        reason: String,
    },
    /// A required member is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl ContractError {
    pub(crate) fn member(member: &'static str, reason: impl Into<String>) -> Self {
        Self::Member { member, reason: reason.into() }
    }
}
