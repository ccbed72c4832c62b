use std::fmt;
use std::time::Duration;

/// An unusable configuration. The text names what to add or change and contains no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// The service that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Blob Storage.
    Blob,
    /// Queue Storage.
    Queue,
    /// The Key Vault that holds the connection string.
    KeyVault,
    /// The managed-identity endpoint.
    Identity,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blob => "Blob Storage",
            Self::Queue => "Queue Storage",
            Self::KeyVault => "Key Vault",
            Self::Identity => "the managed identity endpoint",
        })
    }
}

/// The kind of an error, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration is unusable, and a retry does not help. The sentence is for the operator: it names the variable
    /// and never contains its value.
    Configuration(String),
    /// 401 or 403, after the credential was renewed once if possible. An operator has to act.
    Unauthorized {
        /// The service that refused.
        part: Part,
        /// 401 or 403.
        status: u16,
        /// The service's error code, or empty.
        code: String,
    },
    /// The container, queue or other resource that `code` names does not exist.
    NotFound {
        /// For example `ContainerNotFound`.
        code: String,
    },
    /// The state of the resource does not allow the operation (409, 412).
    Conflict {
        /// For example `QueueBeingDeleted`.
        code: String,
    },
    /// 429 on every try. Try again later.
    Throttled {
        /// How long the service asked to wait.
        retry_after: Option<Duration>,
    },
    /// No response, 408 or 5xx on every try. Try again later.
    Unavailable {
        /// How long the service asked to wait.
        retry_after: Option<Duration>,
    },
    /// Another 4xx, or a request that was not sent because the service would refuse it. The cause is a defect of this
    /// program or its input.
    Refused {
        /// The status.
        status: u16,
        /// The service's error code, or empty.
        code: String,
    },
    /// The response is not one of the service, for example a proxy's page or a truncated document.
    Unexpected(String),
}

/// A failed call. `Display` contains no secret, no query, and no text of a message or document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    operation: &'static str,
    part: Option<Part>,
    kind: ErrorKind,
    detail: String,
}

impl Error {
    pub(crate) fn new(operation: &'static str, kind: ErrorKind) -> Self {
        Self { operation, part: None, kind, detail: String::new() }
    }

    /// Sets the service that the error is about.
    pub(crate) fn of(mut self, part: Part) -> Self {
        self.part = Some(part);
        self
    }

    /// Adds a detail to the text. It must not contain a secret.
    pub(crate) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(crate) fn configuration(operation: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(operation, ErrorKind::Configuration(sentence.into()))
    }

    pub(crate) fn unexpected(operation: &'static str, what: impl Into<String>) -> Self {
        Self::new(operation, ErrorKind::Unexpected(what.into()))
    }

    /// The service that the error is about; `None` if the request was not sent.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        self.part
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The service's error code, if it sent one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match &self.kind {
            ErrorKind::Unauthorized { code, .. }
            | ErrorKind::NotFound { code }
            | ErrorKind::Conflict { code }
            | ErrorKind::Refused { code, .. } => Some(code.as_str()).filter(|code| !code.is_empty()),
            ErrorKind::Configuration(_)
            | ErrorKind::Throttled { .. }
            | ErrorKind::Unavailable { .. }
            | ErrorKind::Unexpected(_) => None,
        }
    }

    /// How long the service asked to wait before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::Throttled { retry_after } | ErrorKind::Unavailable { retry_after } => retry_after,
            _ => None,
        }
    }

    /// Whether the same call may succeed later without a change of the configuration.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Throttled { .. } | ErrorKind::Unavailable { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A configuration sentence is complete; every other text begins with the call that failed.
        if let ErrorKind::Configuration(sentence) = &self.kind {
            return f.write_str(sentence);
        }
        write!(f, "{}: ", self.operation)?;
        match &self.kind {
            ErrorKind::Configuration(_) => {}
            ErrorKind::Unauthorized { part, status, code } => {
                write!(f, "{part} refused the credentials ({status}{})", after_space(code))?;
            }
            ErrorKind::NotFound { code } => write!(f, "not found (404{})", after_space(code))?,
            ErrorKind::Conflict { code } => write!(f, "conflict ({})", or(code, "no code"))?,
            ErrorKind::Throttled { .. } => f.write_str("throttled (429)")?,
            ErrorKind::Unavailable { .. } => f.write_str("not available")?,
            ErrorKind::Refused { status, code } => {
                let code = after_space(code);
                match self.part {
                    Some(part) => write!(f, "refused by {part} ({status}{code})")?,
                    None => write!(f, "refused ({status}{code})")?,
                }
            }
            ErrorKind::Unexpected(what) => match self.part {
                Some(part) => write!(f, "unexpected response of {part}: {what}")?,
                None => write!(f, "unexpected response: {what}")?,
            },
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for Error {}

fn after_space(code: &str) -> String {
    if code.is_empty() { String::new() } else { format!(" {code}") }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}
