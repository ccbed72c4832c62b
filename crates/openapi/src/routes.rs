//! The routes: what each takes, what it answers, and which problems can occur.

mod results;
mod system;
mod tasks;

use service::api::problem::Kind;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Response, ResponseBuilder};

use crate::{answers, parameters};

/// What can go wrong with the head of any request.
const ANY: [Kind; 2] = [Kind::AddressTooLong, Kind::HeadersTooLarge];

/// What can go wrong with any request that only identified callers may send.
const CLOSED: [Kind; 2] = [Kind::Unauthorized, Kind::Misconfigured];

/// What can go wrong with any request that needs storage.
const STORAGE: [Kind; 4] =
    [Kind::Internal, Kind::StorageUnavailable, Kind::CredentialsUnavailable, Kind::Misconfigured];

/// What can go wrong with any request about one task.
const TASK: [Kind; 6] = [
    Kind::InvalidParameter,
    Kind::InvalidHeader,
    Kind::NotFound,
    Kind::TaskNotFound,
    Kind::DocumentUnreadable,
    Kind::DocumentBlocked,
];

/// One method at one path.
pub(crate) struct Route {
    path: &'static str,
    method: HttpMethod,
    operation: OperationBuilder,
    /// The kinds of problem that can occur.
    pub(crate) problems: Vec<Kind>,
}

impl Route {
    fn new(method: HttpMethod, path: &'static str, id: &str, tag: &str, summary: &str) -> Self {
        let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag).summary(Some(summary));
        Self { path, method, operation, problems: ANY.to_vec() }
    }

    /// A route about tasks: closed where callers are told apart, and in need of storage.
    fn of_tasks(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Self {
        let route = Self::new(method, path, id, "tasks", summary).closed().problems(&STORAGE);
        if path.contains("{id}") { route.takes(&["TaskId"]).problems(&TASK) } else { route }
    }

    /// Open only to identified callers, where the service is configured to tell them apart.
    fn closed(mut self) -> Self {
        let none: [&str; 0] = [];
        self.operation = self.operation.securities(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new("apiKey", none),
            SecurityRequirement::new("bearer", none),
        ]));
        self.problems(&CLOSED)
    }

    fn describe(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    fn takes(mut self, parameters: &[&str]) -> Self {
        self.operation = parameters::take(self.operation, parameters);
        self
    }

    fn answers(mut self, status: &str, answer: ResponseBuilder) -> Self {
        self.operation = self.operation.response(status, RefOr::<Response>::T(answer.build()));
        self
    }

    fn problems(mut self, kinds: &[Kind]) -> Self {
        self.problems.extend(kinds);
        self
    }

    /// Path, method and the whole operation, its problems included.
    pub(crate) fn into_parts(self) -> (&'static str, HttpMethod, Operation) {
        let operation = answers::problems(&self.problems)
            .fold(self.operation, |operation, (status, answer)| operation.response(status, answer));
        (self.path, self.method, operation.build())
    }
}

/// Every route.
pub(crate) fn all() -> Vec<Route> {
    vec![
        tasks::submit(),
        tasks::queue_task(),
        tasks::list(),
        tasks::monitor(),
        tasks::delete(),
        tasks::cancel(),
        tasks::retry(),
        results::events(),
        results::result(),
        system::health(),
        system::ready(),
        system::metrics(),
        system::description("/openapi.json", "getDescription"),
        system::description("/swagger/v1/swagger.json", "getSwaggerDescription"),
    ]
}
