//! TLS with an authority of the mock's own, and with certificates that nobody should accept.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, Error, IsCa, Issuer, KeyPair, date_time_ymd,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::Flaw;

/// The certificates of one gateway.
#[derive(Debug)]
pub(crate) struct Tls {
    /// The certificate of the authority.
    pub(crate) authority: String,
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    self_signed: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
}

impl Tls {
    /// Makes an authority, and certificates for these host names and addresses.
    pub(crate) fn generate(hosts: &[String]) -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "ApexMCP mock gateway, for tests");
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2054, 1, 1);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let authority = params.self_signed(&key).map_err(io::Error::other)?.pem();
        let issuer = Issuer::new(params, key);
        let make = |hosts: &[String], last_year: i32, issuer: Option<&Issuer<'_, KeyPair>>| {
            config(hosts, last_year, issuer)
        };
        Ok(Self {
            authority,
            good: make(hosts, 2054, Some(&issuer))?,
            expired: make(hosts, 2025, Some(&issuer))?,
            self_signed: make(hosts, 2054, None)?,
            wrong_name: make(&["wrong.example".into()], 2054, Some(&issuer))?,
        })
    }

    /// What to greet a connection with.
    pub(crate) fn config(&self, flaw: Option<Flaw>) -> Arc<ServerConfig> {
        Arc::clone(match flaw {
            None => &self.good,
            Some(Flaw::Expired) => &self.expired,
            Some(Flaw::SelfSigned) => &self.self_signed,
            Some(Flaw::WrongName) => &self.wrong_name,
        })
    }
}

/// The host of an origin.
pub(crate) fn host(origin: &str) -> Option<String> {
    let url = url::Url::parse(origin).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    let is_real = host.parse::<IpAddr>().map_or(true, |ip| !ip.is_unspecified());
    is_real.then(|| host.to_owned())
}

fn config(
    hosts: &[String],
    last_year: i32,
    issuer: Option<&Issuer<'_, KeyPair>>,
) -> io::Result<Arc<ServerConfig>> {
    let (certificate, key) = certificate(hosts, last_year, issuer).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(key).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificate(
    hosts: &[String],
    last_year: i32,
    issuer: Option<&Issuer<'_, KeyPair>>,
) -> Result<(CertificateDer<'static>, Vec<u8>), Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate()?;
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer)?,
        None => params.self_signed(&key)?,
    };
    Ok((certificate.der().clone(), key.serialize_der()))
}
