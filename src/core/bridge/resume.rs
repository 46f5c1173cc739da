//! Response streams that were cut, and are read on from where they were cut (MCP 2025-11-25,
//! resumability and redelivery).
//!
//! A server that gives its events ids keeps what comes after them. So the answer is not lost with
//! the stream: a GET with `Last-Event-ID` brings the rest. Some servers close a stream on purpose,
//! to be asked again later; for them an end in order is no loss.
//!
//! Others give their events ids and know nothing of `Last-Event-ID`: the GET brings a stream on which
//! the answer never comes. So who has not shown that it reads streams on is waited for as if the
//! stream were still lost.

use std::time::Duration;

use http::header::HeaderValue;

use super::silence::Pulse;
use super::{Bridge, Exchange, Kind, Outgoing, PATIENCE};
use crate::core::backoff::Backoff;
use crate::core::event::{Effect, ExchangeId, Expect, Head, HttpEvent, StreamEvent};
use crate::core::failure::Failure;
use crate::core::link::Transport;
use crate::core::oauth::challenge::Challenge;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// The shortest wait that a server may ask for: below it, a poll is a flood.
const SHORTEST_RETRY: Duration = Duration::from_millis(100);
/// The longest: no call waits longer.
const LONGEST_RETRY: Duration = Duration::from_hours(1);
/// A longer event id is not kept: servers refuse headers of that size.
const MAX_EVENT_ID: usize = 4 << 10;
/// How soon to look again for a token that is being renewed.
const SOON: Duration = Duration::from_secs(1);

/// How far a stream was read, and when it may be read on.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// Whether it is being read.
    pub(super) open: bool,
    /// The id of its last event.
    pub(super) last: Option<HeaderValue>,
    /// How long the server wants to be left alone before it is asked for the rest.
    pub(super) retry: Option<Duration>,
    /// Between the tries, where the server says nothing about that.
    backoff: Option<Backoff>,
    /// When something came on it last.
    pub(super) pulse: Pulse,
    /// Since when it has been lost; `None`: the server closed it, or it is open.
    lost_at: Option<Duration>,
    /// Whether the server has said that it can be read on: by an event that has nothing but an id,
    /// or by how long to wait before that (MCP 2025-11-25, SSE streams).
    promised: bool,
    /// Whether this is the rest of a stream.
    pub(super) resumed: bool,
}

impl Position {
    /// Nothing was read yet.
    pub(super) fn begin(now: Moment) -> Self {
        Self { pulse: Pulse::new(now), ..Self::default() }
    }

    /// An event has come; a priming event has an id and no data.
    pub(super) fn heard(&mut self, event: &StreamEvent) {
        if event.id.is_some() || event.is_message() {
            self.lost_at = None;
        }
        self.backoff = None;
        self.promised |= event.retry.is_some() || (event.id.is_some() && event.data.is_empty());
        if let Some(id) = &event.id {
            // An empty id takes the last one back (WHATWG HTML §9.2.6).
            let fits = (1..=MAX_EVENT_ID).contains(&id.len());
            let value = HeaderValue::from_bytes(id.as_bytes()).ok().filter(|_| fits);
            self.last = value.map(|mut value| {
                value.set_sensitive(true);
                value
            });
        }
        if let Some(millis) = event.retry {
            self.retry = Some(Duration::from_millis(millis).clamp(SHORTEST_RETRY, LONGEST_RETRY));
        }
    }

    /// How long to wait before the next try.
    fn wait(&mut self, orderly: bool, common: &mut Backoff) -> Duration {
        match self.retry {
            Some(retry) if orderly || self.backoff.is_none() => {
                self.backoff.get_or_insert_with(|| common.fork());
                retry
            }
            retry => {
                let own = self.backoff.get_or_insert_with(|| common.fork());
                own.next_wait().max(retry.unwrap_or_default())
            }
        }
    }

    /// When there is no hope for it any more.
    fn limit(&self) -> Option<Duration> {
        let asked = self.retry.unwrap_or_default();
        Some(self.lost_at?.saturating_add(PATIENCE).saturating_add(asked))
    }
}

/// A response stream that is to be read on.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) outgoing: Outgoing,
    /// Where it was read until now.
    from: ExchangeId,
    due: Duration,
}

impl Cut {
    pub(super) fn deadline(&self) -> Duration {
        self.outgoing.position.limit().map_or(self.due, |limit| limit.min(self.due))
    }
}

/// What is known of the rests of streams that were cut.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Whether the server has answered on a stream that was cut and read on.
    pub(super) reads_on: bool,
    /// When to look at the streams that are asked for or open again, and may bring nothing.
    pub(super) doubted: Option<Duration>,
}

impl Bridge {
    /// The stream that was to bring an answer has ended; in order if there is no failure.
    pub(super) fn response_ended(
        &mut self,
        id: ExchangeId,
        outgoing: Outgoing,
        failure: Option<Failure>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if self.transport == Transport::Sse {
            // The answer comes on another stream.
            return;
        }
        // Streams of 2026-07-28 cannot be read on, whatever their events carry.
        let resumable = outgoing.position.last.is_some()
            && outgoing.claims.is_none()
            && !matches!(failure, Some(Failure::Misbehaved { .. }));
        if self.is_awaited(id, &outgoing) && resumable {
            // Before 2025-11-25 no server closes a stream on purpose before it has answered.
            let orderly = failure.is_none() && (self.is_promised(&outgoing) || self.may_poll());
            let cut = Cut { outgoing, from: id, due: now.uptime };
            self.cut(cut, orderly, None, now, out);
            return;
        }
        self.lost(id, outgoing, &failure.unwrap_or(Failure::Lost), now, out);
    }

    /// Whether the server reads a stream on, as far as it has shown.
    fn is_promised(&self, outgoing: &Outgoing) -> bool {
        self.rest.reads_on || outgoing.position.promised
    }

    fn may_poll(&self) -> bool {
        self.carrier.version.as_ref().is_some_and(|version| "2025-11-25" <= version)
    }

    /// The rest of a stream must have begun to come by then.
    fn doubt(&mut self, limit: Option<Duration>) {
        self.rest.doubted = self.rest.doubted.into_iter().chain(limit).min();
    }

    /// Looks at the streams that are asked for or open again, and on which the answer may never come.
    pub(super) fn tick_doubts(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if self.is_deaf() || !self.rest.doubted.is_some_and(|doubted| now.reached(doubted)) {
            return;
        }
        let limits = self.exchanges.iter().filter_map(|(id, exchange)| match exchange {
            // It is not even open.
            Exchange::Resume(outgoing, _) => Some((outgoing.position.limit()?, *id)),
            Exchange::Post(outgoing, _) if !self.is_promised(outgoing) => {
                Some((outgoing.position.limit().filter(|_| outgoing.position.resumed)?, *id))
            }
            _ => None,
        });
        let (mut over, rest): (Vec<_>, Vec<_>) = limits.partition(|(limit, _)| now.reached(*limit));
        self.rest.doubted = rest.into_iter().map(|(limit, _)| limit).min();
        over.sort_unstable();
        for (_, id) in over {
            out.push(Effect::Abort(id));
            let exchange = self.exchanges.remove(&id);
            if let Some(Exchange::Post(outgoing, _) | Exchange::Resume(outgoing, _)) = exchange {
                out.detail("the rest of a response stream does not come");
                self.lost(id, outgoing, &Failure::Lost, now, out);
            }
        }
    }

    /// Whether the answer to a message is still expected from this exchange.
    pub(super) fn is_awaited(&self, id: ExchangeId, outgoing: &Outgoing) -> bool {
        let open = |request| self.pending.get(request).is_some_and(|p| p.exchange == Some(id));
        outgoing.kind.ids().iter().any(open)
    }

    /// Waits for the next try at the rest of a stream.
    fn cut(
        &mut self,
        mut cut: Cut,
        orderly: bool,
        asked: Option<Duration>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let position = &mut cut.outgoing.position;
        position.open = false;
        let wait = position.wait(orderly, &mut self.backoff).max(asked.unwrap_or_default());
        if orderly {
            position.lost_at = None;
        } else {
            position.lost_at.get_or_insert(now.uptime);
        }
        out.detail(format!("a response stream is resumed in {} ms", wait.as_millis()));
        cut.due = now.after(wait);
        self.cuts.push(cut);
    }

    /// Asks for what is due, and gives up what has been away for too long.
    pub(super) fn tick_cuts(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if !self.cuts.iter().any(|cut| now.reached(cut.deadline())) {
            return;
        }
        let (due, rest) =
            std::mem::take(&mut self.cuts).into_iter().partition(|c| now.reached(c.deadline()));
        self.cuts = rest;
        let due: Vec<Cut> = due;
        for mut cut in due {
            let over = cut.outgoing.position.limit().is_some_and(|limit| now.reached(limit));
            // The rest of a stream belongs to the session in which it was begun.
            if over || cut.outgoing.epoch != self.epoch {
                self.lost(cut.from, cut.outgoing, &Failure::Lost, now, out);
                continue;
            }
            let Ok(token) = self.token_now(now, out) else {
                cut.outgoing.position.lost_at.get_or_insert(now.uptime);
                cut.due = now.after(SOON);
                self.cuts.push(cut);
                continue;
            };
            let last = cut.outgoing.position.last.as_ref();
            let request = self.carrier.stream(token.as_ref(), Expect::Stream, last);
            let exchange = out.start(request);
            for request in cut.outgoing.kind.ids() {
                if let Some(pending) = self.pending.get_mut(request)
                    && pending.exchange == Some(cut.from)
                {
                    pending.exchange = Some(exchange);
                }
            }
            self.doubt(cut.outgoing.position.limit());
            let generation = self.access.generation();
            self.exchanges.insert(exchange, Exchange::Resume(cut.outgoing, generation));
        }
    }

    /// What came back for the GET; returns the message if its stream is open again.
    pub(super) fn resumed(
        &mut self,
        id: ExchangeId,
        mut outgoing: Outgoing,
        generation: Option<u64>,
        event: HttpEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        match event {
            HttpEvent::Opened(_) => {
                self.access.accepted();
                outgoing.position.open = true;
                outgoing.position.resumed = true;
                let limit = outgoing.position.limit().filter(|_| !self.is_promised(&outgoing));
                self.doubt(limit);
                Some(outgoing)
            }
            HttpEvent::Failed(failure) => {
                out.detail(format!("a response stream cannot be resumed: {}", failure.cause));
                self.recut(id, outgoing, None, now, out);
                None
            }
            HttpEvent::Answered(head, _) => {
                self.not_resumed(id, outgoing, generation, &head, now, out);
                None
            }
            HttpEvent::Message(_) | HttpEvent::Beat | HttpEvent::Part | HttpEvent::Ended => None,
        }
    }

    fn recut(
        &mut self,
        from: ExchangeId,
        outgoing: Outgoing,
        asked: Option<Duration>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if self.is_awaited(from, &outgoing) {
            let cut = Cut { outgoing, from, due: now.uptime };
            self.cut(cut, false, asked, now, out);
        }
    }

    /// The GET was answered without a stream.
    fn not_resumed(
        &mut self,
        id: ExchangeId,
        outgoing: Outgoing,
        generation: Option<u64>,
        head: &Head,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let status = head.status;
        if status == 401 && !self.access.is_static() {
            let challenge = Challenge::from_headers(&head.headers);
            self.access.challenged(challenge, generation, now, out);
            self.recut(id, outgoing, None, now, out);
        } else if matches!(status, 429 | 500 | 502..=504) {
            self.recut(id, outgoing, head.retry_after(now.unix), now, out);
        } else {
            out.detail(format!("the rest of a response stream is gone: HTTP {status}"));
            self.lost(id, outgoing, &Failure::Lost, now, out);
        }
    }

    /// The host has cancelled a request whose stream is to be resumed.
    pub(super) fn forget_cut(&mut self, id: &crate::core::jsonrpc::Id) {
        let wanted = Kind::Request(id.clone());
        self.cuts.retain(|cut| cut.outgoing.kind != wanted);
    }
}
