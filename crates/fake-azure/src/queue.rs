//! Queue Storage.
//! <https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api>

mod messages;
mod queues;

use time::OffsetDateTime;

use crate::call::Call;
use crate::ids::Ids;
use crate::operation::Operation;
use crate::response::{ServiceError, ServiceResponse};
use crate::state::State;
use crate::state::queue::Queue;

/// What an operation of the service works with.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) state: &'a mut State,
    pub(crate) ids: &'a mut Ids,
    pub(crate) now: OffsetDateTime,
    pub(crate) deletion_delay: time::Duration,
}

/// Performs `operation`, for which the caller is authorized.
///
/// # Errors
/// What the service refuses.
pub(crate) fn perform(
    operation: Operation,
    mut context: Context<'_>,
) -> Result<ServiceResponse, ServiceError> {
    match operation {
        Operation::ListQueues => queues::list(&context),
        Operation::CreateQueue => queues::create(&mut context),
        Operation::GetQueueMetadata => queues::metadata(&mut context),
        Operation::SetQueueMetadata => queues::set_metadata(&mut context),
        Operation::DeleteQueue => queues::delete(&mut context),
        Operation::PutMessage => messages::put(&mut context),
        Operation::GetMessages => messages::get(&mut context),
        Operation::PeekMessages => messages::peek(&mut context),
        Operation::UpdateMessage => messages::update(&mut context),
        Operation::DeleteMessage => messages::delete(&mut context),
        Operation::ClearMessages => messages::clear(&mut context),
        _ => Err(ServiceError::unsupported(&context.call.method)),
    }
}

impl Context<'_> {
    /// The queue that the call names, without what has expired.
    fn queue(&mut self) -> Result<&mut Queue, ServiceError> {
        let now = self.now;
        let queue =
            self.state.account(&self.call.target.account).queues.get_mut(&self.call.target.name).ok_or_else(
                || ServiceError::not_found("QueueNotFound", "The specified queue does not exist."),
            )?;
        queue.expire(now);
        Ok(queue)
    }
}
