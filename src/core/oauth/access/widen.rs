//! More than was granted: a request needs a scope that the tokens do not have (RFC 6750 §3.1; MCP
//! 2025-11-25, step-up authorization).

use std::collections::BTreeSet;

use super::{Access, State};
use crate::core::event::{Effect, RedirectCommand, StoreCommand};
use crate::core::oauth::challenge::Challenge;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::login::Claim;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// A sign-in that adds to the tokens that there are.
#[derive(Debug)]
pub(super) struct Widening {
    /// All that will be asked for: what was granted, and what is missing; `None`: whatever there
    /// is.
    pub(super) scope: Option<String>,
    /// What is missing; an empty text stands for what nobody has named.
    asked: BTreeSet<String>,
    /// Whether nothing else is to be sent until it is over.
    pub(super) alone: bool,
}

/// What happens to a request whose scope was not enough.
#[derive(Debug, PartialEq, Eq)]
pub enum Widened {
    /// It is worth sending again at once: other tokens are there by now.
    Again,
    /// Somebody is asked; it waits until [`Access::is_widening`] ends.
    Wait,
    /// It is in vain: this was asked for before.
    No,
}

impl Access {
    /// Whether somebody is being asked for more, while everything else goes on.
    pub fn is_widening(&self) -> bool {
        self.widening.as_ref().is_some_and(|widening| !widening.alone)
    }

    /// Why nothing was added, once.
    pub fn take_widening_failure(&mut self) -> Option<SignInFailure> {
        self.widening_failure.take()
    }

    /// A request was refused because the scope of generation `used` is not enough. With `alone`
    /// nothing else is to be sent until that is settled.
    pub fn widen(
        &mut self,
        challenge: &Challenge,
        used: Option<u64>,
        alone: bool,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Widened {
        if used != self.generation() || used.is_none() {
            return if used.is_some() { Widened::Again } else { Widened::No };
        }
        // Whatever is missing, the token itself is good.
        self.accepted();
        self.tell_worked(out);
        if self.has_login() {
            // It is one thing to ask at a time; the rest is seen afterwards.
            return Widened::Wait;
        }
        if !matches!(self.state, State::Idle) {
            return Widened::Again;
        }
        let missing = scopes(challenge.scope.as_deref());
        let mut had = self.granted_scopes();
        had.extend(self.widened.iter().cloned());
        let in_vain = if missing.is_empty() {
            // Nothing is named: one sign-in may help, and a second one will not.
            self.widened.contains("")
        } else {
            missing.is_subset(&had)
        };
        if in_vain {
            return Widened::No;
        }
        let asked = match missing.len() {
            0 => BTreeSet::from([String::new()]),
            _ => missing.clone(),
        };
        let scope = (!missing.is_empty()).then(|| self.union(missing));
        let wanted = scope.as_deref().unwrap_or("all that there is");
        out.detail(format!("the scope is not enough; asking for `{wanted}`"));
        self.sign_in(Some(challenge.clone()), now, out);
        if !self.has_login() {
            // Nobody is to be asked.
            return Widened::No;
        }
        // Why an earlier one brought nothing is over.
        self.widening_failure = None;
        self.widening = Some(Widening { scope, asked, alone });
        Widened::Wait
    }

    /// The server or the person has decided: the same is not asked for again.
    pub(super) fn widening_decided(&mut self) {
        let asked = self.widening.as_ref().map(|widening| widening.asked.clone());
        self.widened.extend(asked.unwrap_or_default());
    }

    /// Nobody is asked for more for a moment. The page stays open, and whoever asks again goes on
    /// with it.
    pub(super) fn put_off_widening(&mut self, now: Moment, out: &mut Outbox<'_>) {
        // Whoever follows another process leaves its window alone.
        if let State::SigningIn(login, exchange) = &self.state {
            if let Some(exchange) = exchange {
                out.push(Effect::Abort(*exchange));
            }
            let claim = match login.open(self.window_at, now) {
                Some(open) => Some(Claim::Open(open)),
                None => self.window_at.map(Claim::window),
            };
            out.push(Effect::Redirect(RedirectCommand::Close));
            out.push(Effect::Store(StoreCommand::Resign(claim)));
        }
        self.widening = None;
        self.state = State::Idle;
    }

    /// What the tokens are good for, as far as the server has said.
    fn granted_scopes(&self) -> BTreeSet<String> {
        let tokens = self.current.as_ref().and_then(|record| record.tokens.as_ref());
        scopes(tokens.and_then(|tokens| tokens.scope.as_deref()))
    }

    /// What was granted, what was asked for in addition, and this.
    fn union(&self, missing: BTreeSet<String>) -> String {
        let mut all = self.granted_scopes();
        all.extend(missing);
        all.extend(self.widened.iter().filter(|scope| !scope.is_empty()).cloned());
        all.into_iter().collect::<Vec<_>>().join(" ")
    }
}

fn scopes(text: Option<&str>) -> BTreeSet<String> {
    text.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}
