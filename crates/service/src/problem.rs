//! Errors of both components: one table of problem kinds, and their problem documents (RFC 9457).

use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};
use lifecycle::delayed::whole_seconds;
use models::{ContractError, Problem};
use storage::StorageError;

use crate::log::Line;
use crate::response::{self, Response};
use crate::settings::ConfigurationError;

macro_rules! kinds {
    ($($kind:ident $status:literal $name:literal $title:literal;)*) => {
        /// Kind of a problem. Its name is part of the contract, because clients branch on `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind {
            $(#[doc = $title] $kind,)*
        }

        impl ProblemKind {
            /// All kinds, in the order of `docs/api.md`.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Last segment of the problem's `type`, `/problems/{name}`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// HTTP status of the response.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// The `title`, which is fixed for each kind.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    InvalidBody 400 "invalid-body" "The request body is not acceptable";
    InvalidParameter 400 "invalid-parameter" "A query parameter is not acceptable";
    InvalidHeader 400 "invalid-header" "A request header is not acceptable";
    InvalidName 400 "invalid-name" "The name in the address is not acceptable";
    Unauthorized 401 "unauthorized" "The caller is not identified";
    DrainClosed 403 "drain-closed" "The drain route is closed";
    OperatorsOnly 403 "operators-only" "The caller is not an operator";
    NotFound 404 "not-found" "There is nothing at this address";
    TaskNotFound 404 "task-not-found" "There is no such task";
    NoResult 404 "no-result" "The task ended without a result";
    PoisonMessageNotFound 404 "poison-message-not-found" "There is no such message in the poison queue";
    ScheduleNotFound 404 "schedule-not-found" "There is no such schedule";
    MethodNotAllowed 405 "method-not-allowed" "The method is not allowed here";
    BodyTimeout 408 "body-timeout" "The request body did not arrive in time";
    TaskIdTaken 409 "task-id-taken" "The task id cannot be used";
    ResultNotReady 409 "result-not-ready" "The task has not ended yet";
    TaskEnded 409 "task-ended" "The task has already ended";
    TaskNotEnded 409 "task-not-ended" "The task has not ended";
    TaskNotFailed 409 "task-not-failed" "Only a failed task can be tried again";
    NotReplayable 409 "not-replayable" "The message cannot be replayed";
    PauseDisabled 409 "pause-disabled" "The queue cannot be paused";
    SchedulesDisabled 409 "schedules-disabled" "Schedules are not enabled";
    TooManySchedules 409 "too-many-schedules" "The schedules have reached a limit";
    ResultExpired 410 "result-expired" "The result is no longer kept";
    PreconditionFailed 412 "precondition-failed" "A precondition of the request does not hold";
    BodyTooLarge 413 "body-too-large" "The request body is too large";
    AddressTooLong 414 "address-too-long" "The request's address is too long";
    UnsupportedMediaType 415 "unsupported-media-type" "The media type is not supported";
    RangeNotSatisfiable 416 "range-not-satisfiable" "The range lies outside the result";
    ContentDiffers 422 "content-differs" "The task id belongs to a task with other content";
    Overloaded 429 "overloaded" "Too many tasks are waiting";
    HeadersTooLarge 431 "headers-too-large" "The request's headers are too large";
    Internal 500 "internal" "The service made a mistake";
    DocumentUnreadable 502 "document-unreadable" "What is stored cannot be read";
    DocumentBlocked 502 "document-blocked" "Storage does not give or change what is stored";
    HandlerUnavailable 502 "handler-unavailable" "The handler did not respond";
    StorageUnavailable 503 "storage-unavailable" "Storage is not available";
    CredentialsUnavailable 503 "credentials-unavailable" "The credentials for storage are not available";
    Misconfigured 503 "misconfigured" "The service is not configured correctly";
    Contended 503 "contended" "What is stored is changing too quickly";
    TooManyStreams 503 "too-many-streams" "Too many event streams are open";
}

/// `Retry-After` in seconds for problems that an operator must resolve.
pub const OPERATOR_RETRY_AFTER: u64 = 30;
/// `Retry-After` in seconds if storage is unavailable and its response had none.
const DEFAULT_RETRY_AFTER: u64 = 5;

/// Why a request failed. It becomes the response of the route.
#[derive(Debug)]
pub struct HttpError {
    /// Kind of the problem.
    pub kind: ProblemKind,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Logged, and never sent to the client.
    cause: Option<String>,
}

impl HttpError {
    /// Creates an error. `detail` is sent to the client: what happened and what to do.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), headers: Vec::new(), cause: None }
    }

    /// Adds a header to the response. A value that is not a valid header value is ignored.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    /// Adds the cause, which is logged and never sent to the client.
    #[must_use]
    pub fn caused_by(mut self, cause: String) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Removes `detail`, for responses to callers that are not authenticated.
    #[must_use]
    pub fn without_detail(mut self) -> Self {
        self.detail.clear();
        self
    }

    /// Returns the log line of an error with a status of 500 or above. `path` is without its query.
    #[must_use]
    pub fn log_line(&self, method: &Method, path: &str, trace_id: &str) -> Option<Line> {
        if self.kind.status() < 500 {
            return None;
        }
        let line = Line::error("a request failed")
            .with("problem", self.kind.name())
            .with("status", self.kind.status())
            .with("method", method.as_str())
            .with("path", path)
            .with("trace_id", trace_id);
        Some(match &self.cause {
            Some(cause) => line.with("cause", cause.as_str()),
            None => line,
        })
    }

    /// The `Retry-After` of the response in seconds, if it has one.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let (_, value) = self.headers.iter().find(|(name, _)| *name == RETRY_AFTER)?;
        value.to_str().ok()?.parse().ok()
    }

    /// Creates the problem document. `instance` is the path without its query.
    #[must_use]
    pub fn into_problem(self, instance: &str, trace_id: &str) -> Problem {
        Problem {
            kind: format!("/problems/{}", self.kind.name()),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: Some(self.detail).filter(|detail| !detail.is_empty()),
            instance: Some(instance.to_owned()),
            trace_id: Some(trace_id.to_owned()),
        }
    }

    /// Creates the response with the problem document. `instance` is the path without its query.
    pub fn into_response(mut self, instance: &str, trace_id: &str) -> Response {
        let headers = std::mem::take(&mut self.headers);
        let status = StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = response::json(status, &self.into_problem(instance, trace_id));
        let response_headers = response.headers_mut();
        response_headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response_headers.extend(headers);
        response
    }
}

impl From<ContractError> for HttpError {
    fn from(error: ContractError) -> Self {
        Self::new(ProblemKind::InvalidBody, error.to_string())
    }
}

impl From<&ConfigurationError> for HttpError {
    fn from(error: &ConfigurationError) -> Self {
        Self::new(ProblemKind::Misconfigured, format!("{error}."))
            .retry_after(OPERATOR_RETRY_AFTER)
            .caused_by(error.to_string())
    }
}

impl From<StorageError> for HttpError {
    fn from(error: StorageError) -> Self {
        let text = error.to_string();
        match error {
            StorageError::Unavailable { retry_after, credentials, detail } => {
                // Rounded up, because a client that retries earlier is refused again.
                let seconds = retry_after.map_or(DEFAULT_RETRY_AFTER, |wait| whole_seconds(wait).as_secs());
                let kind = if credentials {
                    ProblemKind::CredentialsUnavailable
                } else {
                    ProblemKind::StorageUnavailable
                };
                let sentence = format!(
                    "{detail}. Send the same request again later; a repeated submission with the same task id is \
                     safe."
                );
                Self::new(kind, sentence).retry_after(seconds.clamp(1, 3600))
            }
            StorageError::Misconfigured(sentence) | StorageError::NoContainer(sentence) => {
                Self::new(ProblemKind::Misconfigured, sentence).retry_after(OPERATOR_RETRY_AFTER)
            }
            StorageError::Unreadable { .. } => Self::new(
                ProblemKind::DocumentUnreadable,
                "The stored document of this task does not follow the contract. An operator must look at it.",
            ),
            StorageError::UnreadableSchedules(_) => Self::new(
                ProblemKind::DocumentUnreadable,
                "The stored schedules cannot be read. An operator must look at the blob `schedules`.",
            ),
            StorageError::Blocked(_) => Self::new(
                ProblemKind::DocumentBlocked,
                "A lease, the archive tier, a legal hold, a policy or a snapshot keeps storage from doing it. An \
                 operator must look at the blobs of this task.",
            ),
            StorageError::Refused(_) => {
                Self::new(ProblemKind::Internal, "Storage refused a request of this service. Quote the trace id.")
            }
        }
        .caused_by(text)
    }
}
