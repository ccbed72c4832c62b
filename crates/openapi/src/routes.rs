//! The routes: parameters, responses and problems of each.

mod bulk;
mod poison;
mod queue;
mod results;
mod schedules;
mod system;
mod tasks;

use service::problem::ProblemKind;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};

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

/// A required JSON body of a schema in this document.
fn json_body(schema: &str) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    RequestBodyBuilder::new()
        .description(Some("JSON in UTF-8, at most 1 MiB unless configured otherwise. `text/json` and `…/…+json` are also accepted, \
             and UTF-16 with `charset=utf-16`."))
        .required(Some(Required::True))
        .content("application/json", content)
        .build()
}

/// Every route.
pub(crate) fn all() -> Vec<Route> {
    vec![
        tasks::submit(),
        tasks::queue_task(),
        bulk::batch(),
        bulk::cancel(),
        bulk::retry(),
        bulk::delete(),
        poison::list(),
        poison::get(),
        poison::replay(),
        poison::remove(),
        poison::replay_all(),
        poison::remove_all(),
        queue::get(),
        queue::pause(),
        queue::resume(),
        schedules::list(),
        schedules::get(),
        schedules::put(),
        schedules::delete(),
        schedules::pause(),
        schedules::resume(),
        schedules::run(),
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
