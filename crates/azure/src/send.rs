//! Tries of one request, until a response can be returned or no further try is allowed.

use bytes::Bytes;
use http::{Request, Response};
use std::time::Duration;
use time::OffsetDateTime;

use crate::response::{ServiceResponse, no_response};
use crate::retry::{Failure, Repeat, RetryPolicy, Tries};
use crate::transport::UNOBSERVED;
use crate::{Env, Error, Instant, Part, TransportError};

/// The destination of a request, for error messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) operation: &'static str,
    pub(crate) part: Part,
    /// The variable in the manifest that allows the host.
    pub(crate) host_variable: &'static str,
}

/// What to do after one try.
pub(crate) enum TryOutcome {
    /// Return this response, whatever its status.
    Response(ServiceResponse),
    /// Try again after this wait.
    Retry(Duration),
    /// There is no response, and no further try.
    Failed(Error),
}

/// Decides what to do after one try, which ended `now`. Dates in responses refer to the wall clock.
pub(crate) fn try_outcome(
    tries: &mut Tries,
    target: Target,
    outcome: Result<Response<Bytes>, TransportError>,
    (now, instant): (OffsetDateTime, Instant),
    random: u64,
) -> TryOutcome {
    match outcome {
        Err(error) => match tries.record_failure(Failure::Transport(&error), instant, random) {
            Some(wait) => TryOutcome::Retry(wait),
            None => {
                TryOutcome::Failed(no_response(target.operation, target.part, target.host_variable, &error))
            }
        },
        Ok(response) => {
            let mut response = ServiceResponse::new(target.operation, target.part, response, now);
            match tries.record_failure(
                Failure::Status(response.status, response.retry_after),
                instant,
                random,
            ) {
                Some(wait) => TryOutcome::Retry(wait),
                None => {
                    response.ambiguous = tries.are_ambiguous();
                    TryOutcome::Response(response)
                }
            }
        }
    }
}

/// Sends an idempotent request, as often as `policy` allows, until a response can be returned.
pub(crate) async fn send(
    env: &dyn Env,
    policy: RetryPolicy,
    target: Target,
    request: &Request<Bytes>,
) -> Result<ServiceResponse, Error> {
    let mut tries = Tries::new(policy, Repeat::Idempotent, env.instant());
    loop {
        let outcome = env.send(request.clone(), tries.limits(env.instant()), UNOBSERVED).await;
        match try_outcome(&mut tries, target, outcome, (env.now(), env.instant()), env.next_u64()) {
            TryOutcome::Response(response) => return Ok(response),
            TryOutcome::Retry(wait) => env.sleep(wait).await,
            TryOutcome::Failed(error) => return Err(error),
        }
    }
}
