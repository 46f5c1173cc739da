//! The address of the server: a URL, an address without a scheme, or an organisation's slug.

use url::{Host, Url};

use super::{Misuse, words};
use crate::config::TransportChoice;

/// The server's URL, and the text of it by which sign-ins are stored.
pub(super) fn address(typed: &str, allow_http: bool) -> Result<(Url, String), Misuse> {
    let text = written_out(typed).ok_or_else(|| {
        Misuse::new("the server is neither a URL nor the slug of an organisation").hint(EXPECTED)
    })?;
    let mut url = Url::parse(&text)
        .map_err(|error| Misuse::new(format!("the server URL cannot be read: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Misuse::new("the server URL contains a user name or a password")
            .hint("pass a credential as a header: `--header 'Authorization:${NAME}'`"));
    }
    if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
        let host = url.host_str().unwrap_or_default();
        return Err(Misuse::new(format!("http to `{host}` is not encrypted, expected https"))
            .hint("if that network is trusted, `--allow-http` permits it"));
    }
    url.set_fragment(None);
    Ok((url, text))
}

/// The order for an address: only the old transport has a path of its own for its stream.
pub(super) fn default_transport(server: &Url) -> TransportChoice {
    if server.path().trim_end_matches('/').ends_with("/sse") {
        TransportChoice::SseFirst
    } else {
        TransportChoice::HttpFirst
    }
}

fn written_out(typed: &str) -> Option<String> {
    if words::has_scheme(typed) {
        Some(typed.to_owned())
    } else if is_slug(typed) {
        Some(format!("https://mcp.apexmcp.ai/mcp/{typed}/sse"))
    } else if looks_like_host(typed) {
        Some(format!("https://{typed}"))
    } else {
        None
    }
}

fn is_slug(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// `host`, `host:port` or `host/path`, where the host has a dot or is `localhost` or `[…]`.
fn looks_like_host(text: &str) -> bool {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    if text.contains("://") || host.contains(['\\', '@']) {
        return false;
    }
    let name = host.split(':').next().unwrap_or_default();
    (name.contains('.') && !name.starts_with('.')) || name == "localhost" || host.starts_with('[')
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

const EXPECTED: &str = "write `https://mcp.example.com/mcp`, or `acme` for the organisation `acme` \
     at mcp.apexmcp.ai";
