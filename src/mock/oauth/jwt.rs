//! Access and ID tokens: JSON Web Tokens signed with Ed25519 (RFC 8037).
//!
//! The product signs RS256. A client must not care: access tokens are opaque to it.

use serde::Deserialize;
use serde_json::json;

use crate::mock::keys::{Keys, base64url, from_base64url};

/// What an access token says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) org: String,
    pub(crate) scope: String,
    /// What the user may do in the organisation; none for machines.
    pub(crate) role: Option<String>,
    pub(crate) client_id: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    /// `g<generation>-<random>`: the generation lets all tokens so far be declared expired.
    pub(crate) jti: String,
    pub(crate) nonce: Option<String>,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Id,
}

impl Kind {
    /// RFC 9068 2.1 names the type of access tokens.
    fn name(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Id => "JWT",
        }
    }
}

/// Signs a token.
pub(crate) fn sign(keys: &Keys, kind: Kind, claims: &Claims) -> String {
    let header = json!({"alg": "EdDSA", "typ": kind.name(), "kid": KEY_ID});
    let mut payload = json!({
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud,
        "org": claims.org,
        "scope": claims.scope,
        "client_id": claims.client_id,
        "iat": claims.iat,
        "exp": claims.exp,
        "jti": claims.jti,
    });
    if let Some(payload) = payload.as_object_mut() {
        for (name, value) in [("nonce", &claims.nonce), ("role", &claims.role)] {
            payload.extend(value.as_deref().map(|it| (name.to_owned(), it.into())));
        }
    }
    let header = base64url(header.to_string().as_bytes());
    let payload = base64url(payload.to_string().as_bytes());
    let signing_input = format!("{header}.{payload}");
    let signature = keys.sign_token(&signing_input);
    format!("{signing_input}.{signature}")
}

/// The claims of a token that this gateway signed; expiry is for the caller to judge.
pub(crate) fn verify(keys: &Keys, token: &str) -> Option<(Kind, Claims)> {
    #[derive(Deserialize)]
    struct Header {
        typ: String,
    }
    let (signing_input, signature) = token.rsplit_once('.')?;
    if !keys.verify_token(signing_input, &from_base64url(signature)?) {
        return None;
    }
    let (header, payload) = signing_input.split_once('.')?;
    let header: Header = serde_json::from_slice(&from_base64url(header)?).ok()?;
    let kind = [Kind::Access, Kind::Id].into_iter().find(|it| it.name() == header.typ)?;
    Some((kind, serde_json::from_slice(&from_base64url(payload)?).ok()?))
}

/// The name of the only key.
pub(crate) const KEY_ID: &str = "mock-1";
