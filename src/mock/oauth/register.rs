//! Dynamic client registration (RFC 7591): anybody may.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, is_redirect_uri};
use super::token::DEVICE_GRANT;
use super::{OAuthError, metadata, no_store};
use crate::mock::credentials::Authentication;
use crate::mock::evidence::ClientOrigin;
use crate::mock::fault::{Fault, Route};
use crate::mock::plan::Registration;
use crate::mock::state::{Mock, lock};

/// `POST /register`.
pub(crate) async fn register(
    State(mock): State<Arc<Mock>>,
    body: Bytes,
) -> Result<Response, OAuthError> {
    if let Some(status) = mock.faults.take(Route::Register, |fault| match fault {
        Fault::RegisterStatus(status) => StatusCode::from_u16(*status).ok(),
        Fault::RegistrationOff => Some(StatusCode::NOT_FOUND),
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
    check(&mock, &metadata)?;
    let grant_types = metadata.grant_types.unwrap_or_else(|| vec!["authorization_code".into()]);
    let method = metadata.token_endpoint_auth_method.as_deref();
    let client = Client {
        name: metadata.client_name.unwrap_or_else(|| "unnamed client".into()),
        redirect_uris: metadata.redirect_uris,
        refreshes: grant_types.iter().any(|it| it == "refresh_token"),
        authentication: authentication(&mock, method),
        machine_of: None,
    };
    let client_id = format!("mcp_client_{}", mock.keys.random());
    let mut answer = json!({
        "client_id": client_id,
        "client_id_issued_at": mock.clock.now().as_secs(),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": grant_types,
        "response_types": ["code"],
        "scope": metadata.scope.as_deref().unwrap_or(metadata::DEFAULT_SCOPE),
        "token_endpoint_auth_method": client.authentication.name(),
    });
    if let (Some(secret), Some(answer)) = (client.authentication.secret(), answer.as_object_mut()) {
        answer.insert("client_secret".into(), secret.into());
        // RFC 7591 3.2.1: zero is never.
        answer.insert("client_secret_expires_at".into(), 0.into());
    }
    mock.meet(ClientOrigin::Registration, &client_id, &client);
    if !mock.faults.strikes(Route::Register, &Fault::RegistrationForgotten) {
        lock(&mock.clients).insert(client_id, client);
    }
    mock.faults.replace(Route::Register, &mut answer, |fault| match fault {
        Fault::RegistrationMember(member, value) => Some((member.clone(), value.clone())),
        _ => None,
    });
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
    token_endpoint_auth_method: Option<String>,
}

/// What the client gets, whatever it asked for: RFC 7591 3.2.1 lets the server replace it.
fn authentication(mock: &Mock, asked: Option<&str>) -> Authentication {
    if mock.plan.registration != Registration::Confidential {
        return Authentication::None;
    }
    let secret = mock.issue("apx_secret_");
    match asked {
        Some("client_secret_post") => Authentication::SecretPost(secret),
        _ => Authentication::SecretBasic(secret),
    }
}

fn check(mock: &Mock, metadata: &Metadata) -> Result<(), OAuthError> {
    let invalid = |what| Err(OAuthError::bad_request("invalid_client_metadata", what));
    let grant_types = metadata.grant_types.as_deref().unwrap_or_default();
    let devices = mock.plan.device.is_some();
    // RFC 7591 2: redirect URIs are for grants that redirect.
    let redirects =
        grant_types.is_empty() || grant_types.iter().any(|it| it == "authorization_code");
    if (redirects && metadata.redirect_uris.is_empty())
        || !metadata.redirect_uris.iter().all(|it| is_redirect_uri(it))
    {
        return Err(OAuthError::bad_request(
            "invalid_redirect_uri",
            "expected redirect URIs with https, or with http on a loopback host, without fragment",
        ));
    }
    let known = |it: &str| {
        matches!(it, "authorization_code" | "refresh_token") || (devices && it == DEVICE_GRANT)
    };
    if !grant_types.iter().all(|it| known(it)) {
        return invalid("expected no grant types but those that are offered");
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
