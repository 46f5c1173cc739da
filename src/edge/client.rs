//! The HTTP clients: one for each way to a server, made when it is first needed.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::http::failure;
use super::tls;
use crate::config::Network;
use crate::core::event::HttpFailure;
use crate::core::oauth::discovery::is_loopback;

/// The clients of this process.
#[derive(Debug)]
pub struct Clients {
    network: Network,
    made: HashMap<Way, Client>,
}

/// Which client serves a URL.
///
/// The trust store is read only for `https`, which saves a plain start several milliseconds, and
/// loopback is never asked for through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way {
    tls: bool,
    proxy: bool,
}

impl Clients {
    /// Nothing is made yet.
    pub fn new(network: Network) -> Self {
        Self { network, made: HashMap::new() }
    }

    /// Begins with new connections; requests that have a client keep it.
    pub fn renew(&mut self) {
        self.made.clear();
    }

    /// The client for a URL.
    pub fn get(&mut self, url: &Url) -> Result<Client, HttpFailure> {
        let proxy = self.network.proxy && !is_loopback(url);
        let way = Way { tls: url.scheme() == "https", proxy };
        if let Some(client) = self.made.get(&way) {
            return Ok(client.clone());
        }
        let client = builder(way, &self.network).build().map_err(|error| failure(&error))?;
        self.made.insert(way, client.clone());
        Ok(client)
    }
}

fn builder(way: Way, network: &Network) -> ClientBuilder {
    // An error means that a provider is there already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut builder = Client::builder()
        // Every redirect is judged by the core: a library would carry an API key elsewhere.
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(network.connect_limit)
        // A peer that is gone without a word is noticed within a minute, where the system agrees.
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_keepalive_interval(Duration::from_secs(10))
        .tcp_keepalive_retries(3)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .http2_keep_alive_while_idle(true);
    if network.ipv4_only {
        builder = builder.local_address(std::net::IpAddr::from(Ipv4Addr::UNSPECIFIED));
    }
    builder = if way.tls {
        let builder = builder.tls_certs_merge(tls::authorities(network));
        match tls::identity(network) {
            Some(identity) => builder.identity(identity),
            None => builder,
        }
    } else {
        builder.tls_certs_only([])
    };
    if way.proxy { builder } else { builder.no_proxy() }
}
