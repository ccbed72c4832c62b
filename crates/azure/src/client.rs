//! The client of one storage account: resolves the account, authorises and sends calls, signs links.

use std::rc::Rc;
use std::time::Duration;

use crate::account::{Account, Credential};
use crate::cache::{Cache, Now};
use crate::call::{Call, VERSION};
use crate::delegation::{self, CachedDelegationKey};
use crate::identity::{self, Token};
use crate::response::ServiceResponse;
use crate::retry::Tries;
use crate::sas::{Grant, protocol};
use crate::send::{Target, TryOutcome, try_outcome};
use crate::source::{Identity, VaultSecret};
use crate::transport::UNOBSERVED;
use crate::vault::{self, VaultAccount};
use crate::{AccountSource, Env, Error, RetryPolicy, encode, moment};

/// The client of one storage account. Cheap to clone; clones share the resolved account, tokens, the vault's secret
/// and delegation keys.
#[derive(Clone)]
pub struct StorageClient {
    inner: Rc<Inner>,
}

struct Inner {
    env: Rc<dyn Env>,
    source: Source,
    policy: RetryPolicy,
    storage_token: Cache<Token>,
    vault_token: Cache<Token>,
    vault_account: Cache<VaultAccount>,
    delegation_key: Cache<CachedDelegationKey>,
}

enum Source {
    Fixed(Rc<Account>),
    Vault { secret: VaultSecret, identity: Identity },
    Keyless { account: Rc<Account>, identity: Identity },
}

/// What authorised a try. It is renewed when the service rejects it.
enum Authorization {
    Fixed(Rc<Account>),
    Secret(Rc<VaultAccount>),
    Token(Rc<Account>, Rc<Token>),
}

impl Authorization {
    fn account(&self) -> &Account {
        match self {
            Self::Fixed(account) | Self::Token(account, _) => account,
            Self::Secret(cached) => &cached.account,
        }
    }
}

impl StorageClient {
    /// A client for the account of `source`, which is resolved by the first request.
    #[must_use]
    pub fn new(env: Rc<dyn Env>, source: AccountSource, policy: RetryPolicy) -> Self {
        let source = match source {
            AccountSource::ConnectionString(connection) => Source::Fixed(Rc::new(connection.0)),
            AccountSource::KeyVault { secret, identity } => Source::Vault { secret, identity },
            AccountSource::Identity { account, identity } => {
                Source::Keyless { account: Rc::new(account), identity }
            }
        };
        Self {
            inner: Rc::new(Inner {
                env,
                source,
                policy,
                storage_token: Cache::default(),
                vault_token: Cache::default(),
                vault_account: Cache::default(),
                delegation_key: Cache::default(),
            }),
        }
    }

    /// The address of a blob, without a signature.
    ///
    /// # Errors
    /// [`Error`] when the account cannot be determined.
    pub async fn blob_address(&self, container: &str, blob: &str) -> Result<String, Error> {
        let authorization = self.inner.resolve_account().await?;
        Ok(address(authorization.account(), container, blob))
    }

    /// The address of a blob with a signature that allows reading this one blob for `lifetime`, rounded up to whole
    /// seconds.
    ///
    /// A service SAS if there is an account key, otherwise a user delegation SAS, which is valid for at most seven
    /// days less 15 minutes.
    ///
    /// # Errors
    /// [`Error`]; a configuration error if the credential is itself a SAS: it cannot sign, and publishing it would
    /// give access to the whole account.
    pub async fn blob_read_sas(
        &self,
        container: &str,
        blob: &str,
        lifetime: Duration,
    ) -> Result<String, Error> {
        let authorization = self.inner.resolve_account().await?;
        let account = authorization.account();
        let now = self.inner.env.now();
        let mut grant = Grant {
            account: &account.name,
            container,
            blob,
            expiry: moment::round_up(moment::plus(now, lifetime)),
            protocol: protocol(account.blob.is_https()),
            version: VERSION,
        };
        let query = match &account.credential {
            Credential::Key(key) => grant.service_sas(key),
            Credential::Identity => {
                let cached = self.inner.delegation_key(grant.expiry, lifetime).await?;
                grant.expiry = grant.expiry.min(cached.expires_at);
                grant.delegation_sas(&cached.key)
            }
            Credential::Sas(_) => {
                return Err(Error::configuration(
                    "Create SAS",
                    "the storage connection string holds a shared access signature, which cannot sign links: use one \
                     with AccountKey, or a managed identity",
                ));
            }
        };
        Ok([&address(account, container, blob), "?", &query].concat())
    }

    /// Whether links can be signed. A connection string with a shared access signature cannot sign.
    ///
    /// # Errors
    /// [`Error`] when the account cannot be determined.
    pub async fn can_sign(&self) -> Result<bool, Error> {
        let authorization = self.inner.resolve_account().await?;
        Ok(!matches!(authorization.account().credential, Credential::Sas(_)))
    }

    /// Sends a call, as often as the policy allows. Each try has its own date and signature.
    pub(crate) async fn send(&self, call: &Call) -> Result<ServiceResponse, Error> {
        self.inner.send(call).await
    }
}

fn address(account: &Account, container: &str, blob: &str) -> String {
    [account.blob.url(), "/", &encode::value(container), "/", &encode::path(blob)].concat()
}

impl Inner {
    async fn send(&self, call: &Call) -> Result<ServiceResponse, Error> {
        let target = Target {
            operation: call.operation,
            part: call.service.part(),
            host_variable: call.service.host_variable(),
        };
        let mut tries: Option<Tries> = None;
        let mut is_renewed = false;
        loop {
            let authorization = self.authorization().await?;
            let token = match &authorization {
                Authorization::Token(_, token) => Some(&token.text),
                Authorization::Fixed(_) | Authorization::Secret(_) => None,
            };
            let request = call.request(authorization.account(), token, self.env.now())?;
            let now = self.env.instant();
            let tries = tries.get_or_insert_with(|| Tries::new(self.policy, call.repeat, now));
            let result = self.env.send(request, tries.limits(now), UNOBSERVED).await;
            match try_outcome(&*self.env, tries, target, result) {
                TryOutcome::Retry(wait) => self.env.sleep(wait).await,
                TryOutcome::Failed(error) => return Err(error),
                TryOutcome::Response(response) => {
                    let is_rejected = matches!(response.status, 401 | 403);
                    if !is_rejected || is_renewed || !self.renew(&authorization, response.status).await? {
                        return Ok(response);
                    }
                    is_renewed = true;
                }
            }
        }
    }

    /// The account, without a token for it.
    async fn resolve_account(&self) -> Result<Authorization, Error> {
        Ok(match &self.source {
            Source::Fixed(account) | Source::Keyless { account, .. } => {
                Authorization::Fixed(Rc::clone(account))
            }
            Source::Vault { secret, identity } => {
                let max_age = secret.max_age;
                let freshness = |cached: &VaultAccount, now: Now| cached.freshness(max_age, now.instant);
                let fetch = async || self.read_secret(secret, identity).await;
                Authorization::Secret(self.vault_account.get(&*self.env, freshness, fetch).await?)
            }
        })
    }

    /// The account, with a token if it needs one.
    async fn authorization(&self) -> Result<Authorization, Error> {
        match &self.source {
            Source::Keyless { account, identity } => {
                let token = self.token(&self.storage_token, identity, identity::STORAGE_RESOURCE).await?;
                Ok(Authorization::Token(Rc::clone(account), token))
            }
            Source::Fixed(_) | Source::Vault { .. } => self.resolve_account().await,
        }
    }

    async fn token(
        &self,
        cache: &Cache<Token>,
        identity: &Identity,
        resource: &str,
    ) -> Result<Rc<Token>, Error> {
        cache
            .get(
                &*self.env,
                |token, now| token.freshness(now.instant),
                async || identity::fetch(&*self.env, identity, resource).await,
            )
            .await
    }

    /// Renews a credential that the service rejected with `status`. Returns whether another one is available.
    async fn renew(&self, authorization: &Authorization, status: u16) -> Result<bool, Error> {
        match (authorization, &self.source) {
            // The token has expired or was revoked. A 403 is about roles, which another token does not change.
            (Authorization::Token(_, token), Source::Keyless { identity, .. }) if status == 401 => {
                let fetch = async || identity::fetch(&*self.env, identity, identity::STORAGE_RESOURCE).await;
                Ok(self.storage_token.renew(&*self.env, token, fetch).await?.is_some())
            }
            // The account key may have been rotated.
            (Authorization::Secret(rejected), Source::Vault { secret, identity }) => {
                let fetch = async || self.read_secret(secret, identity).await;
                let renewed = self.vault_account.renew(&*self.env, rejected, fetch).await?;
                Ok(renewed.is_some_and(|renewed| renewed.account != rejected.account))
            }
            _ => Ok(false),
        }
    }

    async fn read_secret(&self, secret: &VaultSecret, identity: &Identity) -> Result<VaultAccount, Error> {
        let token = self.token(&self.vault_token, identity, identity::KEY_VAULT_RESOURCE).await?;
        let mut response = vault::read(&*self.env, secret, &token.text).await?;
        if response.status == 401 {
            let fetch = async || identity::fetch(&*self.env, identity, identity::KEY_VAULT_RESOURCE).await;
            if let Some(token) = self.vault_token.renew(&*self.env, &token, fetch).await? {
                response = vault::read(&*self.env, secret, &token.text).await?;
            }
        }
        vault::parse_secret(&response, secret, self.env.instant())
    }

    async fn delegation_key(
        &self,
        expiry: time::OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Rc<CachedDelegationKey>, Error> {
        let freshness = |cached: &CachedDelegationKey, now| cached.freshness(expiry, now);
        let fetch = async || {
            let response = self.send(&delegation::call(lifetime, self.env.now())).await?;
            delegation::parse(&response, lifetime, Now::of(&*self.env))
        };
        self.delegation_key.get(&*self.env, freshness, fetch).await
    }
}

#[cfg(test)]
mod tests;
