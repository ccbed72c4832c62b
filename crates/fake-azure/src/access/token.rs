//! Access tokens and user delegation keys: made and checked from the seed, so that nothing has to be remembered.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Key;
use crate::call::Call;
use crate::config::Config;
use crate::ids::mix;
use crate::service::Service;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// What a token must have been issued for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// A storage service of the account.
    Storage(&'a str, Service),
    /// Key Vault.
    Vault,
}

/// Issues tokens like the directory does, and recognises them.
#[derive(Debug, Clone)]
pub(crate) struct TokenIssuer {
    key: Key,
    tenant_id: String,
    /// Counted up to make all tokens invalid at once.
    token_generation: u64,
    /// Counted up to make all delegation keys invalid at once.
    delegation_generation: u64,
}

impl TokenIssuer {
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let key = Key::new(format!("fake-azure directory {:016x}", mix(config.seed)).as_bytes())?;
        Some(Self { key, tenant_id: config.tenant_id.clone(), token_generation: 0, delegation_generation: 0 })
    }

    pub(crate) fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.token_generation += 1;
    }

    pub(crate) fn revoke_delegation_keys(&mut self) {
        self.delegation_generation += 1;
    }

    /// A token of the form that Entra ID gives: three parts, of which only the middle one has meaning.
    pub(crate) fn issue(
        &self,
        audience: &str,
        object_id: &str,
        client_id: &str,
        issued: OffsetDateTime,
        expires: OffsetDateTime,
    ) -> String {
        let header = json!({"typ": "JWT", "alg": "HS256"});
        let claims = json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{}/", self.tenant_id),
            "iat": issued.unix_timestamp(),
            "nbf": issued.unix_timestamp(),
            "exp": expires.unix_timestamp(),
            "appid": client_id,
            "oid": object_id,
            "tid": self.tenant_id,
            "gen": self.token_generation,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(&signed));
        format!("{signed}.{signature}")
    }

    /// The object id of the identity that `token` was issued to.
    ///
    /// # Errors
    /// Why the token is not accepted, in the words of the services.
    pub(crate) fn check(
        &self,
        token: &str,
        audience: Audience<'_>,
        now: OffsetDateTime,
    ) -> Result<String, &'static str> {
        if token.len() > MAX_TOKEN {
            return Err("The token is too long.");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or("IDX12741: JWT must have three segments.")?;
        let claims = signed.split_once('.').ok_or("IDX12741: JWT must have three segments.")?.1;
        let signature = URL_SAFE_NO_PAD.decode(signature).map(|bytes| STANDARD.encode(bytes));
        if !signature.is_ok_and(|signature| self.key.verify(signed, &signature)) {
            return Err("Signature validation failed.");
        }
        let claims: Value = URL_SAFE_NO_PAD
            .decode(claims)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or("The token has no readable claims.")?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
        if number("gen") != i64::try_from(self.token_generation).unwrap_or(i64::MAX) {
            return Err("The token was revoked.");
        }
        if now.unix_timestamp() < number("nbf") || now.unix_timestamp() >= number("exp") {
            return Err("Lifetime validation failed. The token is expired.");
        }
        if !audience.accepts(text("aud")) {
            return Err("Audience validation failed. Audience did not match.");
        }
        Ok(text("oid").to_owned())
    }

    /// The value (base64) of the user delegation key with these members.
    pub(crate) fn delegation_key(
        &self,
        object_id: &str,
        start: &str,
        expiry: &str,
        service: &str,
        version: &str,
    ) -> String {
        let text = [
            "delegation",
            &self.delegation_generation.to_string(),
            object_id,
            &self.tenant_id,
            start,
            expiry,
            service,
            version,
        ]
        .join("\n");
        STANDARD.encode(self.key.sign(&text))
    }

    /// What storage says in `WWW-Authenticate`.
    pub(crate) fn storage_challenge(&self) -> String {
        format!(
            "Bearer authorization_uri=https://login.microsoftonline.com/{}/oauth2/authorize \
             resource_id=https://storage.azure.com",
            self.tenant_id
        )
    }

    /// What Key Vault says in `WWW-Authenticate`.
    pub(crate) fn vault_challenge(&self) -> String {
        format!(
            "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"https://vault.azure.net\"",
            self.tenant_id
        )
    }
}

impl Audience<'_> {
    fn accepts(self, audience: &str) -> bool {
        let audience = audience.strip_suffix('/').unwrap_or(audience);
        match self {
            Self::Storage(account, service) => {
                let service = if service == Service::Queue { "queue" } else { "blob" };
                audience == "https://storage.azure.com"
                    || audience == format!("https://{account}.{service}.core.windows.net")
            }
            Self::Vault => audience == "https://vault.azure.net",
        }
    }
}

/// The token of a call that carries one.
pub(crate) fn bearer(call: &Call) -> Option<String> {
    let authorization = call.header("authorization")?;
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim().to_owned())
}
