//! Signed values: access tokens and the hand-off between gateway and web host.
//!
//! The product signs access tokens with RS256; a client must not look inside one, so the mock uses
//! the shortest signature there is (HS256, RFC 7515).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// Signs `claims`.
pub(super) fn sign(key: &hmac::Key, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let tag = hmac::sign(key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// The claims of a value that this key has signed.
pub(super) fn verify(key: &hmac::Key, token: &str) -> Option<Value> {
    let (text, tag) = token.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(key, text.as_bytes(), &tag).ok()?;
    let claims = URL_SAFE_NO_PAD.decode(text.split_once('.')?.1).ok()?;
    serde_json::from_slice(&claims).ok()
}
