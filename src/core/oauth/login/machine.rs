//! Tokens without a person: the client's own credentials (RFC 6749 §4.4).

use std::time::Duration;

use url::Url;

use super::tokens::{self, ExpectTokens};
use super::{Resource, Server, Start, State, Step, client};
use crate::config::ResourceParameter;
use crate::core::oauth::grant::{Grant, GrantKind};
use crate::core::oauth::metadata::ServerMetadata;
use crate::core::oauth::record::Registration;

/// The server behind a token endpoint that the user has named: no document is asked for.
pub(super) fn server_without_metadata(start: &Start, token_endpoint: &Url) -> Server {
    let challenged = start.challenge.as_ref().and_then(|challenge| challenge.scope.clone());
    let scope = start.options.scope().map(str::to_owned).or(challenged);
    let id = match &start.options.resource {
        ResourceParameter::Fixed(resource) => Some(resource.clone()),
        // Nobody has said that this server knows the parameter.
        ResourceParameter::Announced | ResourceParameter::Omitted => None,
    };
    Server {
        resource: Resource { id, scope, documented: false },
        metadata: ServerMetadata {
            issuer: token_endpoint.to_string(),
            ..ServerMetadata::default()
        },
        token_endpoint: token_endpoint.clone(),
    }
}

/// Asks for tokens.
pub(super) fn ask(start: &Start, server: Server, out: &mut Vec<Step>) -> State {
    let client = match &start.options.client {
        Some(configured) => client::configured(configured, &server.metadata, ""),
        // The command line does not allow it.
        None => Registration::new(String::new(), ""),
    };
    let grant = Grant {
        token_endpoint: server.token_endpoint.clone(),
        issuer: server.metadata.issuer.clone(),
        client: client.clone(),
        resource: server.resource.id.clone(),
        kind: GrantKind::Client { scope: server.resource.scope.clone() },
        wait: Duration::ZERO,
    };
    let plain = tokens::plain(&server, &grant);
    out.push(Step::Grant(Box::new(grant)));
    State::ExpectTokens(Box::new(ExpectTokens {
        server,
        client,
        browser: None,
        plain,
        again: None,
    }))
}
