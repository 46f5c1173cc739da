//! Tokens of somebody else: organisations may bring their own identity provider.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::metadata;
use crate::mock::jwk::PublicKey;
use crate::mock::keys::from_base64url;

/// An OpenID provider whose tokens open the endpoints of one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The slug of the organisation.
    pub org: String,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// What must be in `aud`; none = whatever is there.
    pub audience: Option<String>,
    /// The keys that its tokens may be signed with.
    pub keys: Vec<PublicKey>,
}

/// What a token of a provider stands for.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    pub(super) org: &'a str,
    pub(super) user: String,
    pub(super) scope: String,
}

impl IdentityProvider {
    /// Reads `org`, `issuer`, `jwks` (RFC 7517 5), and where wanted `audience`.
    pub fn from_json(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            org: String,
            issuer: String,
            audience: Option<String>,
            jwks: Value,
        }
        let it: Members = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let Members { org, issuer, audience, jwks } = it;
        Ok(Self { org, issuer, audience, keys: PublicKey::set(&jwks)? })
    }

    /// What a token stands for, if it is one of this provider and in force (RFC 7519 4.1).
    pub(super) fn verify(&self, token: &str, now: Duration) -> Option<Visitor<'_>> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
        }
        #[derive(Deserialize)]
        struct Claims {
            iss: String,
            sub: String,
            #[serde(default)]
            aud: Value,
            exp: f64,
            nbf: Option<f64>,
            scope: Option<String>,
        }
        let (signing_input, signature) = token.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let header: Header = serde_json::from_slice(&from_base64url(header)?).ok()?;
        let signature = from_base64url(signature)?;
        let input = signing_input.as_bytes();
        self.keys.iter().find(|it| it.verifies(&header.alg, input, &signature))?;
        let claims: Claims = serde_json::from_slice(&from_base64url(payload)?).ok()?;
        let now = now.as_secs_f64();
        let is_meant = self.audience.as_ref().is_none_or(|expected| match &claims.aud {
            Value::Array(all) => all.iter().any(|it| it == expected),
            one => one == expected,
        });
        let in_force = now < claims.exp && claims.nbf.is_none_or(|it| it <= now);
        (claims.iss == self.issuer && is_meant && in_force).then(|| Visitor {
            org: &self.org,
            user: claims.sub,
            scope: claims.scope.unwrap_or_else(|| metadata::DEFAULT_SCOPE.to_owned()),
        })
    }
}
