//! From the challenge to the authorization server's endpoints.

use bytes::Bytes;
use url::Url;

use super::{Goal, Resource, Server, Start, State, Step, bind, client, device, machine, transient};
use crate::config::{ResourceParameter, Way};
use crate::core::event::{Delivery, HttpFailure, Notice};
use crate::core::oauth::discovery;
use crate::core::oauth::failure::SignInFailure;
use crate::core::oauth::metadata::{ResourceMetadata, ServerMetadata};
use crate::core::time::Moment;

/// The scope of OpenID for a refresh token (OpenID Connect Core §11).
const OFFLINE: &str = "offline_access";

#[derive(Debug)]
pub(super) struct ExpectServerMetadata {
    resource: Resource,
    /// The issuer that is being asked, and those after it.
    issuer: String,
    others: Vec<String>,
    left: Vec<Url>,
    asked: Url,
    /// Why the first of several issuers cannot be used.
    failure: Option<SignInFailure>,
}

/// Reads a metadata answer: a document, or the news that there is none here.
///
/// A 5xx or a network failure is neither: to slide on to the next place would let an outage
/// choose the authorization server.
fn document<T>(
    step: &'static str,
    answer: Result<(u16, Bytes), HttpFailure>,
    read: fn(&[u8]) -> Option<T>,
) -> Result<Option<T>, SignInFailure> {
    let (status, body) = answer.map_err(|failure| transient(step, &failure))?;
    match status {
        200..=299 => Ok(read(&body)),
        429 | 500.. => Err(SignInFailure::Transient { step, cause: format!("HTTP {status}") }),
        _ => Ok(None),
    }
}

pub(super) fn resource_metadata(
    start: &Start,
    mut left: Vec<Url>,
    answer: Result<(u16, Bytes), HttpFailure>,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let step = "the protected-resource metadata";
    let metadata = document(step, answer, ResourceMetadata::read)?;
    let documented = metadata.is_some();
    let metadata = match metadata {
        Some(metadata) => {
            let right = discovery::check_resource(&metadata, &start.server);
            tolerate(start.options.tolerance.resource, right, out)?;
            if metadata.authorization_servers.as_ref().is_some_and(Vec::is_empty) {
                return Err(SignInFailure::ServerMisbehaved {
                    subject: "the protected-resource metadata".to_owned(),
                    got: "names no authorization server".to_owned(),
                    expected: "at least one in `authorization_servers`".to_owned(),
                });
            }
            metadata
        }
        None => match left.pop() {
            Some(url) => {
                out.push(Step::Fetch(url));
                return Ok(State::ExpectResourceMetadata { left });
            }
            None => ResourceMetadata::default(),
        },
    };
    let resource = Resource {
        id: match &start.options.resource {
            // MCP 2025-06-18 wants the parameter whether or not anybody asks for it.
            ResourceParameter::Announced => metadata.resource.or_else(|| Some(own(start))),
            ResourceParameter::Fixed(resource) => Some(resource.clone()),
            ResourceParameter::Omitted => None,
        },
        scope: scope(start, metadata.scopes_supported),
        documented,
    };
    // MCP 2025-03-26: without the document the server's origin is the authorization server.
    let origin = start.server.origin().ascii_serialization();
    let mut issuers = metadata.authorization_servers.unwrap_or_else(|| vec![origin]);
    // An issuer that already knows this client comes first.
    if let Some(known) = &start.known {
        issuers.sort_by_key(|issuer| *issuer != known.issuer);
        // Whoever has issued the tokens is not passed over because of an outage.
        let is_known = |issuer: &String| discovery::same_issuer(issuer, &known.issuer);
        if start.goal == Goal::Server && issuers.iter().any(is_known) {
            issuers.retain(is_known);
        }
    }
    issuers.reverse();
    ask_issuer(start, resource, issuers, None, out)
}

/// What is wrong is only told, where the user knows better.
fn tolerate(
    allowed: bool,
    checked: Result<(), SignInFailure>,
    out: &mut Vec<Step>,
) -> Result<(), SignInFailure> {
    match checked {
        Err(failure) if allowed => out.push(Step::Tell(Notice::Warning(failure.to_string()))),
        checked => return checked,
    }
    Ok(())
}

/// The identifier of the endpoint itself, as it was typed; a fragment is none of it (RFC 8707 §2).
fn own(start: &Start) -> String {
    start.server_text.split('#').next().unwrap_or_default().to_owned()
}

/// What to ask for, in the order of MCP 2025-11-25: what the user has fixed, what is missing, what
/// the challenge names, all that there is, nothing.
fn scope(start: &Start, supported: Option<Vec<String>>) -> Option<String> {
    let challenged = start.challenge.as_ref().and_then(|challenge| challenge.scope.clone());
    start
        .options
        .scope()
        .map(str::to_owned)
        .or_else(|| start.scope.clone())
        .or(challenged)
        .or_else(|| supported.filter(|scopes| !scopes.is_empty()).map(|scopes| scopes.join(" ")))
        .filter(|scope| !scope.is_empty())
}

/// Asks the last of `issuers` for its metadata.
fn ask_issuer(
    start: &Start,
    resource: Resource,
    mut issuers: Vec<String>,
    failure: Option<SignInFailure>,
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
        failure,
    })))
}

pub(super) fn server_metadata(
    start: &Start,
    mut expect: ExpectServerMetadata,
    answer: Result<(u16, Bytes), HttpFailure>,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    // Nobody is there at all: one of several servers may be switched off for good.
    let absent = matches!(&answer, Err(HttpFailure { delivery: Delivery::NotDelivered, .. }));
    let metadata = match document("the authorization-server metadata", answer, ServerMetadata::read)
    {
        Ok(metadata) => metadata,
        Err(failure) if absent && !expect.others.is_empty() => {
            return next_issuer(start, expect, failure, out);
        }
        Err(failure) => return Err(failure),
    };
    let found = if let Some(metadata) = metadata {
        usable(start, &expect, metadata, out)
    } else if let Some(url) = expect.left.pop() {
        expect.asked = url.clone();
        out.push(Step::Fetch(url));
        return Ok(State::ExpectServerMetadata(Box::new(expect)));
    } else if expect.resource.documented {
        Err(SignInFailure::ServerIncompatible {
            issuer: expect.issuer.clone(),
            missing: "its metadata at any of the places where the standards look for it",
        })
    } else {
        Ok(ServerMetadata::without_document(&expect.issuer))
    };
    let found = found.and_then(|metadata| {
        let token_endpoint = endpoint(start, &metadata, "token_endpoint")?;
        Ok((metadata, token_endpoint))
    });
    match found {
        Ok((metadata, token_endpoint)) => {
            let mut server = Server { resource: expect.resource, metadata, token_endpoint };
            add_offline(start, &mut server);
            begin(start, server, now, out)
        }
        Err(failure) => next_issuer(start, expect, failure, out),
    }
}

/// Another issuer, if there is one; otherwise the first one's failure says more.
fn next_issuer(
    start: &Start,
    expect: ExpectServerMetadata,
    failure: SignInFailure,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    let failure = expect.failure.unwrap_or(failure);
    if expect.others.is_empty() {
        return Err(failure);
    }
    ask_issuer(start, expect.resource, expect.others, Some(failure), out)
}

/// Whether the document can be believed and used.
fn usable(
    start: &Start,
    expect: &ExpectServerMetadata,
    metadata: ServerMetadata,
    out: &mut Vec<Step>,
) -> Result<ServerMetadata, SignInFailure> {
    let tolerance = start.options.tolerance;
    tolerate(tolerance.issuer, discovery::check_issuer(&metadata, &expect.issuer), out)?;
    let openid = expect.asked.path().contains("openid-configuration");
    // Where nobody is sent there is nothing to protect.
    if start.goal == Goal::Tokens
        && start.options.way == Way::Browser
        && !device::is_wanted(start, &metadata)
        && let Some(warning) = discovery::check_pkce(&metadata, openid || tolerance.pkce)?
    {
        out.push(Step::Tell(Notice::Warning(warning)));
    }
    Ok(metadata)
}

/// Goes on with the way that was chosen.
fn begin(
    start: &Start,
    server: Server,
    now: Moment,
    out: &mut Vec<Step>,
) -> Result<State, SignInFailure> {
    if start.goal == Goal::Server {
        return Ok(State::Found(Box::new(server)));
    }
    client::check_home(start, &server.metadata)?;
    if let Way::Client { .. } = start.options.way {
        return Ok(machine::ask(start, server, out));
    }
    if device::is_wanted(start, &server.metadata) {
        return device::begin(start, server, now, out);
    }
    // Before a listener is bound for it.
    endpoint(start, &server.metadata, "authorization_endpoint")?;
    out.push(Step::Redirect(bind(start, client::ports(start, &server.metadata))));
    Ok(State::ExpectListener(Box::new(server)))
}

/// OpenID servers issue a refresh token only to who asks for it. A machine needs none, and a scope
/// that the user has fixed stays as it is.
fn add_offline(start: &Start, server: &mut Server) {
    let offered = server.metadata.scopes_supported.iter().flatten().any(|scope| scope == OFFLINE);
    let fixed = start.options.scope().is_some() || matches!(start.options.way, Way::Client { .. });
    if let Some(scope) = &mut server.resource.scope
        && offered
        && !fixed
        && !scope.split(' ').any(|scope| scope == OFFLINE)
    {
        scope.push(' ');
        scope.push_str(OFFLINE);
    }
}

/// One of the server's endpoints, if it is a place to send people and secrets to.
pub(super) fn endpoint(
    start: &Start,
    metadata: &ServerMetadata,
    name: &'static str,
) -> Result<Url, SignInFailure> {
    let (url, missing) = match name {
        "token_endpoint" => (&metadata.token_endpoint, "a token endpoint"),
        _ => (&metadata.authorization_endpoint, "an authorization endpoint"),
    };
    match url {
        Some(url) => discovery::check_endpoint(name, url, &start.server),
        None => Err(SignInFailure::ServerIncompatible { issuer: metadata.issuer.clone(), missing }),
    }
}

/// The scope without the part that this program has added.
pub(super) fn without_offline(scope: &str) -> Option<String> {
    let rest: Vec<_> = scope.split(' ').filter(|scope| *scope != OFFLINE).collect();
    (rest.len() < scope.split(' ').count() && !rest.is_empty()).then(|| rest.join(" "))
}

/// Whether the scope asks for a refresh token.
pub(super) fn has_offline(scope: &str) -> bool {
    scope.split(' ').any(|scope| scope == OFFLINE)
}
