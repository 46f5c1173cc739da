//! The stream that HTTP+SSE lives on.

use std::time::Duration;

use url::Url;

use super::retry::{INITIALIZE_PATIENCE, is_temporary, reconnect};
use super::{Bridge, Exchange, Listen, Outgoing, Phase};
use crate::core::event::{Effect, ExchangeId, Expect, Head, HttpEvent, Notice, StreamEvent};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::link::{Transport, is_transport_evidence, message_endpoint};
use crate::core::oauth::challenge::Challenge;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::secret::Secret;

/// How long the `endpoint` event may take: a proxy that buffers the stream holds it back for ever.
const ENDPOINT_WAIT: Duration = Duration::from_secs(15);

/// The longest wait that a gateway may ask for: a wrong number must not end the conversation.
pub(super) const LONGEST_ASKED: Duration = Duration::from_mins(2);

/// The stream of HTTP+SSE.
#[derive(Debug, Default)]
pub(super) enum Stream {
    #[default]
    Closed,
    /// Not before this moment.
    Waiting(Duration),
    /// Until this moment; from this address, if the server has named another one.
    Opening(ExchangeId, Duration, Option<Box<Url>>),
    Open {
        exchange: ExchangeId,
        endpoint: Box<Url>,
    },
}

impl Stream {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Waiting(deadline) | Self::Opening(_, deadline, _) => Some(*deadline),
            Self::Closed | Self::Open { .. } => None,
        }
    }

    fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Opening(exchange, ..) | Self::Open { exchange, .. } => Some(*exchange),
            Self::Closed | Self::Waiting(_) => None,
        }
    }
}

impl Bridge {
    /// Where HTTP+SSE messages go; opens the stream if there is none.
    pub(super) fn endpoint(
        &mut self,
        token: Option<&Secret>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Url> {
        match &self.stream {
            Stream::Open { endpoint, .. } => return Some((**endpoint).clone()),
            Stream::Opening(..) => return None,
            Stream::Waiting(until) if !now.reached(*until) => return None,
            Stream::Waiting(_) | Stream::Closed => {}
        }
        let exchange = out.start(self.carrier.stream(token, Expect::EndpointStream, None));
        self.exchanges.insert(exchange, Exchange::Stream(self.access.generation()));
        self.stream = Stream::Opening(exchange, now.after(ENDPOINT_WAIT), None);
        None
    }

    /// A request has come: during an outage it may cause a try of its own.
    pub(super) fn hurry(&mut self, now: Moment) {
        let waits = matches!(self.stream, Stream::Waiting(until) if !now.reached(until));
        let held = self.outage.deadline().is_some();
        let hurries = (waits || held) && self.outage.may_hurry(now);
        if hurries && waits {
            self.stream = Stream::Waiting(now.uptime);
        }
    }

    /// Whether messages wait for a connection that was there before.
    pub(super) fn waits_for_connection(&self) -> bool {
        let no_stream = matches!(self.stream, Stream::Waiting(_) | Stream::Opening(..));
        let sse = self.transport == Transport::Sse;
        self.reached && (self.outage.deadline().is_some() || (sse && no_stream))
    }

    /// What came on the HTTP+SSE stream; `true` if more is to come.
    pub(super) fn streaming(
        &mut self,
        id: ExchangeId,
        generation: Option<u64>,
        event: HttpEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        if self.stream.exchange() != Some(id) {
            out.push(Effect::Abort(id));
            return false;
        }
        match event {
            HttpEvent::Opened(head) => {
                if let Stream::Opening(_, _, from) = &mut self.stream {
                    *from = head.url.map(Box::new);
                }
                true
            }
            HttpEvent::Message(event) => self.stream_event(id, event, now, out),
            HttpEvent::Beat | HttpEvent::Part => true,
            HttpEvent::Ended => {
                let cause = "the gateway closed the stream".to_owned();
                self.stream_lost(Failure::Lost, cause, now, out);
                false
            }
            HttpEvent::Failed(failure) => {
                let cause = failure.cause.clone();
                let failure = self.failed(&failure);
                self.stream_lost(failure, cause, now, out);
                false
            }
            HttpEvent::Answered(head, body) => {
                self.no_stream(generation, &head, &body, now, out);
                false
            }
        }
    }

    fn stream_event(
        &mut self,
        id: ExchangeId,
        event: StreamEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        if let Some(millis) = event.retry {
            self.stream_retry = Duration::from_millis(millis).min(LONGEST_ASKED);
        }
        let name = event.name.as_deref().unwrap_or("message");
        match (&self.stream, name) {
            (Stream::Opening(_, _, from), "endpoint") => {
                let data = String::from_utf8_lossy(&event.data);
                match message_endpoint(from.as_deref().unwrap_or(self.server()), &data) {
                    Ok(endpoint) => self.stream_open(id, endpoint, now, out),
                    Err(got) => {
                        out.push(Effect::Abort(id));
                        let expected = "an `endpoint` on the gateway's own origin";
                        let failure = Failure::Misbehaved { got, expected };
                        self.stream = Stream::Closed;
                        self.fail_queue(&failure, now, out);
                        return false;
                    }
                }
            }
            (Stream::Open { .. }, "message") if !event.data.is_empty() => {
                self.deliver(event.data, id, now, out);
            }
            _ => {}
        }
        true
    }

    fn stream_open(
        &mut self,
        exchange: ExchangeId,
        endpoint: Url,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        self.access.accepted();
        self.outage.over(now);
        let endpoint = Box::new(endpoint);
        self.stream = Stream::Open { exchange, endpoint };
        self.silence.begin(now);
        self.silence.beats = false;
        self.settle_transport();
        if !matches!(self.phase, Phase::Fresh | Phase::Lost) {
            self.session_lost(now, out);
        }
    }

    /// The stream is gone, and with it the session and every answer that was to come on it.
    pub(super) fn stream_lost(
        &mut self,
        failure: Failure,
        cause: String,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let opened = matches!(self.stream, Stream::Open { .. });
        self.fail_orphans(now, out);
        if opened {
            self.session_lost(now, out);
        }
        if !self.reached {
            // Nothing says that this will ever work: the host learns it at once, and its next
            // request tries again.
            self.stream = Stream::Closed;
            self.fail_queue(&failure, now, out);
            self.begin_again();
            return;
        }
        self.evidence = Some(failure);
        let wait = self.next_wait(now).max(self.stream_retry);
        out.tell(reconnect(&cause, wait));
        self.stream = Stream::Waiting(now.after(wait));
    }

    /// Answers what only the stream that is gone could have answered.
    fn fail_orphans(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.epoch += 1;
        self.watch_old_calls(now);
        // What is still being sent learns from its own answer whether it was taken.
        let lost: Vec<_> =
            self.pending.keys().filter(|id| !self.is_on_its_way(id)).cloned().collect();
        for id in lost {
            self.orphaned(&id, now, out);
        }
    }

    /// A request was taken, and the stream that would have brought its answer is gone.
    fn orphaned(&mut self, id: &Id, now: Moment, out: &mut Outbox<'_>) {
        let again = self.pending.get_mut(id).and_then(|pending| pending.again.take());
        match again {
            Some(mut outgoing) if self.closing.is_none() => {
                outgoing.repeated += 1;
                outgoing.since = now.uptime;
                out.detail("asking again what may be asked twice: its stream was lost");
                self.send_again(*outgoing);
            }
            _ => self.fail(id, &Failure::Lost, now, out),
        }
    }

    /// Over HTTP+SSE: a message was taken, in this session or in one that is gone.
    pub(super) fn taken(&mut self, outgoing: &Outgoing, now: Moment, out: &mut Outbox<'_>) {
        if self.transport != Transport::Sse {
            return;
        }
        for id in outgoing.kind.ids() {
            let Some(pending) = self.pending.get_mut(id) else { continue };
            pending.again = outgoing.may_repeat().then(|| Box::new(outgoing.clone()));
            if outgoing.epoch != self.epoch {
                self.orphaned(id, now, out);
            }
        }
    }

    fn is_on_its_way(&self, id: &Id) -> bool {
        let queued = self.queue.iter().any(|outgoing| outgoing.kind.ids().contains(id));
        let delayed = self.delayed.iter().any(|it| it.outgoing.kind.ids().contains(id));
        let is_for = |outgoing: &Outgoing| outgoing.kind.ids().contains(id);
        // An answer that has begun says that it was taken.
        let sending = |exchange: &Exchange| {
            exchange.outgoing().is_some_and(|it| is_for(it) && !it.position.open)
        };
        queued || delayed || self.is_parked(id) || self.exchanges.values().any(sending)
    }

    /// The GET was answered without a stream.
    fn no_stream(
        &mut self,
        generation: Option<u64>,
        head: &Head,
        body: &bytes::Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        self.stream = Stream::Closed;
        let status = head.status;
        if status == 401 && !self.access.is_static() {
            if self.access.generation().is_none()
                && (self.discover_queued(now, out) || self.withdraw_handshake(now, out))
            {
                return;
            }
            let challenge = Challenge::from_headers(&head.headers);
            self.access.challenged(challenge, generation, now, out);
            return;
        }
        if self.widen_stream(generation, head, now, out) {
            return;
        }
        let other_type = (200..300).contains(&status);
        if (is_transport_evidence(status) || other_type) && self.switch(status, body, now, out) {
            return;
        }
        let failure = match status {
            200..=299 => Failure::Misbehaved {
                got: format!("HTTP {status} with `{}`", head.media_type()),
                expected: "an event stream",
            },
            _ => self.refusal(head, body, now),
        };
        let temporary = is_temporary(status) || (500..600).contains(&status);
        if self.reached && temporary {
            self.stream_lost(failure, format!("HTTP {status}"), now, out);
            let asked = head.retry_after(now.unix).unwrap_or_default().min(LONGEST_ASKED);
            if let Stream::Waiting(until) = &mut self.stream {
                *until = now.after(asked).max(*until);
            }
            return;
        }
        if is_temporary(status) && self.begins_later(head, now, out) {
            return;
        }
        let first = self.neither_works();
        self.fail_queue(&first.unwrap_or(failure), now, out);
        self.begin_again();
    }

    /// A gateway that was never reached is in trouble: the first try is repeated while the host's
    /// first request can wait.
    fn begins_later(&mut self, head: &Head, now: Moment, out: &mut Outbox<'_>) -> bool {
        let Some((_, since)) = self.queue.oldest() else { return false };
        let wait = head.retry_after(now.unix).unwrap_or_else(|| self.next_wait(now));
        let late = since.saturating_add(INITIALIZE_PATIENCE) < now.after(wait);
        if late || self.closing.is_some() {
            return false;
        }
        out.tell(reconnect(&format!("HTTP {}", head.status), wait));
        self.stream = Stream::Waiting(now.after(wait));
        true
    }

    /// Drops the stream and opens another one with the next message.
    pub(super) fn restart_stream(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if let Some(exchange) = self.stream.exchange() {
            self.exchanges.remove(&exchange);
            out.push(Effect::Abort(exchange));
        }
        self.fail_orphans(now, out);
        self.stream = Stream::Waiting(now.uptime);
    }

    /// Opens what is due.
    pub(super) fn tick_streams(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let due = match self.listen {
            Listen::Waiting(until) => now.reached(until),
            Listen::Refused(generation) => self.access.generation() != generation,
            Listen::None | Listen::Absent | Listen::Open(..) => false,
        };
        if due {
            self.listen = Listen::None;
            if self.phase == Phase::Ready {
                self.open_listen(now, out);
            }
        }
        match self.stream {
            Stream::Waiting(until) if now.reached(until) && self.transport == Transport::Sse => {
                // A server that was there before is looked for even if nobody asks just now.
                if let Ok(token) = self.token_now(now, out) {
                    self.endpoint(token.as_ref(), now, out);
                } else {
                    self.stream = Stream::Closed;
                }
            }
            Stream::Opening(exchange, until, _) if now.reached(until) => {
                self.exchanges.remove(&exchange);
                out.push(Effect::Abort(exchange));
                self.endpoint_missing(now, out);
            }
            _ => {}
        }
    }

    /// The stream is open and says nothing.
    fn endpoint_missing(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let seconds = ENDPOINT_WAIT.as_secs();
        if let Some(other) = self.alternative.take() {
            out.detail("no `endpoint` event; trying the other transport");
            self.stream = Stream::Closed;
            self.evidence = Some(Failure::TimedOut { seconds });
            self.transport = other;
            return;
        }
        // It may have been asked for on a connection of before that leads nowhere.
        out.push(Effect::NewConnections);
        out.tell(Notice::Warning(
            "the stream is open but silent; a proxy may be holding it back".to_owned(),
        ));
        self.stream_lost(Failure::TimedOut { seconds }, "no `endpoint` event".to_owned(), now, out);
    }
}
