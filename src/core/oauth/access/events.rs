//! What the world says, on its way to the sign-in or the renewal that waits for it.

use super::{Access, Standing, State};
use crate::config::Caller;
use crate::core::event::{
    Delivery, Effect, ExchangeId, FailureKind, GrantId, HttpEvent, HttpFailure, Notice,
    RedirectEvent, StoreEvent,
};
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::grant::GrantAnswer;
use crate::core::oauth::record::Record;
use crate::core::oauth::{login, refresh};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

impl Access {
    /// The answer to a document of a sign-in or a renewal; `false` if the exchange is not its own.
    pub fn http(
        &mut self,
        exchange: ExchangeId,
        event: &HttpEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        match &mut self.state {
            State::SigningIn(_, open) if *open == Some(exchange) => *open = None,
            State::Refreshing(..) if self.search == Some(exchange) => self.search = None,
            _ => return false,
        }
        let answer = match event {
            HttpEvent::Answered(head, body) => Ok((head.status, body.clone())),
            HttpEvent::Failed(failure) => Err(failure.clone()),
            HttpEvent::Opened(_)
            | HttpEvent::Message(_)
            | HttpEvent::Beat
            | HttpEvent::Part
            | HttpEvent::Ended => {
                out.push(Effect::Abort(exchange));
                Err(HttpFailure {
                    cause: "an event stream instead of a document".to_owned(),
                    delivery: Delivery::Unknown,
                    kind: FailureKind::Malformed,
                })
            }
        };
        match &self.state {
            State::SigningIn(..) => self.login(login::Input::Fetched(answer), now, out),
            _ => self.step_refresh(refresh::Input::Fetched(answer), now, out),
        }
        true
    }

    /// The token endpoint's answer.
    pub fn granted(
        &mut self,
        id: GrantId,
        answer: Box<GrantAnswer>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if id != self.grant {
            // It belongs to a sign-in that was given up.
            return;
        }
        match &self.state {
            State::SigningIn(..) => self.login(login::Input::Granted(answer), now, out),
            _ => self.step_refresh(refresh::Input::Granted(answer), now, out),
        }
    }

    /// News from the redirect listener.
    pub fn redirect(&mut self, event: RedirectEvent, now: Moment, out: &mut Outbox<'_>) {
        let input = match event {
            RedirectEvent::Bound { port, entropy } => login::Input::Bound(port, entropy),
            RedirectEvent::BindFailed(reason) => login::Input::BindFailed(reason),
            RedirectEvent::Redirected { id, query } => login::Input::Redirected(id, query),
            RedirectEvent::OpenFailed(reason) => {
                out.tell(Notice::NoBrowser(reason));
                return;
            }
            RedirectEvent::Gone if self.listen_again(now, out) => return,
            RedirectEvent::Gone if matches!(self.state, State::SigningIn(..)) => {
                let reason = "the redirect listener ended".to_owned();
                self.fail(SignInFailure::Local { reason }, now, out);
                return;
            }
            RedirectEvent::Gone => return,
        };
        self.login(input, now, out);
    }

    /// What of a stored record counts for whoever started this process.
    fn usable(&self, record: Option<Box<Record>>) -> Option<Box<Record>> {
        match (self.about.caller, record) {
            (Caller::Person { again: true }, Some(record)) => {
                Some(Box::new(Record { tokens: None, ..*record }))
            }
            (_, record) => record,
        }
    }

    /// The store's answer.
    pub fn store(&mut self, event: StoreEvent, now: Moment, out: &mut Outbox<'_>) {
        match event {
            StoreEvent::Leading(record, claim) => self.lead(record, claim, now, out),
            StoreEvent::Following(record, claim) => self.follow(record, claim, now, out),
            StoreEvent::Claimed => self.login(login::Input::Claimed, now, out),
            // The bridge's own.
            StoreEvent::Recalled(_) => {}
            StoreEvent::Told(notice) => out.tell(notice),
            StoreEvent::Loaded(record, _) if matches!(self.state, State::Looking(..)) => {
                self.looked_elsewhere(record, now);
            }
            StoreEvent::Loaded(record, warning) => {
                if let Some(warning) = warning {
                    out.tell(Notice::Warning(warning));
                }
                if matches!(self.state, State::Reading) {
                    self.adopt(self.usable(record), Standing::Known, now);
                }
            }
            StoreEvent::Locked(record) => {
                self.step_refresh(refresh::Input::Locked(record), now, out);
            }
            StoreEvent::Busy(reason) => {
                self.step_refresh(refresh::Input::Busy(reason), now, out);
            }
            StoreEvent::Overtaken(record) => {
                self.step_refresh(refresh::Input::Overtaken(record), now, out);
            }
            StoreEvent::Saved { generation, warning } => {
                if let Some(warning) = warning {
                    out.tell(Notice::Warning(warning));
                }
                match &self.state {
                    State::SigningIn(..) => self.login(login::Input::Saved(generation), now, out),
                    _ => self.step_refresh(refresh::Input::Saved(generation), now, out),
                }
            }
        }
    }
}
