use models::{Json, ResultBlob};

/// The result of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Product {
    /// Stored in the document.
    Inline(Json),
    /// Stored in a blob of its own.
    Blob(ResultBlob),
}
