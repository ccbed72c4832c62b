/// Why a document, request or message does not follow the contract.
///
/// The text names the member and says what would be accepted. It never repeats the offending value,
/// which may be large or private.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The bytes are not one JSON object in UTF-8.
    #[error("the body must be one JSON object in UTF-8: {0}")]
    NotAnObject(String),
    /// A member is present but cannot be used.
    #[error("{member}: {reason}")]
    Member {
        /// The member's name as this contract spells it.
        member: &'static str,
        /// What is wrong and what is accepted.
        reason: String,
    },
    /// A member without which the document means nothing is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl ContractError {
    pub(crate) fn member(member: &'static str, reason: impl Into<String>) -> Self {
        Self::Member { member, reason: reason.into() }
    }
}
