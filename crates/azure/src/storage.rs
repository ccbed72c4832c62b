use std::rc::Rc;
use std::time::Duration;

use crate::{AccountSource, Blobs, Env, Error, Queue, RetryPolicy};

/// One storage account. Cheap to clone; clones share the account resolution, tokens, the vault's secret
/// and delegation keys.
pub struct Storage<E> {
    inner: Rc<Inner<E>>,
}

struct Inner<E> {
    _env: Rc<E>,
    _source: AccountSource,
    _policy: RetryPolicy,
}

impl<E> Clone for Storage<E> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<E: Env + 'static> Storage<E> {
    /// An account that is found when the first request needs it.
    #[must_use]
    pub fn new(env: Rc<E>, source: AccountSource, policy: RetryPolicy) -> Self {
        Self { inner: Rc::new(Inner { _env: env, _source: source, _policy: policy }) }
    }

    /// A container of the account; not checked, not created.
    #[must_use]
    pub fn blobs(&self, container: &str) -> Blobs<E> {
        Blobs::new(self.clone(), container)
    }

    /// A queue of the account; not checked, not created.
    #[must_use]
    pub fn queue(&self, name: &str) -> Queue<E> {
        Queue::new(self.clone(), name)
    }

    /// Address of a blob, without any signature.
    ///
    /// # Errors
    /// [`Error`] when the account cannot be determined.
    pub async fn blob_address(&self, container: &str, blob: &str) -> Result<String, Error> {
        let _ = (container, blob);
        Err(Error::unexpected("Blob address", "not built yet"))
    }

    /// Address of a blob with a signature that allows reading this one blob for `lifetime` (rounded up
    /// to whole seconds): a service SAS when there is an account key, else a user delegation SAS.
    ///
    /// # Errors
    /// [`Error`]; a configuration error when the credential is itself a SAS, which cannot sign.
    pub async fn blob_read_sas(
        &self,
        container: &str,
        blob: &str,
        lifetime: Duration,
    ) -> Result<String, Error> {
        let _ = (container, blob, lifetime);
        Err(Error::unexpected("Blob SAS", "not built yet"))
    }
}
