//! What is done about a message that brought no answer.
//!
//! | | not delivered | perhaps delivered, or for sure |
//! |---|---|---|
//! | asks, or says again what was said | sent again | sent again, once |
//! | `tools/call`, what nobody here knows | sent again | never: an error |
//! | notification, answer to the server | sent again | dropped |
//!
//! Nothing is sent again later than [`PATIENCE`] after the host has sent it, or after its answer was
//! lost: the host learns in time what is the matter.

use std::time::Duration;

use bytes::Bytes;

use super::{Bridge, Kind, Outgoing, PATIENCE, Pending};
use crate::core::backoff::{Backoff, HEALTHY_AFTER};
use crate::core::event::{Delivery, ExchangeId, FailureKind, Head, HttpEvent, HttpFailure, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How often a message comes back after it was told to come later.
const MAX_DEFERRED: u8 = 2;
/// How long `initialize` may wait for that: the strictest host gives up after 10 s.
pub(super) const INITIALIZE_PATIENCE: Duration = Duration::from_secs(8);
/// How often a request that comes during an outage may cause a try of its own.
const HURRY: Duration = Duration::from_secs(5);

/// Whether a request of this method may run twice: it asks, or says again what was said.
pub(super) fn is_safe(method: &str) -> bool {
    matches!(
        method,
        "initialize"
            | "ping"
            | "tools/list"
            | "prompts/list"
            | "prompts/get"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "completion/complete"
            | "logging/setLevel"
            | "tasks/list"
            | "tasks/get"
    )
}

/// Whether a status says that it would be otherwise later.
pub(super) fn is_temporary(status: u16) -> bool {
    matches!(status, 421 | 429 | 502 | 503 | 504)
}

/// What the last tries say of the way to the gateway.
#[derive(Debug)]
pub(super) struct Outage {
    /// Nothing is sent before this moment.
    until: Option<Duration>,
    /// Whether the gateway has named it.
    named: bool,
    backoff: Backoff,
    /// Since when the gateway has answered again.
    well_since: Option<Duration>,
    /// When a request last caused a try of its own.
    hurried: Option<Duration>,
}

impl Outage {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { until: None, named: false, backoff, well_since: None, hurried: None }
    }

    /// Until when nothing is sent.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.until
    }

    /// The gateway has answered.
    pub(super) fn over(&mut self, now: Moment) {
        self.well_since.get_or_insert(now.uptime);
        if !self.named {
            self.until = None;
        }
    }

    /// A try has failed: how long to wait for the next one. Tries that fail together count once.
    pub(super) fn next_wait(&mut self, now: Moment) -> Duration {
        if let Some(until) = self.until {
            return until.saturating_sub(now.uptime);
        }
        let well_since = self.well_since.take();
        if well_since.is_some_and(|since| now.reached(since.saturating_add(HEALTHY_AFTER))) {
            self.backoff.reset();
        }
        self.backoff.next_wait()
    }

    pub(super) fn hold(&mut self, until: Duration, named: bool) {
        self.until = Some(self.until.map_or(until, |before| before.max(until)));
        self.named = named;
    }

    /// A request has come: whether it may be tried at once, whatever the wait.
    pub(super) fn may_hurry(&mut self, now: Moment) -> bool {
        let early = |last: Duration| !now.reached(last.saturating_add(HURRY));
        if self.named || self.hurried.is_some_and(early) {
            return false;
        }
        self.hurried = Some(now.uptime);
        self.until = None;
        true
    }

    pub(super) fn tick(&mut self, now: Moment) {
        if self.until.is_some_and(|until| now.reached(until)) {
            self.until = None;
            self.named = false;
        }
    }
}

/// A message that goes beside the others, later.
#[derive(Debug)]
pub(super) struct Delayed {
    pub(super) outgoing: Outgoing,
    pub(super) due: Duration,
}

impl Bridge {
    /// How long to wait for the next try: not long, while a request of the host waits for it.
    pub(super) fn next_wait(&mut self, now: Moment) -> Duration {
        let wait = self.outage.next_wait(now);
        let asked = self.queue.iter().any(|outgoing| !outgoing.kind.ids().is_empty());
        if asked { wait.min(HURRY) } else { wait }
    }

    /// How long this message waits for its next try: a handshake keeps everybody waiting.
    fn wait_of(&mut self, outgoing: &Outgoing, now: Moment) -> Duration {
        if outgoing.kind.is_handshake() { self.next_wait(now) } else { self.outage.next_wait(now) }
    }

    /// The network brought nothing back for a message.
    pub(super) fn post_failed(
        &mut self,
        id: ExchangeId,
        outgoing: Outgoing,
        failure: &HttpFailure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let cause = &failure.cause;
        let what = self.failed(failure);
        if outgoing.position.open {
            return self.response_ended(id, outgoing, Some(what), now, out);
        }
        match (failure.kind, failure.delivery) {
            (FailureKind::Network, Delivery::NotDelivered) if self.reached => {
                let known = self.outage.deadline().is_some();
                let wait = self.next_wait(now);
                let until = now.after(wait);
                let late = outgoing.since.saturating_add(PATIENCE) < until;
                if (late && !outgoing.kind.is_replay()) || self.closing.is_some() {
                    return self.undelivered(id, &outgoing, &what, now, out);
                }
                if !known {
                    out.tell(reconnect(cause, wait));
                }
                self.evidence = Some(what);
                self.outage.hold(until, false);
                self.send_again(outgoing);
            }
            (FailureKind::Network, Delivery::Unknown) => self.lost(id, outgoing, &what, now, out),
            (FailureKind::TimedOut { seconds }, _) if !outgoing.kind.ids().is_empty() => {
                self.too_late(id, &outgoing, seconds, now, out);
            }
            _ => self.undelivered(id, &outgoing, &what, now, out),
        }
    }

    /// The answer is lost, and the message may have run.
    pub(super) fn lost(
        &mut self,
        id: ExchangeId,
        mut outgoing: Outgoing,
        failure: &Failure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let open = outgoing.kind.is_handshake() && !outgoing.position.open;
        let here = |pending: &Pending| pending.exchange.is_none_or(|exchange| exchange == id);
        let asked = |request| self.pending.get(request).is_some_and(here);
        let waits = open || outgoing.kind.ids().iter().any(asked);
        if waits && outgoing.may_repeat() && self.closing.is_none() {
            outgoing.repeated += 1;
            outgoing.since = now.uptime;
            out.detail(format!("asking again what may be asked twice: {failure}"));
            // Somebody waits for it, who is to learn in time what is the matter.
            let wait = self.wait_of(&outgoing, now).min(HURRY);
            self.later(outgoing, wait, false, now);
        } else if outgoing.position.open || !waits {
            self.unanswered(id, &outgoing, failure, now, out);
        } else {
            self.undelivered(id, &outgoing, failure, now, out);
        }
    }

    /// The gateway cannot take a message just now; `None`: it comes back later.
    pub(super) fn defer(
        &mut self,
        mut outgoing: Outgoing,
        head: &Head,
        body: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        let named = head.retry_after(now.unix);
        let not_run = head.status == 421 || (matches!(head.status, 429 | 503) && named.is_some());
        let may = not_run || outgoing.may_repeat();
        // Nobody waits for our own handshake, but for those who have a limit of their own.
        let patient = outgoing.kind.is_replay() && self.reached;
        let over = MAX_DEFERRED <= outgoing.deferred && !patient;
        if !may || over || self.closing.is_some() {
            return Some(outgoing);
        }
        let wait = match named {
            // Never earlier, and not all at once.
            Some(named) => named.saturating_add(self.backoff.spread()),
            None => self.wait_of(&outgoing, now),
        };
        let limit = match outgoing.kind {
            Kind::Initialize(_) => INITIALIZE_PATIENCE,
            _ => PATIENCE,
        };
        if outgoing.since.saturating_add(limit) < now.after(wait) && !patient {
            return Some(outgoing);
        }
        outgoing.deferred = outgoing.deferred.saturating_add(1);
        out.tell(reconnect(&format!("HTTP {}", head.status), wait));
        if self.reached {
            // Whoever waits in vain for the same gateway learns this.
            self.evidence = Some(self.refusal(head, body, now));
        }
        self.later(outgoing, wait, named.is_some(), now);
        None
    }

    /// Sends a message again after a while. Everything waits for a handshake; nothing else does for
    /// other messages.
    fn later(&mut self, outgoing: Outgoing, wait: Duration, named: bool, now: Moment) {
        let due = now.after(wait);
        if outgoing.kind.is_handshake() {
            self.outage.hold(due, named);
            self.send_again(outgoing);
        } else {
            self.unsend(&outgoing);
            self.delayed.push(Delayed { outgoing, due });
        }
    }

    /// Puts what is due back to where it is sent from.
    pub(super) fn tick_delayed(&mut self, now: Moment) {
        self.outage.tick(now);
        while let Some(index) = self.delayed.iter().position(|delayed| now.reached(delayed.due)) {
            let delayed = self.delayed.swap_remove(index);
            self.queue.put_back(delayed.outgoing);
        }
    }

    /// The host has cancelled a request that was to be sent again; `true` if it never ran.
    pub(super) fn forget_delayed(&mut self, id: &Id) -> bool {
        let wanted = Kind::Request(id.clone());
        let index = self.delayed.iter().position(|delayed| delayed.outgoing.kind == wanted);
        let delayed = index.map(|index| self.delayed.swap_remove(index));
        delayed.is_some_and(|delayed| delayed.outgoing.repeated == 0)
    }
}

pub(super) fn reconnect(cause: &str, wait: Duration) -> Notice {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Notice::Reconnect { cause: cause.to_owned(), wait_ms }
}

/// Whether something came back that a gateway in trouble does not say.
pub(super) fn is_sign_of_life(event: &HttpEvent) -> bool {
    match event {
        HttpEvent::Opened(_) => true,
        HttpEvent::Answered(head, _) => !is_temporary(head.status),
        _ => false,
    }
}

/// Whether the body of a refusal speaks of the session that the message named.
pub(super) fn speaks_of_session(body: &Bytes) -> bool {
    let text = String::from_utf8_lossy(body.get(..body.len().min(1024)).unwrap_or_default());
    text.to_ascii_lowercase().contains("session")
}
