//! The one owner: every message passes through here, and every deadline is kept here.
//!
//! The host's lines wait in one queue until they may be sent: until there is a credential, until
//! the transport is up, until the handshake is far enough. A request is *pending* from the moment
//! it was read to the moment its one answer was written, whatever happens in between.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use url::Url;

use super::backoff::Backoff;
use super::event::{Effect, Event, ExchangeId, HttpEvent, Notice, StoreEvent};
use super::failure::Failure;
use super::jsonrpc::Id;
use super::link::{Carrier, Transport};
use super::oauth::access::{About, Access};
use super::outbox::Outbox;
use super::time::Moment;
use super::translate::Translator;
use crate::config::{Caller, Config};

mod closing;
mod deliver;
mod era;
mod handshake;
mod host;
mod lingering;
mod listen;
mod parked;
mod pending;
mod provisional;
mod queue;
mod receive;
mod refresh;
mod send;
mod streams;
mod translated;

use closing::Closing;
use era::Eras;
use handshake::{Handshake, Phase};
use lingering::Lingering;
use listen::Listen;
use pending::{Exchange, Interest, Pending};
use provisional::Provisional;
use queue::Queue;
use streams::Stream;

/// The bridge between one host and one server.
#[derive(Debug)]
pub struct Bridge {
    /// Whether whoever asks waits for a sign-in however long it takes.
    patient: bool,
    header_names: Vec<String>,
    carrier: Carrier,
    access: Access,
    order: (Transport, Option<Transport>),
    transport: Transport,
    /// The other transport, as long as nothing has shown that this one is right.
    alternative: Option<Transport>,
    /// Why the first transport was given up.
    evidence: Option<Failure>,
    /// Whether the server has been reached: from then on an outage is waited for.
    reached: bool,
    stream: Stream,
    /// Counts the sessions: what was sent in one is not answered in the next.
    epoch: u64,
    listen: Listen,
    /// Whether the standalone stream was refused since it last was open.
    listen_refused: bool,
    backoff: Backoff,
    eras: Eras,
    phase: Phase,
    handshake: Handshake,
    provisional: Provisional,
    queue: Queue,
    /// Requests that wait for a wider scope.
    parked: Vec<Outgoing>,
    /// The next message of our own handshake with a new session: it goes before the queue.
    replay: Option<Outgoing>,
    pending: HashMap<Id, Pending>,
    exchanges: HashMap<ExchangeId, Exchange>,
    lingering: Lingering,
    last_exchange: u64,
    closing: Option<Closing>,
    /// How the last answer to the host came out; decides the exit status.
    outcome: Option<Failure>,
}

/// A message of the host on its way to the gateway.
#[derive(Clone, Debug)]
struct Outgoing {
    bytes: Bytes,
    kind: Kind,
    /// How often it was sent and refused.
    refused: u8,
    since: Duration,
    /// In which session it was sent.
    epoch: u64,
    /// Whether that session had an id.
    in_session: bool,
    /// How often its session turned out to be gone.
    lost: u8,
    /// Until when the stream that has answered it may stay open.
    lingers: Option<Duration>,
    /// Whether others may be waiting for it; see `send`.
    urgent: bool,
    /// The version that it claims for itself (MCP 2026-07-28).
    claims: Option<HeaderValue>,
    /// Whether the list of tools was read for it, because its headers were wrong.
    refreshed: bool,
}

impl Outgoing {
    fn new(bytes: Bytes, kind: Kind, now: Moment) -> Self {
        Self {
            urgent: kind.ids().is_empty(),
            bytes,
            kind,
            refused: 0,
            since: now.uptime,
            epoch: 0,
            in_session: false,
            lost: 0,
            lingers: None,
            claims: None,
            refreshed: false,
        }
    }
}

/// What a message is, as far as its way is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Initialize(Id),
    Initialized,
    Request(Id),
    Notification,
    Response,
    Batch(Vec<Id>),
    /// Our own handshake with a new session; the host has had its answer long ago.
    ReplayInitialize(Id),
    ReplayInitialized,
}

impl Kind {
    /// The requests that want an answer.
    fn ids(&self) -> &[Id] {
        match self {
            Self::Initialize(id) | Self::Request(id) | Self::ReplayInitialize(id) => {
                std::slice::from_ref(id)
            }
            Self::Batch(ids) => ids,
            _ => &[],
        }
    }

    /// Whether it is our own handshake.
    fn is_replay(&self) -> bool {
        matches!(self, Self::ReplayInitialize(_) | Self::ReplayInitialized)
    }
}

/// How long a request waits for a connection that was lost: the host should learn of an outage
/// before its own limit, the shortest of which are about 30 s.
const PATIENCE: Duration = Duration::from_secs(15);

impl Bridge {
    /// A bridge that has not done anything yet. `seed` spreads its waits and makes its own request
    /// ids unguessable.
    pub fn new(config: &Config, seed: u64) -> Self {
        let order = Transport::order(config.transport);
        let about = About {
            server: config.server.clone(),
            server_text: config.server_text.clone(),
            options: config.login.clone(),
            caller: config.caller,
        };
        Self {
            patient: matches!(config.caller, Caller::Person { .. }),
            header_names: Carrier::names(&config.headers),
            carrier: Carrier::new(config.server.clone(), &config.headers),
            access: Access::new(config.access, about, seed),
            order,
            transport: order.0,
            alternative: order.1,
            evidence: None,
            reached: false,
            stream: Stream::default(),
            epoch: 0,
            listen: Listen::default(),
            listen_refused: false,
            backoff: Backoff::new(seed.rotate_left(17)),
            eras: Eras::new(config.protocol, seed),
            phase: Phase::Fresh,
            handshake: Handshake::new(seed),
            provisional: Provisional::default(),
            queue: Queue::default(),
            parked: Vec::new(),
            replay: None,
            pending: HashMap::new(),
            exchanges: HashMap::new(),
            lingering: Lingering::default(),
            last_exchange: 0,
            closing: None,
            outcome: None,
        }
    }

    /// Takes one event and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Moment, effects: &mut Vec<Effect>) {
        let mut last = self.last_exchange;
        let before = effects.len();
        let mut out = Outbox::new(effects, &mut last);
        match event {
            Event::Line(line) => self.line(line, now, &mut out),
            Event::LongLine(beginning) => self.long_line(&beginning, &mut out),
            Event::Eof => self.eof(Duration::ZERO, now, &mut out),
            Event::HungUp(ago) => self.eof(ago, now, &mut out),
            Event::HostGone => self.leave(0, now, &mut out),
            Event::Signal(number) => self.leave(128_u8.saturating_add(number), now, &mut out),
            Event::Tick => {}
            Event::Http(exchange, event) => self.http(exchange, event, now, &mut out),
            Event::Granted(answer) => self.access.granted(answer, now, &mut out),
            Event::Store(StoreEvent::Recalled(bytes)) => self.recalled(bytes),
            Event::Store(event) => self.access.store(event, now, &mut out),
            Event::Redirect(event) => self.access.redirect(event, now, &mut out),
        }
        self.settle(now, &mut out);
        self.tick(now, &mut out);
        // What cannot be sent may have to be said in other words, a few times at most.
        for _ in 0..8 {
            self.pump(now, &mut out);
            if !self.settle(now, &mut out) {
                break;
            }
        }
        self.check_closing(now, &mut out);
        self.last_exchange = last;
        self.hide_secrets(effects.get_mut(before..).unwrap_or_default());
    }

    /// When [`Event::Tick`] is wanted, as uptime.
    pub fn deadline(&self, now: Moment) -> Option<Duration> {
        let patience = if self.waits_for_connection() {
            self.queue.front().map(|outgoing| outgoing.since.saturating_add(PATIENCE))
        } else {
            None
        };
        [
            self.access.deadline(now),
            self.stream.deadline(),
            self.listen.deadline(),
            self.phase.deadline(),
            self.closing.as_ref().map(Closing::deadline),
            patience,
            self.credential_deadline(),
            self.parked_deadline(),
            self.lingering.deadline(),
            self.eras.translator.as_ref().and_then(Translator::deadline),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether another line of the host may be read.
    pub fn accepts_lines(&self) -> bool {
        self.queue.has_room() && !self.is_opening()
    }

    /// The failure that the conversation ended with, if it did.
    pub fn outcome(&self) -> Option<&Failure> {
        self.outcome.as_ref()
    }

    fn tick(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.access.tick(now, out);
        self.tick_streams(now, out);
        self.tick_lingering(now, out);
        self.tick_handshake(now, out);
        self.tick_credential(now, out);
        self.tick_parked(now, out);
        self.tick_translator(now, out);
        while self.waits_for_connection()
            && self.queue.front().is_some_and(|o| now.reached(o.since.saturating_add(PATIENCE)))
        {
            // It was never sent: what is known of the outage says more than that.
            let failure = match self.evidence.clone() {
                None | Some(Failure::Lost) => Failure::Unreachable {
                    server: self.origin(),
                    cause: "the connection was lost and is not back yet".to_owned(),
                },
                Some(failure) => failure,
            };
            if let Some(outgoing) = self.queue.remove(0) {
                self.drop_outgoing(&outgoing, &failure, out);
            }
        }
    }

    fn http(&mut self, id: ExchangeId, event: HttpEvent, now: Moment, out: &mut Outbox<'_>) {
        if self.access.http(id, &event, now, out) {
            return;
        }
        let open = matches!(event, HttpEvent::Opened(_) | HttpEvent::Message(_));
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        match exchange {
            Exchange::Post(outgoing, generation) => {
                if !open {
                    self.lingering.remove(id, &outgoing);
                }
                let kept = self.post(id, outgoing, generation, event, now, out);
                if let (true, Some(outgoing)) = (open, kept) {
                    self.exchanges.insert(id, Exchange::Post(outgoing, generation));
                    self.let_linger(id, now, out);
                }
            }
            Exchange::Listen(generation) => {
                if self.listening(id, generation, event, now, out) {
                    self.exchanges.insert(id, Exchange::Listen(generation));
                }
            }
            Exchange::Stream(generation) => {
                if self.streaming(id, generation, event, now, out) {
                    self.exchanges.insert(id, Exchange::Stream(generation));
                }
            }
            Exchange::Refresh(refresh) => self.refreshing(id, refresh, event, now, out),
            Exchange::Goodbye if open => out.push(Effect::Abort(id)),
            Exchange::Goodbye => {}
        }
    }

    /// Gives up on a message: each of its requests gets this failure as its answer.
    fn drop_outgoing(&mut self, outgoing: &Outgoing, failure: &Failure, out: &mut Outbox<'_>) {
        for id in outgoing.kind.ids() {
            self.fail(id, failure, out);
        }
        match outgoing.kind {
            Kind::ReplayInitialize(_) | Kind::ReplayInitialized => {
                self.replay_failed(failure, out);
            }
            _ if outgoing.kind.ids().is_empty() && self.outcome.as_ref() != Some(failure) => {
                out.tell(Notice::Failed(Box::new(failure.clone())));
            }
            _ => {}
        }
    }

    /// Answers one request with a failure, if it still waits.
    fn fail(&mut self, id: &Id, failure: &Failure, out: &mut Outbox<'_>) {
        let Some(pending) = self.pending.remove(id) else { return };
        if pending.interest == Interest::Initialize {
            self.phase = Phase::Fresh;
        }
        if self.question_failed(id, &pending, failure, out) {
            return;
        }
        if self.eras.translator.is_some() {
            self.eras.failures.push_back((id.clone(), failure.clone()));
            return;
        }
        self.answer_with_failure(id, failure, out);
    }

    /// Gives up on everything that waits to be sent.
    fn fail_queue(&mut self, failure: &Failure, out: &mut Outbox<'_>) {
        if self.replay.take().is_some() {
            self.phase = Phase::Lost;
        }
        for outgoing in self.queue.take() {
            self.drop_outgoing(&outgoing, failure, out);
        }
    }

    /// The gateway's origin, for people.
    fn origin(&self) -> String {
        self.carrier.server().origin().ascii_serialization()
    }

    fn server(&self) -> &Url {
        self.carrier.server()
    }
}

#[cfg(test)]
mod tests;
