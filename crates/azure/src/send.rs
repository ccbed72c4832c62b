//! One try after the other, until there is an answer worth returning.

use bytes::Bytes;
use http::{Request, Response};
use std::time::Duration;
use time::OffsetDateTime;

use crate::answer::{Answer, no_answer};
use crate::retry::{Failure, Repeat, RetryPolicy, Tries};
use crate::transport::UNOBSERVED;
use crate::{Env, Error, Instant, Part, TransportError};

/// Where a request goes, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) operation: &'static str,
    pub(crate) part: Part,
    /// The variable that the manifest allows the host by.
    pub(crate) host_variable: &'static str,
}

/// What follows from one try.
pub(crate) enum Verdict {
    /// The last word, whatever its status.
    Answer(Answer),
    /// Try again after this wait.
    Again(Duration),
    /// No answer, and no further try.
    Failed(Error),
}

/// Judges the outcome of one try, which ended `now` by the wall clock, which dates in answers go by.
pub(crate) fn judge(
    tries: &mut Tries,
    target: Target,
    outcome: Result<Response<Bytes>, TransportError>,
    (now, instant): (OffsetDateTime, Instant),
    random: u64,
) -> Verdict {
    match outcome {
        Err(error) => match tries.after(Failure::Transport(&error), instant, random) {
            Some(wait) => Verdict::Again(wait),
            None => Verdict::Failed(no_answer(target.operation, target.part, target.host_variable, &error)),
        },
        Ok(response) => {
            let mut answer = Answer::new(target.operation, target.part, response, now);
            match tries.after(Failure::Status(answer.status, answer.retry_after), instant, random) {
                Some(wait) => Verdict::Again(wait),
                None => {
                    answer.ambiguous = tries.are_ambiguous();
                    Verdict::Answer(answer)
                }
            }
        }
    }
}

/// Sends the same, idempotent request until there is an answer worth returning.
pub(crate) async fn send(
    env: &dyn Env,
    policy: RetryPolicy,
    target: Target,
    request: &Request<Bytes>,
) -> Result<Answer, Error> {
    let mut tries = Tries::new(policy, Repeat::Idempotent, env.instant());
    loop {
        let outcome = env.send(request.clone(), tries.limits(env.instant()), UNOBSERVED).await;
        match judge(&mut tries, target, outcome, (env.now(), env.instant()), env.next_u64()) {
            Verdict::Answer(answer) => return Ok(answer),
            Verdict::Again(wait) => env.sleep(wait).await,
            Verdict::Failed(error) => return Err(error),
        }
    }
}
