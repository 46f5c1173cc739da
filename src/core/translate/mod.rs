//! Translation between the eras of the protocol: a host up to 2025-11-25 with a server of
//! 2026-07-28 ([`legacy_host`]), and the other way round ([`modern_host`]).
//!
//! A translator stands between the host and the conversation with the server. It takes the host's
//! lines and gives lines in which the server's era is spoken, as if another host had written them;
//! what the server says goes the other way. It knows nothing of HTTP, sessions and tokens, and a
//! conversation in which both sides agree has none.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::failure::Failure;
use super::jsonrpc::{Id, Message, read_object};
use super::members::Members;
use super::time::Moment;

mod legacy_calls;
pub mod legacy_host;
mod legacy_listen;
mod modern_asks;
mod modern_calls;
pub mod modern_host;
mod modern_listens;
mod modern_news;
mod modern_visits;
pub mod state;

#[cfg(test)]
mod tests;

/// The revision that has no handshake.
pub const MODERN: &str = "2026-07-28";
/// The newest revision that has one.
pub const LEGACY: &str = "2025-11-25";
/// All of them.
pub const KNOWN_LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY];

/// Where a request says what it speaks (MCP 2026-07-28, `_meta`).
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Where a result names the server.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// Where a notification names its subscription.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// How often one call may ask the host for more: a server that never has enough must end.
const MAX_ROUNDS: u8 = 10;
/// How much a server may ask for in one round: nobody answers more.
const MAX_INPUTS: usize = 32;

/// What a translator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this line to the host.
    ToHost(Bytes),
    /// Take this line as if the host had written it.
    ToServer(Bytes),
    /// Answer the host's request with this failure.
    Fail(Id, Box<Failure>),
    /// The server has introduced itself, perhaps with a name.
    Connected(Option<String>),
    /// Tell a person.
    Warn(String),
    /// The translator is done; these lines of the host go on without it.
    End {
        /// In order.
        lines: Vec<Bytes>,
        /// Whether the server does not speak the era that it was taken for.
        mistaken: bool,
        /// Whether the host has had its answer to `initialize`.
        greeted: bool,
    },
}

/// Where a message of the server came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The stream that answers this request.
    Request(Id),
    /// A stream that requests share.
    Shared,
}

/// What every translator can do.
pub trait Translate {
    /// The host has written this message.
    fn host(&mut self, line: Bytes, now: Moment, out: &mut Vec<Output>);
    /// The server has sent this one; it is one line.
    fn server(&mut self, line: Bytes, origin: &Origin, now: Moment, out: &mut Vec<Output>);
    /// A request of [`Output::ToServer`] has failed.
    fn failed(&mut self, id: &Id, failure: &Failure, now: Moment, out: &mut Vec<Output>);
    /// The host will write nothing more.
    fn eof(&mut self, out: &mut Vec<Output>);
    /// Does what is due.
    fn tick(&mut self, now: Moment, out: &mut Vec<Output>);
}

/// A translator.
#[derive(Debug)]
pub enum Translator {
    /// For a host up to 2025-11-25.
    LegacyHost(Box<legacy_host::LegacyHost>),
    /// For a host of 2026-07-28.
    ModernHost(Box<modern_host::ModernHost>),
}

impl Translator {
    /// What it can do.
    pub fn inner(&mut self) -> &mut dyn Translate {
        match self {
            Self::LegacyHost(host) => host.as_mut(),
            Self::ModernHost(host) => host.as_mut(),
        }
    }

    /// When something is due, as uptime.
    pub fn deadline(&self) -> Option<Duration> {
        match self {
            Self::LegacyHost(host) => host.deadline(),
            Self::ModernHost(host) => host.deadline(),
        }
    }

    /// Whether the host's lines wait for the server to introduce itself.
    pub fn is_opening(&self) -> bool {
        match self {
            Self::LegacyHost(host) => host.is_opening(),
            Self::ModernHost(host) => host.is_opening(),
        }
    }
}

/// Ids that no host would choose.
#[derive(Debug)]
struct Ids {
    prefix: u64,
    count: u64,
}

impl Ids {
    fn new(prefix: u64) -> Self {
        Self { prefix, count: 0 }
    }

    fn next(&mut self) -> Id {
        self.count += 1;
        Id::String(format!("apexmcp-translated-{:016x}-{}", self.prefix, self.count).into())
    }
}

/// The text of a message that was read before.
fn text(line: &Bytes) -> &str {
    std::str::from_utf8(line).unwrap_or_default()
}

fn parse(line: &Bytes) -> Option<Message<'_>> {
    read_object(text(line)).ok()
}

fn request(id: &Id, method: &str, params: &str) -> Bytes {
    let method = super::members::quoted(method);
    format!(r#"{{"jsonrpc":"2.0","id":{},"method":{method},"params":{params}}}"#, id.to_json())
        .into()
}

fn notification(method: &str, params: Option<&str>) -> Bytes {
    let params = params.map(|params| format!(r#","params":{params}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#).into()
}

fn cancelled(id: &Id) -> Bytes {
    let params = format!(r#"{{"requestId":{}}}"#, id.to_json());
    notification("notifications/cancelled", Some(&params))
}

fn result(id: &Id, result: &str) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.to_json()).into()
}

fn error(id: &Id, code: i32, message: &str) -> Bytes {
    let message = super::members::quoted(message);
    let id = id.to_json();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#).into()
}

/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// The request that a `notifications/cancelled` names.
fn cancelled_id(params: Option<&serde_json::value::RawValue>) -> Option<Id> {
    let params = Members::read(params?.get())?;
    let id = serde_json::from_str(params.get("requestId")?).ok()?;
    Id::read(id)
}

/// Whether a client that declares these capabilities takes this request of a server.
fn allows(capabilities: &str, method: &str, params: Option<&str>) -> bool {
    let Some(capabilities) = Members::read(capabilities) else { return false };
    match method {
        "roots/list" => capabilities.object("roots").is_some(),
        "sampling/createMessage" => capabilities.object("sampling").is_some(),
        "elicitation/create" => {
            let Some(modes) = capabilities.object("elicitation") else { return false };
            let mode = params.and_then(Members::read).and_then(|params| params.string("mode"));
            match mode.as_deref() {
                Some("url") => modes.get("url").is_some(),
                // Without any mode it is the form.
                _ => modes.get("form").is_some() || modes.get("url").is_none(),
            }
        }
        _ => false,
    }
}

/// The requests whose results say how long they may be kept.
fn is_cacheable(method: &str) -> bool {
    matches!(
        method,
        "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
    )
}

/// Lines that wait until the server has introduced itself.
type Held = VecDeque<Bytes>;

/// Every request that waits gets this failure.
fn fail_held(held: &mut Held, failure: &Failure, out: &mut Vec<Output>) {
    for line in std::mem::take(held) {
        if let Some(Message::Request { id, .. }) = parse(&line) {
            out.push(Output::Fail(id, Box::new(failure.clone())));
        }
    }
}

/// The answer to an `initialize` for which it is too late (MCP 2026-07-28, versioning).
pub fn no_handshake(id: &Id, line: &Bytes) -> Bytes {
    let params =
        Members::read(text(line)).and_then(|it| it.object("params")?.string("protocolVersion"));
    let requested = super::members::quoted(&params.unwrap_or_default());
    format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32022,"message":"Unsupported protocol version","data":{{"supported":["{MODERN}"],"requested":{requested}}}}}}}"#,
        id.to_json()
    )
    .into()
}

/// A subscription that has ended in order: the host is told, and gets its answer (MCP 2026-07-28,
/// cancellation).
pub fn over(id: &Id) -> [Bytes; 2] {
    let outcome =
        format!(r#"{{"resultType":"complete","_meta":{{"{SUBSCRIPTION}":{}}}}}"#, id.to_json());
    [cancelled(id), result(id, &outcome)]
}
