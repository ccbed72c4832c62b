use azure::ConfigError;

/// A variable with an invalid value. Names the variable and the accepted values, and never contains the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: variable {name} must be {accepted}; {why}")]
pub struct SettingsError {
    /// Name of the variable.
    pub name: &'static str,
    /// Accepted values.
    pub accepted: &'static str,
    /// Why the value is invalid, as a clause that begins with "it" and does not contain the value.
    pub why: String,
}

/// A configuration with which a component cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// A variable is invalid.
    #[error(transparent)]
    Variable(#[from] SettingsError),
    /// The storage account is missing or incomplete.
    #[error("configuration: {0}")]
    Account(#[from] ConfigError),
}
