//! The standalone stream that Streamable HTTP offers for what the server says of itself.

use std::time::Duration;

use super::resume::Position;
use super::retry::speaks_of_session;
use super::silence::Pulse;
use super::streams::LONGEST_ASKED;
use super::{Bridge, Exchange, Phase};
use crate::core::backoff::HEALTHY_AFTER;
use crate::core::event::{Effect, ExchangeId, Expect, HttpEvent};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// However short a wait the server asks for: nobody waits for this stream.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The standalone stream of Streamable HTTP.
#[derive(Debug, Default)]
pub(super) enum Listen {
    /// Not wanted, or not offered in this session.
    #[default]
    None,
    /// The server has none (405), in this session and the next.
    Absent,
    Waiting(Duration),
    Open(ExchangeId, Duration),
    /// Refused with the tokens of this generation; others may be welcome.
    Refused(Option<u64>),
}

impl Listen {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Waiting(deadline) => Some(*deadline),
            Self::None | Self::Absent | Self::Open(..) | Self::Refused(_) => None,
        }
    }
}

impl Bridge {
    /// Opens the standalone stream.
    pub(super) fn open_listen(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if matches!(self.listen, Listen::Open(..) | Listen::Absent) || self.closing.is_some() {
            return;
        }
        let Ok(token) = self.token_now(now, out) else {
            self.listen = Listen::Waiting(now.after(Duration::from_secs(1)));
            return;
        };
        let last = self.listened.last.as_ref();
        let exchange = out.start(self.carrier.stream(token.as_ref(), Expect::Stream, last));
        self.exchanges.insert(exchange, Exchange::Listen(self.access.generation()));
        self.listen = Listen::Open(exchange, now.uptime);
        self.listened.pulse = Pulse::new(now);
    }

    /// The stream is silent where it should not be: opens another one.
    pub(super) fn reopen_listen(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if let Listen::Open(exchange, _) = self.listen {
            self.exchanges.remove(&exchange);
            out.push(Effect::Abort(exchange));
            self.listen = Listen::Waiting(now.after(self.backoff.next_wait()));
        }
    }

    /// A server that has changed may have the stream that it did not have.
    pub(super) fn server_changed(&mut self) {
        if matches!(self.listen, Listen::Absent) {
            self.listen = Listen::None;
        }
    }

    pub(super) fn close_listen(&mut self, out: &mut Outbox<'_>) {
        if let Listen::Open(exchange, _) = self.listen {
            self.exchanges.remove(&exchange);
            out.push(Effect::Abort(exchange));
        }
        self.listened = Position::default();
        if !matches!(self.listen, Listen::Absent) {
            self.listen = Listen::None;
        }
    }

    /// What came on the standalone stream; `true` if more is to come.
    pub(super) fn listening(
        &mut self,
        id: ExchangeId,
        generation: Option<u64>,
        event: HttpEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        let Listen::Open(exchange, since) = self.listen else { return false };
        if exchange != id {
            return false;
        }
        let mut asked = None;
        match event {
            HttpEvent::Opened(_) => {
                self.access.accepted();
                self.listen_refused = false;
                self.listened.open = true;
                return true;
            }
            HttpEvent::Message(event) => {
                self.listened.heard(&event);
                if event.is_message() {
                    self.deliver(event.data, id, now, out);
                }
                return true;
            }
            HttpEvent::Beat | HttpEvent::Part => return true,
            HttpEvent::Answered(head, _) if head.status == 401 && !self.access.is_static() => {
                // Some gateways refuse this stream with any token, and take all POSTs. So it is
                // worth one renewal and no sign-in.
                if !std::mem::replace(&mut self.listen_refused, true) {
                    self.access.refused_in_passing(generation, now, out);
                }
                out.detail("the standalone stream is refused with this token");
                self.listen = Listen::Refused(generation);
                return false;
            }
            // It was there before, so that it is the session that is gone.
            HttpEvent::Answered(head, body)
                if self.listened.open
                    && self.phase == Phase::Ready
                    && (head.status == 404 || (head.status == 400 && speaks_of_session(&body))) =>
            {
                out.detail("the gateway has forgotten the session of the standalone stream");
                self.listen = Listen::None;
                self.close_listen(out);
                self.session_lost(now, out);
                return false;
            }
            // No stream is offered; that is the server's right.
            HttpEvent::Answered(head, _) if !matches!(head.status, 429 | 500 | 502..=599) => {
                out.detail(format!("no standalone stream: HTTP {}", head.status));
                self.listen = if head.status == 405 { Listen::Absent } else { Listen::None };
                return false;
            }
            HttpEvent::Answered(head, _) => asked = head.retry_after(now.unix),
            // It was closed on purpose, and it was said for how long.
            HttpEvent::Ended if self.listened.retry.is_some() => {
                let retry = self.listened.retry.unwrap_or_default();
                self.listen = Listen::Waiting(now.after(retry.max(SHORTEST_WAIT)));
                return false;
            }
            HttpEvent::Ended | HttpEvent::Failed(_) => {
                if now.reached(since.saturating_add(HEALTHY_AFTER)) {
                    self.backoff.reset();
                }
            }
        }
        let retry = self.listened.retry.unwrap_or_default();
        let asked = asked.unwrap_or_default().min(LONGEST_ASKED).max(retry);
        self.listen = Listen::Waiting(now.after(self.backoff.next_wait().max(asked)));
        false
    }
}
