use crate::ConfigError;

/// A storage connection string, understood and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionString {
    blob: String,
    queue: String,
}

impl ConnectionString {
    /// Reads a connection string.
    ///
    /// # Errors
    /// A sentence that names the part that is missing, doubled or unusable, never a value.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let _ = text;
        Err(ConfigError("connection strings are not read yet".to_owned()))
    }

    /// Address of the Blob service, without a trailing slash.
    #[must_use]
    pub fn blob_endpoint(&self) -> &str {
        &self.blob
    }

    /// Address of the Queue service, without a trailing slash.
    #[must_use]
    pub fn queue_endpoint(&self) -> &str {
        &self.queue
    }
}
