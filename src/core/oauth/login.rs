//! One sign-in, from the challenge to stored tokens, as a machine without IO.
//!
//! Each state is named after what comes next and holds exactly what is known then. Inputs consume
//! the state; what is to be done goes out as [`Step`]s.
//!
//! | state | next |
//! |---|---|
//! | `ExpectResourceMetadata` | which authorization server (RFC 9728) |
//! | `ExpectServerMetadata` | its endpoints (RFC 8414) |
//! | `ExpectListener` | the port of the redirect URI (RFC 8252 §7.3) |
//! | `ExpectPreflight` | whether the server still knows the stored client |
//! | `ExpectRegistration` | the client id (RFC 7591) |
//! | `ExpectClaimed` | that the other processes know of the window that opens now |
//! | `ExpectRedirect` | the code (RFC 6749 §4.1.2) |
//! | `ExpectOldListener` | the port of a sign-in that another process began |
//! | `ExpectDeviceCode` | the code that a person enters elsewhere (RFC 8628 §3.2) |
//! | `ExpectDevice` | that the person has done so (RFC 8628 §3.5) |
//! | `ExpectTokens` | the tokens (RFC 6749 §4.1.4, §4.4.3) |
//! | `ExpectSaved` | nothing; only now the tokens may be used |

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use url::Url;

use super::challenge::Challenge;
use super::discovery;
use super::failure::SignInFailure;
use super::grant::{Grant, GrantAnswer};
use super::metadata::ServerMetadata;
use super::record::Record;
use crate::config::{LoginOptions, Way};
use crate::core::event::{HttpFailure, Notice, Page, RedirectCommand};
use crate::core::time::Moment;
use crate::secret::Secret;

mod answer;
mod claim;
mod client;
mod device;
mod discover;
mod machine;
mod redirect;
mod search;
mod tokens;

pub use claim::{Claim, OpenSignIn};
pub use client::browsers_refuse;
pub use search::{Progress, Search};
pub use tokens::issued;

use client::ExpectRegistration;
use device::{ExpectDevice, ExpectDeviceCode};
use redirect::{ExpectPreflight, ExpectRedirect};
use tokens::ExpectTokens;

/// How far a sign-in goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// All the way.
    Tokens,
    /// Only until it is known where tokens are issued; nobody is asked for anything.
    Server,
}

/// What a sign-in starts from.
#[derive(Clone, Debug)]
pub struct Start {
    /// How far it goes.
    pub goal: Goal,
    /// The MCP endpoint.
    pub server: Url,
    /// The same as the user typed it: the name of the stored record.
    pub server_text: String,
    /// What the user chose.
    pub options: LoginOptions,
    /// What the gateway's 401 or 403 said.
    pub challenge: Option<Challenge>,
    /// What is stored of earlier sign-ins.
    pub known: Option<Box<Record>>,
    /// The scope to ask for when the one that was granted is not enough.
    pub scope: Option<String>,
    /// Whether a browser window may open; without, the address is only told.
    pub window: bool,
}

/// Fresh random bytes of one sign-in: for two authorization requests, the second of which is sent
/// only if the server did not understand the first.
pub type Entropy = Box<[u8; 128]>;

/// What a sign-in waits for.
#[derive(Debug)]
pub enum Input {
    /// The answer to [`Step::Fetch`], [`Step::Register`] or [`Step::Form`]: status, body.
    Fetched(Result<(u16, Bytes), HttpFailure>),
    /// The listener is bound; fresh random bytes come with it.
    Bound(u16, Entropy),
    /// The listener could not be bound.
    BindFailed(String),
    /// A browser came to the redirect URI: its id, its query.
    Redirected(u64, Secret),
    /// The other processes can read what [`Step::Claim`] said.
    Claimed,
    /// The token endpoint's answer.
    Granted(Box<GrantAnswer>),
    /// The record is stored under this generation.
    Saved(u64),
}

/// What a sign-in asks for.
#[derive(Debug)]
pub enum Step {
    /// GET this document.
    Fetch(Url),
    /// POST this JSON.
    Register(Url, Bytes),
    /// POST this form, with this `Authorization`.
    Form(Url, Option<HeaderValue>, Secret),
    /// Ask the redirect listener.
    Redirect(RedirectCommand),
    /// Ask the token endpoint.
    Grant(Box<Grant>),
    /// Tell the other processes.
    Claim(Option<Claim>),
    /// Store this, before anyone uses it.
    Save(Box<Record>),
    /// Tell a person.
    Tell(Notice),
    /// It worked.
    Done(Box<Record>),
}

/// A sign-in under way.
#[derive(Debug)]
pub struct Login {
    start: Start,
    state: State,
}

#[derive(Debug)]
enum State {
    ExpectResourceMetadata {
        left: Vec<Url>,
    },
    ExpectServerMetadata(Box<discover::ExpectServerMetadata>),
    /// All that a search is for.
    Found(Box<Server>),
    ExpectListener(Box<Server>),
    ExpectPreflight(Box<ExpectPreflight>),
    ExpectRegistration(Box<ExpectRegistration>),
    ExpectClaimed(Box<ExpectRedirect>),
    ExpectRedirect(Box<ExpectRedirect>),
    ExpectOldListener(Box<ExpectRedirect>),
    ExpectDeviceCode(Box<ExpectDeviceCode>),
    ExpectDevice(Box<ExpectDevice>),
    ExpectTokens(Box<ExpectTokens>),
    /// Holds the browser that waits for its page, if there is one.
    ExpectSaved(Box<Record>, Option<u64>),
    Done,
}

/// Where the protected-resource metadata leads.
#[derive(Clone, Debug)]
struct Resource {
    /// The `resource` parameter.
    id: Option<String>,
    scope: Option<String>,
    /// Whether a document said so, or the server's origin stands in for one.
    documented: bool,
}

/// The authorization server, as its metadata describes it.
#[derive(Debug)]
struct Server {
    resource: Resource,
    metadata: ServerMetadata,
    token_endpoint: Url,
}

impl Login {
    /// Starts a sign-in.
    pub fn new(start: Start, out: &mut Vec<Step>) -> Self {
        if let Way::Client { token_endpoint: Some(endpoint) } = &start.options.way {
            let server = machine::server_without_metadata(&start, endpoint);
            let state = machine::ask(&start, server, out);
            return Self { start, state };
        }
        let advertised = start.challenge.as_ref().and_then(|c| c.resource_metadata.as_deref());
        if let Some(url) = advertised.filter(|url| !discovery::is_at_home(url, &start.server)) {
            // An answer of the gateway must not make us ask just any machine.
            out.push(Step::Tell(Notice::Warning(format!(
                "the gateway names metadata at `{url}`, which is another origin: it is not asked"
            ))));
        }
        let mut left = discovery::resource_metadata_urls(&start.server, advertised);
        left.reverse();
        if let Some(url) = left.pop() {
            out.push(Step::Fetch(url));
        }
        Self { start, state: State::ExpectResourceMetadata { left } }
    }

    /// Goes on with a sign-in whose browser window is open already: no second one opens.
    pub fn resume(start: Start, open: Box<OpenSignIn>, now: Moment, out: &mut Vec<Step>) -> Self {
        let Some(port) = open.port() else { return Self::new(start, out) };
        out.push(Step::Redirect(bind(&start, vec![port])));
        let expect = Box::new(open.resume(&start, now));
        Self { start, state: State::ExpectOldListener(expect) }
    }

    /// All that is needed to go on with it later, while its page is open.
    pub fn open(&self, window_at: Option<u64>, now: Moment) -> Option<Box<OpenSignIn>> {
        match &self.state {
            State::ExpectClaimed(expect) | State::ExpectRedirect(expect) => {
                Some(Box::new(OpenSignIn::new(&self.start, expect, window_at, now)))
            }
            _ => None,
        }
    }

    /// Whether somebody was asked for something, or is about to be.
    pub fn has_asked(&self) -> bool {
        match &self.state {
            State::ExpectClaimed(_)
            | State::ExpectRedirect(_)
            | State::ExpectOldListener(_)
            | State::ExpectDevice(_)
            | State::ExpectSaved(..) => true,
            State::ExpectTokens(expect) => expect.browser.is_some(),
            _ => false,
        }
    }

    /// What the gateway's 401 or 403 said.
    pub fn challenge(&self) -> Option<Challenge> {
        self.start.challenge.clone()
    }

    /// When something is due: to look where the person was sent, or to give up on them.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::ExpectClaimed(expect) => Some(expect.deadline),
            State::ExpectRedirect(expect) => {
                Some(expect.look_at.map_or(expect.deadline, |look| look.min(expect.deadline)))
            }
            _ => None,
        }
    }

    /// Looks once where the person was sent, when it is time; `false` if it is time to give up.
    pub fn look(&mut self, now: Moment, out: &mut Vec<Step>) -> bool {
        match &mut self.state {
            State::ExpectRedirect(expect) if !now.reached(expect.deadline) => {
                expect.look_at = None;
                out.push(Step::Fetch(expect.url.clone()));
                true
            }
            _ => false,
        }
    }

    /// Whether tokens are being issued or stored just now.
    pub fn expects_tokens(&self) -> bool {
        matches!(self.state, State::ExpectTokens(_) | State::ExpectSaved(..))
    }

    /// Where the person is expected to sign in, and with which code, once that is known.
    pub fn invitation(&self) -> Option<&str> {
        match &self.state {
            State::ExpectRedirect(expect) => Some(expect.url.as_str()),
            State::ExpectDevice(expect) => Some(&expect.invitation),
            _ => None,
        }
    }

    /// The failure when [`Login::deadline`] has passed.
    pub fn timed_out(&self) -> SignInFailure {
        SignInFailure::TimedOut {
            seconds: self.start.options.timeout_seconds,
            url: self.invitation().unwrap_or_default().to_owned(),
        }
    }

    /// Takes the next input.
    pub fn handle(
        self,
        input: Input,
        now: Moment,
        out: &mut Vec<Step>,
    ) -> Result<Self, SignInFailure> {
        let Self { start, state } = self;
        let state = match (state, input) {
            (State::ExpectResourceMetadata { left }, Input::Fetched(answer)) => {
                discover::resource_metadata(&start, left, answer, out)?
            }
            (State::ExpectServerMetadata(expect), Input::Fetched(answer)) => {
                discover::server_metadata(&start, *expect, answer, now, out)?
            }
            (State::ExpectListener(server), Input::Bound(port, entropy)) => {
                redirect::bound(&start, *server, port, entropy, now, out)?
            }
            (State::ExpectListener(_), Input::BindFailed(reason)) => {
                return Err(SignInFailure::Local { reason });
            }
            (State::ExpectPreflight(expect), Input::Fetched(answer)) => {
                redirect::checked(&start, *expect, &answer, now, out)?
            }
            (State::ExpectRegistration(expect), Input::Fetched(answer)) => {
                client::registered(&start, *expect, answer, now, out)?
            }
            (State::ExpectOldListener(expect), Input::Bound(_, entropy)) => {
                out.push(Step::Tell(Notice::SignIn(expect.url.to_string())));
                State::ExpectRedirect(Box::new(ExpectRedirect {
                    entropy: Some(entropy),
                    ..*expect
                }))
            }
            // Whoever has the port now, the browser will not come back to us.
            (State::ExpectOldListener(_), Input::BindFailed(_)) => {
                out.push(Step::Claim(None));
                return Ok(Self::new(start, out));
            }
            (State::ExpectClaimed(expect), Input::Claimed) => {
                redirect::claimed(&start, &expect, out);
                State::ExpectRedirect(expect)
            }
            (State::ExpectRedirect(expect), Input::Redirected(id, query)) => {
                answer::back(&start, *expect, id, &query, now, out)?
            }
            (State::ExpectRedirect(expect), Input::Fetched(answer)) => {
                redirect::looked(&expect, &answer)?;
                State::ExpectRedirect(expect)
            }
            (State::ExpectDeviceCode(expect), Input::Fetched(answer)) => {
                device::invited(&start, *expect, answer, now, out)?
            }
            (State::ExpectDevice(expect), Input::Granted(answer)) => {
                device::polled(&start, *expect, *answer, now, out)?
            }
            (State::ExpectTokens(expect), Input::Granted(answer))
                if tokens::is_forgotten(&start, &expect.client, &answer) =>
            {
                if let Some(browser) = expect.browser {
                    let why = "the server had forgotten this program; a new page opens";
                    out.push(answer_page(browser, Page::Failed(why.to_owned())));
                }
                return Ok(Self::new(without_client(start), out));
            }
            (State::ExpectTokens(mut expect), Input::Granted(answer)) => {
                if tokens::without_resource(&mut expect, &answer, out)
                    || tokens::once_more(&mut expect, &answer, out)
                {
                    State::ExpectTokens(expect)
                } else {
                    tokens::tokens(&start, *expect, *answer, now, out)?
                }
            }
            (State::ExpectSaved(record, browser), Input::Saved(generation)) => {
                tokens::saved(&start, record, browser, generation, out)
            }
            // A second tab while the first one's code is being traded.
            (state, Input::Redirected(id, _)) => {
                out.push(answer_page(id, Page::Stale));
                state
            }
            // Late news of something that no state waits for any more.
            (state, _) => state,
        };
        Ok(Self { start, state })
    }
}

/// The server has forgotten the client: another one is registered, and the person, who is there
/// just now, may see another window. What is stored stays until there are tokens.
fn without_client(start: Start) -> Start {
    let known = start.known.as_ref().map(|known| known.without_client());
    Start { known, window: true, ..start }
}

fn bind(start: &Start, ports: Vec<u16>) -> RedirectCommand {
    RedirectCommand::Bind {
        ports,
        path: start.options.callback_path.clone(),
        host: start.options.redirect_host.clone(),
    }
}

fn answer_page(id: u64, page: Page) -> Step {
    Step::Redirect(RedirectCommand::Answer { id, page })
}

fn transient(step: &'static str, failure: &HttpFailure) -> SignInFailure {
    SignInFailure::Transient { step, cause: failure.cause.clone() }
}

#[cfg(test)]
mod tests;
