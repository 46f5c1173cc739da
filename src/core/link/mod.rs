//! The two transports, as far as they can be told without a conversation: which to try, what an
//! answer says about the server, and what every request carries.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use url::Url;

use super::event::{Expect, Head, Request};
use crate::config::{Header, TransportChoice};
use crate::secret::Secret;

pub mod annotations;
pub mod derived;

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP (MCP 2025-03-26 and later).
    Http,
    /// HTTP+SSE (MCP 2024-11-05).
    Sse,
}

impl Transport {
    /// The transport to try first, and the one to fall back to.
    pub fn order(choice: TransportChoice) -> (Self, Option<Self>) {
        match choice {
            TransportChoice::HttpFirst => (Self::Http, Some(Self::Sse)),
            TransportChoice::HttpOnly => (Self::Http, None),
            TransportChoice::SseFirst => (Self::Sse, Some(Self::Http)),
            TransportChoice::SseOnly => (Self::Sse, None),
        }
    }

    /// The name that people know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "Streamable HTTP",
            Self::Sse => "HTTP+SSE",
        }
    }
}

/// Whether a status says that the server does not speak this transport at this URL.
///
/// The newer revisions name 400, 404 and 405, the oldest any 4xx. What speaks of credentials, of
/// load or of time says nothing about the transport.
pub fn is_transport_evidence(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 403 | 407 | 408 | 421 | 425 | 429)
}

/// What every request of one conversation carries.
#[derive(Clone, Debug)]
pub struct Carrier {
    server: Url,
    base: HeaderMap,
    /// `Mcp-Session-Id`: a secret.
    pub session: Option<HeaderValue>,
    /// `MCP-Protocol-Version`.
    pub version: Option<HeaderValue>,
}

impl Carrier {
    /// Requests to `server` with the configured headers. Of two with the same name the last one
    /// counts, whatever its capitals; what is no header was refused with the command line.
    pub fn new(server: Url, configured: &[Header]) -> Self {
        let mut base = HeaderMap::new();
        base.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("apexmcp-bridge/", env!("CARGO_PKG_VERSION"))),
        );
        for header in configured {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let value = HeaderValue::from_bytes(header.value.expose().as_bytes());
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(true);
                base.insert(name, value);
            }
        }
        Self { server, base, session: None, version: None }
    }

    /// The MCP endpoint.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// A POST of one message to `url`.
    pub fn post(
        &self,
        url: &Url,
        token: Option<&Secret>,
        body: bytes::Bytes,
        expect: Expect,
    ) -> Request {
        let mut headers = self.headers(token);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Request { method: Method::POST, url: url.clone(), headers, body: Some(body), expect }
    }

    /// A GET of an event stream at the endpoint; of the rest of one behind its `last` event.
    pub fn stream(
        &self,
        token: Option<&Secret>,
        expect: Expect,
        last: Option<&HeaderValue>,
    ) -> Request {
        let mut headers = self.headers(token);
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        // A middlebox that compresses a stream holds it back.
        headers.insert("accept-encoding", HeaderValue::from_static("identity"));
        if let Some(last) = last {
            headers.insert("last-event-id", last.clone());
        }
        let url = self.server.clone();
        Request { method: Method::GET, url, headers, body: None, expect }
    }

    /// The DELETE that ends a session.
    pub fn goodbye(&self, token: Option<&Secret>) -> Request {
        let (url, headers) = (self.server.clone(), self.headers(token));
        Request { method: Method::DELETE, url, headers, body: None, expect: Expect::Document }
    }

    /// The names of the configured headers, for people.
    pub fn names(configured: &[Header]) -> Vec<String> {
        configured.iter().map(|header| header.name.clone()).collect()
    }

    /// What must not be shown to people: the configured values and the session.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let configured = self.base.values().filter(|value| value.is_sensitive());
        configured.chain(&self.session).filter_map(|value| value.to_str().ok())
    }

    fn headers(&self, token: Option<&Secret>) -> HeaderMap {
        let mut headers = self.base.clone();
        // A configured Authorization header is the user's own choice.
        if let Some(token) = token
            && !headers.contains_key(AUTHORIZATION)
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(session) = &self.session {
            headers.insert("mcp-session-id", session.clone());
        }
        if let Some(version) = &self.version {
            headers.insert("mcp-protocol-version", version.clone());
        }
        headers
    }
}

/// The session id of an answer: visible ASCII only (MCP 2025-11-25, session management).
pub fn session_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut value = headers.get("mcp-session-id")?.clone();
    if value.is_empty() || !value.as_bytes().iter().all(|byte| (0x21..=0x7e).contains(byte)) {
        return None;
    }
    value.set_sensitive(true);
    Some(value)
}

/// Where messages are to be sent, from the data of an `endpoint` event (MCP 2024-11-05).
///
/// It must stay on the stream's own origin: everything that is sent there carries the credential.
pub fn message_endpoint(stream: &Url, data: &str) -> Result<Url, String> {
    // Its text may hold the session's id, and is not repeated.
    let no_url = || "an `endpoint` that is no URL".to_owned();
    if data.contains(char::is_control) {
        return Err(no_url());
    }
    let endpoint = stream.join(data.trim()).map_err(|_| no_url())?;
    if endpoint.origin() != stream.origin() {
        return Err(format!(
            "`{}`, which is another origin than `{}`",
            endpoint.origin().ascii_serialization(),
            stream.origin().ascii_serialization()
        ));
    }
    Ok(endpoint)
}

/// A URL of a server, for people: its query may hold a secret.
pub fn without_query(base: &Url, location: &str) -> String {
    match base.join(location) {
        Ok(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        Err(_) => "an address that cannot be read".to_owned(),
    }
}

/// How many redirects one request may go through.
pub const MAX_REDIRECTS: u8 = 5;

/// Where a request goes on to, if it may: to the same origin only, because the credential goes
/// with it, and unchanged (RFC 9110 §15.4.8, §15.4.9). A 301 may turn a POST into a GET, so only a
/// GET follows it; 302 and 303 are how a page is left, and lead to no document of ours.
pub fn redirect(method: &Method, url: &Url, head: &Head) -> Option<Url> {
    let follows = match head.status {
        307 | 308 => true,
        301 => *method == Method::GET,
        _ => false,
    };
    let target = url.join(head.header("location")?).ok()?;
    let plain = target.username().is_empty() && target.password().is_none();
    (follows && plain && target.origin() == url.origin()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_followed_at_home_and_unchanged() {
        let url = Url::parse("https://mcp.example/mcp").unwrap();
        let follow = |method, status, location: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("location", HeaderValue::from_static(location));
            redirect(&method, &url, &Head { status, headers, url: None }).map(String::from)
        };
        let slash = Some("https://mcp.example/mcp/".to_owned());
        for location in ["/mcp/", "https://mcp.example/mcp/", "https://mcp.example:443/mcp/"] {
            assert_eq!(follow(Method::POST, 307, location), slash);
            assert_eq!(follow(Method::POST, 308, location), slash);
            assert_eq!(follow(Method::GET, 301, location), slash);
        }
        for (method, status, location) in [
            (Method::POST, 301, "/mcp/"),
            (Method::POST, 302, "/mcp/"),
            (Method::GET, 303, "/mcp/"),
            (Method::POST, 307, "https://evil.example/mcp"),
            (Method::POST, 307, "http://mcp.example/mcp"),
            (Method::POST, 307, "https://mcp.example:8443/mcp"),
            (Method::POST, 307, "https://user@mcp.example/mcp"),
            (Method::POST, 307, "//evil.example/mcp"),
            (Method::POST, 307, "https://"),
        ] {
            assert_eq!(follow(method, status, location), None, "{status} {location}");
        }
    }

    #[test]
    fn endpoints_are_resolved_and_stay_at_home() {
        let stream = Url::parse("https://mcp.example/mcp/acme/sse?x=1").unwrap();
        let resolve = |data: &str| message_endpoint(&stream, data).map(String::from);
        for (data, expected) in [
            ("/messages?sessionId=a%2Fb", "https://mcp.example/messages?sessionId=a%2Fb"),
            ("messages", "https://mcp.example/mcp/acme/messages"),
            ("?sessionId=1", "https://mcp.example/mcp/acme/sse?sessionId=1"),
            ("https://mcp.example/m", "https://mcp.example/m"),
            ("https://mcp.example:443/m", "https://mcp.example/m"),
            ("//mcp.example/m", "https://mcp.example/m"),
            ("../up", "https://mcp.example/mcp/up"),
            (" /blank ", "https://mcp.example/blank"),
        ] {
            assert_eq!(resolve(data), Ok(expected.to_owned()), "{data}");
        }
        for data in [
            "https://evil.example/m",
            "//evil.example/m",
            "http://mcp.example/m",
            "https://mcp.example:8443/m",
            "javascript:alert(1)",
            "http://[secret",
            "/me\0ssages",
        ] {
            assert!(!resolve(data).unwrap_err().contains("secret"), "{data}");
        }
    }

    #[test]
    fn session_ids_are_visible_ascii() {
        let read = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("Mcp-Session-Id", HeaderValue::from_bytes(value).unwrap());
            session_id(&headers).is_some()
        };
        assert!(read(b"abc-123"));
        assert!(!read(b"a b"));
        assert!(!read(b""));
        assert!(!read(b"\xc3\xa9"));
    }

    #[test]
    fn configured_headers_win_and_are_sent_once() {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: Secret::new(value.to_owned()),
        };
        let server = Url::parse("https://mcp.example/mcp").unwrap();
        let configured = [header("authorization", "one"), header("Authorization", "two")];
        let carrier = Carrier::new(server.clone(), &configured);
        let token = Secret::new("token".to_owned());
        let request = carrier.post(&server, Some(&token), bytes::Bytes::new(), Expect::Messages);
        let values: Vec<_> = request.headers.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(values, ["two"]);
        assert!(!format!("{:?}", request.headers).contains("two"));
    }
}
