//! Randomness and the two keys of a gateway: one signs access tokens, one signs hand-offs.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ring::{digest, hmac};

use super::credentials::HandoffSecret;
use super::log::Site;
use super::plan::Plan;

/// The keys of one gateway; a new set at every start, as nothing survives a restart anyway.
#[derive(Debug)]
pub(crate) struct Keys {
    token: Ed25519KeyPair,
    handoff: hmac::Key,
    request_state: hmac::Key,
    web_handoff: hmac::Key,
    seed: hmac::Key,
    drawn: AtomicU64,
}

impl Keys {
    /// Draws new keys from the operating system.
    pub(crate) fn generate(plan: &Plan) -> io::Result<Self> {
        let system = SystemRandom::new();
        let draw = || {
            let mut bytes = [0; 32];
            system.fill(&mut bytes).map_err(|_| io::Error::other("no system randomness"))?;
            io::Result::Ok(bytes)
        };
        let random_handoff = draw()?;
        let handoff = plan.handoff_secret.as_ref();
        let handoff = handoff.map_or(random_handoff.as_slice(), HandoffSecret::as_bytes);
        let web_handoff = plan.web_handoff_secret.as_ref().map_or(handoff, HandoffSecret::as_bytes);
        let token = Ed25519KeyPair::from_seed_unchecked(&draw()?)
            .map_err(|rejected| io::Error::other(rejected.to_string()))?;
        Ok(Self {
            token,
            handoff: hmac::Key::new(hmac::HMAC_SHA256, handoff),
            request_state: hmac::Key::new(hmac::HMAC_SHA256, &draw()?),
            web_handoff: hmac::Key::new(hmac::HMAC_SHA256, web_handoff),
            seed: hmac::Key::new(hmac::HMAC_SHA256, &draw()?),
            drawn: AtomicU64::new(0),
        })
    }

    /// 256 unguessable bits as base64url. HMAC over a counter, so that only the start can fail.
    pub(crate) fn random(&self) -> String {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        base64url(hmac::sign(&self.seed, &n.to_be_bytes()).as_ref())
    }

    /// Signs the first two parts of a JWT.
    pub(crate) fn sign_token(&self, signing_input: &str) -> String {
        base64url(self.token.sign(signing_input.as_bytes()).as_ref())
    }

    /// Whether this gateway signed the token.
    pub(crate) fn verify_token(&self, signing_input: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.token.public_key())
            .verify(signing_input.as_bytes(), signature)
            .is_ok()
    }

    /// The `x` of the public key (RFC 8037 2).
    pub(crate) fn public_x(&self) -> String {
        base64url(self.token.public_key().as_ref())
    }

    /// Signs a `requestState`: readable, but nobody else can make or change one.
    pub(crate) fn seal_state(&self, payload: &[u8]) -> String {
        let payload = base64url(payload);
        let tag = hmac::sign(&self.request_state, payload.as_bytes());
        format!("{payload}.{}", base64url(tag.as_ref()))
    }

    /// The payload of a `requestState` that this gateway has signed.
    pub(crate) fn unseal_state(&self, sealed: &str) -> Option<Vec<u8>> {
        let (payload, tag) = sealed.split_once('.')?;
        hmac::verify(&self.request_state, payload.as_bytes(), &from_base64url(tag)?).ok()?;
        from_base64url(payload)
    }

    /// The key that gateway and web should share, as one of them has it.
    pub(crate) fn handoff(&self, site: Site) -> &hmac::Key {
        match site {
            Site::Gateway => &self.handoff,
            Site::Web => &self.web_handoff,
        }
    }
}

/// Base64url without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The reverse of [`base64url`].
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// Whether two secrets are equal, without telling by time where they differ.
pub(crate) fn same_secret(a: &str, b: &str) -> bool {
    // Comparing digests hides the position of the first difference well enough.
    sha256(a.as_bytes()) == sha256(b.as_bytes())
}
