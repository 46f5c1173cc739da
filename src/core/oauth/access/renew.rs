//! The renewal of tokens, as one of the things that an [`Access`] does.

use std::time::Duration;

use http::Method;

use super::sign_in::document;
use super::{Access, Due, State, Why};
use crate::core::event::{Effect, Notice, StoreCommand};
use crate::core::oauth::access::Standing;
use crate::core::oauth::login::Goal;
use crate::core::oauth::refresh::{self, Outcome, Refresh, Terms};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// A token with less life than this is renewed before it is used: it could expire on the way.
const EXPIRY_MARGIN_SECONDS: u64 = 10;

/// Tokens with a shorter life are renewed when they are needed, and not in advance all day long.
const SHORTEST_LIFE_SECONDS: u64 = 30;

/// For so long after its issue a token that is refused cannot be mended by another one. Later the
/// gateway may have been restarted with other keys, and the next token is good again.
const FRESH_SECONDS: u64 = 20;
/// The same for a token with a shorter life. Less than that is a wrong clock and not a life.
const SHORTEST_FRESH_SECONDS: u64 = 2;

/// What a server may ask us to wait; more is a mistake, or would look like one to a person.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

impl Access {
    /// Renews at about four fifths of the life time, spread so that several processes do not
    /// start at the same moment.
    pub(super) fn plan(&mut self, now: Moment) {
        (self.renewal, self.expiry) = (None, None);
        let tokens = self.current.as_ref().and_then(|record| record.tokens.as_ref());
        let Some((tokens, expires_at)) = tokens.and_then(|t| Some((t, t.expires_at?))) else {
            return;
        };
        let life = expires_at.saturating_sub(tokens.obtained_at);
        let margin = EXPIRY_MARGIN_SECONDS.min(life / 10);
        self.expiry = Some(Due::at(expires_at.saturating_sub(margin), life - margin, now));
        if tokens.refresh.is_none() || life < SHORTEST_LIFE_SECONDS {
            return;
        }
        let early = Duration::from_secs(life * 7 / 10);
        let late = Duration::from_secs(life * 9 / 10);
        let wait = self.jitter.between(early, late).as_secs();
        // What is overdue is done when it is needed, or in a moment.
        let at = tokens.obtained_at.saturating_add(wait).max(now.unix + 1);
        self.renewal = Some(Due::at(at, wait.max(1), now));
    }

    pub(super) fn refresh(&mut self, why: Why, now: Moment, out: &mut Outbox<'_>) {
        let Some(record) = self.current.clone() else { return };
        let mut steps = Vec::new();
        let options = &self.about.options;
        let terms = Terms {
            client: options.client.clone(),
            use_id_token: options.use_id_token,
            spread: self.jitter.between(Duration::ZERO, Duration::from_secs(1)),
        };
        let refresh = if record.token_endpoint.is_empty() {
            let challenge = match &why {
                Why::Needed(challenge) => challenge.clone(),
                Why::Early => None,
            };
            let start = self.start(Goal::Server, challenge, now);
            Refresh::search(record, start, terms, &mut steps)
        } else {
            Refresh::new(record, terms, &mut steps)
        };
        self.state = State::Refreshing(refresh, why);
        out.detail("renewing the access token");
        for step in steps {
            self.perform_refresh(step, out);
        }
    }

    pub(super) fn step_refresh(
        &mut self,
        input: refresh::Input,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let (refresh, why) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Refreshing(refresh, why) => (refresh, why),
            other => {
                self.state = other;
                return;
            }
        };
        let mut steps = Vec::new();
        self.state = State::Refreshing(refresh.handle(input, now, &mut steps), why.clone());
        for step in steps {
            if let Some(outcome) = self.perform_refresh(step, out) {
                self.refreshed(outcome, why.clone(), now, out);
            }
        }
    }

    fn perform_refresh(&mut self, step: refresh::Step, out: &mut Outbox<'_>) -> Option<Outcome> {
        match step {
            refresh::Step::Fetch(url) => {
                self.search = Some(out.start(document(Method::GET, url, None)));
            }
            refresh::Step::Lock => out.push(Effect::Store(StoreCommand::Lock)),
            refresh::Step::Grant(grant) => {
                out.push(Effect::Grant(self.next_grant(), grant));
            }
            refresh::Step::Save(record) => out.push(Effect::Store(StoreCommand::Save(record))),
            refresh::Step::Unlock => out.push(Effect::Store(StoreCommand::Unlock)),
            refresh::Step::Tell(text) => out.tell(Notice::Warning(text)),
            refresh::Step::Done(outcome) => return Some(outcome),
        }
        None
    }

    /// Whether the access token is not worth sending any more. One that was just issued is: a
    /// server whose tokens live for seconds, or whose clock is wrong, must not make us ask for
    /// the next one before this one was tried.
    pub(super) fn expired(&self, now: Moment) -> bool {
        self.standing(now) == Standing::Known && self.expiry.is_some_and(|due| due.reached(now))
    }

    /// How far the tokens can be trusted at this moment: what nobody could use while the gateway
    /// was away is as good as what was used.
    pub(super) fn standing(&self, now: Moment) -> Standing {
        let tokens = self.current.as_ref().and_then(|record| record.tokens.as_ref());
        let is_fresh = tokens.is_some_and(|tokens| {
            let life = tokens.expires_at.map(|at| at.saturating_sub(tokens.obtained_at));
            let fresh = life.unwrap_or(u64::MAX).clamp(SHORTEST_FRESH_SECONDS, FRESH_SECONDS);
            now.unix < tokens.obtained_at.saturating_add(fresh)
        });
        if is_fresh { self.standing } else { Standing::Known }
    }

    fn refreshed(&mut self, outcome: Outcome, why: Why, now: Moment, out: &mut Outbox<'_>) {
        match outcome {
            Outcome::Tokens(record) => {
                self.backoff.reset();
                out.detail("the access token is renewed");
                self.adopt(Some(record), Standing::Renewed, now);
            }
            Outcome::Adopted(record) => {
                out.detail("another process has renewed the access token");
                self.adopt(Some(record), Standing::Known, now);
            }
            Outcome::SignIn(record) => {
                self.adopt(record, Standing::Known, now);
                // Asking again would change nothing; what there is may be used while it lasts.
                self.renewal = None;
                // Without a waiting request no window opens: the next one will ask.
                if let Why::Needed(challenge) = why {
                    self.sign_in(challenge, now, out);
                }
            }
            Outcome::Later(failure, named) => {
                let named = named.unwrap_or_default().min(LONGEST_WAIT);
                let wait = self.backoff.next_wait().max(named);
                out.tell(Notice::Warning(failure.to_string()));
                self.renewal = Some(Due::after(wait.as_secs().max(1), now));
                self.state = match why {
                    Why::Early => State::Idle,
                    Why::Needed(_) => State::Refused(failure, now.after(wait)),
                };
            }
        }
    }
}
