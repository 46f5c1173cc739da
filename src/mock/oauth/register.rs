//! Dynamic client registration (RFC 7591): anybody may, all become public clients.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{OAuthError, metadata, no_store};
use crate::mock::fault::Fault;
use crate::mock::state::{Mock, lock};

/// A registered client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) redirect_uris: Vec<String>,
    /// Whether it asked for the `refresh_token` grant.
    pub(crate) refreshes: bool,
}

impl Client {
    /// Whether a redirect URI is a registered one: exactly, or but for the port of a loopback one
    /// (RFC 8252 7.3; extended to `localhost`, as clients use it all the same).
    pub(crate) fn may_redirect_to(&self, asked: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == asked
                || portless(registered).is_some_and(|it| portless(asked) == Some(it))
        })
    }
}

/// `POST /register`.
pub(crate) async fn register(
    State(mock): State<Arc<Mock>>,
    body: Bytes,
) -> Result<Response, OAuthError> {
    if let Some(status) = mock.faults.take(|fault| match fault {
        Fault::RegisterStatus(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    }) {
        return Ok(status.into_response());
    }
    let metadata: Metadata = serde_json::from_slice(&body).map_err(|_| {
        OAuthError::bad_request(
            "invalid_client_metadata",
            "expected a JSON object with client metadata",
        )
    })?;
    check(&metadata)?;
    let grant_types = metadata.grant_types.unwrap_or_else(|| vec!["authorization_code".into()]);
    let client = Client {
        name: metadata.client_name.unwrap_or_else(|| "unnamed client".into()),
        redirect_uris: metadata.redirect_uris,
        refreshes: grant_types.iter().any(|it| it == "refresh_token"),
    };
    let client_id = format!("mcp_client_{}", mock.keys.random());
    let answer = json!({
        "client_id": client_id,
        "client_id_issued_at": mock.clock.now().as_secs(),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": grant_types,
        "response_types": ["code"],
        "scope": metadata.scope.as_deref().unwrap_or(metadata::DEFAULT_SCOPE),
        // Whatever was asked for: RFC 7591 3.2.1 lets the server replace it.
        "token_endpoint_auth_method": "none",
    });
    lock(&mock.clients).insert(client_id, client);
    Ok((StatusCode::CREATED, no_store(), Json(answer)).into_response())
}

/// The part of the client metadata that matters here; the rest is ignored (RFC 7591 2).
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
}

fn check(metadata: &Metadata) -> Result<(), OAuthError> {
    let invalid = |what| Err(OAuthError::bad_request("invalid_client_metadata", what));
    if metadata.redirect_uris.is_empty() || !metadata.redirect_uris.iter().all(|it| is_allowed(it))
    {
        return Err(OAuthError::bad_request(
            "invalid_redirect_uri",
            "expected redirect URIs with https, or with http on a loopback host, without fragment",
        ));
    }
    let known = ["authorization_code", "refresh_token"];
    let grant_types = metadata.grant_types.as_deref().unwrap_or_default();
    if grant_types.iter().any(|it| !known.contains(&it.as_str())) {
        return invalid("expected no grant types but `authorization_code` and `refresh_token`");
    }
    let response_types = metadata.response_types.as_deref().unwrap_or_default();
    if response_types.iter().any(|it| it != "code") {
        return invalid("expected no response type but `code`");
    }
    if !metadata.scope.as_deref().is_none_or(metadata::is_known_scope) {
        return invalid("expected the scope `mcp:call` or `mcp:call:<connector>`");
    }
    Ok(())
}

fn is_allowed(redirect_uri: &str) -> bool {
    let Ok(url) = Url::parse(redirect_uri) else { return false };
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    plain && (url.scheme() == "https" || is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
}

/// A loopback redirect URI without its port.
fn portless(redirect_uri: &str) -> Option<Url> {
    let mut url = Url::parse(redirect_uri).ok().filter(is_loopback)?;
    url.set_port(None).ok()?;
    Some(url)
}
