//! Values that gateway and web hand to each other through the browser: readable there, but signed
//! with the secret that both know, so that nobody in between can change or make one.

use ring::hmac;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::mock::keys::{base64url, from_base64url};
use crate::mock::oauth::AuthorizationRequest;

/// Gateway to web: please ask the user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Handoff {
    pub(crate) request: AuthorizationRequest,
    /// Makes the decision usable once.
    pub(crate) nonce: String,
    /// Seconds since the Unix epoch.
    pub(crate) expires: u64,
}

/// Web to gateway: the user has decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) handoff: Handoff,
    pub(crate) user: String,
    /// The organisation that was active in the browser: the grant is for this one.
    pub(crate) org: String,
    pub(crate) approved: bool,
}

/// What can be sealed. The purpose is signed too, so that a hand-off cannot pass for a decision.
pub(crate) trait Sealed: Serialize + DeserializeOwned {
    const PURPOSE: &str;
}

impl Sealed for Handoff {
    const PURPOSE: &str = "handoff";
}

impl Sealed for Decision {
    const PURPOSE: &str = "decision";
}

/// Signs a value for a query parameter.
pub(crate) fn seal<T: Sealed>(key: &hmac::Key, value: &T) -> String {
    // These types always serialize; an empty payload would be refused at the other end.
    let payload = base64url(&serde_json::to_vec(value).unwrap_or_default());
    let tag = base64url(hmac::sign(key, signed::<T>(&payload).as_bytes()).as_ref());
    format!("{payload}.{tag}")
}

/// The value, if it was sealed for this purpose with this key. Expiry is for the caller to judge.
pub(crate) fn unseal<T: Sealed>(key: &hmac::Key, sealed: &str) -> Option<T> {
    let (payload, tag) = sealed.split_once('.')?;
    hmac::verify(key, signed::<T>(payload).as_bytes(), &from_base64url(tag)?).ok()?;
    serde_json::from_slice(&from_base64url(payload)?).ok()
}

fn signed<T: Sealed>(payload: &str) -> String {
    format!("{}.{payload}", T::PURPOSE)
}
