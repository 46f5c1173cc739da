//! What comes back for a message of the host.

use bytes::{Buf as _, Bytes};

use super::retry::{is_temporary, speaks_of_session};
use super::{Bridge, Kind, Outgoing, Phase};
use crate::core::event::{ExchangeId, Head, HttpEvent};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Message, read};
use crate::core::link::{Transport, is_transport_evidence, session_id};
use crate::core::oauth::challenge::Challenge;
use crate::core::oauth::failure::SignInFailure;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How often one message is sent again after a 401: once with renewed tokens, once after a
/// sign-in.
pub(super) const MAX_REFUSED: u8 = 3;
/// How often one message is sent again in a new session (MCP 2025-11-25, session management).
const MAX_LOST: u8 = 1;

impl Bridge {
    /// Takes what came back for a POST; returns the message if more is to come.
    pub(super) fn post(
        &mut self,
        id: ExchangeId,
        mut outgoing: Outgoing,
        generation: Option<u64>,
        event: HttpEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        match event {
            HttpEvent::Opened(head) => {
                self.accepted(&outgoing, &head, now, out);
                self.taken(&outgoing, now, out);
                outgoing.taken();
                outgoing.position.open = true;
                Some(outgoing)
            }
            HttpEvent::Message(event) => {
                outgoing.position.heard(&event);
                if event.is_message() {
                    let asked = outgoing.position.resumed && self.is_awaited(id, &outgoing);
                    outgoing = self.era_shows_on(id, outgoing, &event.data, now, out)?;
                    self.deliver(event.data, id, now, out);
                    self.rest.reads_on |= asked && !self.is_awaited(id, &outgoing);
                }
                Some(outgoing)
            }
            HttpEvent::Beat | HttpEvent::Part => Some(outgoing),
            HttpEvent::Ended => {
                self.response_ended(id, outgoing, None, now, out);
                None
            }
            HttpEvent::Failed(failure) => {
                self.post_failed(id, outgoing, &failure, now, out);
                None
            }
            HttpEvent::Answered(head, body) => {
                let body = without_mark(body);
                self.answered(id, outgoing, generation, &head, body, now, out);
                None
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call: the exchange and its answer")]
    fn answered(
        &mut self,
        id: ExchangeId,
        outgoing: Outgoing,
        generation: Option<u64>,
        head: &Head,
        body: Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let Some(outgoing) = self.era_shows(outgoing, head, &body, now, out) else { return };
        match head.status {
            200..=299 => {
                self.accepted(&outgoing, head, now, out);
                self.body(id, &outgoing, head, body, now, out);
            }
            401 => self.challenged(id, outgoing, generation, head, now, out),
            403 => {
                let Some(outgoing) = self.widen(outgoing, generation, head, now, out) else {
                    return;
                };
                self.refused(id, &outgoing, head, &body, now, out);
            }
            status if self.names_lost_session(status, &body, &outgoing) => {
                self.session_gone(id, outgoing, head, &body, now, out);
            }
            status if is_temporary(status) => {
                if let Some(outgoing) = self.defer(outgoing, head, &body, now, out) {
                    self.refused(id, &outgoing, head, &body, now, out);
                }
            }
            status => {
                let Some(outgoing) = self.refresh(id, outgoing, &body, now, out) else { return };
                let evidence = outgoing.claims.is_none()
                    && is_transport_evidence(status)
                    && !answers(&body, &outgoing);
                if evidence && self.switch(status, &body, now, out) {
                    self.send_again(outgoing);
                    return;
                }
                if evidence && let Some(first) = self.neither_works() {
                    self.undelivered(id, &outgoing, &first, now, out);
                    return;
                }
                self.refused(id, &outgoing, head, &body, now, out);
            }
        }
    }

    /// The gateway said no: in the words of the protocol, or with a status.
    fn refused(
        &mut self,
        id: ExchangeId,
        outgoing: &Outgoing,
        head: &Head,
        body: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        // A 403 speaks of access, whatever words it finds for that.
        if head.status != 403 && answers(body, outgoing) {
            self.deliver(body.clone(), id, now, out);
        }
        let failure = self.refusal(head, body, now);
        self.undelivered(id, outgoing, &failure, now, out);
    }

    /// The gateway took the message.
    fn accepted(&mut self, outgoing: &Outgoing, head: &Head, now: Moment, out: &mut Outbox<'_>) {
        self.access.accepted();
        self.settle_transport();
        if !outgoing.kind.is_handshake() {
            self.begun = 0;
        }
        match outgoing.kind {
            Kind::Initialize(_) | Kind::ReplayInitialize(_)
                if self.transport == Transport::Http =>
            {
                self.carrier.session = session_id(&head.headers);
            }
            Kind::Initialized if matches!(self.phase, Phase::Announcing(_)) => self.ready(now, out),
            Kind::ReplayInitialized if matches!(self.phase, Phase::ReplayAnnouncing(_)) => {
                self.ready(now, out);
            }
            _ => {}
        }
    }

    fn body(
        &mut self,
        id: ExchangeId,
        outgoing: &Outgoing,
        head: &Head,
        body: Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let text = body.trim_ascii();
        let json = matches!(text.first(), Some(b'{' | b'['));
        if json {
            self.deliver(body.slice_ref(text), id, now, out);
        }
        // Over HTTP+SSE the answer comes on the stream.
        if self.transport == Transport::Http {
            let got = match (text.is_empty(), json) {
                (true, _) => format!("HTTP {} without a body", head.status),
                (_, true) => "another message than the answer".to_owned(),
                _ => format!("HTTP {} with `{}`", head.status, head.media_type()),
            };
            let expected = "a JSON-RPC message or an event stream";
            self.unanswered(id, outgoing, &Failure::Misbehaved { got, expected }, now, out);
        } else {
            self.taken(outgoing, now, out);
        }
    }

    /// 401: the same message again, once there is another credential.
    fn challenged(
        &mut self,
        id: ExchangeId,
        outgoing: Outgoing,
        generation: Option<u64>,
        head: &Head,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if self.access.is_static() {
            let failure = self.credential_refused(head.status);
            self.undelivered(id, &outgoing, &failure, now, out);
            return;
        }
        if outgoing.refused >= MAX_REFUSED {
            let failure = SignInFailure::FreshTokenRefused.into();
            self.undelivered(id, &outgoing, &failure, now, out);
            return;
        }
        if self.access.generation().is_none()
            && (self.discover_provisionally(&outgoing, now, out)
                || self.withdraw_handshake(now, out))
        {
            return;
        }
        let challenge = Challenge::from_headers(&head.headers);
        self.access.challenged(challenge, generation, now, out);
        if !self.undo_translation(now, out) {
            self.send_again(outgoing);
        }
    }

    /// Whether a refusal says that the session is gone. Servers say so with 404 (MCP 2025-11-25,
    /// session management); some say it with 400, and in words.
    fn names_lost_session(&self, status: u16, body: &Bytes, outgoing: &Outgoing) -> bool {
        let in_session = outgoing.in_session || self.transport == Transport::Sse;
        in_session
            && match status {
                404 | 410 => !answers(body, outgoing) || speaks_of_session(body),
                400 => speaks_of_session(body),
                _ => false,
            }
    }

    /// The gateway has forgotten it, and has run nothing.
    fn session_gone(
        &mut self,
        id: ExchangeId,
        mut outgoing: Outgoing,
        head: &Head,
        body: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if outgoing.lost >= MAX_LOST || matches!(outgoing.kind, Kind::ReplayInitialize(_)) {
            let failure = self.refusal(head, body, now);
            self.undelivered(id, &outgoing, &failure, now, out);
            return;
        }
        outgoing.lost += 1;
        // Whom it answers is gone with the session.
        let void = outgoing.kind == Kind::Response;
        out.detail("the gateway has forgotten the session; beginning a new one");
        if outgoing.epoch != self.epoch {
            // That session is gone already, and a new one is on its way.
            if !outgoing.kind.is_own() && !void {
                self.send_again(outgoing);
            }
            return;
        }
        let sse = self.transport == Transport::Sse;
        let own =
            matches!(outgoing.kind, Kind::Initialized | Kind::ReplayInitialized | Kind::Own(_));
        let known = self.phase.is_replay();
        if !own && !void {
            self.send_again(outgoing);
        }
        if sse {
            self.restart_stream(now, out);
        }
        if !known || own {
            self.close_listen(out);
            self.session_lost(now, out);
        }
    }

    /// The exchange is over: what it should have answered and did not gets this failure.
    pub(super) fn unanswered(
        &mut self,
        id: ExchangeId,
        outgoing: &Outgoing,
        failure: &Failure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        for request in outgoing.kind.ids() {
            if self.pending.get(request).is_some_and(|pending| pending.exchange == Some(id)) {
                self.fail(request, failure, now, out);
            }
        }
        if matches!(outgoing.kind, Kind::ReplayInitialize(_))
            && matches!(self.phase, Phase::Replaying(_))
        {
            self.drop_outgoing(outgoing, failure, now, out);
        }
    }

    /// The message got no good answer: whatever it was, it is over.
    pub(super) fn undelivered(
        &mut self,
        id: ExchangeId,
        outgoing: &Outgoing,
        failure: &Failure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let stale = |pending: &super::Pending| pending.exchange.is_none_or(|open| open == id);
        let ids: Vec<_> = outgoing.kind.ids().iter().collect();
        for request in ids {
            if self.pending.get(request).is_some_and(stale) {
                self.fail(request, failure, now, out);
            }
        }
        match outgoing.kind {
            // The server may do without it; the host must not wait for ever.
            Kind::Initialized => self.ready(now, out),
            Kind::ReplayInitialize(_) | Kind::ReplayInitialized => {
                self.drop_outgoing(outgoing, failure, now, out);
            }
            Kind::Notification | Kind::Response => self.drop_outgoing(outgoing, failure, now, out),
            _ => {}
        }
    }
}

/// Some servers begin a body with a byte-order mark, which JSON does not have (RFC 8259 §8.1).
fn without_mark(mut body: Bytes) -> Bytes {
    if body.starts_with(b"\xef\xbb\xbf") {
        body.advance(3);
    }
    body
}

/// Whether a body is a JSON-RPC answer to one of the message's requests.
pub(super) fn answers(body: &[u8], outgoing: &Outgoing) -> bool {
    matches!(
        read(body.trim_ascii()),
        Ok(Frame::Single(Message::Response { id: Some(id), .. }))
            if outgoing.kind.ids().contains(&id)
    )
}
