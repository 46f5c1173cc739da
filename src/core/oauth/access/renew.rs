//! The renewal of tokens, as one of the things that an [`Access`] does.

use super::{Access, Due, State, Why};
use crate::core::event::{Effect, Notice, StoreCommand};
use crate::core::oauth::access::Standing;
use crate::core::oauth::refresh::{self, Outcome, Refresh, Terms};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

impl Access {
    pub(super) fn refresh(&mut self, why: Why, _now: Moment, out: &mut Outbox<'_>) {
        let Some(record) = self.current.clone() else { return };
        let mut steps = Vec::new();
        let options = &self.about.options;
        let terms = Terms { client: options.client.clone(), use_id_token: options.use_id_token };
        self.state = State::Refreshing(Refresh::new(record, terms, &mut steps), why);
        out.detail("renewing the access token");
        for step in steps {
            Self::perform_refresh(step, out);
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
            if let Some(outcome) = Self::perform_refresh(step, out) {
                self.refreshed(outcome, why.clone(), now, out);
            }
        }
    }

    fn perform_refresh(step: refresh::Step, out: &mut Outbox<'_>) -> Option<Outcome> {
        match step {
            refresh::Step::Lock => out.push(Effect::Store(StoreCommand::Lock)),
            refresh::Step::Grant(grant) => out.push(Effect::Grant(grant)),
            refresh::Step::Save(record) => out.push(Effect::Store(StoreCommand::Save(record))),
            refresh::Step::Unlock => out.push(Effect::Store(StoreCommand::Unlock)),
            refresh::Step::Tell(text) => out.tell(Notice::Warning(text)),
            refresh::Step::Done(outcome) => return Some(outcome),
        }
        None
    }

    fn refreshed(&mut self, outcome: Outcome, why: Why, now: Moment, out: &mut Outbox<'_>) {
        match outcome {
            Outcome::Tokens(record) => {
                self.backoff.reset();
                out.detail("the access token is renewed");
                self.adopt(Some(record), Standing::Renewed, now);
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
            Outcome::Later(failure) => {
                let wait = self.backoff.next_wait();
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
