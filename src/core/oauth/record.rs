//! What is remembered of one server between runs: its client registration and its tokens.

use serde::{Deserialize, Serialize};

use crate::config::ClientKey;
use crate::secret::Secret;

/// Everything stored for one server.
///
/// Members that a newer version writes are ignored, and members that an older one did not write
/// are `None`: a downgrade or an upgrade never costs a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format: 1.
    pub version: u32,
    /// Counts each change of the tokens; who holds an older number adopts the newer tokens
    /// instead of refreshing.
    pub generation: u64,
    /// The MCP endpoint that the tokens are for, exactly as configured.
    pub server: String,
    /// The issuer that the registration and the tokens belong to (RFC 8414 §2).
    pub issuer: String,
    /// Where this issuer's tokens are asked for, as it was at sign-in. Empty where that is not
    /// known, because the tokens were imported: it is found before they are first renewed.
    pub token_endpoint: String,
    /// Where tokens are revoked (RFC 7009), where the server offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// The client registration at this issuer.
    pub client: Registration,
    /// The value of `resource` in every token request (RFC 8707 §2), byte for byte as the
    /// resource metadata gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The tokens; `None` after they were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Since when, in seconds since 1970, the refresh token is on its way to the token endpoint:
    /// written before it is sent and cleared by what came of it. Whoever finds it knows that the
    /// token may be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_since: Option<u64>,
}

impl Record {
    /// Whether this, the stored one, holds tokens that whoever knows the other one does not know.
    /// The number may be smaller too: it begins anew after everything was deleted.
    pub fn has_other_tokens(&self, known: Option<&Self>) -> bool {
        let Some(tokens) = &self.tokens else { return false };
        known.is_none_or(|known| {
            let others = known.tokens.as_ref().is_some_and(|known| known.access != tokens.access);
            others || known.generation != self.generation
        })
    }

    /// What is left when the server does not know the client any more. No redirect URI is the sign
    /// that it has to be registered again.
    pub fn without_client(&self) -> Box<Self> {
        let mut record = self.clone();
        record.client.redirect_uri.clear();
        record.tokens = None;
        record.pending_since = None;
        Box::new(record)
    }
}

/// A client registration (RFC 7591 §3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `client_id`.
    pub id: String,
    /// `client_secret`, where the server issued one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How the client authenticates at the token endpoint (`token_endpoint_auth_method`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<String>,
    /// The redirect URI that was registered.
    pub redirect_uri: String,
    /// When the secret expires, in seconds since 1970; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_expires_at: Option<u64>,
    /// The key that signs the client's assertions. It is configured, and stored nowhere else.
    #[serde(skip)]
    pub key: Option<ClientKey>,
}

impl Registration {
    /// The secret, where the client proves who it is by it.
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref().filter(|_| self.auth_method.as_deref() != Some("none"))
    }

    /// A client without a secret.
    pub fn new(id: String, redirect_uri: &str) -> Self {
        Self {
            id,
            secret: None,
            auth_method: None,
            redirect_uri: redirect_uri.to_owned(),
            secret_expires_at: None,
            key: None,
        }
    }
}

/// An access token and what renews it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// The access token (RFC 6749 §1.4).
    pub access: Secret,
    /// The refresh token (RFC 6749 §1.5), where one was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Secret>,
    /// The granted scope, where the server named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the tokens were issued, in seconds since 1970.
    pub obtained_at: u64,
    /// When the access token expires, in seconds since 1970; `None`: the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}
