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
//! | `ExpectRegistration` | the client id (RFC 7591) |
//! | `ExpectRedirect` | the code (RFC 6749 §4.1.2) |
//! | `ExpectTokens` | the tokens (RFC 6749 §4.1.4) |
//! | `ExpectSaved` | nothing; only now the tokens may be used |

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use url::Url;

use super::challenge::Challenge;
use super::discovery::{self, ResourceMetadata, ServerMetadata};
use super::failure::SignInFailure;
use super::grant::{Grant, GrantAnswer, GrantFailure, GrantKind, Granted};
use super::record::{Record, Registration, Tokens};
use super::registration;
use crate::config::LoginOptions;
use crate::core::event::{HttpFailure, Notice, Page, RedirectCommand};
use crate::core::time::Moment;
use crate::secret::Secret;

mod redirect;

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
    ExpectRegistration(Box<ExpectRegistration>),
    ExpectRedirect(Box<ExpectRedirect>),
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

    /// When the sign-in gives up on the person.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::ExpectRedirect(expect) => Some(expect.deadline),
            _ => None,
        }
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
                resource_metadata(&start, left, answer, out)?
            }
            (State::ExpectServerMetadata(expect), Input::Fetched(answer)) => {
                server_metadata(&start, *expect, answer, out)?
            }
            (State::ExpectListener(server), Input::Bound(port, entropy)) => {
                listener(&start, *server, port, entropy, now, out)?
            }
            (State::ExpectListener(_), Input::BindFailed(reason)) => {
                return Err(SignInFailure::Local { reason });
            }
            (State::ExpectRegistration(expect), Input::Fetched(answer)) => {
                let (status, body) =
                    answer.map_err(|f| transient("the client registration", &f))?;
                let client = registration::answer(status, &body, &expect.redirect_uri)?;
                redirect::open(&start, expect.server, client, &expect.entropy, now, out)?
            }
            (State::ExpectRedirect(expect), Input::Redirected(id, query)) => {
                redirect::back(*expect, id, &query, out)?
            }
            (State::ExpectTokens(expect), Input::Granted(answer)) => {
                tokens(&start, *expect, *answer, now, out)?
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

fn answer_page(id: u64, page: Page) -> Step {
    Step::Redirect(RedirectCommand::Answer { id, page })
}

fn transient(step: &'static str, failure: &HttpFailure) -> SignInFailure {
    SignInFailure::Transient { step, cause: failure.cause.clone() }
}

/// Reads a metadata answer: a document, or the news that there is none here.
///
/// A 5xx or a network failure is neither: to slide on to the next place would let an outage
/// choose the authorization server.
fn document<T: DeserializeOwned>(
    step: &'static str,
    answer: Result<(u16, Bytes), HttpFailure>,
) -> Result<Option<T>, SignInFailure> {
    let (status, body) = answer.map_err(|failure| transient(step, &failure))?;
    match status {
        200..=299 => Ok(serde_json::from_slice(&body).ok()),
        429 | 500.. => Err(SignInFailure::Transient { step, cause: format!("HTTP {status}") }),
        _ => Ok(None),
    }
}

fn resource_metadata(
    start: &Start,
    mut left: Vec<Url>,
    answer: Result<(u16, Bytes), HttpFailure>,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let metadata: Option<ResourceMetadata> = document("the protected-resource metadata", answer)?;
    let metadata = metadata
        .filter(|found| found.resource.is_some() || !found.authorization_servers.is_empty());
    let challenged = start.challenge.as_ref().and_then(|challenge| challenge.scope.clone());
    let (resource, issuers) = if let Some(metadata) = metadata {
        discovery::check_resource(&metadata, &start.server)?;
        let supported = metadata.scopes_supported.filter(|s| !s.is_empty()).map(|s| s.join(" "));
        let resource = Resource {
            id: start.options.resource.clone().or(metadata.resource),
            scope: challenged.or(supported),
            documented: true,
        };
        (resource, metadata.authorization_servers)
    } else {
        if let Some(url) = left.pop() {
            out.push(Step::Fetch(url));
            return Ok(State::ExpectResourceMetadata { left });
        }
        let id = start.options.resource.clone().or_else(|| Some(start.server_text.clone()));
        (Resource { id, scope: challenged, documented: false }, Vec::new())
    };
    // MCP 2025-03-26: without the document the server's origin is the authorization server.
    let origin = start.server.origin().ascii_serialization();
    let mut issuers = if issuers.is_empty() { vec![origin] } else { issuers };
    // An issuer that already knows this client comes first.
    if let Some(known) = &start.known {
        issuers.sort_by_key(|issuer| *issuer != known.issuer);
    }
    issuers.reverse();
    ask_issuer(start, resource, issuers, out)
}

/// Asks the last of `issuers` for its metadata.
fn ask_issuer(
    start: &Start,
    resource: Resource,
    mut issuers: Vec<String>,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let issuer = issuers.pop().unwrap_or_default();
    let url = discovery::check_endpoint("authorization_servers", &issuer, &start.server)?;
    let mut left = discovery::server_metadata_urls(&url);
    left.reverse();
    let asked = left.pop().unwrap_or(url);
    out.push(Step::Fetch(asked.clone()));
    Ok(State::ExpectServerMetadata(Box::new(ExpectServerMetadata {
        resource,
        issuer,
        others: issuers,
        left,
        asked,
    })))
}

fn server_metadata(
    start: &Start,
    mut expect: ExpectServerMetadata,
    answer: Result<(u16, Bytes), HttpFailure>,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let metadata: Option<ServerMetadata> = document("the authorization-server metadata", answer)?;
    let metadata = if let Some(metadata) = metadata {
        discovery::check_issuer(&metadata, &expect.issuer)?;
        let openid = expect.asked.path().contains("openid-configuration");
        if let Some(warning) = discovery::check_pkce(&metadata, openid)? {
            out.push(Step::Tell(Notice::Warning(warning)));
        }
        metadata
    } else {
        if let Some(url) = expect.left.pop() {
            expect.asked = url.clone();
            out.push(Step::Fetch(url));
            return Ok(State::ExpectServerMetadata(Box::new(expect)));
        }
        if !expect.others.is_empty() {
            return ask_issuer(start, expect.resource, expect.others, out);
        }
        if expect.resource.documented {
            return Err(SignInFailure::ServerIncompatible {
                issuer: expect.issuer,
                missing: "its metadata at any of the places where the standards look for it",
            });
        }
        ServerMetadata::without_document(&expect.issuer)
    };
    let endpoint = |name: &'static str, url: &Option<String>| match url {
        Some(url) => discovery::check_endpoint(name, url, &start.server),
        None => Err(SignInFailure::ServerIncompatible {
            issuer: metadata.issuer.clone(),
            missing: if name == "token_endpoint" {
                "a token endpoint"
            } else {
                "an authorization endpoint"
            },
        }),
    };
    let server = Server {
        authorization_endpoint: endpoint(
            "authorization_endpoint",
            &metadata.authorization_endpoint,
        )?,
        token_endpoint: endpoint("token_endpoint", &metadata.token_endpoint)?,
        resource: expect.resource,
        metadata,
    };
    out.push(Step::Redirect(RedirectCommand::Bind {
        ports: ports(start, &server.metadata.issuer),
        path: start.options.callback_path.clone(),
        host: start.options.redirect_host.clone(),
    }));
    Ok(State::ExpectListener(Box::new(server)))
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
        return redirect::open(start, server, client.clone(), &entropy, now, out);
    }
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

fn tokens(
    start: &Start,
    expect: ExpectTokens,
    answer: GrantAnswer,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let granted = answer.map_err(|failure| {
        let failure = grant_failure(failure);
        out.push(answer_page(expect.browser, Page::Failed(failure.to_string())));
        failure
    })?;
    let record = Box::new(Record {
        version: 1,
        generation: start.known.as_ref().map_or(0, |known| known.generation) + 1,
        server: start.server_text.clone(),
        issuer: expect.server.metadata.issuer,
        token_endpoint: expect.server.token_endpoint.into(),
        client: expect.client,
        resource: expect.server.resource.id,
        tokens: Some(issued(granted, None, expect.server.resource.scope, now)),
    });
    out.push(Step::Save(record.clone()));
    Ok(State::ExpectSaved(record, expect.browser))
}

/// The tokens to keep after a grant; what the answer leaves out stays as it was
/// (RFC 6749 §5.1, §6).
pub fn issued(
    granted: Granted,
    refresh: Option<Secret>,
    scope: Option<String>,
    now: Moment,
) -> Tokens {
    Tokens {
        access: granted.access,
        refresh: granted.refresh.or(refresh),
        scope: granted.scope.or(scope),
        obtained_at: now.unix,
        expires_at: granted.expires_in.map(|seconds| now.unix.saturating_add(seconds)),
    }
}

fn grant_failure(failure: GrantFailure) -> SignInFailure {
    let step = "the token request";
    match failure {
        GrantFailure::Refused { error, description } => {
            SignInFailure::Refused { step, error, description }
        }
        GrantFailure::Transient(cause) | GrantFailure::AnswerLost(cause) => {
            SignInFailure::Transient { step, cause }
        }
        GrantFailure::Malformed(got) => SignInFailure::ServerMisbehaved {
            subject: "the token endpoint".to_owned(),
            got: format!("answered {got}"),
            expected: "a token (RFC 6749 §5.1)".to_owned(),
        },
    }
}

/// What a grant asks for after the redirect.
fn code_grant(expect: &ExpectRedirect, code: String) -> Grant {
    Grant {
        token_endpoint: expect.server.token_endpoint.clone(),
        client: expect.client.clone(),
        resource: expect.server.resource.id.clone(),
        kind: GrantKind::Code { code: Secret::new(code), verifier: expect.verifier.clone() },
    }
}

#[cfg(test)]
mod tests;
