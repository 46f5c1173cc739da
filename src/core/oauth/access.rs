//! With which credential a request may be sent now, and what happens when it is refused.
//!
//! There is one slot: a second sign-in or a second refresh cannot start while one is under way.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use lead::Claiming;
pub use widen::Widened;
use widen::Widening;

use super::challenge::Challenge;
use super::failure::SignInFailure;
use super::login::Login;
use super::record::Record;
use super::refresh::Refresh;
use crate::config::{AccessMode, Caller, LoginOptions, Way};
use crate::core::backoff::{Backoff, Jitter};
use crate::core::event::{Effect, ExchangeId, GrantId, StoreCommand};
use crate::core::outbox::Outbox;
use crate::core::time::{Due, Moment};
use crate::secret::Secret;

mod elsewhere;
mod events;
mod lead;
mod refusals;
mod renew;
mod sign_in;
mod widen;

/// The credential of this process.
#[derive(Debug)]
pub struct Access {
    about: About,
    state: State,
    current: Option<Box<Record>>,
    standing: Standing,
    /// How often in a row tokens were renewed because they were refused.
    refusals: u8,
    /// The document that a renewal waits for.
    search: Option<ExchangeId>,
    /// The last request to the token endpoint.
    grant: GrantId,
    /// When the tokens are to be renewed.
    renewal: Option<Due>,
    /// When the access token is not worth sending any more.
    expiry: Option<Due>,
    /// When the last browser window opened, in seconds since 1970.
    window_at: Option<u64>,
    /// What a sign-in under way will add to the tokens that there are.
    widening: Option<Widening>,
    /// Why nothing was added to them.
    widening_failure: Option<SignInFailure>,
    /// The scopes that were asked for in addition.
    widened: BTreeSet<String>,
    /// Whether the others are to hear that the sign-in has worked.
    worked: bool,
    /// When the store was last asked whether somebody has signed in elsewhere.
    looked_at: Duration,
    /// How often the sign-in under way was begun again.
    begun_again: u8,
    jitter: Jitter,
    backoff: Backoff,
}

/// What a sign-in will need to know.
#[derive(Clone, Debug)]
pub struct About {
    /// The MCP endpoint.
    pub server: Url,
    /// The same as the user typed it.
    pub server_text: String,
    /// What the user chose.
    pub options: LoginOptions,
    /// Who would have to sign in.
    pub caller: Caller,
}

#[derive(Debug)]
enum State {
    /// The configured headers are the credential.
    Static,
    /// Nobody has asked the store yet.
    Unread,
    /// The store was asked.
    Reading,
    /// What there is may be used.
    Idle,
    Refreshing(Refresh, Why),
    /// Somebody has to sign in; perhaps another process does it.
    Claiming(Claiming),
    SigningIn(Box<Login>, Option<ExchangeId>),
    /// Nothing works before this moment.
    Refused(SignInFailure, Duration),
    /// The same, and the store was asked whether somebody has signed in elsewhere.
    Looking(SignInFailure, Duration),
}

/// Why the tokens are being renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    /// Their time is almost up; they may still be used.
    Early,
    /// They were refused, or have expired. Holds the challenge for a sign-in that may follow.
    Needed(Option<Challenge>),
}

/// How far the current tokens can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The gateway took them, or they come from the store.
    Known,
    /// Just renewed; not used yet.
    Renewed,
    /// From a sign-in that has just ended; not used yet.
    SignedIn,
}

/// Whether a request may be sent now.
#[derive(Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes, with this access token, if there is one.
    Ready(Option<Secret>),
    /// Not yet.
    Wait,
    /// No.
    Refused(SignInFailure),
}

impl Access {
    /// Nothing is read or asked yet.
    pub fn new(mode: AccessMode, about: About, seed: u64) -> Self {
        let state = match mode {
            AccessMode::Static => State::Static,
            AccessMode::OAuth => State::Unread,
        };
        Self {
            about,
            state,
            current: None,
            standing: Standing::Known,
            refusals: 0,
            search: None,
            grant: GrantId::default(),
            renewal: None,
            expiry: None,
            window_at: None,
            widening: None,
            widening_failure: None,
            widened: BTreeSet::new(),
            worked: false,
            looked_at: Duration::ZERO,
            begun_again: 0,
            jitter: Jitter::new(seed),
            backoff: Backoff::new(seed),
        }
    }

    /// Whether a person is being waited for, and nothing works before.
    pub fn is_signing_in(&self) -> bool {
        self.has_login() && !self.is_widening()
    }

    /// Whether a sign-in is under way.
    pub fn has_login(&self) -> bool {
        matches!(self.state, State::SigningIn(..) | State::Claiming(_))
    }

    /// Whether tokens are being issued or stored just now.
    pub fn expects_tokens(&self) -> bool {
        match &self.state {
            State::Refreshing(refresh, _) => refresh.expects_tokens(),
            State::SigningIn(login, _) => login.expects_tokens(),
            _ => false,
        }
    }

    /// Whether no request can be sent before something else has happened.
    pub fn is_waiting(&self) -> bool {
        self.is_signing_in()
            || matches!(
                self.state,
                State::Reading | State::Looking(..) | State::Refreshing(_, Why::Needed(_))
            )
    }

    /// Whether the store has not answered yet.
    pub fn is_reading(&self) -> bool {
        matches!(self.state, State::Reading)
    }

    /// Where a person is expected to sign in.
    pub fn sign_in_url(&self) -> Option<String> {
        match &self.state {
            State::SigningIn(login, _) => login.invitation().map(str::to_owned),
            State::Claiming(claiming) => claiming.url.clone(),
            _ => None,
        }
    }

    /// Whether the configured headers are the only credential.
    pub fn is_static(&self) -> bool {
        matches!(self.state, State::Static)
    }

    /// Counts the changes of the tokens; a request remembers with which it was sent.
    pub fn generation(&self) -> Option<u64> {
        self.current.as_ref().filter(|record| record.tokens.is_some()).map(|r| r.generation)
    }

    /// Whether a request may be sent now. Asking may set the wheels in motion.
    pub fn readiness(&mut self, now: Moment, out: &mut Outbox<'_>) -> Readiness {
        match &self.state {
            State::Static => Readiness::Ready(None),
            State::Unread => {
                self.state = State::Reading;
                out.push(Effect::Store(StoreCommand::Load));
                Readiness::Wait
            }
            // What there is goes on being used while somebody is asked for more.
            State::Claiming(_) | State::SigningIn(..) if self.is_widening() => {
                Readiness::Ready(self.token())
            }
            State::Reading
            | State::Looking(..)
            | State::Claiming(_)
            | State::SigningIn(..)
            | State::Refreshing(_, Why::Needed(_)) => Readiness::Wait,
            State::Refreshing(_, Why::Early) if self.expired(now) => Readiness::Wait,
            State::Refused(_, until) if !now.reached(*until) => self.look_elsewhere(now, out),
            State::Refused(..) | State::Idle if self.can_refresh() && self.expired(now) => {
                self.refresh(Why::Needed(None), now, out);
                Readiness::Wait
            }
            // A machine needs nobody for the next one.
            State::Idle if self.is_machine() && self.expired(now) => {
                self.sign_in(None, now, out);
                Readiness::Wait
            }
            State::Refused(..) | State::Idle | State::Refreshing(_, Why::Early) => {
                if matches!(self.state, State::Refused(..)) {
                    self.state = State::Idle;
                }
                Readiness::Ready(self.token())
            }
        }
    }

    /// When [`Access::tick`] wants to be called.
    pub fn deadline(&self, now: Moment) -> Option<Duration> {
        match &self.state {
            State::SigningIn(login, _) => login.deadline(),
            State::Claiming(claiming) => claiming.deadline(),
            State::Idle => self.renewal.map(|due| due.deadline(now)),
            _ => None,
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.tell_worked(out);
        match &self.state {
            State::SigningIn(login, _)
                if login.deadline().is_some_and(|deadline| now.reached(deadline)) =>
            {
                self.login_is_due(now, out);
            }
            State::Claiming(claiming)
                if claiming.deadline().is_some_and(|deadline| now.reached(deadline)) =>
            {
                self.look(out);
            }
            State::Idle if self.renewal.is_some_and(|due| due.reached(now)) => {
                self.refresh(Why::Early, now, out);
            }
            _ => {}
        }
    }

    /// The access token, good or not.
    pub fn token(&self) -> Option<Secret> {
        Some(self.current.as_ref()?.tokens.as_ref()?.access.clone())
    }

    /// The number of a new request to the token endpoint.
    fn next_grant(&mut self) -> GrantId {
        self.grant = GrantId(self.grant.0 + 1);
        self.grant
    }

    /// The number of the last one.
    #[cfg(test)]
    pub fn last_grant(&self) -> GrantId {
        self.grant
    }

    fn can_refresh(&self) -> bool {
        let tokens = self.current.as_ref().and_then(|record| record.tokens.as_ref());
        tokens.is_some_and(|tokens| tokens.refresh.is_some())
    }

    /// Whether nobody has to sign in for the next token.
    fn is_machine(&self) -> bool {
        matches!(self.about.options.way, Way::Client { .. })
    }

    fn adopt(&mut self, record: Option<Box<Record>>, standing: Standing, now: Moment) {
        self.current = record;
        self.standing = standing;
        self.state = State::Idle;
        self.widening = None;
        self.plan(now);
    }
}
