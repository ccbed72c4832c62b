//! Tries of one request, until a response can be returned or no further try is allowed.

use bytes::Bytes;
use http::{Request, Response};
use std::time::Duration;

use crate::response::{ServiceResponse, no_response};
use crate::retry::{Repeat, RetryPolicy, Tries, TryResult};
use crate::transport::UNOBSERVED;
use crate::{Env, Error, Part, TransportError};

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

/// Decides what to do after a try that has just ended with `result`.
pub(crate) fn try_outcome(
    env: &dyn Env,
    tries: &mut Tries,
    target: Target,
    result: Result<Response<Bytes>, TransportError>,
) -> TryOutcome {
    // Drawn for each try, so that the sequence of random numbers does not depend on the outcomes.
    let random = env.next_u64();
    // Read only where it is needed: it is a call to the host.
    let instant = || env.instant();
    match result {
        Err(error) => match tries.record(TryResult::Error(&error), instant, random) {
            Some(wait) => TryOutcome::Retry(wait),
            None => {
                TryOutcome::Failed(no_response(target.operation, target.part, target.host_variable, &error))
            }
        },
        Ok(response) => {
            // Dates in responses refer to the wall clock.
            let now = || env.now();
            let mut response = ServiceResponse::new(target.operation, target.part, response, now);
            match tries.record(TryResult::Status(response.status, response.retry_after), instant, random) {
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
        let result = env.send(request.clone(), tries.limits(env.instant()), UNOBSERVED).await;
        match try_outcome(env, &mut tries, target, result) {
            TryOutcome::Response(response) => return Ok(response),
            TryOutcome::Retry(wait) => env.sleep(wait).await,
            TryOutcome::Failed(error) => return Err(error),
        }
    }
}
