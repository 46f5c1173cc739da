//! The assertion by which a client with a key says who it is (RFC 7523 §2.2, RFC 7515).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

use super::clock::random;
use crate::config::ClientKey;

/// The `client_assertion_type` of a JSON Web Token.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for, in seconds: it is used at once.
const LIFE: u64 = 120;

/// A key that can sign, and the name of its algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// Whether the text is a key that can be used; in words, if not.
pub fn check(pem: &str) -> Result<(), String> {
    Signer::read(pem).map(|_| ())
}

/// An assertion for `audience` that has not been used before.
pub fn sign(key: &ClientKey, client: &str, audience: &str, now: u64) -> Result<String, String> {
    let signer = Signer::read(key.pem.expose())?;
    let id: [u8; 16] = random().ok_or_else(|| NO_RANDOM.to_owned())?;
    let mut header = json!({ "typ": "JWT", "alg": signer.algorithm() });
    if let (Some(id), Some(header)) = (&key.id, header.as_object_mut()) {
        header.insert("kid".to_owned(), json!(id));
    }
    let claims = json!({
        "iss": client,
        "sub": client,
        "aud": audience,
        "iat": now,
        "exp": now + LIFE,
        "jti": URL_SAFE_NO_PAD.encode(id),
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = signer.sign(text.as_bytes())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

impl Signer {
    fn read(pem: &str) -> Result<Self, String> {
        let der = der(pem)?;
        let random = SystemRandom::new();
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random) {
            return Ok(Self::Ecdsa(key));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            return Ok(Self::Ed25519(key));
        }
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| UNKNOWN.to_owned())?;
        Ok(Self::Rsa(Box::new(key)))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ecdsa(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        let failed = |_| "the key does not sign".to_owned();
        match self {
            Self::Ecdsa(key) => {
                key.sign(&random, text).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Self::Ed25519(key) => Ok(key.sign(text).as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

/// The content of a PEM file (RFC 7468 §10).
fn der(pem: &str) -> Result<Vec<u8>, String> {
    let body = pem
        .split_once("-----BEGIN PRIVATE KEY-----")
        .and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"))
        .map(|(body, _)| body)
        .ok_or_else(|| UNKNOWN.to_owned())?;
    let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(text).map_err(|_| UNKNOWN.to_owned())
}

const NO_RANDOM: &str = "the system has no random bytes to give";
const UNKNOWN: &str = "not an unencrypted PKCS#8 key (`BEGIN PRIVATE KEY`) of P-256, Ed25519 or RSA \
                       with 2048 bits or more";

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::secret::Secret;

    fn pem(der: &[u8]) -> String {
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der)
        )
    }

    fn read(part: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_can_be_verified_and_is_never_the_same() {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = ClientKey { pem: Secret::new(pem(der.as_ref())), id: Some("k1".to_owned()) };
        let token = sign(&key, "client", "https://as.example", 1000).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(read(parts[0]), json!({ "typ": "JWT", "alg": "ES256", "kid": "k1" }));
        let claims = read(parts[1]);
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client"), &json!("client")));
        assert_eq!(claims["aud"], "https://as.example");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1000), &json!(1120)));
        let Signer::Ecdsa(pair) = Signer::read(key.pem.expose()).unwrap() else { panic!() };
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
        let text = format!("{}.{}", parts[0], parts[1]);
        public.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
        assert_ne!(sign(&key, "client", "https://as.example", 1000).unwrap(), token);
    }

    #[test]
    fn other_kinds_of_keys() {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        assert_eq!(Signer::read(&pem(der.as_ref())).unwrap().algorithm(), "EdDSA");
        for bad in ["", "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
