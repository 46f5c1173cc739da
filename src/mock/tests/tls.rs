//! HTTPS, and certificates that nobody should accept.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::login::planned;
use super::raw::authority;
use crate::mock::Gateway;

fn gateway() -> Gateway {
    planned(|plan| plan.tls = true)
}

/// The answer to a request, as a client that trusts the authority and nobody else.
fn fetch(gateway: &Gateway, host: &str, authority_pem: &str) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(authority(gateway))?;
    tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut tls = StreamOwned::new(client, tcp);
    let head = format!(
        "GET /.well-known/jwks.json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        authority(gateway)
    );
    tls.write_all(head.as_bytes())?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn its_authority_vouches_for_it() {
    let gateway = gateway();
    assert!(gateway.base_url().starts_with("https://127.0.0.1:"));
    assert!(gateway.web_url().starts_with("https://"));
    let pem = gateway.ca_certificate().unwrap();
    for host in ["127.0.0.1", "localhost", "::1"] {
        let answer = fetch(&gateway, host, pem).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with('}'), "{answer}");
    }
    let stranger = planned(|plan| plan.tls = true);
    assert!(fetch(&gateway, "localhost", stranger.ca_certificate().unwrap()).is_err());
    assert_eq!(planned(|_| {}).ca_certificate(), None);
}

#[test]
fn certificates_can_be_bad() {
    let gateway = gateway();
    let pem = gateway.ca_certificate().unwrap();
    for (fault, problem) in [
        ("net.tls_selfsigned", "UnknownIssuer"),
        ("net.tls_expired", "expired"),
        ("net.tls_wrong_name", "not valid for name"),
    ] {
        gateway.order(&format!("{fault}#1")).unwrap();
        let error = fetch(&gateway, "localhost", pem).unwrap_err().to_string();
        assert!(error.contains(problem), "{fault}: {error}");
        assert!(fetch(&gateway, "localhost", pem).is_ok(), "{fault}");
    }
}

#[test]
fn a_connection_can_end_without_a_word() {
    let gateway = gateway();
    let pem = gateway.ca_certificate().unwrap();
    gateway.order("net.tls_no_close_notify#1").unwrap();
    let error = fetch(&gateway, "localhost", pem).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    assert!(fetch(&gateway, "localhost", pem).is_ok());
}
