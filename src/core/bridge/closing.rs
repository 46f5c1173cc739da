//! The end of the conversation: closed stdin is the signal, and two seconds are all there is.

use std::time::Duration;

use super::{Bridge, Exchange};
use crate::core::event::{Effect, RedirectCommand};
use crate::core::failure::Failure;
use crate::core::link::Transport;
use crate::core::oauth::failure::SignInFailure;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How long answers that are under way may still arrive after the end of stdin. Together with the
/// farewell and the last words (`run`) it stays well below two seconds, after which hosts begin to
/// kill.
const GRACE: Duration = Duration::from_millis(1200);
/// How long the gateway may take to end the session.
const FAREWELL: Duration = Duration::from_millis(250);

/// How far the end is.
#[derive(Debug)]
pub(super) enum Closing {
    /// Waiting for answers until this moment.
    Draining(Duration),
    /// Waiting for tokens that are on their way, until this moment.
    Storing(Duration, u8),
    /// The DELETE is under way, until this moment.
    Farewell(Duration, u8),
    /// Nothing is left to do.
    Gone(Duration),
}

impl Closing {
    pub(super) fn deadline(&self) -> Duration {
        match self {
            Self::Draining(deadline)
            | Self::Storing(deadline, _)
            | Self::Farewell(deadline, _)
            | Self::Gone(deadline) => *deadline,
        }
    }
}

impl Bridge {
    /// The host closed stdin, this long ago.
    pub(super) fn eof(&mut self, ago: Duration, now: Moment, out: &mut Outbox<'_>) {
        if self.closing.is_some() {
            return;
        }
        // Nobody will finish a sign-in for a host that has left.
        if self.access.is_signing_in() {
            let failure = self.unfinished();
            self.give_up(&failure, &failure, now, out);
            // Also where nobody waits any more: a job has not got what it came for.
            self.outcome = Some(failure);
        }
        self.give_up_parked(now, out);
        self.end_translated(now, out);
        self.closing = Some(Closing::Draining(now.after(GRACE.saturating_sub(ago))));
    }

    /// Ends at once: the host is gone, or the system asks for it.
    pub(super) fn leave(&mut self, status: u8, now: Moment, out: &mut Outbox<'_>) {
        match self.closing {
            // Whoever asks twice does not want to wait for the gateway.
            Some(Closing::Farewell(_, status)) => return self.exit(status, now, out),
            Some(Closing::Storing(..) | Closing::Gone(_)) => return,
            Some(Closing::Draining(_)) | None => {}
        }
        self.pending.clear();
        self.queue.take();
        self.delayed.clear();
        self.cuts.clear();
        if self.access.expects_tokens() {
            self.closing = Some(Closing::Storing(now.after(GRACE), status));
        } else {
            self.farewell(status, now, out);
        }
    }

    fn unfinished(&self) -> Failure {
        let url = self.access.sign_in_url().unwrap_or_default();
        Failure::SignIn(SignInFailure::Unfinished { url })
    }

    /// Moves the end on.
    pub(super) fn check_closing(&mut self, now: Moment, out: &mut Outbox<'_>) {
        match self.closing {
            Some(Closing::Draining(deadline)) => {
                let over = now.reached(deadline);
                if self.access.is_signing_in() && !self.pending.is_empty() {
                    let failure = self.unfinished();
                    self.give_up(&failure, &failure, now, out);
                }
                if over {
                    self.give_up(
                        &Failure::Closing { sent: false },
                        &Failure::Closing { sent: true },
                        now,
                        out,
                    );
                }
                // Tokens that are on their way are worth the wait: those before them are spent.
                let waits = self.access.expects_tokens() && !over;
                if self.pending.is_empty() && self.idle() && !waits {
                    let status = self.outcome.as_ref().map_or(0, crate::report::exit_code);
                    self.farewell(status, now, out);
                }
            }
            Some(Closing::Storing(deadline, status)) => {
                if !self.access.expects_tokens() || now.reached(deadline) {
                    self.farewell(status, now, out);
                }
            }
            Some(Closing::Farewell(deadline, status)) => {
                let over = !self.exchanges.values().any(|e| matches!(e, Exchange::Goodbye));
                if over || now.reached(deadline) {
                    self.exit(status, now, out);
                }
            }
            Some(Closing::Gone(_)) | None => {}
        }
    }

    /// Whether nothing is on its way to the gateway any more.
    fn idle(&self) -> bool {
        let counts = |exchange: &Exchange| match exchange {
            Exchange::Post(sent, _) => !sent.kind.is_own() && sent.lingers.is_none(),
            Exchange::Resume(..) => true,
            _ => false,
        };
        let posts = self.exchanges.values().any(counts);
        self.queue.is_empty() && self.delayed.is_empty() && self.cuts.is_empty() && !posts
    }

    /// Answers what was not sent yet and what was, each with its failure.
    fn give_up(&mut self, waiting: &Failure, sent: &Failure, now: Moment, out: &mut Outbox<'_>) {
        let delayed = std::mem::take(&mut self.delayed).into_iter().map(|delayed| delayed.outgoing);
        let parked = std::mem::take(&mut self.parked).into_iter();
        let again = self.queue.take_repeated();
        for outgoing in parked.chain(delayed).chain(again) {
            let failure = if outgoing.repeated == 0 { waiting } else { sent };
            self.drop_outgoing(&outgoing, failure, now, out);
        }
        self.cuts.clear();
        self.fail_queue(waiting, now, out);
        let open: Vec<_> = self.pending.keys().cloned().collect();
        for id in open {
            self.fail(&id, sent, now, out);
        }
        self.abort_posts(|_| true, out);
        self.settle(now, out);
    }

    fn farewell(&mut self, status: u8, now: Moment, out: &mut Outbox<'_>) {
        if self.access.has_login() {
            out.push(Effect::Redirect(RedirectCommand::Close));
        }
        if self.transport == Transport::Http && self.carrier.session.is_some() {
            // The session ends for the gateway too; whether it agrees changes nothing for us.
            if let Ok(token) = self.token_now(now, out) {
                let exchange = out.start(self.carrier.goodbye(token.as_ref()));
                self.exchanges.insert(exchange, Exchange::Goodbye);
                self.closing = Some(Closing::Farewell(now.after(FAREWELL), status));
                return;
            }
        }
        self.exit(status, now, out);
    }

    fn exit(&mut self, status: u8, now: Moment, out: &mut Outbox<'_>) {
        self.closing = Some(Closing::Gone(now.after(Duration::from_hours(1))));
        out.push(Effect::Exit(status));
    }
}
