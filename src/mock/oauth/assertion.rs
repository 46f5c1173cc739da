//! `private_key_jwt`: a client proves itself by a token of its own making (RFC 7523 2.2 and 3).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::mock::jwk::PublicKey;
use crate::mock::keys::from_base64url;
use crate::mock::state::{Mock, lock};

/// The `client_assertion_type` (RFC 7523 2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The algorithms that are accepted: none that shares a secret.
pub(crate) const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    #[serde(default)]
    aud: Value,
    exp: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
}

/// The client that a token names, before anything is known about the token.
pub(crate) fn subject(token: &str) -> Option<String> {
    claims(token)?.sub
}

/// Checks a token, and uses it up.
pub(crate) fn check(
    mock: &Mock,
    token: &str,
    client_id: &str,
    keys: &[PublicKey],
) -> Result<(), &'static str> {
    let malformed = "`client_assertion` is not a JSON Web Token";
    let (signing_input, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, _) = signing_input.split_once('.').ok_or(malformed)?;
    let header: Header = part(header).ok_or(malformed)?;
    let signature = from_base64url(signature).ok_or(malformed)?;
    let signed = |key: &PublicKey| key.verifies(&header.alg, signing_input.as_bytes(), &signature);
    if !keys.iter().any(signed) {
        return Err("`client_assertion` is not signed with a key of this client");
    }
    let claims = claims(token).ok_or(malformed)?;
    // RFC 7523 3, in its order.
    if claims.iss.as_deref() != Some(client_id) || claims.sub.as_deref() != Some(client_id) {
        return Err("`iss` and `sub` of `client_assertion` must be the client id");
    }
    let endpoint = format!("{}/oauth/token", mock.base_url);
    let is_ours = |it: &Value| it.as_str().is_some_and(|it| it == mock.issuer || it == endpoint);
    let audience = claims.aud.as_array().map_or(std::slice::from_ref(&claims.aud), Vec::as_slice);
    if !audience.iter().any(is_ours) {
        return Err("`aud` of `client_assertion` must be the issuer or the token endpoint");
    }
    let now = mock.clock.now();
    let expires = claims.exp.ok_or("`client_assertion` lacks `exp`")?;
    let expires = Duration::try_from_secs_f64(expires).map_err(|_| "`exp` is no time")?;
    if expires <= now {
        return Err("`client_assertion` has expired");
    }
    // RFC 7523 3: an expiry unreasonably far in the future may be refused.
    if now + LONGEST < expires {
        return Err("`exp` of `client_assertion` is more than an hour ahead");
    }
    if claims.nbf.is_some_and(|it| (now + LEEWAY).as_secs_f64() < it) {
        return Err("`client_assertion` is not valid yet");
    }
    let id = claims.jti.ok_or("`client_assertion` lacks `jti`")?;
    let id = format!("{client_id} {id}");
    if !lock(&mock.grants).use_once(&id, expires, now) {
        return Err("`jti` of `client_assertion` was used before");
    }
    Ok(())
}

fn claims(token: &str) -> Option<Claims> {
    part(token.split('.').nth(1)?)
}

fn part<T: for<'a> Deserialize<'a>>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&from_base64url(encoded)?).ok()
}

const LONGEST: Duration = Duration::from_hours(1);

/// Clocks differ.
const LEEWAY: Duration = Duration::from_mins(1);
