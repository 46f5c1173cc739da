//! What comes back for a message of the host.

use bytes::{Buf as _, Bytes};

use super::{Bridge, Kind, Outgoing, Phase};
use crate::core::event::{ExchangeId, Head, HttpEvent, HttpFailure};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Message, read};
use crate::core::link::{Transport, is_transport_evidence, session_id, without_query};
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
                // It was taken and is never sent again, so it need not be held.
                outgoing.bytes = Bytes::new();
                Some(outgoing)
            }
            HttpEvent::Message(event) => {
                if event.is_message() {
                    self.deliver(event.data, id, now, out);
                }
                Some(outgoing)
            }
            HttpEvent::Ended => {
                self.unanswered(id, &outgoing, &Failure::Lost, out);
                self.fail_orphan(&outgoing, out);
                None
            }
            HttpEvent::Failed(failure) => {
                let failure = self.failed(&failure);
                self.undelivered(id, &outgoing, &failure, now, out);
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
            404 if !answers(&body, &outgoing)
                && (outgoing.in_session || self.transport == Transport::Sse) =>
            {
                self.session_gone(id, outgoing, head, &body, now, out);
            }
            status => {
                let Some(outgoing) = self.refresh(id, outgoing, &body, now, out) else { return };
                let evidence = outgoing.claims.is_none()
                    && is_transport_evidence(status)
                    && !answers(&body, &outgoing);
                if evidence && self.switch(status, &body, out) {
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
        let failure = self.refusal(head, body);
        self.undelivered(id, outgoing, &failure, now, out);
    }

    /// The gateway took the message.
    fn accepted(&mut self, outgoing: &Outgoing, head: &Head, now: Moment, out: &mut Outbox<'_>) {
        self.access.accepted();
        self.settle_transport();
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
            self.unanswered(id, outgoing, &Failure::Misbehaved { got, expected }, out);
        } else {
            self.fail_orphan(outgoing, out);
        }
    }

    /// Over HTTP+SSE: taken, and the stream that would have brought the answer may be gone.
    fn fail_orphan(&mut self, outgoing: &Outgoing, out: &mut Outbox<'_>) {
        if self.transport == Transport::Sse && outgoing.epoch != self.epoch {
            for request in outgoing.kind.ids() {
                self.fail(request, &Failure::Lost, out);
            }
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
        let challenge = Challenge::from_headers(&head.headers);
        self.access.challenged(challenge, generation, now, out);
        if !self.undo_translation(now, out) {
            self.send_again(outgoing);
        }
    }

    /// 404 to a message of a session: the gateway has forgotten it, and has run nothing.
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
            let failure = self.refusal(head, body);
            self.undelivered(id, &outgoing, &failure, now, out);
            return;
        }
        outgoing.lost += 1;
        out.detail("the gateway has forgotten the session; beginning a new one");
        if outgoing.epoch != self.epoch {
            // That session is gone already, and a new one is on its way.
            self.send_again(outgoing);
            return;
        }
        let sse = self.transport == Transport::Sse;
        let own = matches!(outgoing.kind, Kind::Initialized | Kind::ReplayInitialized);
        let known = self.phase.is_replay();
        if !own {
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
    fn unanswered(
        &mut self,
        id: ExchangeId,
        outgoing: &Outgoing,
        failure: &Failure,
        out: &mut Outbox<'_>,
    ) {
        for request in outgoing.kind.ids() {
            if self.pending.get(request).is_some_and(|pending| pending.exchange == Some(id)) {
                self.fail(request, failure, out);
            }
        }
        if matches!(outgoing.kind, Kind::ReplayInitialize(_))
            && matches!(self.phase, Phase::Replaying(_))
        {
            self.drop_outgoing(outgoing, failure, out);
        }
    }

    /// The message got no good answer: whatever it was, it is over.
    fn undelivered(
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
                self.fail(request, failure, out);
            }
        }
        match outgoing.kind {
            // The server may do without it; the host must not wait for ever.
            Kind::Initialized => self.ready(now, out),
            Kind::ReplayInitialize(_) | Kind::ReplayInitialized => {
                self.drop_outgoing(outgoing, failure, out);
            }
            Kind::Notification | Kind::Response => self.drop_outgoing(outgoing, failure, out),
            _ => {}
        }
    }

    /// What a network failure means for a request.
    pub(super) fn failed(&self, failure: &HttpFailure) -> Failure {
        use crate::core::event::{Delivery, FailureKind};
        match (failure.delivery, failure.kind) {
            (_, FailureKind::TooLarge | FailureKind::Malformed) => Failure::Misbehaved {
                got: failure.cause.clone(),
                expected: "a JSON-RPC message or an event stream",
            },
            (_, FailureKind::Certificate) => {
                Failure::Untrusted { server: self.origin(), cause: failure.cause.clone() }
            }
            (Delivery::Unknown, FailureKind::Network) => Failure::Lost,
            _ => Failure::Unreachable { server: self.origin(), cause: failure.cause.clone() },
        }
    }

    /// What an HTTP status means for a request.
    pub(super) fn refusal(&self, head: &Head, body: &Bytes) -> Failure {
        let status = head.status;
        match status {
            401 if self.access.is_static() => self.credential_refused(status),
            403 if self.access.is_static() && Challenge::from_headers(&head.headers).is_none() => {
                Failure::Forbidden { status, reason: reason(body) }
            }
            403 => {
                let challenge = Challenge::from_headers(&head.headers).unwrap_or_default();
                let said = challenge.error_description.or(challenge.error);
                Failure::Forbidden { status, reason: said.or_else(|| reason(body)) }
            }
            413 | 429 | 503 => Failure::Limited {
                status,
                reason: reason(body),
                wait: head.header("retry-after").and_then(|wait| wait.trim().parse().ok()),
            },
            300..=399 => Failure::Misbehaved {
                got: match head.header("location") {
                    Some(location) => format!(
                        "HTTP {status}, a redirect to `{}`",
                        without_query(self.server(), location)
                    ),
                    None => format!("HTTP {status}, a redirect to nowhere"),
                },
                expected: "an answer at the configured URL",
            },
            _ => {
                let said = reason(body).map(|text| format!(": {text}")).unwrap_or_default();
                Failure::Misbehaved {
                    got: format!("HTTP {status}{said}"),
                    expected: "an MCP message",
                }
            }
        }
    }

    pub(super) fn credential_refused(&self, status: u16) -> Failure {
        Failure::CredentialRefused { status, headers: self.header_names.clone() }
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

/// The beginning of a text body, for people.
fn reason(body: &[u8]) -> Option<String> {
    /// Longer bodies are pages, not reasons.
    const LONGEST: usize = 200;
    if let Ok(Frame::Single(Message::Response { result: None, .. })) = read(body.trim_ascii()) {
        return error_message(body).map(|text| text.chars().take(LONGEST).collect());
    }
    let text = std::str::from_utf8(body).ok()?.trim();
    if text.is_empty() || text.starts_with('<') {
        return None;
    }
    Some(text.chars().take(LONGEST).collect())
}

/// What a JSON-RPC error says.
fn error_message(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.get("error")?.get("message")?.as_str().map(str::to_owned)
}
