//! Discovery: RFC 9728 for the endpoints, RFC 8414 for the authorization server.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::assertion;
use super::jwt::KEY_ID;
use super::token::DEVICE_GRANT;
use crate::mock::fault::{Fault, Route};
use crate::mock::plan::Registration;
use crate::mock::state::Mock;

/// The metadata of the gateway as a whole.
pub(crate) async fn root_resource(
    State(mock): State<Arc<Mock>>,
) -> Result<Json<Value>, StatusCode> {
    document(&mock, &mock.base_url)
}

/// The metadata of one endpoint: its path is inserted after the well-known part (RFC 9728 3.1).
pub(crate) async fn resource(
    State(mock): State<Arc<Mock>>,
    Path(path): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let url = format!("{}/{path}", mock.base_url);
    match org_of_resource(&mock, &url) {
        Some(_) => document(&mock, &url),
        None => Err(StatusCode::NOT_FOUND),
    }
}

/// The metadata of the authorization server (RFC 8414 2).
pub(crate) async fn server(State(mock): State<Arc<Mock>>) -> Result<Json<Value>, StatusCode> {
    server_document(&mock, json!({}))
}

/// The same as OpenID providers tell it (OpenID Connect Discovery 1.0, 3).
pub(crate) async fn openid(State(mock): State<Arc<Mock>>) -> Result<Json<Value>, StatusCode> {
    let more = json!({
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce"],
    });
    server_document(&mock, more)
}

fn server_document(mock: &Mock, more: Value) -> Result<Json<Value>, StatusCode> {
    if let Some(status) = mock.faults.take(Route::Asm, |fault| match fault {
        Fault::ServerMetadataStatus(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    }) {
        return Err(status);
    }
    let base = &mock.base_url;
    let mut document = json!({
        "issuer": mock.issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/oauth/token"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported":
            ["none", "client_secret_post", "client_secret_basic"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": [DEFAULT_SCOPE],
        "authorization_response_iss_parameter_supported": true,
    });
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
        document.extend(planned(mock));
        if mock.faults.strikes(Route::Asm, &Fault::RegistrationOff) {
            document.remove("registration_endpoint");
        }
    }
    if mock.plan.device.is_some()
        && let Some(Value::Array(grants)) = document.get_mut("grant_types_supported")
    {
        grants.push(DEVICE_GRANT.into());
    }
    mock.faults.replace(Route::Asm, &mut document, |fault| match fault {
        Fault::ServerMetadata(member, value) => Some((member.clone(), value.clone())),
        _ => None,
    });
    Ok(Json(document))
}

/// The members that depend on the plan.
fn planned(mock: &Mock) -> Map<String, Value> {
    let base = &mock.base_url;
    let plan = &mock.plan;
    let uses_keys = plan.client_documents
        || plan.clients.iter().any(|it| it.authentication.name() == "private_key_jwt");
    let methods = ["none", "client_secret_post", "client_secret_basic", "private_key_jwt"];
    let endpoint = |path: &str| json!(format!("{base}{path}"));
    [
        ("registration_endpoint", plan.registration != Registration::Closed, endpoint("/register")),
        (
            "device_authorization_endpoint",
            plan.device.is_some(),
            endpoint("/oauth/device_authorization"),
        ),
        ("code_challenge_methods_supported", plan.pkce_announced, json!(["S256"])),
        ("client_id_metadata_document_supported", plan.client_documents, json!(true)),
        ("token_endpoint_auth_methods_supported", uses_keys, json!(methods)),
        (
            "token_endpoint_auth_signing_alg_values_supported",
            uses_keys,
            json!(assertion::ALGORITHMS),
        ),
    ]
    .into_iter()
    .filter(|(_, offered, _)| *offered)
    .map(|(name, _, value)| (name.to_owned(), value))
    .collect()
}

/// The key that verifies access tokens.
pub(crate) async fn jwks(State(mock): State<Arc<Mock>>) -> Json<Value> {
    let x = mock.keys.public_x();
    Json(json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": x},
    ]}))
}

/// The organisation that a resource identifier (RFC 8707) names. The gateway as a whole stands for
/// the organisation that is active in the browser: here always the first.
pub(crate) fn org_of_resource<'a>(mock: &'a Mock, resource: &str) -> Option<&'a str> {
    if resource == mock.base_url {
        return mock.plan.organisations.first().map(String::as_str);
    }
    mock.plan
        .organisations
        .iter()
        .find(|org| [mock.sse_url(org), mock.http_url(org)].iter().any(|it| it == resource))
        .map(String::as_str)
}

/// Whether every part of a scope is one that the gateway knows.
pub(crate) fn is_known_scope(scope: &str) -> bool {
    scope.split(' ').all(|it| {
        [DEFAULT_SCOPE, "openid", "profile", "offline_access"].contains(&it)
            || it.strip_prefix("mcp:call:").is_some_and(|connector| !connector.is_empty())
    })
}

/// All connectors.
pub(crate) const DEFAULT_SCOPE: &str = "mcp:call";

fn document(mock: &Mock, resource: &str) -> Result<Json<Value>, StatusCode> {
    if let Some(status) = mock.faults.take(Route::Prm, |fault| match fault {
        Fault::ResourceMetadataStatus(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    }) {
        return Err(status);
    }
    let servers: Vec<&String> =
        mock.plan.other_authorization_servers.iter().chain([&mock.issuer]).collect();
    let mut document = json!({
        "resource": resource,
        "authorization_servers": servers,
        "scopes_supported": [DEFAULT_SCOPE],
        "bearer_methods_supported": ["header"],
        "resource_name": "ApexMCP mock gateway",
    });
    mock.faults.replace(Route::Prm, &mut document, |fault| match fault {
        Fault::ResourceMetadata(member, value) => Some((member.clone(), value.clone())),
        _ => None,
    });
    Ok(Json(document))
}
