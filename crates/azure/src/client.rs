//! One account: resolves it, authorises calls, sends them, makes links.

use std::rc::Rc;
use std::time::Duration;

use crate::account::{Account, Credential};
use crate::answer::Answer;
use crate::cache::{Cache, Now};
use crate::call::{Call, VERSION};
use crate::delegation::{self, Issued};
use crate::identity::{self, Token};
use crate::retry::Tries;
use crate::sas::{Grant, protocol};
use crate::send::{Target, Verdict, judge};
use crate::source::{Identity, VaultSecret};
use crate::transport::UNOBSERVED;
use crate::vault::{self, Opened};
use crate::{AccountSource, Env, Error, RetryPolicy, encode, moment};

/// One storage account. Cheap to clone; clones share the account resolution, tokens, the vault's secret
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
    opened: Cache<Opened>,
    delegation: Cache<Issued>,
}

enum Source {
    Fixed(Rc<Account>),
    Vault { secret: VaultSecret, identity: Identity },
    Keyless { account: Rc<Account>, identity: Identity },
}

/// What a try was authorised with, to be replaced when it is refused.
enum Authority {
    Fixed(Rc<Account>),
    Secret(Rc<Opened>),
    Token(Rc<Account>, Rc<Token>),
}

impl Authority {
    fn account(&self) -> &Account {
        match self {
            Self::Fixed(account) | Self::Token(account, _) => account,
            Self::Secret(opened) => &opened.account,
        }
    }
}

impl StorageClient {
    /// An account that is resolved when the first request needs it.
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
                opened: Cache::default(),
                delegation: Cache::default(),
            }),
        }
    }

    /// Address of a blob, without any signature.
    ///
    /// # Errors
    /// [`Error`] when the account cannot be determined.
    pub async fn blob_address(&self, container: &str, blob: &str) -> Result<String, Error> {
        let authority = self.inner.account().await?;
        Ok(address(authority.account(), container, blob))
    }

    /// Address of a blob with a signature that allows reading this one blob for `lifetime` (rounded up
    /// to whole seconds): a service SAS when there is an account key, else a user delegation SAS, which
    /// can live for seven days less a quarter of an hour at most and ends then.
    ///
    /// # Errors
    /// [`Error`]; a configuration error when the credential is itself a SAS: it cannot sign, and handing
    /// it out would open the whole account.
    pub async fn blob_read_sas(
        &self,
        container: &str,
        blob: &str,
        lifetime: Duration,
    ) -> Result<String, Error> {
        let authority = self.inner.account().await?;
        let account = authority.account();
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
                let issued = self.inner.delegation_key(grant.expiry, lifetime).await?;
                grant.expiry = grant.expiry.min(issued.expires_at);
                grant.delegation_sas(&issued.key)
            }
            Credential::Sas(_) => {
                return Err(Error::configuration(
                    "Create SAS",
                    "the storage connection string holds a shared access signature, which cannot sign links: use one \
                     with AccountKey, or a managed identity",
                ));
            }
        };
        Ok(format!("{}?{query}", address(account, container, blob)))
    }

    /// Whether links can be made: not with a connection string that itself is a shared access signature.
    ///
    /// # Errors
    /// When the account cannot be determined.
    pub async fn can_sign(&self) -> Result<bool, Error> {
        let authority = self.inner.account().await?;
        Ok(!matches!(authority.account().credential, Credential::Sas(_)))
    }

    /// Sends a call, as often as the policy allows, each try dated and signed anew.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        self.inner.send(call).await
    }
}

fn address(account: &Account, container: &str, blob: &str) -> String {
    format!("{}/{}/{}", account.blob.url(), encode::value(container), encode::path(blob))
}

impl Inner {
    async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let target = Target {
            operation: call.operation,
            part: call.service.part(),
            host_variable: call.service.host_variable(),
        };
        let mut tries: Option<Tries> = None;
        let mut renewed = false;
        loop {
            let authority = self.authority().await?;
            let token = match &authority {
                Authority::Token(_, token) => Some(&token.text),
                Authority::Fixed(_) | Authority::Secret(_) => None,
            };
            let request = call.request(authority.account(), token, self.env.now())?;
            let now = self.env.instant();
            let tries = tries.get_or_insert_with(|| Tries::new(self.policy, call.repeat, now));
            let outcome = self.env.send(request, tries.limits(now), UNOBSERVED).await;
            match judge(tries, target, outcome, (self.env.now(), self.env.instant()), self.env.next_u64()) {
                Verdict::Again(wait) => self.env.sleep(wait).await,
                Verdict::Failed(error) => return Err(error),
                Verdict::Answer(answer) => {
                    let refused = matches!(answer.status, 401 | 403);
                    if !refused || renewed || !self.renew(&authority, answer.status).await? {
                        return Ok(answer);
                    }
                    renewed = true;
                }
            }
        }
    }

    /// Where the account is; without a token for it.
    async fn account(&self) -> Result<Authority, Error> {
        Ok(match &self.source {
            Source::Fixed(account) | Source::Keyless { account, .. } => Authority::Fixed(Rc::clone(account)),
            Source::Vault { secret, identity } => {
                let max_age = secret.max_age;
                let fitness = |opened: &Opened, now: Now| opened.fitness(max_age, now.instant);
                let fetch = async || self.read_secret(secret, identity).await;
                Authority::Secret(self.opened.get(&*self.env, fitness, fetch).await?)
            }
        })
    }

    /// The account and what authorises a call to it now.
    async fn authority(&self) -> Result<Authority, Error> {
        match &self.source {
            Source::Keyless { account, identity } => {
                let token = self.token(&self.storage_token, identity, identity::STORAGE).await?;
                Ok(Authority::Token(Rc::clone(account), token))
            }
            Source::Fixed(_) | Source::Vault { .. } => self.account().await,
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
                |token, now| token.fitness(now.instant),
                async || identity::fetch(&*self.env, identity, resource).await,
            )
            .await
    }

    /// After a refusal: whether there is another credential to try once more with.
    async fn renew(&self, authority: &Authority, status: u16) -> Result<bool, Error> {
        match (authority, &self.source) {
            // A token expired or was revoked. A 403 is about roles: another token changes nothing.
            (Authority::Token(_, token), Source::Keyless { identity, .. }) if status == 401 => {
                let fetch = async || identity::fetch(&*self.env, identity, identity::STORAGE).await;
                Ok(self.storage_token.renew(&*self.env, token, fetch).await?.is_some())
            }
            // The key was rotated.
            (Authority::Secret(opened), Source::Vault { secret, identity }) => {
                let fetch = async || self.read_secret(secret, identity).await;
                let renewed = self.opened.renew(&*self.env, opened, fetch).await?;
                Ok(renewed.is_some_and(|renewed| renewed.account != opened.account))
            }
            _ => Ok(false),
        }
    }

    async fn read_secret(&self, secret: &VaultSecret, identity: &Identity) -> Result<Opened, Error> {
        let token = self.token(&self.vault_token, identity, identity::KEY_VAULT).await?;
        let mut answer = vault::read(&*self.env, secret, &token.text).await?;
        if answer.status == 401 {
            let fetch = async || identity::fetch(&*self.env, identity, identity::KEY_VAULT).await;
            if let Some(token) = self.vault_token.renew(&*self.env, &token, fetch).await? {
                answer = vault::read(&*self.env, secret, &token.text).await?;
            }
        }
        vault::open(&answer, secret, self.env.instant())
    }

    async fn delegation_key(
        &self,
        expiry: time::OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Rc<Issued>, Error> {
        let fitness = |issued: &Issued, now| issued.fitness(expiry, now);
        let fetch = async || {
            let answer = self.send(&delegation::call(lifetime, self.env.now())).await?;
            delegation::issued(&answer, lifetime, Now::of(&*self.env))
        };
        self.delegation.get(&*self.env, fitness, fetch).await
    }
}

#[cfg(test)]
mod tests;
