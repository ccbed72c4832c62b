//! The services as one value: a request and the time go in, the response comes out.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::{Request, Response};
use time::OffsetDateTime;

use crate::access::{self, Credentials, Key, TokenIssuer};
use crate::blob::Blocks;
use crate::call::Call;
use crate::config::{Config, Identity, SetupError, decode_key};
use crate::ids::Ids;
use crate::operation::Operation;
use crate::response::{ServiceError, ServiceResponse, finish};
use crate::service::Service;
use crate::state::State;
use crate::{blob, cors, identity, queue, vault};

/// Newest version of the storage protocol that is understood; what callers of no version get.
pub(crate) const VERSION: &str = "2023-11-03";

/// Blob Storage, Queue Storage, Key Vault and the identity endpoint in memory.
///
/// Has no clock and no randomness: the same seed, requests and times give the same responses. A clone goes its own way.
#[derive(Clone)]
pub struct FakeAzure {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) ids: Ids,
    /// Ids of responses come from their own counter, so that reading changes nothing that a journal must know.
    request_ids: Ids,
    pub(crate) keys: BTreeMap<String, Vec<Key>>,
    pub(crate) issuer: TokenIssuer,
    pub(crate) requests: BTreeMap<Operation, u64>,
    pub(crate) vault_throttled: bool,
    pub(crate) blocks: Blocks,
}

impl fmt::Debug for FakeAzure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAzure")
            .field("config", &self.config)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

impl FakeAzure {
    /// Empty services.
    ///
    /// # Errors
    /// When an account key is not base64.
    pub fn new(config: Config) -> Result<Self, SetupError> {
        let mut keys = BTreeMap::new();
        for (account, texts) in &config.accounts {
            keys.insert(account.clone(), prepare(account, texts)?);
        }
        let issuer = TokenIssuer::new(&config).ok_or_else(|| SetupError("no signing key".to_owned()))?;
        Ok(Self {
            state: State::default(),
            ids: Ids::new(config.seed),
            request_ids: Ids::new(!config.seed),
            keys,
            issuer,
            requests: BTreeMap::new(),
            vault_throttled: false,
            blocks: Blocks::new(),
            config,
        })
    }

    /// Responds to `request` as of `now`. The service is found by the host of the URI or the `Host` header.
    pub fn handle(&mut self, request: Request<Bytes>, now: OffsetDateTime) -> Response<Bytes> {
        self.respond(request, None, now)
    }

    /// Responds to `request` that came in on the port of `service`.
    pub fn handle_at(
        &mut self,
        service: Service,
        request: Request<Bytes>,
        now: OffsetDateTime,
    ) -> Response<Bytes> {
        self.respond(request, Some(service), now)
    }

    fn respond(
        &mut self,
        request: Request<Bytes>,
        listener: Option<Service>,
        now: OffsetDateTime,
    ) -> Response<Bytes> {
        let request_id = self.request_ids.guid();
        let origin = request.headers().get("origin").cloned();
        let call = match Call::parse(request, listener, &self.config) {
            Ok(call) => call,
            Err(refused) => {
                *self.requests.entry(Operation::Unknown).or_default() += 1;
                let (method, error) = *refused;
                return finish(
                    error.into_storage_response(&request_id, now),
                    &method,
                    &request_id,
                    Some(VERSION),
                    now,
                );
            }
        };
        let operation = Operation::of(&call.method, &call.target);
        *self.requests.entry(operation).or_default() += 1;
        let version = call.header("x-ms-version").unwrap_or_else(|| VERSION.to_owned());
        let (mut response, version) = match call.target.service {
            Service::Identity => (identity::token(&call, &self.config, &self.issuer, now), None),
            Service::Vault => {
                (vault::secret(&call, &self.config, &self.issuer, self.vault_throttled, now), None)
            }
            Service::Blob | Service::Queue => {
                let outcome = self.storage(&call, operation, now);
                let response = outcome.unwrap_or_else(|error| error.into_storage_response(&request_id, now));
                (response, Some(version.as_str()))
            }
        };
        if self.config.cors
            && let Some(origin) = &origin
        {
            response = cors::allow_reading(response, origin);
        }
        finish(response, &call.method, &request_id, version, now)
    }

    /// The steps that both storage services have in common.
    fn storage(
        &mut self,
        call: &Call,
        operation: Operation,
        now: OffsetDateTime,
    ) -> Result<ServiceResponse, ServiceError> {
        if operation == Operation::Preflight {
            return cors::preflight(call, self.config.cors);
        }
        if let Some(version) = call.header("x-ms-version")
            && crate::dates::parse_iso(&version).is_none_or(|_| version.len() != 10)
        {
            return Err(ServiceError::invalid_header("x-ms-version", &version));
        }
        // On Azure the account's name would not resolve.
        let Some(keys) = self.keys.get(&call.target.account) else {
            return Err(ServiceError::not_found(
                "ResourceNotFound",
                "The specified resource does not exist.",
            ));
        };
        let credentials = Credentials { keys, issuer: &self.issuer, identities: &self.config.identities };
        let caller = access::authorize(call, operation, &credentials, now)?;
        let deletion_delay =
            time::Duration::try_from(self.config.deletion_delay).unwrap_or(time::Duration::MAX);
        let (state, ids) = (&mut self.state, &mut self.ids);
        if call.target.service == Service::Queue {
            queue::perform(operation, queue::Context { call, state, ids, now, deletion_delay })
        } else {
            let (issuer, blocks) = (&self.issuer, &self.blocks);
            let context = blob::Context { call, state, ids, issuer, caller, now, deletion_delay, blocks };
            blob::perform(operation, context)
        }
    }

    /// How many requests there were, by operation, refused ones too.
    #[must_use]
    pub fn requests(&self) -> &BTreeMap<Operation, u64> {
        &self.requests
    }

    /// Starts counting anew.
    pub fn reset_requests(&mut self) {
        self.requests.clear();
    }

    /// Replaces the keys of an account. The old ones are refused from now on.
    ///
    /// # Errors
    /// When a key is not base64; then nothing changes.
    pub fn set_keys(&mut self, account: &str, keys: &[&str]) -> Result<(), SetupError> {
        let texts: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let prepared = prepare(account, &texts)?;
        self.keys.insert(account.to_owned(), prepared);
        self.config.accounts.insert(account.to_owned(), texts);
        Ok(())
    }

    /// Adds an identity, or replaces the one with its client id; for giving and taking rights.
    pub fn set_identity(&mut self, identity: Identity) {
        self.config.identities.retain(|present| present.client_id != identity.client_id);
        self.config.identities.push(identity);
    }

    /// Replaces what the identity endpoint expects in `X-IDENTITY-HEADER`.
    pub fn set_identity_header(&mut self, value: &str) {
        value.clone_into(&mut self.config.identity_header);
    }

    /// How long tokens are valid that are issued from now on.
    pub fn set_token_lifetime(&mut self, lifetime: std::time::Duration) {
        self.config.token_lifetime = lifetime;
    }

    /// Makes every token that was issued so far invalid.
    pub fn revoke_tokens(&mut self) {
        self.issuer.revoke_tokens();
    }

    /// Makes every user delegation key that was given out so far invalid, and with it every SAS made with one.
    pub fn revoke_delegation_keys(&mut self) {
        self.issuer.revoke_delegation_keys();
    }

    /// Sets a secret of a vault; `None` removes it.
    pub fn set_secret(&mut self, vault: &str, name: &str, value: Option<&str>) {
        let secrets = self.config.vaults.entry(vault.to_owned()).or_default();
        match value {
            Some(value) => secrets.insert(name.to_owned(), value.to_owned()),
            None => secrets.remove(name),
        };
    }

    /// Whether the vault responds `429` to everyone who may read.
    pub fn set_vault_throttled(&mut self, throttled: bool) {
        self.vault_throttled = throttled;
    }
}

fn prepare(account: &str, texts: &[String]) -> Result<Vec<Key>, SetupError> {
    let unusable = || SetupError(format!("a key of account {account} cannot be used"));
    texts
        .iter()
        .map(|text| decode_key(account, text).and_then(|key| Key::new(&key).ok_or_else(unusable)))
        .collect()
}
