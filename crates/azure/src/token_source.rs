//! Tokens for services other than storage and Key Vault.

use std::rc::Rc;

use http::HeaderValue;

use crate::cache::Cache;
use crate::identity::{self, Token};
use crate::{Env, Error, Identity};

/// The resource for tokens to Event Grid topics.
pub const EVENT_GRID_RESOURCE: &str = "https://eventgrid.azure.net";

/// Fetches tokens of a managed identity for one resource, once for all concurrent requests.
pub struct TokenSource {
    identity: Identity,
    resource: &'static str,
    cache: Cache<Token>,
}

/// A token of a [`TokenSource`].
pub struct BearerToken(Rc<Token>);

impl BearerToken {
    /// Returns the value of `Authorization`; `None` if the token does not fit a header.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0.text.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl TokenSource {
    /// A source of tokens for `resource`. It sends no request.
    #[must_use]
    pub fn new(identity: Identity, resource: &'static str) -> Self {
        Self { identity, resource, cache: Cache::default() }
    }

    /// Returns a token that has not expired.
    ///
    /// # Errors
    /// [`Error`] of the identity endpoint. After a failure no further request is made for a pause that doubles.
    pub async fn token(&self, env: &dyn Env) -> Result<BearerToken, Error> {
        let fetch = async || identity::fetch(env, &self.identity, self.resource).await;
        self.cache.get(env, |token, now| token.freshness(now.instant), fetch).await.map(BearerToken)
    }

    /// Forgets a token that the service did not accept, unless it is a few seconds old: the next call fetches another one.
    pub fn reject(&self, env: &dyn Env, token: &BearerToken) {
        self.cache.forget(env.instant(), &token.0);
    }
}
