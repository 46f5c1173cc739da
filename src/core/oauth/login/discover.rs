//! From the challenge to the authorization server's endpoints.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use url::Url;

use super::{ExpectServerMetadata, Resource, Server, Start, State, Step, bind, ports, transient};
use crate::core::event::{HttpFailure, Notice};
use crate::core::oauth::discovery::{self, ResourceMetadata, ServerMetadata};
use crate::core::oauth::failure::SignInFailure;

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

pub(super) fn resource_metadata(
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

pub(super) fn server_metadata(
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
    out.push(Step::Redirect(bind(start, ports(start, &server.metadata.issuer))));
    Ok(State::ExpectListener(Box::new(server)))
}
