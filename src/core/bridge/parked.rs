//! Requests whose scope was not enough: they wait beside the queue while somebody is asked for
//! more, and everything else goes on.

use std::time::Duration;

use super::provisional::REQUEST_WAIT;
use super::{Bridge, Kind, Outgoing};
use crate::core::event::Head;
use crate::core::failure::Failure;
use crate::core::oauth::access::Widened;
use crate::core::oauth::challenge::Challenge;
use crate::core::oauth::failure::SignInFailure;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

impl Bridge {
    /// 403: perhaps somebody can be asked for more. The message comes back if that is in vain.
    pub(super) fn widen(
        &mut self,
        mut outgoing: Outgoing,
        generation: Option<u64>,
        head: &Head,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        if self.access.is_static() || outgoing.refused >= super::receive::MAX_REFUSED {
            return Some(outgoing);
        }
        let Some(challenge) = insufficient_scope(head) else { return Some(outgoing) };
        let alone = matches!(outgoing.kind, Kind::Initialize(_) | Kind::ReplayInitialize(_));
        match self.access.widen(&challenge, generation, alone, now, out) {
            Widened::No => return Some(outgoing),
            Widened::Wait if !alone => {
                outgoing.refused = outgoing.refused.saturating_add(1);
                outgoing.since = now.uptime;
                self.unsend(&outgoing);
                self.parked.push(outgoing);
            }
            Widened::Wait | Widened::Again => self.send_again(outgoing),
        }
        None
    }

    /// When a parked request has waited long enough.
    pub(super) fn parked_deadline(&self) -> Option<Duration> {
        self.parked.iter().map(|outgoing| outgoing.since.saturating_add(REQUEST_WAIT)).min()
    }

    /// Lets go on what need not wait any more.
    pub(super) fn tick_parked(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if self.parked.is_empty() {
            return;
        }
        if !self.access.is_widening() {
            let failure = self.access.take_widening_failure();
            for outgoing in std::mem::take(&mut self.parked).into_iter().rev() {
                match &failure {
                    Some(failure) => {
                        self.drop_outgoing(&outgoing, &failure.clone().into(), now, out);
                    }
                    None => self.queue.push_front(outgoing),
                }
            }
            return;
        }
        let late = |outgoing: &Outgoing| now.reached(outgoing.since.saturating_add(REQUEST_WAIT));
        let (overdue, rest) = std::mem::take(&mut self.parked).into_iter().partition(late);
        self.parked = rest;
        self.drop_parked(overdue, now, out);
    }

    /// Nobody will be asked any more.
    pub(super) fn give_up_parked(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let parked = std::mem::take(&mut self.parked);
        self.drop_parked(parked, now, out);
    }

    fn drop_parked(&mut self, parked: Vec<Outgoing>, now: Moment, out: &mut Outbox<'_>) {
        let url = self.access.sign_in_url().unwrap_or_default();
        let failure = Failure::SignIn(SignInFailure::Unfinished { url });
        for outgoing in parked {
            self.drop_outgoing(&outgoing, &failure, now, out);
        }
    }

    /// Whether a parked message holds this request.
    pub(super) fn is_parked(&self, id: &crate::core::jsonrpc::Id) -> bool {
        self.parked.iter().any(|outgoing| outgoing.kind.ids().contains(id))
    }

    /// Nobody answers the message where it was sent.
    pub(super) fn unsend(&mut self, outgoing: &Outgoing) {
        self.not_asked(outgoing);
        for id in outgoing.kind.ids() {
            if let Some(pending) = self.pending.get_mut(id) {
                pending.exchange = None;
            }
        }
    }

    /// The stream of HTTP+SSE was refused for its scope; `true` if somebody is asked for more.
    pub(super) fn widen_stream(
        &mut self,
        generation: Option<u64>,
        head: &Head,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        let Some(challenge) = insufficient_scope(head) else { return false };
        !self.access.is_static()
            && self.access.widen(&challenge, generation, true, now, out) != Widened::No
    }

    /// The host has cancelled a parked request; `true` if there was one.
    pub(super) fn unpark(&mut self, id: &crate::core::jsonrpc::Id) -> bool {
        let before = self.parked.len();
        let wanted = Kind::Request(id.clone());
        self.parked.retain(|outgoing| outgoing.kind != wanted);
        self.parked.len() < before
    }
}

/// What the challenge of a 403 asks for, if it is about the scope (RFC 6750 §3.1).
fn insufficient_scope(head: &Head) -> Option<Challenge> {
    let challenge = Challenge::from_headers(&head.headers)?;
    (head.status == 403 && challenge.error.as_deref() == Some("insufficient_scope"))
        .then_some(challenge)
}
