//! Blob Storage: containers and block blobs.
//! <https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api>

mod blocks;
mod condition;
mod container;
mod delegation;
mod list;
mod object;
mod range;

use std::collections::BTreeMap;

use http::StatusCode;
#[cfg(feature = "server")]
pub(crate) use object::MAX_BLOB;
use time::OffsetDateTime;

use crate::access::{Caller, TokenIssuer};
use crate::call::Call;
use crate::ids::Ids;
use crate::operation::Operation;
use crate::response::{ServiceError, ServiceResponse};
use crate::state::State;
use crate::state::blob::{Blob, Container};

/// Why a blob cannot be read, changed or deleted, although it is there and the caller may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// A client holds a lease: it can be read only.
    Leased,
    /// It is in the archive tier: it can be deleted only.
    Archived,
    /// A legal hold or a retention policy protects it: it can be read only.
    Immutable,
    /// It has snapshots: it cannot be deleted.
    Snapshots,
}

impl Block {
    /// What the service says to `operation` on such a blob.
    fn check(self, operation: Operation) -> Result<(), ServiceError> {
        let is_write =
            matches!(operation, Operation::PutBlob | Operation::PutBlockList | Operation::SetBlobMetadata);
        let is_deletion = operation == Operation::DeleteBlob;
        match self {
            Self::Leased if is_write || is_deletion => Err(ServiceError::new(
                StatusCode::PRECONDITION_FAILED,
                "LeaseIdMissing",
                "There is currently a lease on the blob and no lease ID was specified in the request.",
            )),
            Self::Archived if is_write || operation == Operation::GetBlob => Err(ServiceError::conflict(
                "BlobArchived",
                "This operation is not permitted on an archived blob.",
            )),
            Self::Immutable if is_write || is_deletion => Err(ServiceError::conflict(
                "BlobImmutableDueToPolicy",
                "This operation is not permitted as the blob is immutable due to a policy.",
            )),
            Self::Snapshots if is_deletion => Err(ServiceError::conflict(
                "SnapshotsPresent",
                "This operation is not permitted while the blob has snapshots.",
            )),
            _ => Ok(()),
        }
    }
}

/// Blocked blobs, by account, container and name.
pub(crate) type Blocks = BTreeMap<(String, String, String), Block>;

/// What an operation of the service works with.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) state: &'a mut State,
    pub(crate) ids: &'a mut Ids,
    pub(crate) issuer: &'a TokenIssuer,
    pub(crate) caller: Caller,
    pub(crate) now: OffsetDateTime,
    pub(crate) deletion_delay: time::Duration,
    pub(crate) blocks: &'a Blocks,
}

/// Performs `operation`, for which the caller is authorized.
///
/// # Errors
/// What the service refuses.
pub(crate) fn perform(
    operation: Operation,
    mut context: Context<'_>,
) -> Result<ServiceResponse, ServiceError> {
    if !context.blocks.is_empty() && context.blob().is_ok() {
        let call = context.call;
        let place = (call.target.account.clone(), call.target.name.clone(), context.blob_name().to_owned());
        context.blocks.get(&place).map_or(Ok(()), |block| block.check(operation))?;
    }
    match operation {
        Operation::ListContainers => list::containers(&context),
        Operation::GetUserDelegationKey => delegation::key(&context),
        Operation::CreateContainer => container::create(&mut context),
        Operation::GetContainerProperties => container::properties(&context),
        Operation::DeleteContainer => container::delete(&mut context),
        Operation::ListBlobs => list::blobs(&context),
        Operation::PutBlob => object::put(&mut context),
        Operation::PutBlock => blocks::put(&mut context),
        Operation::PutBlockList => blocks::commit(&mut context),
        Operation::GetBlob => object::get(&context),
        Operation::GetBlobProperties => object::properties(&context),
        Operation::SetBlobMetadata => object::set_metadata(&mut context),
        Operation::DeleteBlob => object::delete(&mut context),
        _ => Err(ServiceError::unsupported(&context.call.method)),
    }
}

impl Context<'_> {
    /// The container that the call names.
    fn container(&self) -> Result<&Container, ServiceError> {
        self.state
            .view(&self.call.target.account)
            .and_then(|account| account.containers.get(&self.call.target.name))
            .ok_or_else(|| {
                ServiceError::not_found("ContainerNotFound", "The specified container does not exist.")
            })
    }

    /// The blob that the call names.
    fn blob(&self) -> Result<&Blob, ServiceError> {
        self.container()?
            .blobs
            .get(self.blob_name())
            .ok_or_else(|| ServiceError::not_found("BlobNotFound", "The specified blob does not exist."))
    }

    fn blob_name(&self) -> &str {
        self.call.target.rest.as_deref().unwrap_or_default()
    }
}
