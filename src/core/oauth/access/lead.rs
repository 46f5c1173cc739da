//! Who signs in, when several processes of one person need it at the same time: one of them
//! leads, and the others look every second whether there are tokens, or whether it is their turn.

use std::time::Duration;

use super::{Access, Standing, State};
use crate::config::Caller;
use crate::core::event::{Effect, Notice, RedirectCommand, StoreCommand};
use crate::core::oauth::challenge::Challenge;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::login::Claim;
use crate::core::oauth::record::Record;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How often a follower looks: while the leader is dead and nobody has looked, a redirect of the
/// browser lands nowhere.
const LOOK: Duration = Duration::from_millis(250);

/// Before a sign-in begins again.
const AGAIN: Duration = Duration::from_secs(1);
/// So that not all come at once.
const SPREAD: Duration = Duration::from_millis(300);

/// How much later, in seconds, a host starts one more copy of what it has just started.
const STAGGER: u64 = 10;

/// A process that needs a sign-in, and does not know yet whether it is the one to do it.
#[derive(Debug)]
pub(super) struct Claiming {
    challenge: Option<Challenge>,
    /// Since when it is needed, in seconds since 1970.
    since: u64,
    /// When to ask again; `None` while the store is being asked.
    look_at: Option<Duration>,
    /// Until when another process may lead.
    patience: Duration,
    /// Where the leader's person is expected.
    pub(super) url: Option<String>,
    /// When the leader's window opened, in seconds since 1970.
    window_at: Option<u64>,
}

/// How much longer a leader may take than its person, in seconds: it asks for documents before
/// that, and for tokens afterwards.
const LEEWAY: u64 = 60;

/// How often a sign-in begins again by itself: an outage of a moment is nobody's business, and one
/// that takes longer has to be told before a host loses its patience.
const MAX_BEGUN_AGAIN: u8 = 2;

impl Claiming {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.look_at
    }
}

impl Access {
    /// Somebody has to sign in.
    pub(super) fn sign_in(
        &mut self,
        challenge: Option<Challenge>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if self.about.caller == Caller::Nobody && !self.is_machine() {
            self.refuse(SignInFailure::Unfinished { url: String::new() }, now);
            return;
        }
        self.begun_again = 0;
        self.state = State::Claiming(self.claiming(challenge, now));
        out.push(Effect::Store(StoreCommand::Lead));
    }

    fn claiming(&self, challenge: Option<Challenge>, now: Moment) -> Claiming {
        let patience = self.about.options.timeout_seconds.saturating_add(LEEWAY);
        Claiming {
            challenge,
            since: now.unix,
            look_at: None,
            patience: now.after(Duration::from_secs(patience)),
            url: None,
            window_at: None,
        }
    }

    /// A server that cannot just now is asked again in a moment, while this process goes on
    /// leading; `false` if it was asked often enough.
    pub(super) fn begin_again(
        &mut self,
        challenge: Option<Challenge>,
        failure: &SignInFailure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        if MAX_BEGUN_AGAIN <= self.begun_again {
            return false;
        }
        self.begun_again += 1;
        out.detail(format!("{failure}; trying again"));
        let wait =
            AGAIN * u32::from(self.begun_again) + self.jitter.between(Duration::ZERO, SPREAD);
        let look_at = Some(now.after(wait));
        self.state = State::Claiming(Claiming { look_at, ..self.claiming(challenge, now) });
        true
    }

    /// The listener is gone, and the page that leads to it is open: another one takes its place.
    /// `false` if there is no such page, or that was tried often enough.
    pub(super) fn listen_again(&mut self, now: Moment, out: &mut Outbox<'_>) -> bool {
        let State::SigningIn(login, _) = &self.state else { return false };
        let Some(open) = login.open(self.window_at, now) else { return false };
        if MAX_BEGUN_AGAIN <= self.begun_again {
            return false;
        }
        self.begun_again += 1;
        let challenge = login.challenge();
        out.detail("the redirect listener ended; starting another one");
        self.start_login(challenge, Some(open), now, out);
        true
    }

    /// A follower looks again.
    pub(super) fn look(&mut self, out: &mut Outbox<'_>) {
        if let State::Claiming(claiming) = &mut self.state {
            claiming.look_at = None;
            out.push(Effect::Store(StoreCommand::Lead));
        }
    }

    /// Another process leads.
    pub(super) fn follow(
        &mut self,
        record: Option<Box<Record>>,
        claim: Option<Claim>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if self.is_newer(record.as_deref()) {
            // The window was opened for this process too.
            if let State::Claiming(Claiming { window_at: Some(at), .. }) = &self.state {
                self.window_at = Some(*at);
            }
            self.adopt(record, Standing::SignedIn, now);
            return;
        }
        let is_person = matches!(self.about.caller, Caller::Person { .. });
        let headless = self.about.options.headless;
        let State::Claiming(claiming) = &mut self.state else { return };
        if is_stuck(claiming, claim.as_ref(), now) {
            let failure = SignInFailure::Stuck;
            out.tell(Notice::Failed(Box::new(failure.clone().into())));
            return self.refuse(failure, now);
        }
        if claiming.url.is_none() {
            out.detail("another process is signing in; waiting for it");
        }
        let known = claiming.url.clone();
        claiming.url = match claim {
            Some(Claim::Open(open)) => {
                let url = String::from(open.url.clone());
                claiming.window_at = open.window_at;
                // A person who has started this process wants to see the page that they may have
                // closed.
                if is_person && known.as_ref() != Some(&url) {
                    out.tell(Notice::SignIn(url.clone()));
                    if !headless {
                        out.push(Effect::Redirect(RedirectCommand::Open(Box::new(open.url))));
                    }
                }
                Some(url)
            }
            Some(Claim::Device { invitation, .. }) => Some(invitation),
            _ => Some(String::new()),
        };
        claiming.look_at = Some(now.after(LOOK));
    }

    /// This process leads.
    pub(super) fn lead(
        &mut self,
        record: Option<Box<Record>>,
        claim: Option<Claim>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let (challenge, since, followed) = match &mut self.state {
            State::Claiming(claiming) => {
                (claiming.challenge.take(), claiming.since, claiming.url.is_some())
            }
            // Nobody waits for it any more.
            _ => return out.push(Effect::Store(StoreCommand::Resign(claim))),
        };
        // Who wants to sign in again does not want what a renewal brings, unless it was waited for.
        let again = self.about.caller == Caller::Person { again: true };
        if self.is_newer(record.as_deref()) && (followed || !again) {
            // Whoever has signed in has said so; what is still there came to nothing.
            let over = claim.and_then(Claim::over);
            if let Some(Claim::Failed { window_at, .. }) = over {
                self.window_at = self.window_at.or(window_at);
            }
            out.push(Effect::Store(StoreCommand::Resign(over)));
            self.adopt(record, Standing::SignedIn, now);
            return;
        }
        if let Some(record) = record {
            self.current = Some(record);
        }
        match claim {
            Some(Claim::Failed { window_at, .. }) => self.window_at = self.window_at.or(window_at),
            Some(Claim::Open(ref open)) => self.window_at = open.window_at.or(self.window_at),
            _ => {}
        }
        match claim {
            // It failed while this process waited for it, or would have if its host had started all
            // copies at once. One that comes later starts anew.
            Some(Claim::Failed { reason, at, window_at, passing })
                if waited_for(at, passing, since, now)
                    && !matches!(self.about.caller, Caller::Person { .. }) =>
            {
                let claim = Claim::Failed { reason: reason.clone(), at, window_at, passing };
                out.push(Effect::Store(StoreCommand::Resign(Some(claim))));
                self.refuse(SignInFailure::Elsewhere { reason, passing }, now);
            }
            Some(Claim::Open(open)) if now.unix < open.expires_at => {
                self.start_login(challenge, Some(open), now, out);
            }
            _ => self.start_login(challenge, None, now, out),
        }
    }

    /// Whether a stored record holds tokens that this process does not know.
    pub(super) fn is_newer(&self, record: Option<&Record>) -> bool {
        record.is_some_and(|record| record.has_other_tokens(self.current.as_deref()))
    }
}

/// Whether the failure of another process is this one's too. What came from a moment's trouble is
/// only so for who was there; and a clock that was set back must not make it last.
fn waited_for(at: u64, passing: bool, since: u64, now: Moment) -> bool {
    let stagger = if passing { 0 } else { STAGGER };
    at <= now.unix.saturating_add(STAGGER) && since <= at.saturating_add(stagger)
}

/// Whether the leader should have ended its sign-in long ago: it was stopped, or it hangs.
fn is_stuck(claiming: &Claiming, claim: Option<&Claim>, now: Moment) -> bool {
    let ended = |expires_at: u64| expires_at.saturating_add(LEEWAY) <= now.unix;
    now.reached(claiming.patience)
        || match claim {
            Some(Claim::Open(open)) => ended(open.expires_at),
            Some(Claim::Device { expires_at, .. }) => ended(*expires_at),
            _ => false,
        }
}
