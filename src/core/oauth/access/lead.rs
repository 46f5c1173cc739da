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
    /// Where the leader's person is expected.
    pub(super) url: Option<String>,
}

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
        self.state =
            State::Claiming(Claiming { challenge, since: now.unix, look_at: None, url: None });
        out.push(Effect::Store(StoreCommand::Lead));
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
            self.adopt(record, Standing::SignedIn, now);
            return;
        }
        let is_person = matches!(self.about.caller, Caller::Person { .. });
        let headless = self.about.options.headless;
        let State::Claiming(claiming) = &mut self.state else { return };
        if claiming.url.is_none() {
            out.detail("another process is signing in; waiting for it");
        }
        let known = claiming.url.clone();
        claiming.url = match claim {
            Some(Claim::Open(open)) => {
                let url = String::from(open.url.clone());
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
        let (challenge, since) = match &mut self.state {
            State::Claiming(claiming) => (claiming.challenge.take(), claiming.since),
            // Nobody waits for it any more.
            _ => return out.push(Effect::Store(StoreCommand::Resign(claim))),
        };
        if self.is_newer(record.as_deref()) {
            out.push(Effect::Store(StoreCommand::Resign(None)));
            self.adopt(record, Standing::SignedIn, now);
            return;
        }
        if let Some(record) = record {
            self.current = Some(record);
        }
        match claim {
            Some(Claim::Failed { window_at, .. }) => self.window_at = self.window_at.or(window_at),
            Some(Claim::Open(ref open)) => self.window_at = open.window_at,
            _ => {}
        }
        match claim {
            // It failed while this process waited for it, or would have if its host had started all
            // copies at once. One that comes later starts anew.
            Some(Claim::Failed { reason, at, window_at })
                if since <= at.saturating_add(STAGGER)
                    && !matches!(self.about.caller, Caller::Person { .. }) =>
            {
                let claim = Claim::Failed { reason: reason.clone(), at, window_at };
                out.push(Effect::Store(StoreCommand::Resign(Some(claim))));
                self.refuse(SignInFailure::Elsewhere { reason }, now);
            }
            Some(Claim::Open(open)) if now.unix < open.expires_at => {
                self.start_login(challenge, Some(open), now, out);
            }
            _ => self.start_login(challenge, None, now, out),
        }
    }

    /// Whether a stored record holds tokens that this process does not know.
    fn is_newer(&self, record: Option<&Record>) -> bool {
        record.is_some_and(|record| record.has_other_tokens(self.current.as_deref()))
    }
}
