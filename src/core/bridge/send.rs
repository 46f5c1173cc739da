//! What goes to the gateway, and when.

use super::resume::Position;
use super::{Bridge, Exchange, Kind, Outgoing, Phase};
use crate::core::event::Expect;
use crate::core::link::Transport;
use crate::core::oauth::access::Readiness;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::secret::Secret;

/// How many messages may be under way at once: enough for any host that was seen, few enough that
/// a flood does not open a thousand connections. What comes behind them waits in stdin.
pub(super) const MAX_IN_FLIGHT: usize = 128;
/// How many more there may be of those that an open request may be waiting for: answers to the
/// server, cancellations, pings. Without them 128 calls that ask the host back would wait for ever.
pub(super) const RESERVE: usize = 64;

/// There is no credential to send something with at the moment.
pub(super) struct NotNow;

/// Which message is sent next.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// Our own handshake.
    Replay,
    /// What it sets again.
    Restore,
    /// This one of the queue.
    Queued(usize),
}

impl Bridge {
    /// Sends what may be sent.
    pub(super) fn pump(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if self.phase == Phase::Lost && self.replay.is_none() && !self.queue.is_empty() {
            self.session_lost(now, out);
        }
        while let Some(next) = self.next() {
            if self.outage.deadline().is_some() {
                return;
            }
            let token = match self.access.readiness(now, out) {
                Readiness::Ready(token) => token,
                Readiness::Wait => return,
                Readiness::Refused(failure) => {
                    if let Some(outgoing) = self.take(next) {
                        self.drop_outgoing(&outgoing, &failure.into(), now, out);
                    }
                    continue;
                }
            };
            let Some(next) = self.within_limits(next) else { return };
            let url = match self.transport {
                Transport::Http => self.server().clone(),
                Transport::Sse => match self.endpoint(token.as_ref(), now, out) {
                    Some(endpoint) => endpoint,
                    None => return,
                },
            };
            // The stream has shown by now which transport it is.
            if self.chooses_era(next, now, out) {
                continue;
            }
            let Some(outgoing) = self.take(next) else { return };
            if self.is_answered(&outgoing) {
                continue;
            }
            if matches!(outgoing.kind, Kind::Initialize(_) | Kind::ReplayInitialize(_)) {
                // A new session: nothing of an old one goes with it.
                self.carrier.session = None;
                self.carrier.version = None;
            }
            let expect = match outgoing.kind.ids() {
                [] => Expect::Acknowledgement,
                _ => Expect::Messages,
            };
            let body = outgoing.bytes.clone();
            let mut request = self.carrier.post(&url, token.as_ref(), body, expect);
            if let Some(version) = &outgoing.claims {
                self.eras.repeat(version, &outgoing.bytes, &mut request.headers);
            }
            self.send(outgoing, request, out, now);
        }
    }

    /// Which message is next: our own, or the first that the handshake lets pass. Only an answer
    /// to the server may overtake, and only while the handshake holds up everything else.
    fn next(&self) -> Option<Next> {
        if self.replay.is_some() {
            return Some(Next::Replay);
        }
        if self.phase == Phase::Ready && !self.restore.due.is_empty() {
            return Some(Next::Restore);
        }
        let front = self.queue.front()?;
        if self.eras.is_asking() {
            return None;
        }
        if self.phase.lets_pass(&front.kind) {
            return Some(Next::Queued(0));
        }
        let is_free = |outgoing: &Outgoing| {
            outgoing.kind == Kind::Response && self.phase.lets_pass(&outgoing.kind)
        };
        self.queue.iter().position(is_free).map(Next::Queued)
    }

    /// What may be sent now, if `next` is next: where there is no room for it, what somebody may be
    /// waiting for overtakes.
    fn within_limits(&self, next: Next) -> Option<Next> {
        let under_way = self.exchanges.len() + self.cuts.len() - self.lingering.len();
        if under_way < MAX_IN_FLIGHT || matches!(next, Next::Replay | Next::Restore) {
            return Some(next);
        }
        let may_pass =
            |outgoing: &Outgoing| outgoing.urgent && self.phase.lets_pass(&outgoing.kind);
        let index = self.queue.iter().position(may_pass)?;
        (under_way < MAX_IN_FLIGHT + RESERVE).then_some(Next::Queued(index))
    }

    /// Whether a message that is to be sent again was answered after all, by a stream that lived.
    fn is_answered(&self, outgoing: &Outgoing) -> bool {
        let ids = outgoing.kind.ids();
        let waits = |id| self.pending.contains_key(id);
        !outgoing.kind.is_own() && !ids.is_empty() && !ids.iter().any(waits)
    }

    pub(super) fn take(&mut self, next: Next) -> Option<Outgoing> {
        match next {
            Next::Replay => self.replay.take(),
            Next::Restore => self.restore.due.pop_front(),
            Next::Queued(index) => self.queue.remove(index),
        }
    }

    fn send(
        &mut self,
        mut outgoing: Outgoing,
        request: crate::core::event::Request,
        out: &mut Outbox<'_>,
        now: Moment,
    ) {
        outgoing.epoch = self.epoch;
        outgoing.in_session = self.carrier.session.is_some();
        self.remember(&outgoing);
        self.sent(&outgoing.kind, now);
        let exchange = out.start(request);
        outgoing.sent = exchange.0;
        outgoing.position = Position::begin(now);
        let answered_here = self.transport == Transport::Http;
        for id in outgoing.kind.ids() {
            if let Some(pending) = self.pending.get_mut(id) {
                pending.exchange = answered_here.then_some(exchange);
            }
        }
        let generation = self.access.generation();
        self.exchanges.insert(exchange, Exchange::Post(outgoing, generation));
    }

    /// Puts a message back to be sent again: it was refused before anything ran.
    pub(super) fn send_again(&mut self, mut outgoing: Outgoing) {
        outgoing.refused = outgoing.refused.saturating_add(1);
        self.unsend(&outgoing);
        match outgoing.kind {
            Kind::Initialize(_) => self.phase = Phase::Fresh,
            Kind::Initialized => self.phase = Phase::Answered,
            Kind::ReplayInitialize(_) => self.phase = Phase::Lost,
            _ => {}
        }
        if outgoing.kind.is_replay() {
            self.replay = Some(outgoing);
        } else if outgoing.kind.is_own() {
            self.restore.due.push_front(outgoing);
        } else {
            self.queue.put_back(outgoing);
        }
    }

    /// The token of the moment, for requests that have no place in the queue.
    pub(super) fn token_now(
        &mut self,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Result<Option<Secret>, NotNow> {
        match self.access.readiness(now, out) {
            Readiness::Ready(token) => Ok(token),
            Readiness::Wait | Readiness::Refused(_) => Err(NotNow),
        }
    }
}
