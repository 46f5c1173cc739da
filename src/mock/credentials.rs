//! Who may get in: the keys and clients that exist from the start.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::jwk::PublicKey;
use super::keys::{base64url, sha256};

/// An API key of one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The slug of the organisation.
    pub org: String,
    /// The key: `apx_live_sk_` and 32 characters.
    pub key: String,
}

impl ApiKey {
    /// The key that the mock makes up for `org`: always the same, and obviously no real one.
    pub fn mock(org: &str) -> Self {
        Self { org: org.to_owned(), key: format!("apx_live_sk_{}", fake(org)) }
    }
}

/// A confidential client of the client credentials grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineClient {
    /// The slug of the organisation.
    pub org: String,
    /// The `client_id`.
    pub client_id: String,
    /// The `client_secret`.
    pub client_secret: String,
}

impl MachineClient {
    /// The client that the mock makes up for `org`.
    pub fn mock(org: &str) -> Self {
        Self {
            org: org.to_owned(),
            client_id: format!("apx_client_mock_{org}"),
            client_secret: format!("apx_secret_{}", fake(org)),
        }
    }
}

/// A client that somebody registered by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticClient {
    /// The `client_id`.
    pub client_id: String,
    /// What the consent page calls it.
    pub name: String,
    /// Where authorization responses may go.
    pub redirect_uris: Vec<String>,
    /// How it proves who it is at the token endpoint: this way and no other.
    pub authentication: Authentication,
    /// The slug of the organisation for which it may use the client credentials grant.
    pub machine_of: Option<String>,
}

impl StaticClient {
    /// A client of the authorization code and device grants.
    pub fn new(client_id: &str, redirect_uri: &str, authentication: Authentication) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: client_id.to_owned(),
            redirect_uris: vec![redirect_uri.to_owned()],
            authentication,
            machine_of: None,
        }
    }

    /// A client of the client credentials grant.
    pub fn machine(client_id: &str, org: &str, authentication: Authentication) -> Self {
        Self {
            client_id: client_id.to_owned(),
            name: client_id.to_owned(),
            redirect_uris: Vec::new(),
            authentication,
            machine_of: Some(org.to_owned()),
        }
    }

    /// Reads the members that RFC 7591 2 gives to client metadata, and `org`.
    pub fn from_json(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            client_id: String,
            client_name: Option<String>,
            #[serde(default)]
            redirect_uris: Vec<String>,
            client_secret: Option<String>,
            token_endpoint_auth_method: Option<String>,
            #[serde(default)]
            jwks: Value,
            org: Option<String>,
        }
        let it: Members = serde_json::from_str(json).map_err(|error| error.to_string())?;
        // RFC 7591 2: `client_secret_basic` is what the omitted method means.
        let default = if it.client_secret.is_some() { "client_secret_basic" } else { "none" };
        let method = it.token_endpoint_auth_method.as_deref().unwrap_or(default);
        Ok(Self {
            name: it.client_name.unwrap_or_else(|| it.client_id.clone()),
            client_id: it.client_id,
            redirect_uris: it.redirect_uris,
            authentication: Authentication::read(method, it.client_secret, &it.jwks)?,
            machine_of: it.org,
        })
    }
}

/// How a client proves who it is at the token endpoint.
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all: a public client.
    None,
    /// RFC 7523 2.2: a JSON Web Token, signed with the key that belongs to one of these.
    PrivateKeyJwt(Vec<PublicKey>),
    /// RFC 6749 2.3.1: this secret, in `Authorization: Basic`.
    SecretBasic(String),
    /// RFC 6749 2.3.1: this secret, in the form.
    SecretPost(String),
}

impl Authentication {
    /// The method by the name that RFC 7591 2 and RFC 7523 give it.
    pub(crate) fn read(method: &str, secret: Option<String>, jwks: &Value) -> Result<Self, String> {
        let secret = || secret.ok_or(format!("`{method}` needs a `client_secret`"));
        match method {
            "none" => Ok(Self::None),
            "client_secret_basic" => Ok(Self::SecretBasic(secret()?)),
            "client_secret_post" => Ok(Self::SecretPost(secret()?)),
            "private_key_jwt" => Ok(Self::PrivateKeyJwt(PublicKey::set(jwks)?)),
            _ => Err(format!("`{method}` is no method that is offered here")),
        }
    }

    /// The secret of this client, if it has one that both sides know.
    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Self::SecretBasic(secret) | Self::SecretPost(secret) => Some(secret),
            Self::None | Self::PrivateKeyJwt(_) => None,
        }
    }

    /// The name of the method.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PrivateKeyJwt(_) => "private_key_jwt",
            Self::SecretBasic(_) => "client_secret_basic",
            Self::SecretPost(_) => "client_secret_post",
        }
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The secret that gateway and web share (`OAUTH_HANDOFF_SECRET`).
#[derive(Clone, PartialEq, Eq)]
pub struct HandoffSecret(String);

impl HandoffSecret {
    /// Accepts what the product accepts: 32 or more characters.
    pub fn new(secret: &str) -> Result<Self, String> {
        if secret.chars().count() < 32 {
            return Err("expected 32 or more characters".into());
        }
        Ok(Self(secret.to_owned()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for HandoffSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandoffSecret(..)")
    }
}

/// 32 characters that say what they are, and another 32 for another organisation.
fn fake(org: &str) -> String {
    let digest = base64url(&sha256(org.as_bytes())).replace(['-', '_'], "0");
    format!("MOCK{digest:.28}")
}
