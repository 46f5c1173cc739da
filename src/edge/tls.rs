//! Certificates and keys of the user's own, in PEM.

use reqwest::{Certificate, Identity};

use crate::config::Network;

/// Whether the text holds certificates of authorities; in words, if not.
pub fn check_authorities(pem: &str) -> Result<(), &'static str> {
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        _ => Err("holds no certificate in PEM"),
    }
}

/// Whether the text holds a certificate and its key; in words, if not.
pub fn check_identity(pem: &str) -> Result<(), &'static str> {
    Identity::from_pem(pem.as_bytes())
        .map(|_| ())
        .map_err(|_| "does not hold a certificate and its unencrypted key, both in PEM")
}

/// The certificates to trust besides the system's own. They were checked with the command line.
pub(super) fn authorities(network: &Network) -> Vec<Certificate> {
    let all =
        network.authorities.iter().flat_map(|pem| Certificate::from_pem_bundle(pem.as_bytes()));
    all.flatten().collect()
}

/// The identity to show.
pub(super) fn identity(network: &Network) -> Option<Identity> {
    Identity::from_pem(network.identity.as_ref()?.expose().as_bytes()).ok()
}
