//! What a gateway's answer says of the credential that went with the request.

use super::{Access, Standing, State, Why};
use crate::core::event::{Effect, StoreCommand};
use crate::core::oauth::challenge::Challenge;
use crate::core::oauth::failure::SignInFailure;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How often in a row tokens are renewed because they were refused, before a person is asked.
const MAX_REFUSALS: u8 = 2;

impl Access {
    /// A request went through.
    pub fn accepted(&mut self) {
        if self.standing == Standing::SignedIn && !self.has_login() {
            // The person who signed in has what they came for; the next window is another matter.
            self.worked |= self.window_at.take().is_some();
        }
        self.standing = Standing::Known;
        self.refusals = 0;
    }

    /// Tells the others that the sign-in has worked.
    pub(super) fn tell_worked(&mut self, out: &mut Outbox<'_>) {
        if std::mem::take(&mut self.worked) {
            out.push(Effect::Store(StoreCommand::Worked));
        }
    }

    /// A request was refused with 401, sent with the tokens of generation `used`.
    ///
    /// First the tokens are renewed; if the new ones are refused too, they are renewed once more,
    /// as a gateway in trouble may have lost those in the meantime; if these are refused as well,
    /// a person signs in; if even those tokens are refused, nothing that this program could do
    /// would help.
    pub fn challenged(
        &mut self,
        challenge: Option<Challenge>,
        used: Option<u64>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if let State::Refreshing(_, why @ Why::Early) = &mut self.state {
            // What is under way in good time turns out to be late: the old token is sent no more.
            if used == self.current.as_ref().map(|record| record.generation) {
                *why = Why::Needed(challenge);
            }
            return;
        }
        if self.has_login() && used == self.generation() {
            // While somebody is asked for more, what there was is refused. Where it can be renewed,
            // everything goes on with that, and the question has to wait; else all have to wait.
            if self.is_widening() && self.can_refresh() && !self.expects_tokens() {
                self.put_off_widening(now, out);
                self.refresh(Why::Needed(challenge), now, out);
            } else if let Some(widening) = &mut self.widening {
                widening.alone = true;
            }
            return;
        }
        let settled = matches!(self.state, State::Idle | State::Refused(..));
        if !settled || used != self.generation() {
            // Something is under way already, or newer tokens are there.
            return;
        }
        match self.standing(now) {
            Standing::SignedIn => {
                self.standing = Standing::Known;
                let failure = SignInFailure::FreshTokenRefused;
                // Whoever comes next must not open the next window at once.
                out.push(Effect::Store(StoreCommand::Claim(Some(self.failed(&failure, now)))));
                self.refuse(failure, now);
            }
            Standing::Known if self.can_refresh() => {
                self.refusals = 1;
                self.refresh(Why::Needed(challenge), now, out);
            }
            Standing::Renewed if self.can_refresh() && self.refusals < MAX_REFUSALS => {
                self.refusals += 1;
                self.refresh(Why::Needed(challenge), now, out);
            }
            Standing::Known | Standing::Renewed => self.sign_in(challenge, now, out),
        }
    }

    /// Something else than a request was refused. The tokens may be renewed for it, but nobody has
    /// to sign in, and no token is given up.
    pub fn refused_in_passing(&mut self, used: Option<u64>, now: Moment, out: &mut Outbox<'_>) {
        if matches!(self.state, State::Idle) && used == self.generation() && self.can_refresh() {
            self.refresh(Why::Early, now, out);
        }
    }
}
