//! Nothing works for a while, because a sign-in has failed.

use std::time::Duration;

use super::{Access, Readiness, Standing, State};
use crate::core::event::{Effect, StoreCommand};
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::record::Record;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// After a failed sign-in, how long requests get the same failure before a new window may open: a
/// host that retries in a loop must not open one window after the other.
const SIGN_IN_PAUSE: Duration = Duration::from_mins(1);

/// How often the store is asked meanwhile: whoever was told to sign in from a terminal, and has done
/// so, must not be told the same once more.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(1);

impl Access {
    pub(super) fn refuse(&mut self, failure: SignInFailure, now: Moment) {
        self.looked_at = now.uptime;
        // What there was before somebody was asked for more is as good as ever.
        let kept = self.widening.take().is_some_and(|widening| !widening.alone);
        if kept {
            self.state = State::Idle;
            self.widening_failure = Some(failure);
        } else {
            let pause = match failure {
                // Nobody was asked for anything yet.
                SignInFailure::Transient { .. }
                | SignInFailure::Elsewhere { passing: true, .. } => self.backoff.next_wait(),
                _ => SIGN_IN_PAUSE,
            };
            self.state = State::Refused(failure, now.after(pause));
        }
    }

    /// Perhaps somebody has signed in elsewhere since.
    pub(super) fn look_elsewhere(&mut self, now: Moment, out: &mut Outbox<'_>) -> Readiness {
        let State::Refused(failure, until) = &self.state else { return Readiness::Wait };
        // Where the gateway refuses the tokens that there are, a sibling's renewal is no news: copies
        // that try each other's tokens would renew them without end.
        let hopeful = self.token().is_none() || matches!(failure, SignInFailure::Transient { .. });
        if !hopeful || !now.reached(self.looked_at.saturating_add(LOOK_ELSEWHERE)) {
            return Readiness::Refused(failure.clone());
        }
        self.looked_at = now.uptime;
        self.state = State::Looking(failure.clone(), *until);
        out.push(Effect::Store(StoreCommand::Load));
        Readiness::Wait
    }

    /// What the store says to that.
    pub(super) fn looked_elsewhere(&mut self, record: Option<Box<Record>>, now: Moment) {
        if self.is_newer(record.as_deref()) {
            self.adopt(record, Standing::Known, now);
        } else if let State::Looking(failure, until) = &self.state {
            self.state = State::Refused(failure.clone(), *until);
        }
    }
}
