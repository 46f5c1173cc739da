//! The one owner: every message passes through here, and every deadline is kept here.
//!
//! The host's lines wait in one queue until they may be sent: until there is a credential, until
//! the transport is up, until the handshake is far enough. A request is *pending* from the moment
//! it was read to the moment its one answer was written, whatever happens in between.

use std::collections::HashMap;
use std::time::Duration;

use url::Url;

use super::backoff::Backoff;
use super::event::{Effect, Event, ExchangeId, HttpEvent, StoreEvent};
use super::failure::Failure;
use super::jsonrpc::Id;
use super::link::{Carrier, Transport};
use super::oauth::access::{About, Access};
use super::outbox::Outbox;
use super::time::Moment;
use super::tools;
use super::translate::Translator;
use crate::config::{Caller, Config};

mod asked;
mod choice;
mod closing;
mod deliver;
mod era;
mod evidence;
mod failing;
mod handshake;
mod host;
mod lingering;
mod listen;
mod message;
mod overdue;
mod parked;
mod provisional;
mod queue;
mod receive;
mod refresh;
mod refusal;
mod remembered;
mod restore;
mod resume;
mod retry;
mod send;
mod silence;
mod streams;
mod translated;

use asked::Asked;
use closing::Closing;
use era::Eras;
use handshake::{Handshake, Phase};
use lingering::Lingering;
use listen::Listen;
use message::{Exchange, Interest, Kind, Outgoing, Pending};
use provisional::Provisional;
use queue::Queue;
use remembered::Remembered;
use restore::Restore;
use resume::{Cut, Position, Rest};
use retry::{Delayed, Outage};
use silence::Silence;
use streams::Stream;

/// The bridge between one host and one server.
#[derive(Debug)]
pub struct Bridge {
    /// Whether whoever asks waits for a sign-in however long it takes.
    patient: bool,
    header_names: Vec<String>,
    hidden_tools: tools::Hidden,
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
    /// How long its server wants to be left alone before it is opened again.
    stream_retry: Duration,
    /// Counts the sessions: what was sent in one is not answered in the next.
    epoch: u64,
    listen: Listen,
    /// How far the standalone stream was read.
    listened: Position,
    /// Whether the standalone stream was refused since it last was open.
    listen_refused: bool,
    backoff: Backoff,
    eras: Eras,
    outage: Outage,
    silence: Silence,
    /// How long a request may take without news of progress.
    request_limit: Option<Duration>,
    /// When to look for those that have taken longer.
    overdue: Option<Duration>,
    /// Response streams that are to be read on.
    cuts: Vec<Cut>,
    rest: Rest,
    /// Requests that the gateway wants later.
    delayed: Vec<Delayed>,
    phase: Phase,
    handshake: Handshake,
    provisional: Provisional,
    remembered: Remembered,
    queue: Queue,
    /// Requests that wait for a wider scope.
    parked: Vec<Outgoing>,
    /// Sessions that were begun since something worked.
    begun: u8,
    /// What the host has set in its session.
    restore: Restore,
    /// The next message of our own handshake with a new session: it goes before the queue.
    replay: Option<Outgoing>,
    pending: HashMap<Id, Pending>,
    /// What the gateway has asked the host.
    asked: Asked,
    exchanges: HashMap<ExchangeId, Exchange>,
    lingering: Lingering,
    last_exchange: u64,
    closing: Option<Closing>,
    /// How the last answer to the host came out; decides the exit status.
    outcome: Option<Failure>,
}

/// How long a request waits for a connection that was lost: the host should learn of an outage
/// before its own limit, the shortest of which are about 30 s.
const PATIENCE: Duration = Duration::from_secs(15);

impl Bridge {
    /// A bridge that has not done anything yet. `seed` spreads its waits and makes its own request
    /// ids unguessable.
    pub fn new(config: &Config, seed: u64) -> Self {
        let order = Transport::order(config.transport);
        let mut backoff = Backoff::new(seed.rotate_left(17));
        let about = About {
            server: config.server.clone(),
            server_text: config.server_text.clone(),
            options: config.login.clone(),
            caller: config.caller,
        };
        Self {
            patient: matches!(config.caller, Caller::Person { .. }),
            header_names: Carrier::names(&config.headers),
            hidden_tools: tools::Hidden::new(&config.hidden_tools),
            carrier: Carrier::new(config.server.clone(), &config.headers),
            access: Access::new(config.access, about, seed),
            order,
            transport: order.0,
            alternative: order.1,
            evidence: None,
            reached: false,
            stream: Stream::default(),
            stream_retry: Duration::ZERO,
            epoch: 0,
            listen: Listen::default(),
            listened: Position::default(),
            listen_refused: false,
            eras: Eras::new(config.protocol, seed),
            outage: Outage::new(backoff.fork()),
            silence: Silence::new(config.liveness.ping),
            request_limit: config.liveness.request_limit,
            overdue: None,
            cuts: Vec::new(),
            rest: Rest::default(),
            delayed: Vec::new(),
            backoff,
            phase: Phase::Fresh,
            handshake: Handshake::new(seed),
            provisional: Provisional::default(),
            remembered: Remembered::default(),
            queue: Queue::default(),
            parked: Vec::new(),
            begun: 0,
            restore: Restore::default(),
            replay: None,
            pending: HashMap::new(),
            asked: Asked::default(),
            exchanges: HashMap::new(),
            lingering: Lingering::default(),
            last_exchange: 0,
            closing: None,
            outcome: None,
        }
    }

    /// Gives it what to sign with. Without it a host of 2026-07-28 cannot be asked anything for a
    /// server of before.
    pub fn sign_with(&mut self, key: &[u8; 32]) {
        self.eras.sign_with(key);
    }

    /// Takes one event and says what is to be done.
    pub fn handle(&mut self, event: Event, now: Moment, effects: &mut Vec<Effect>) {
        let mut last = self.last_exchange;
        let before = effects.len();
        let mut out = Outbox::new(effects, &mut last);
        self.notice_sleep(now, &mut out);
        match event {
            Event::Line(line) => self.line(line, now, &mut out),
            Event::LongLine(beginning) => self.long_line(&beginning, &mut out),
            Event::Eof => self.eof(Duration::ZERO, now, &mut out),
            Event::HungUp(ago) => self.eof(ago, now, &mut out),
            Event::HostGone => self.leave(0, now, &mut out),
            Event::Signal(number) => self.leave(128_u8.saturating_add(number), now, &mut out),
            Event::Tick => {}
            Event::Http(exchange, event) => self.http(exchange, event, now, &mut out),
            Event::Granted(id, answer) => self.access.granted(id, answer, now, &mut out),
            Event::Store(StoreEvent::Recalled(bytes)) => self.recalled(bytes, now),
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
            self.queue.oldest().map(|(_, since)| since.saturating_add(PATIENCE))
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
            self.outage.deadline(),
            self.silence_deadline(),
            self.overdue,
            self.cuts.iter().map(Cut::deadline).min(),
            self.rest.doubted.filter(|_| !self.is_deaf()),
            self.delayed.iter().map(|delayed| delayed.due).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether another line of the host may be read.
    pub fn accepts_lines(&self) -> bool {
        self.queue.has_room() && !self.is_opening()
    }

    /// Whether somebody is signed in.
    pub fn is_signed_in(&self) -> bool {
        self.access.token().is_some()
    }

    /// The failure that the conversation ended with, if it did.
    pub fn outcome(&self) -> Option<&Failure> {
        self.outcome.as_ref()
    }

    fn tick(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.access.tick(now, out);
        self.tick_delayed(now);
        self.tick_silence(now, out);
        self.tick_overdue(now, out);
        self.tick_cuts(now, out);
        self.tick_doubts(now, out);
        self.tick_streams(now, out);
        self.tick_lingering(now, out);
        self.tick_handshake(now, out);
        self.tick_credential(now, out);
        self.tick_parked(now, out);
        self.tick_translator(now, out);
        while self.waits_for_connection()
            && let Some((index, since)) = self.queue.oldest()
            && now.reached(since.saturating_add(PATIENCE))
        {
            // It was never sent: what is known of the outage says more than that.
            let failure = match self.evidence.clone() {
                None | Some(Failure::Lost) => Failure::Unreachable {
                    server: self.origin(),
                    cause: "the connection was lost and is not back yet".to_owned(),
                },
                Some(Failure::Limited { status, reason, .. }) => {
                    let reason = reason.map(|text| format!(": {text}")).unwrap_or_default();
                    let cause = format!("it answers HTTP {status}{reason}");
                    Failure::Unreachable { server: self.origin(), cause }
                }
                Some(failure) => failure,
            };
            if let Some(outgoing) = self.queue.remove(index) {
                self.drop_outgoing(&outgoing, &failure, now, out);
            }
        }
    }

    fn http(&mut self, id: ExchangeId, event: HttpEvent, now: Moment, out: &mut Outbox<'_>) {
        if self.access.http(id, &event, now, out) {
            return;
        }
        let open = event.is_open();
        self.note_pulse(id, &event, now);
        if retry::is_sign_of_life(&event) {
            self.outage.over(now);
        }
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
            Exchange::Resume(outgoing, generation) => {
                if let Some(outgoing) = self.resumed(id, outgoing, generation, event, now, out) {
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
