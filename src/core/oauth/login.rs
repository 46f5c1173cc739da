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
//! | `ExpectRedirect` | the code (RFC 6749 §4.1.2) |
//! | `ExpectOldListener` | the port of a sign-in that another process began |
//! | `ExpectTokens` | the tokens (RFC 6749 §4.1.4) |
//! | `ExpectSaved` | nothing; only now the tokens may be used |

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::challenge::Challenge;
use super::discovery::{self, ServerMetadata};
use super::failure::SignInFailure;
use super::grant::{Grant, GrantAnswer};
use super::record::{Record, Registration};
use super::registration;
use crate::config::LoginOptions;
use crate::core::event::{HttpFailure, Notice, Page, RedirectCommand};
use crate::core::time::Moment;
use crate::secret::Secret;

mod claim;
mod discover;
mod redirect;
mod tokens;

pub use claim::{Claim, OpenSignIn};
pub use tokens::issued;

/// What a sign-in starts from.
#[derive(Clone, Debug)]
pub struct Start {
    /// The MCP endpoint.
    pub server: Url,
    /// The same as the user typed it: the name of the stored record.
    pub server_text: String,
    /// What the user chose.
    pub options: LoginOptions,
    /// What the gateway's 401 said.
    pub challenge: Option<Challenge>,
    /// What is stored of earlier sign-ins.
    pub known: Option<Box<Record>>,
}

/// What a sign-in waits for.
#[derive(Debug)]
pub enum Input {
    /// The answer to [`Step::Fetch`] or [`Step::Register`]: status, body.
    Fetched(Result<(u16, Bytes), HttpFailure>),
    /// The listener is bound; fresh random bytes come with it.
    Bound(u16, Box<[u8; 64]>),
    /// The listener could not be bound.
    BindFailed(String),
    /// A browser came to the redirect URI: its id, its query.
    Redirected(u64, Secret),
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
    ExpectResourceMetadata { left: Vec<Url> },
    ExpectServerMetadata(Box<ExpectServerMetadata>),
    ExpectListener(Box<Server>),
    ExpectPreflight(Box<ExpectPreflight>),
    ExpectRegistration(Box<ExpectRegistration>),
    ExpectRedirect(Box<ExpectRedirect>),
    ExpectOldListener(Box<ExpectRedirect>),
    ExpectTokens(Box<ExpectTokens>),
    ExpectSaved(Box<Record>, u64),
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

#[derive(Debug)]
struct ExpectServerMetadata {
    resource: Resource,
    /// The issuer that is being asked, and those after it.
    issuer: String,
    others: Vec<String>,
    left: Vec<Url>,
    asked: Url,
}

/// The authorization server, as its metadata describes it.
#[derive(Debug)]
struct Server {
    resource: Resource,
    metadata: ServerMetadata,
    authorization_endpoint: Url,
    token_endpoint: Url,
}

#[derive(Debug)]
struct ExpectPreflight {
    server: Server,
    client: Registration,
    entropy: Box<[u8; 64]>,
}

#[derive(Debug)]
struct ExpectRegistration {
    server: Server,
    redirect_uri: String,
    entropy: Box<[u8; 64]>,
}

#[derive(Debug)]
struct ExpectRedirect {
    server: Server,
    client: Registration,
    state: Secret,
    verifier: Secret,
    url: Url,
    deadline: Duration,
}

#[derive(Debug)]
struct ExpectTokens {
    server: Server,
    client: Registration,
    browser: u64,
}

impl Login {
    /// Starts a sign-in.
    pub fn new(start: Start, out: &mut Vec<Step>) -> Self {
        let advertised = start.challenge.as_ref().and_then(|c| c.resource_metadata.as_deref());
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
        Self { start, state: State::ExpectOldListener(Box::new(open.resume(now))) }
    }

    /// When the sign-in gives up on the person.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::ExpectRedirect(expect) => Some(expect.deadline),
            _ => None,
        }
    }

    /// Whether tokens are being issued or stored just now.
    pub fn expects_tokens(&self) -> bool {
        matches!(self.state, State::ExpectTokens(_) | State::ExpectSaved(..))
    }

    /// Where the person is expected to sign in, once that is known.
    pub fn url(&self) -> Option<&Url> {
        match &self.state {
            State::ExpectRedirect(expect) => Some(&expect.url),
            _ => None,
        }
    }

    /// The failure when [`Login::deadline`] has passed.
    pub fn timed_out(&self) -> SignInFailure {
        SignInFailure::TimedOut {
            seconds: self.start.options.timeout_seconds,
            url: self.url().map(Url::to_string).unwrap_or_default(),
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
                discover::server_metadata(&start, *expect, answer, out)?
            }
            (State::ExpectListener(server), Input::Bound(port, entropy)) => {
                listener(&start, *server, port, entropy, now, out)?
            }
            (State::ExpectListener(_), Input::BindFailed(reason)) => {
                return Err(SignInFailure::Local { reason });
            }
            (State::ExpectPreflight(expect), Input::Fetched(answer)) => {
                let ExpectPreflight { server, client, entropy } = *expect;
                if registration::is_forgotten(answer.as_ref()) {
                    register(&start, server, client.redirect_uri, entropy, out)?
                } else {
                    redirect::open(&start, server, client, &entropy, now, out)?
                }
            }
            (State::ExpectRegistration(expect), Input::Fetched(answer)) => {
                let (status, body) =
                    answer.map_err(|f| transient("the client registration", &f))?;
                let client = registration::answer(status, &body, &expect.redirect_uri)?;
                redirect::open(&start, expect.server, client, &expect.entropy, now, out)?
            }
            (State::ExpectOldListener(expect), Input::Bound(..)) => {
                out.push(Step::Tell(Notice::SignIn(expect.url.to_string())));
                State::ExpectRedirect(expect)
            }
            // Whoever has the port now, the browser will not come back to us.
            (State::ExpectOldListener(_), Input::BindFailed(_)) => {
                out.push(Step::Claim(None));
                return Ok(Self::new(start, out));
            }
            (State::ExpectRedirect(expect), Input::Redirected(id, query)) => {
                redirect::back(*expect, id, &query, out)?
            }
            (State::ExpectTokens(expect), Input::Granted(answer))
                if tokens::is_forgotten(&start, &expect.client, &answer) =>
            {
                let known = start.known.as_ref().map(|known| known.without_client());
                out.extend(known.clone().map(Step::Save));
                let why = "the server had forgotten this program; a new page opens".to_owned();
                out.push(answer_page(expect.browser, Page::Failed(why)));
                return Ok(Self::new(Start { known, ..start }, out));
            }
            (State::ExpectTokens(expect), Input::Granted(answer)) => {
                tokens::tokens(&start, *expect, *answer, now, out)?
            }
            (State::ExpectSaved(mut record, browser), Input::Saved(generation)) => {
                record.generation = generation;
                out.push(answer_page(browser, Page::SignedIn));
                out.push(Step::Redirect(RedirectCommand::Close));
                out.push(Step::Tell(Notice::SignedIn));
                out.push(Step::Done(record));
                State::Done
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

/// The ports to listen on, in order of preference: the one that is already registered, the one
/// that the user's allow-lists may know, any.
fn ports(start: &Start, issuer: &str) -> Vec<u16> {
    if let Some(port) = start.options.port {
        return vec![port];
    }
    let registered = start
        .known
        .as_ref()
        .filter(|known| known.issuer == issuer)
        .and_then(|known| Url::parse(&known.client.redirect_uri).ok())
        .and_then(|uri| uri.port());
    registered.into_iter().chain([start.options.preferred_port, 0]).collect()
}

fn listener(
    start: &Start,
    server: Server,
    port: u16,
    entropy: Box<[u8; 64]>,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let LoginOptions { redirect_host, callback_path, .. } = &start.options;
    let redirect_uri = format!("http://{redirect_host}:{port}{callback_path}");
    let known = start.known.as_ref().filter(|known| known.issuer == server.metadata.issuer);
    let valid = |client: &Registration| {
        client.redirect_uri == redirect_uri
            && client.secret_expires_at.is_none_or(|expires| now.unix < expires)
    };
    if let Some(client) = known.map(|known| &known.client).filter(|client| valid(client)) {
        // A server that has forgotten the client can only tell the person, in the browser, where
        // this program does not hear of it. So it is asked before.
        let client = client.clone();
        out.push(Step::Fetch(redirect::authorization_url(&server, &client, &entropy)?));
        return Ok(State::ExpectPreflight(Box::new(ExpectPreflight { server, client, entropy })));
    }
    register(start, server, redirect_uri, entropy, out)
}

fn register(
    start: &Start,
    server: Server,
    redirect_uri: String,
    entropy: Box<[u8; 64]>,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let Some(endpoint) = &server.metadata.registration_endpoint else {
        return Err(SignInFailure::ServerIncompatible {
            issuer: server.metadata.issuer,
            missing: "dynamic client registration (RFC 7591)",
        });
    };
    let endpoint = discovery::check_endpoint("registration_endpoint", endpoint, &start.server)?;
    let body =
        registration::request(&server.metadata, &redirect_uri, server.resource.scope.as_deref());
    out.push(Step::Register(endpoint, body));
    Ok(State::ExpectRegistration(Box::new(ExpectRegistration { server, redirect_uri, entropy })))
}

#[cfg(test)]
mod tests;
