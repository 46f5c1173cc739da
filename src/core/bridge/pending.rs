//! What is known of a request until its one answer is written.

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
