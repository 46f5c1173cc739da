//! What the authorization server knows of a client, however it came to know it.

use url::Url;

use crate::mock::credentials::{Authentication, StaticClient};

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    /// Whether it may use the `refresh_token` grant.
    pub(crate) refreshes: bool,
    pub(crate) authentication: Authentication,
    /// The organisation for which it may use the client credentials grant.
    pub(crate) machine_of: Option<String>,
}

impl From<&StaticClient> for Client {
    fn from(it: &StaticClient) -> Self {
        Self {
            name: it.name.clone(),
            redirect_uris: it.redirect_uris.clone(),
            refreshes: true,
            authentication: it.authentication.clone(),
            machine_of: it.machine_of.clone(),
        }
    }
}

impl Client {
    /// Whether a redirect URI is a registered one: exactly, or but for the port of a loopback one
    /// (RFC 8252 7.3; extended to `localhost`, as clients use it all the same).
    pub(crate) fn may_redirect_to(&self, asked: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == asked
                || portless(registered).is_some_and(|it| portless(asked) == Some(it))
        })
    }
}

/// Whether a client may register this redirect URI.
pub(crate) fn is_redirect_uri(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    is_plain(&url) && (url.scheme() == "https" || is_loopback(&url))
}

/// Whether a URL has neither a fragment nor credentials.
pub(crate) fn is_plain(url: &Url) -> bool {
    url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
}

/// Whether a URL leads to this machine over `http`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
}

/// A loopback redirect URI without its port.
fn portless(redirect_uri: &str) -> Option<Url> {
    let mut url = Url::parse(redirect_uri).ok().filter(is_loopback)?;
    url.set_port(None).ok()?;
    Some(url)
}
