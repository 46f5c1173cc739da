//! What can happen, and what can be done about it: two closed lists.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::failure::Failure;
use super::jsonrpc::Id;
use super::oauth::grant::{Grant, GrantAnswer};
use super::oauth::login::Entropy;
use super::time::http_date;
use crate::config::Verbosity;
use crate::secret::Secret;

mod store;

pub use store::{StoreCommand, StoreEvent};

/// One exchange with a server: a request and everything that comes back for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

/// One request to the token endpoint: an answer to another one than the last is for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantId(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The host wrote a line; without its line break.
    Line(Bytes),
    /// The host wrote a line that is too long to be held; this is how it begins.
    LongLine(Bytes),
    /// The host closed stdin.
    Eof,
    /// The host closed stdin this long ago, behind lines that are not taken.
    HungUp(Duration),
    /// The host is gone: stdout cannot be written any more.
    HostGone,
    /// The system asks the process to end; holds the signal's number.
    Signal(u8),
    /// The deadline has come.
    Tick,
    /// Something came back for an exchange.
    Http(ExchangeId, HttpEvent),
    /// The token endpoint answered.
    Granted(GrantId, Box<GrantAnswer>),
    /// The store answered.
    Store(StoreEvent),
    /// The redirect listener has news.
    Redirect(RedirectEvent),
}

/// What came back for an exchange.
pub enum HttpEvent {
    /// A whole answer that is no event stream.
    Answered(Head, Bytes),
    /// The head of an event stream; [`HttpEvent::Message`]s follow.
    Opened(Head),
    /// One event of the stream.
    Message(StreamEvent),
    /// Bytes of the stream that make no event: a comment, by which the server shows that it lives.
    Beat,
    /// A piece of an event that is so large, or comes so slowly, that it is not whole yet.
    Part,
    /// The stream ended in order.
    Ended,
    /// No answer, or a broken one.
    Failed(HttpFailure),
}

impl HttpEvent {
    /// Whether more is to come.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Opened(_) | Self::Message(_) | Self::Beat | Self::Part)
    }
}

impl fmt::Debug for HttpEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies hold what people say to their tools: only their sizes are printed.
        match self {
            Self::Answered(head, body) => {
                write!(f, "Answered({}, {} bytes)", head.status, body.len())
            }
            Self::Opened(head) => write!(f, "Opened({})", head.status),
            Self::Message(event) => write!(f, "Message({} bytes)", event.data.len()),
            Self::Beat => f.write_str("Beat"),
            Self::Part => f.write_str("Part"),
            Self::Ended => f.write_str("Ended"),
            Self::Failed(failure) => write!(f, "Failed({failure:?})"),
        }
    }
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// Where the answer came from, if a redirect was followed.
    pub url: Option<Url>,
}

impl Head {
    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long not to come back (RFC 9110 §10.2.3), seen from this second since 1970.
    pub fn retry_after(&self, unix: u64) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        let seconds = match text.parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_) => http_date(text)?.saturating_sub(unix),
        };
        Some(Duration::from_secs(seconds))
    }

    /// The media type without parameters, in lower case.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// One event of an event stream (WHATWG HTML §9.2.6).
#[derive(Debug)]
pub struct StreamEvent {
    /// The event's name; `None` means `message`.
    pub name: Option<String>,
    /// The data; empty where the event had none.
    pub data: Bytes,
    /// The id, where the event set one.
    pub id: Option<String>,
    /// The reconnection time in milliseconds, where the event set one.
    pub retry: Option<u64>,
}

impl StreamEvent {
    /// Whether it carries a message: without a name, or with an empty one, it is of the type
    /// `message` (WHATWG HTML §9.2.6).
    pub fn is_message(&self) -> bool {
        !self.data.is_empty() && matches!(self.name.as_deref(), None | Some("" | "message"))
    }
}

/// Why an exchange brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFailure {
    /// What the network said, for people.
    pub cause: String,
    /// Whether the server may have seen the request.
    pub delivery: Delivery,
    /// What kind of failure it is.
    pub kind: FailureKind,
}

/// Whether the server may have seen a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It cannot: no byte was written.
    NotDelivered,
    /// It may.
    Unknown,
}

/// What kind of failure brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The network.
    Network,
    /// A certificate that is not trusted.
    Certificate,
    /// A time limit of ours.
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// A size limit.
    TooLarge,
    /// Bytes that are no HTTP, or no event stream.
    Malformed,
}

/// What the redirect listener says.
#[derive(Debug)]
pub enum RedirectEvent {
    /// It listens.
    Bound {
        /// The port.
        port: u16,
        /// Fresh random bytes for this sign-in: PKCE verifiers and `state`s.
        entropy: Entropy,
    },
    /// It cannot listen.
    BindFailed(String),
    /// The browser could not be opened.
    OpenFailed(String),
    /// A browser came back to the redirect URI.
    Redirected {
        /// What the answer to the browser will be matched by.
        id: u64,
        /// The query: it holds the authorization code.
        query: Secret,
    },
    /// The listener is gone.
    Gone,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Write this line to the host.
    Write(Bytes),
    /// Answer the host's request with an error.
    Fail(Option<Id>, Box<Failure>),
    /// Tell a person, on stderr.
    Tell(Notice),
    /// Start an exchange.
    Http(ExchangeId, Box<Request>),
    /// Drop an exchange; nothing more may come of it.
    Abort(ExchangeId),
    /// Use none of the connections of before for what is sent from now on.
    NewConnections,
    /// Ask the token endpoint.
    Grant(GrantId, Box<Grant>),
    /// Ask the store.
    Store(StoreCommand),
    /// Ask the redirect listener.
    Redirect(RedirectCommand),
    /// End the process with this status, once what was written is out.
    Exit(u8),
}

/// What the redirect listener can do.
#[derive(Debug)]
pub enum RedirectCommand {
    /// Listen on the first of these ports that is free; 0 is any.
    Bind {
        /// The ports, in order.
        ports: Vec<u16>,
        /// The only path that is answered.
        path: String,
        /// The host name in the redirect URI.
        host: String,
    },
    /// Open the browser.
    Open(Box<Url>),
    /// Answer the browser.
    Answer {
        /// Which redirect.
        id: u64,
        /// With which page.
        page: Page,
    },
    /// Stop listening.
    Close,
}

/// What the browser shows after the redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The sign-in worked.
    SignedIn,
    /// The browser goes on to this address.
    Onward(Url),
    /// The tab belongs to another sign-in; this one goes on.
    Stale,
    /// The person said no.
    Denied,
    /// It did not work, and this is what to do.
    Failed(String),
}

/// A request to a server.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The headers, credentials included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
    /// What is expected back.
    pub expect: Expect,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.url.query().is_some() { "?…" } else { "" };
        let origin = self.url.origin().ascii_serialization();
        write!(f, "{} {origin}{}{query}", self.method, self.url.path())
    }
}

/// What is expected back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// MCP messages: large, slow, perhaps a stream.
    Messages,
    /// That a notification or an answer was taken.
    Acknowledgement,
    /// A stream of Streamable HTTP that may be silent for hours.
    Stream,
    /// The stream of HTTP+SSE: its events carry neither ids nor waits that matter.
    EndpointStream,
    /// A small document, at once.
    Document,
}

/// What a person should know, on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Connected: with which transport, to which server name and version, if it told.
    Connected(&'static str, Option<String>),
    /// A person must sign in here.
    SignIn(String),
    /// The browser could not be opened.
    NoBrowser(String),
    /// The sign-in worked.
    SignedIn,
    /// The sign-in of mcp-remote was imported from this file.
    Imported(String),
    /// mcp-remote still uses what was imported from it.
    StillUsed,
    /// Something failed; pending requests may get the same as their answer.
    Failed(Box<Failure>),
    /// The connection was lost and will be tried again.
    Reconnect {
        /// Why.
        cause: String,
        /// In how many milliseconds.
        wait_ms: u64,
    },
    /// Something that only matters to someone who looks for a fault.
    Detail(String),
    /// Something odd that the program can live with.
    Warning(String),
}

impl Notice {
    /// From which verbosity on a person is told.
    pub fn verbosity(&self) -> Verbosity {
        match self {
            Self::Detail(_) => Verbosity::Debug,
            _ => Verbosity::Normal,
        }
    }
}
