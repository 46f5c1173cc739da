//! The host's messages on their way, and the exchanges that carry them.

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use serde_json::value::RawValue;

use super::overdue::progress_token;
use super::refresh::Refresh;
use super::restore::Lasting;
use super::resume::Position;
use crate::core::event::ExchangeId;
use crate::core::jsonrpc::Id;
use crate::core::time::Moment;

/// How often a message is sent again although it may have run.
const MAX_REPEATED: u8 = 1;
/// A larger message is not held after it was taken, and so it is never sent again: those that may
/// be repeated ask for something, and are small.
const MAX_HELD: usize = 64 << 10;

/// A message of the host on its way to the gateway.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) bytes: Bytes,
    pub(super) kind: Kind,
    /// How often it was sent and refused.
    pub(super) refused: u8,
    pub(super) since: Duration,
    /// The number of the exchange that it was sent with last; 0: it was not sent yet.
    pub(super) sent: u64,
    /// In which session it was sent.
    pub(super) epoch: u64,
    /// Whether that session had an id.
    pub(super) in_session: bool,
    /// How often its session turned out to be gone.
    pub(super) lost: u8,
    /// Until when the stream that has answered it may stay open.
    pub(super) lingers: Option<Duration>,
    /// Whether others may be waiting for it; see `send`.
    pub(super) urgent: bool,
    /// Whether nothing happens if it runs twice.
    pub(super) safe: bool,
    /// How often it was sent again although it may have run.
    pub(super) repeated: u8,
    /// How often the gateway told it to come later.
    pub(super) deferred: u8,
    /// How far the stream that answers it was read.
    pub(super) position: Position,
    /// The version that it claims for itself (MCP 2026-07-28).
    pub(super) claims: Option<HeaderValue>,
    /// How often the list of tools was read for it, because its headers were wrong.
    pub(super) refreshed: u8,
}

impl Outgoing {
    pub(super) fn new(bytes: Bytes, kind: Kind, now: Moment) -> Self {
        Self {
            urgent: kind.ids().is_empty(),
            safe: kind.is_handshake(),
            bytes,
            kind,
            refused: 0,
            since: now.uptime,
            sent: 0,
            epoch: 0,
            in_session: false,
            lost: 0,
            lingers: None,
            repeated: 0,
            deferred: 0,
            position: Position::default(),
            claims: None,
            refreshed: 0,
        }
    }

    /// Whether it may be sent again although it may have run.
    pub(super) fn may_repeat(&self) -> bool {
        self.safe && self.repeated < MAX_REPEATED && !self.bytes.is_empty()
    }

    /// The gateway has taken it: what is never sent again need not be held.
    pub(super) fn taken(&mut self) {
        if !self.may_repeat() || MAX_HELD < self.bytes.len() {
            self.bytes = Bytes::new();
        }
    }
}

/// What a message is, as far as its way is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initialize(Id),
    Initialized,
    Request(Id),
    Notification,
    Response,
    Batch(Vec<Id>),
    /// Our own handshake with a new session; the host has had its answer long ago.
    ReplayInitialize(Id),
    ReplayInitialized,
    /// A request of our own within a session; the host does not hear of its answer.
    Own(Id),
}

impl Kind {
    /// The requests that want an answer.
    pub(super) fn ids(&self) -> &[Id] {
        match self {
            Self::Initialize(id)
            | Self::Request(id)
            | Self::ReplayInitialize(id)
            | Self::Own(id) => std::slice::from_ref(id),
            Self::Batch(ids) => ids,
            _ => &[],
        }
    }

    /// Whether it is our own, and goes before the host's messages.
    pub(super) fn is_own(&self) -> bool {
        self.is_replay() || matches!(self, Self::Own(_))
    }

    /// Whether it is our own handshake.
    pub(super) fn is_replay(&self) -> bool {
        matches!(self, Self::ReplayInitialize(_) | Self::ReplayInitialized)
    }

    /// Whether it belongs to a handshake, for which everything else waits.
    pub(super) fn is_handshake(&self) -> bool {
        self.is_replay() || matches!(self, Self::Initialize(_) | Self::Initialized)
    }
}

/// A request that has no answer yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Where the answer is expected; `None`: not sent yet, or on the shared stream.
    pub(super) exchange: Option<ExchangeId>,
    pub(super) initialize: bool,
    /// Whether its answer is a list in which tools may have to be hidden.
    pub(super) lists_tools: bool,
    /// When it was read.
    pub(super) since: Duration,
    /// When the server told of its progress last.
    pub(super) alive: Duration,
    /// By what such news is known.
    pub(super) token: Option<Id>,
    /// What it sets for the rest of the session.
    pub(super) lasting: Option<Lasting>,
    /// Over HTTP+SSE: what was taken and may be sent again, should the stream be lost.
    pub(super) again: Option<Box<Outgoing>>,
    /// What else the bridge wants of its answer.
    pub(super) interest: Interest,
}

impl Pending {
    /// A request that was just read.
    pub(super) fn new(method: &str, params: Option<&RawValue>, now: Moment) -> Self {
        Self {
            exchange: None,
            initialize: method == "initialize",
            lists_tools: method == "tools/list",
            since: now.uptime,
            alive: now.uptime,
            token: progress_token(params),
            lasting: Lasting::of(method, params),
            again: None,
            interest: Interest::of(method),
        }
    }
}

/// What the bridge itself wants of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// Nothing: it belongs to the host.
    None,
    /// What the server speaks.
    Discover,
    /// The same; the host has not asked, and does not see the answer.
    Probe,
    /// Nothing but its end: it goes on as long as the host wants it.
    Listen,
}

impl Interest {
    fn of(method: &str) -> Self {
        match method {
            "server/discover" => Self::Discover,
            "subscriptions/listen" => Self::Listen,
            _ => Self::None,
        }
    }
}

/// What an exchange is for.
#[derive(Debug)]
pub(super) enum Exchange {
    /// A message of the host, and the generation of the token that it was sent with.
    Post(Outgoing, Option<u64>),
    /// The rest of the stream that answers a message.
    Resume(Outgoing, Option<u64>),
    /// The standalone stream of Streamable HTTP.
    Listen(Option<u64>),
    /// The one stream of HTTP+SSE.
    Stream(Option<u64>),
    /// The list of tools, for a call that was refused.
    Refresh(Box<Refresh>),
    Goodbye,
}

impl Exchange {
    /// The message that it is about.
    pub(super) fn outgoing(&self) -> Option<&Outgoing> {
        match self {
            Self::Post(outgoing, _) | Self::Resume(outgoing, _) => Some(outgoing),
            Self::Refresh(refresh) => Some(refresh.call()),
            Self::Listen(_) | Self::Stream(_) | Self::Goodbye => None,
        }
    }
}
