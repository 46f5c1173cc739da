//! The sign-in, as one of the things that an [`Access`] does.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use url::Url;

use super::{About, Access, Standing, State};
use crate::config::Caller;
use crate::core::event::{Effect, Expect, Notice, RedirectCommand, Request, StoreCommand};
use crate::core::oauth::challenge::Challenge;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::login::{self, Claim, Goal, Login, OpenSignIn};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::secret::Secret;

impl Access {
    /// Starts a sign-in, or goes on with one whose process is gone.
    pub(super) fn start_login(
        &mut self,
        challenge: Option<Challenge>,
        open: Option<Box<OpenSignIn>>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let start = self.start(Goal::Tokens, challenge, now);
        let mut steps = Vec::new();
        let login = match open {
            Some(open) => Login::resume(start, open, now, &mut steps),
            None => Login::new(start, &mut steps),
        };
        self.state = State::SigningIn(Box::new(login), None);
        self.perform_login(steps, now, out);
    }

    /// What a sign-in, or a search for the authorization server, starts from.
    pub(super) fn start(
        &self,
        goal: Goal,
        challenge: Option<Challenge>,
        now: Moment,
    ) -> login::Start {
        let About { server, server_text, options, .. } = self.about.clone();
        // With `login --force` a configured client may belong to another server by now.
        let anew = options.client.is_some() && self.about.caller == Caller::Person { again: true };
        let known = self.current.clone().filter(|_| !anew);
        let scope = self.widening.as_ref().and_then(|widening| widening.scope.clone());
        let window = self.may_open_window(now);
        login::Start { goal, server, server_text, options, challenge, known, scope, window }
    }

    pub(super) fn login(&mut self, input: login::Input, now: Moment, out: &mut Outbox<'_>) {
        let (login, exchange) = match std::mem::replace(&mut self.state, State::Idle) {
            State::SigningIn(login, exchange) => (login, exchange),
            other => {
                self.state = other;
                return;
            }
        };
        let mut steps = Vec::new();
        let (asked, challenge) = (login.has_asked(), login.challenge());
        match login.handle(input, now, &mut steps) {
            Ok(login) => {
                self.state = State::SigningIn(Box::new(login), exchange);
                self.perform_login(steps, now, out);
            }
            Err(failure) => {
                self.perform_login(steps, now, out);
                let passing = matches!(failure, SignInFailure::Transient { .. }) && !asked;
                if passing && self.begin_again(challenge, &failure, now, out) {
                    out.push(Effect::Redirect(RedirectCommand::Close));
                    return;
                }
                self.fail(failure, now, out);
            }
        }
    }

    /// Looks where the person was sent, or gives up on them.
    pub(super) fn login_is_due(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let State::SigningIn(login, exchange) = &mut self.state else { return };
        let mut steps = Vec::new();
        if login.look(now, &mut steps) {
            return self.perform_login(steps, now, out);
        }
        if let Some(exchange) = exchange {
            out.push(Effect::Abort(*exchange));
        }
        let failure = login.timed_out();
        // Perhaps the person saw nothing but an error page, because the server has forgotten the
        // client.
        if let Some(record) = &self.current {
            out.push(Effect::Store(StoreCommand::Doubt(record.generation)));
        }
        self.fail(failure, now, out);
    }

    pub(super) fn fail(&mut self, failure: SignInFailure, now: Moment, out: &mut Outbox<'_>) {
        let denied =
            matches!(&failure, SignInFailure::Refused { error, .. } if error == "access_denied");
        if denied && self.window_at.is_some_and(|at| at.saturating_add(HUMAN) <= now.unix) {
            // Somebody was there, and may change their mind.
            self.window_at = None;
        }
        if matches!(failure, SignInFailure::Refused { .. }) {
            self.widening_decided();
        }
        out.push(Effect::Redirect(RedirectCommand::Close));
        self.resign(&failure, now, out);
        out.tell(Notice::Failed(Box::new(failure.clone().into())));
        self.refuse(failure, now);
    }

    /// Tells the processes that follow that there will be no tokens.
    pub(super) fn resign(&self, failure: &SignInFailure, now: Moment, out: &mut Outbox<'_>) {
        out.push(Effect::Store(StoreCommand::Resign(Some(self.failed(failure, now)))));
    }

    /// What the others will find.
    pub(super) fn failed(&self, failure: &SignInFailure, now: Moment) -> Claim {
        let passing = matches!(failure, SignInFailure::Transient { .. });
        let reason = failure.to_string();
        Claim::Failed { reason, at: now.unix, window_at: self.window_at, passing }
    }

    /// Whether the last window is long enough ago. A clock that was set back is no reason to wait.
    fn may_open_window(&self, now: Moment) -> bool {
        let asked_for = matches!(self.about.caller, Caller::Person { .. });
        let is_due = |at: u64| now.unix < at || at.saturating_add(WINDOW_PAUSE) <= now.unix;
        asked_for || self.window_at.is_none_or(is_due)
    }

    fn perform_login(&mut self, steps: Vec<login::Step>, now: Moment, out: &mut Outbox<'_>) {
        for step in steps {
            let request = match step {
                login::Step::Fetch(url) => document(Method::GET, url, None),
                login::Step::Register(url, body) => document(Method::POST, url, Some(body)),
                login::Step::Form(url, authorization, body) => form(url, authorization, &body),
                login::Step::Redirect(command) => {
                    if matches!(command, RedirectCommand::Open(_)) {
                        self.window_at = Some(now.unix);
                    }
                    out.push(Effect::Redirect(command));
                    continue;
                }
                login::Step::Grant(grant) => {
                    out.push(Effect::Grant(self.next_grant(), grant));
                    continue;
                }
                login::Step::Save(record) => {
                    out.push(Effect::Store(StoreCommand::Save(record)));
                    continue;
                }
                login::Step::Tell(notice) => {
                    out.tell(notice);
                    continue;
                }
                login::Step::Claim(claim) => {
                    out.push(Effect::Store(StoreCommand::Claim(claim)));
                    continue;
                }
                login::Step::Done(record) => {
                    self.widening_decided();
                    // Whether it has worked is seen when the gateway takes the tokens.
                    let window = self.window_at.map(Claim::window);
                    out.push(Effect::Store(StoreCommand::Resign(window)));
                    self.adopt(Some(record), Standing::SignedIn, now);
                    continue;
                }
            };
            let exchange = out.start(request);
            if let State::SigningIn(_, open) = &mut self.state {
                *open = Some(exchange);
            }
        }
    }
}

/// Who says no sooner than this, in seconds, is no person.
const HUMAN: u64 = 3;

/// How long after one browser window no other one opens by itself, in seconds: a host that restarts
/// us in a loop must not fill a person's screen. Until then the address is only told.
const WINDOW_PAUSE: u64 = 300;

/// A form for the authorization server, with the client's credentials.
fn form(url: Url, authorization: Option<HeaderValue>, body: &Secret) -> Request {
    let body = bytes::Bytes::from(body.expose().to_owned());
    let mut request = document(Method::POST, url, Some(body));
    let content = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers.insert(CONTENT_TYPE, content);
    if let Some(mut value) = authorization {
        value.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, value);
    }
    request
}

/// A request for one of the sign-in's documents: no credential, no configured header goes there.
pub(super) fn document(method: Method, url: Url, body: Option<bytes::Bytes>) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    } else {
        // MCP 2025-03-26 asks for it on metadata requests; others ignore it.
        headers.insert("mcp-protocol-version", HeaderValue::from_static("2025-11-25"));
    }
    Request { method, url, headers, body, expect: Expect::Document }
}
