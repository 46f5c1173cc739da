//! Public keys of clients (RFC 7517), to verify what they sign.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::Value;

use super::keys::from_base64url;

/// A public key, bound to the one algorithm that it may verify: RFC 8725 3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Ed25519(Vec<u8>),
    /// The uncompressed point.
    P256(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl PublicKey {
    /// A key for `ES256`: a point of P-256, uncompressed (SEC 1 2.3.3), as `ring` hands it out.
    pub fn es256(point: &[u8]) -> Self {
        Self(Kind::P256(point.to_vec()))
    }

    /// Reads a JSON Web Key: `EC` with P-256, `OKP` with Ed25519, or `RSA` for `RS256`.
    pub fn from_jwk(jwk: &Value) -> Result<Self, String> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let bytes = |member: &str| {
            text(member)
                .and_then(from_base64url)
                .ok_or(format!("a JSON Web Key lacks `{member}` in base64url"))
        };
        match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                // 4: the point is not compressed.
                Ok(Self(Kind::P256([&[4], x.as_slice(), &y].concat())))
            }
            (Some("OKP"), Some("Ed25519")) => Ok(Self(Kind::Ed25519(bytes("x")?))),
            (Some("RSA"), _) => Ok(Self(Kind::Rsa { n: bytes("n")?, e: bytes("e")? })),
            _ => Err("expected a JSON Web Key of P-256, Ed25519 or RSA".into()),
        }
    }

    /// Reads a JSON Web Key Set with at least one key.
    pub(crate) fn set(jwks: &Value) -> Result<Vec<Self>, String> {
        let keys = jwks.get("keys").and_then(Value::as_array).filter(|it| !it.is_empty());
        let keys = keys.ok_or("expected `jwks` with at least one key")?;
        keys.iter().map(Self::from_jwk).collect()
    }

    /// Whether the private half made this signature by this algorithm.
    pub(crate) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        match (&self.0, algorithm) {
            (Kind::Ed25519(key), "EdDSA") => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
            (Kind::P256(point), "ES256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            (Kind::Rsa { n, e }, "RS256") => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::PublicKey;
    use crate::mock::keys::{base64url, from_base64url};

    #[test]
    fn a_key_verifies_by_its_own_algorithm_only() {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = base64url(pair.public_key().as_ref());
        let edwards = PublicKey::from_jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}));
        let edwards = (edwards.unwrap(), "EdDSA", pair.sign(b"signed").as_ref().to_vec());
        let rsa = PublicKey::from_jwk(&json!({"kty": "RSA", "e": "AQAB", "n": RSA_KEY}));
        let rsa = (rsa.unwrap(), "RS256", from_base64url(RSA_SIGNATURE).unwrap());
        for (key, algorithm, signature) in [edwards, rsa] {
            assert!(key.verifies(algorithm, b"signed", &signature), "{algorithm}");
            assert!(!key.verifies(algorithm, b"changed", &signature), "{algorithm}");
            for other in ["ES256", "none", "HS256"] {
                assert!(!key.verifies(other, b"signed", &signature), "{algorithm} as {other}");
            }
        }
        for wrong in [json!({}), json!({"kty": "oct", "k": "x"}), json!({"kty": "RSA", "n": "x"})] {
            assert!(PublicKey::from_jwk(&wrong).is_err(), "{wrong}");
        }
    }

    // Made with OpenSSL: `openssl dgst -sha256 -sign` of the text `signed`.
    const RSA_KEY: &str = concat!(
        "saumZGMEIxxEjASifri436HRIunm5wLdCadgNybjwmcE5NWD9V8BkrC3oO8zq0qnprVQoiqtXALOISd7",
        "AonE7Bgr6mD5ekaZ1O5JV9egiwDVzO4SNcxEDd0LIevYo8DIAnjrbF4EZC8Lk9nioJmAh0znQUwq4w25",
        "XAxLi3uplj9v-5DhcBU-J3bbF_DRK6I1UxdLvZITizsu72cbLG1RLZGXrn0wP1AQGH75yYhov9RGhHrb",
        "2_GHa7yBTKVEAbeVmIDS4kD1opIptUZj_nzTOuZogslON7Qgtg7Y1COriqreJpXGEKfkUgCGeYrIcrzq",
        "h_lpPxG2cXRtJWQUJ--fmw",
    );
    const RSA_SIGNATURE: &str = concat!(
        "gl3N5bloGwWzjxCJMrrwx2NwN3SXeXJNuiwwekRmM8vgtsxi1oNFb1rxbiZipcfpENJGyroeqtnagfV4",
        "YfjSbaZssbDH2SagyiIsRdhTqno8WlHI4ITTmdqUblgezGAuwFcwh2NZy2_K4umoAzvrQRBMX5sw6epE",
        "_FAsLriAflcNbl0pApZyQv5_N2IARdHmvsgsSncYpR9rD9VOkQogrq4AxNBaGh5vsuR3ZzGoL8ZsNgjz",
        "uaFVqTR16nZGvHagiOrJ84kuWMUr3j5AL5pOGeVSLq0Yr-PcMAcdpy-pJ5uYuJBBWL_7o8MRR-zabmpL",
        "YxWbKZnOXdK80j2mhv7PMg",
    );
}
