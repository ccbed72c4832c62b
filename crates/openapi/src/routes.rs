//! The routes: parameters, responses and problems of each.

mod results;
mod system;
mod tasks;

use service::problem::ProblemKind;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Response, ResponseBuilder};

use crate::{parameters, responses};

/// Problems of the head of any request.
const ANY: [ProblemKind; 2] = [ProblemKind::AddressTooLong, ProblemKind::HeadersTooLarge];

/// Problems of any request that needs authentication.
const AUTHENTICATION: [ProblemKind; 2] = [ProblemKind::Unauthorized, ProblemKind::Misconfigured];

/// Problems of any request that needs storage.
const STORAGE: [ProblemKind; 4] = [
    ProblemKind::Internal,
    ProblemKind::StorageUnavailable,
    ProblemKind::CredentialsUnavailable,
    ProblemKind::Misconfigured,
];

/// Problems of any request for a task.
const TASK: [ProblemKind; 6] = [
    ProblemKind::InvalidParameter,
    ProblemKind::InvalidHeader,
    ProblemKind::NotFound,
    ProblemKind::TaskNotFound,
    ProblemKind::DocumentUnreadable,
    ProblemKind::DocumentBlocked,
];

/// One method of one path.
pub(crate) struct Route {
    path: &'static str,
    method: HttpMethod,
    operation: OperationBuilder,
    /// The kinds of problem that its responses can have.
    pub(crate) problems: Vec<ProblemKind>,
}

impl Route {
    fn new(method: HttpMethod, path: &'static str, id: &str, tag: &str, summary: &str) -> Self {
        let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag).summary(Some(summary));
        Self { path, method, operation, problems: ANY.to_vec() }
    }

    /// Creates a route for tasks, which needs authentication and storage.
    fn of_tasks(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Self {
        let route = Self::new(method, path, id, "tasks", summary).authenticated().problems(&STORAGE);
        if path.contains("{id}") { route.parameters(&["TaskId"]).problems(&TASK) } else { route }
    }

    /// Requires authentication, if the service is configured for it.
    fn authenticated(mut self) -> Self {
        let none: [&str; 0] = [];
        self.operation = self.operation.securities(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new("apiKey", none),
            SecurityRequirement::new("bearer", none),
        ]));
        self.problems(&AUTHENTICATION)
    }

    fn describe(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    fn parameters(mut self, parameters: &[&str]) -> Self {
        self.operation = parameters::reference(self.operation, parameters);
        self
    }

    fn response(mut self, status: &str, response: ResponseBuilder) -> Self {
        self.operation = self.operation.response(status, RefOr::<Response>::T(response.build()));
        self
    }

    fn problems(mut self, kinds: &[ProblemKind]) -> Self {
        self.problems.extend(kinds);
        self
    }

    /// Path, method and the whole operation, its problems included.
    pub(crate) fn into_parts(self) -> (&'static str, HttpMethod, Operation) {
        let operation = responses::problems(&self.problems)
            .fold(self.operation, |operation, (status, response)| operation.response(status, response));
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
