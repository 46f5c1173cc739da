//! A gateway that is silent: whether it is still there.
//!
//! A connection whose other end is gone without a word looks like one on which nothing happens.
//! The system notices it where packets are no longer answered; where a proxy still answers them,
//! only a question does. So after a silence in which something is due the gateway is asked
//! (`ping`), and one that does not answer has lost what was under way. A stream on which comments
//! used to come is not silent for long by itself.

use std::time::Duration;

use super::listen::Listen;
use super::restore::own_request;
use super::streams::Stream;
use super::{Bridge, Exchange, Kind, Outgoing, PATIENCE, Phase};
use crate::config::Ping;
use crate::core::event::{Effect, ExchangeId, HttpEvent};
use crate::core::failure::Failure;
use crate::core::link::Transport;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How long nothing may come, when something is due, before the gateway is asked: longer than the
/// pause between the heartbeats of any server that was seen.
const QUIET: Duration = Duration::from_mins(1);
/// How long it may take to answer: a busy server does not answer at once.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a stream may be silent on which there were heartbeats.
const WITHOUT_BEAT: Duration = Duration::from_secs(90);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// When to look again after nothing could be heard: what lies unread is read first.
const SOON: Duration = Duration::from_secs(2);
/// By how much the wall clock must be ahead of the monotonic one to tell that the machine slept.
const SLEPT: u64 = 30;

/// When something came on a stream last, and what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    at: Duration,
    /// Whether the server sends heartbeats: comments, while it has nothing to say.
    beats: bool,
}

impl Pulse {
    pub(super) fn new(now: Moment) -> Self {
        Self { at: now.uptime, beats: false }
    }

    pub(super) fn note(&mut self, event: &HttpEvent, now: Moment) {
        self.at = now.uptime;
        self.beats |= matches!(event, HttpEvent::Beat);
    }

    fn has_stopped(self, now: Moment) -> bool {
        self.beats && now.reached(self.at.saturating_add(WITHOUT_BEAT))
    }
}

/// What is known of the silence.
#[derive(Debug)]
pub(super) struct Silence {
    policy: Ping,
    /// When something came last: over HTTP+SSE on its stream, else anywhere.
    heard: Duration,
    /// When the gateway was asked last.
    asked: Duration,
    /// Since when it owes the answer.
    owes: Option<Duration>,
    /// When to look at the streams that have heartbeats.
    look: Option<Duration>,
    /// When to look at the calls of sessions that are gone.
    old_calls: Option<Duration>,
    /// Whether heartbeats come on the stream of HTTP+SSE.
    pub(super) beats: bool,
    /// Whether to ask without waiting.
    at_once: bool,
    /// Whether nothing can be heard, because the host does not read what has come already.
    deaf: bool,
    /// The moment before this one.
    before: Option<Moment>,
}

impl Silence {
    pub(super) fn new(policy: Ping) -> Self {
        Self {
            policy,
            heard: Duration::ZERO,
            asked: Duration::ZERO,
            owes: None,
            look: None,
            old_calls: None,
            beats: false,
            at_once: false,
            deaf: false,
            before: None,
        }
    }

    fn heard(&mut self, now: Moment) {
        self.begin(now);
        self.owes = None;
        self.at_once = false;
    }

    /// The silence counts from now on.
    pub(super) fn begin(&mut self, now: Moment) {
        self.heard = now.uptime;
    }

    /// Whoever was asked is not the one who will be asked next.
    pub(super) fn forget(&mut self) {
        self.owes = None;
    }

    /// When the gateway is to be asked, if something is due.
    fn next(&self, due: bool) -> Option<Duration> {
        match self.policy {
            Ping::Never => None,
            _ if self.at_once => Some(Duration::ZERO),
            Ping::WhenSilent => due.then(|| self.heard.max(self.asked).saturating_add(QUIET)),
            Ping::Every(interval) => Some(self.asked.saturating_add(interval)),
        }
    }
}

impl Bridge {
    /// Something came back for an exchange.
    pub(super) fn note_pulse(&mut self, id: ExchangeId, event: &HttpEvent, now: Moment) {
        if matches!(event, HttpEvent::Beat) {
            self.silence.look.get_or_insert(now.after(LOOK));
        }
        let on_stream = matches!(self.stream, Stream::Open { exchange, .. } if exchange == id);
        let failed = matches!(event, HttpEvent::Failed(_) | HttpEvent::Ended);
        if !failed && (on_stream || self.transport == Transport::Http) {
            self.silence.heard(now);
            self.silence.beats |= on_stream && matches!(event, HttpEvent::Beat);
        }
        match self.exchanges.get_mut(&id) {
            Some(Exchange::Post(outgoing, _) | Exchange::Resume(outgoing, _)) => {
                outgoing.position.pulse.note(event, now);
            }
            Some(Exchange::Listen(_)) => self.listened.pulse.note(event, now),
            _ => {}
        }
    }

    /// When [`Bridge::tick_silence`] wants to be called.
    pub(super) fn silence_deadline(&self) -> Option<Duration> {
        let silence = &self.silence;
        if silence.deaf {
            return None;
        }
        let ask = if self.may_ask() { silence.next(self.something_is_due()) } else { None };
        let answer = silence.owes.map(|since| since.saturating_add(ANSWER));
        [answer.or(ask), silence.look, silence.old_calls].into_iter().flatten().min()
    }

    fn may_ask(&self) -> bool {
        self.phase == Phase::Ready && self.outage.deadline().is_none() && self.closing.is_none()
    }

    /// Whether silence means anything: somebody waits for an answer, or heartbeats are expected.
    fn something_is_due(&self) -> bool {
        !self.pending.is_empty() || (self.silence.beats && self.has_stream())
    }

    fn has_stream(&self) -> bool {
        matches!(self.stream, Stream::Open { .. }) || matches!(self.listen, Listen::Open(..))
    }

    pub(super) fn tick_silence(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if self.silence.deaf {
            return;
        }
        if self.silence.owes.is_some_and(|since| now.reached(since.saturating_add(ANSWER))) {
            self.is_gone(now, out);
        }
        if self.silence.look.is_some_and(|look| now.reached(look)) {
            self.look_at_streams(now, out);
        }
        if self.silence.old_calls.is_some_and(|look| now.reached(look)) {
            self.look_at_old_calls(now, out);
        }
        let due = self.something_is_due();
        let ask = self.silence.next(due).is_some_and(|next| now.reached(next));
        if ask && self.silence.owes.is_none() && self.may_ask() {
            // Who does not answer questions gets no pile of them.
            self.end_own(|sent| now.reached(sent.position.pulse.at.saturating_add(ANSWER)), out);
            let id = self.handshake.own_id();
            self.restore.due.push_back(own_request(id, "ping", "{}", now));
            self.silence.asked = now.uptime;
            self.silence.at_once = false;
            self.silence.owes = (due || self.has_stream()).then_some(now.uptime);
        }
    }

    /// While a machine sleeps the monotonic clock may stand still, and connections die unseen.
    pub(super) fn notice_sleep(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let Some(before) = self.silence.before.replace(now) else { return };
        let passed = now.uptime.saturating_sub(before.uptime).as_secs();
        if now.unix.saturating_sub(before.unix) <= passed.saturating_add(SLEPT) {
            return;
        }
        out.detail("the machine was asleep, or its clock was set");
        // They may be dead without a word, and a call that is written to one is lost.
        out.push(Effect::NewConnections);
        self.silence.at_once = self.something_is_due() || self.has_stream();
    }

    /// The gateway has not answered: what is under way is lost.
    fn is_gone(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let Some(since) = self.silence.owes.take() else { return };
        let cause = "the gateway is silent".to_owned();
        // Those that wait for use may be as dead as the one that was asked on.
        out.push(Effect::NewConnections);
        if self.transport == Transport::Sse {
            if let Stream::Open { exchange, .. } = &self.stream {
                let exchange = *exchange;
                self.exchanges.remove(&exchange);
                out.push(Effect::Abort(exchange));
                self.stream_lost(Failure::Lost, cause, now, out);
                self.end_old_posts(|_| true, now, out);
            }
            return;
        }
        out.detail(cause);
        self.end_silent(|outgoing| outgoing.position.pulse.at <= since, now, out);
        self.reopen_listen(now, out);
        self.end_own(|_| true, out);
    }

    /// Streams on which there were heartbeats, and are none any more.
    fn look_at_streams(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.end_silent(|outgoing| outgoing.position.pulse.has_stopped(now), now, out);
        if self.listened.pulse.has_stopped(now) {
            self.reopen_listen(now, out);
        }
        let beats = self.exchanges.values().filter_map(Exchange::outgoing);
        let beats = beats.map(|outgoing| outgoing.position.pulse).any(|pulse| pulse.beats);
        let listens = self.listened.pulse.beats && matches!(self.listen, Listen::Open(..));
        self.silence.look = (beats || listens).then(|| now.after(LOOK));
    }

    /// Whether answers can be heard at all: while the host does not read, silence means nothing.
    pub fn set_hearing(&mut self, hears: bool, now: Moment) {
        let deaf = std::mem::replace(&mut self.silence.deaf, !hears);
        if deaf && hears {
            let later = |at: Duration, wait| at.max(now.after(wait));
            let silence = &mut self.silence;
            silence.begin(now);
            silence.owes = silence.owes.map(|since| since.max(now.uptime));
            silence.look = silence.look.map(|at| later(at, SOON));
            silence.old_calls = silence.old_calls.map(|at| later(at, SOON));
            self.rest.doubted = self.rest.doubted.map(|at| later(at, SOON));
        }
    }

    /// Whether nothing can be heard.
    pub(super) fn is_deaf(&self) -> bool {
        self.silence.deaf
    }

    /// Ends questions of our own for which `which` says so.
    fn end_own(&mut self, which: impl Fn(&Outgoing) -> bool, out: &mut Outbox<'_>) {
        self.abort_posts(|sent| matches!(sent.kind, Kind::Own(_)) && which(sent), out);
    }

    /// Over HTTP+SSE: whoever does not say whether a message of the lost session was taken will not
    /// say it any more.
    fn end_old_posts(
        &mut self,
        which: impl Fn(&Outgoing) -> bool,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let old = self.exchanges.iter().filter(|(_, exchange)| {
            matches!(exchange, Exchange::Post(it, _) if self.is_old_post(it) && which(it))
        });
        let mut old: Vec<_> = old.map(|(id, _)| *id).collect();
        old.sort_unstable();
        for id in old {
            out.push(Effect::Abort(id));
            if let Some(Exchange::Post(outgoing, _)) = self.exchanges.remove(&id) {
                self.lost(id, outgoing, &Failure::Lost, now, out);
            }
        }
    }

    /// A session is gone: what was taken in it may still be answered, but not for long.
    pub(super) fn watch_old_calls(&mut self, now: Moment) {
        self.silence.old_calls.get_or_insert(now.after(PATIENCE));
    }

    /// Whether a message was sent in a session that is gone, and nobody has said that it was taken.
    fn is_old_post(&self, outgoing: &Outgoing) -> bool {
        outgoing.epoch != self.epoch && !outgoing.position.open && !outgoing.kind.ids().is_empty()
    }

    fn look_at_old_calls(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.silence.old_calls = None;
        let epoch = self.epoch;
        let is_old = |outgoing: &Outgoing| outgoing.epoch != epoch;
        let limit = |outgoing: &Outgoing| outgoing.position.pulse.at.saturating_add(PATIENCE);
        if self.transport == Transport::Sse {
            self.end_old_posts(|outgoing| now.reached(limit(outgoing)), now, out);
            let old = self.exchanges.values().filter_map(Exchange::outgoing);
            self.silence.old_calls = old.filter(|it| self.is_old_post(it)).map(limit).min();
            return;
        }
        self.end_silent(|outgoing| is_old(outgoing) && now.reached(limit(outgoing)), now, out);
        let old = self.exchanges.iter().filter_map(|(id, exchange)| {
            exchange.outgoing().filter(|it| is_old(it) && self.is_awaited(*id, it))
        });
        // It has been heard of in the meantime, so it is alive.
        self.silence.old_calls = old.map(limit).min();
    }

    /// Ends the exchanges of which answers are awaited and for which `which` says so, as if their
    /// connections had broken.
    fn end_silent(&mut self, which: impl Fn(&Outgoing) -> bool, now: Moment, out: &mut Outbox<'_>) {
        let silent = |(id, exchange): (&ExchangeId, &Exchange)| {
            let outgoing = exchange.outgoing()?;
            (self.is_awaited(*id, outgoing) && which(outgoing)).then_some(*id)
        };
        let mut ended: Vec<_> = self.exchanges.iter().filter_map(silent).collect();
        ended.sort_unstable();
        for id in ended {
            let exchange = self.exchanges.remove(&id);
            out.push(Effect::Abort(id));
            match exchange {
                Some(Exchange::Post(outgoing, _)) if !outgoing.position.open => {
                    self.lost(id, outgoing, &Failure::Lost, now, out);
                }
                Some(Exchange::Post(outgoing, _) | Exchange::Resume(outgoing, _)) => {
                    self.response_ended(id, outgoing, Some(Failure::Lost), now, out);
                }
                _ => {}
            }
        }
    }
}
