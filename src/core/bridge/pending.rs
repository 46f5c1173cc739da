//! What is known of a request until its one answer is written, and of an exchange until it is over.

use super::Outgoing;
use super::refresh::Refresh;
use crate::core::event::ExchangeId;

/// A request that has no answer yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// Where the answer is expected; `None`: not sent yet, or on the shared stream.
    pub(super) exchange: Option<ExchangeId>,
    pub(super) interest: Interest,
}

impl Pending {
    pub(super) fn new(interest: Interest) -> Self {
        Self { exchange: None, interest }
    }
}

/// What the bridge itself wants of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// Nothing: it belongs to the host.
    None,
    Initialize,
    /// What the server speaks.
    Discover,
    /// The same; the host has not asked, and does not see the answer.
    Probe,
    /// The schemas of the tools.
    Tools,
    /// Nothing but its end: it goes on as long as the host wants it.
    Listen,
}

impl Interest {
    pub(super) fn of(method: &str) -> Self {
        match method {
            "initialize" => Self::Initialize,
            "server/discover" => Self::Discover,
            "tools/list" => Self::Tools,
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
    /// The standalone stream of Streamable HTTP.
    Listen(Option<u64>),
    /// The one stream of HTTP+SSE.
    Stream(Option<u64>),
    /// The list of tools, for a call that was refused.
    Refresh(Box<Refresh>),
    Goodbye,
}
