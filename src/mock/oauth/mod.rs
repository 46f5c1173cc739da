//! The authorization server. Its issuer is the gateway's origin.

mod access;
mod assertion;
mod authorize;
mod client;
mod client_auth;
mod device;
mod documents;
mod form;
mod grants;
pub(crate) mod jwt;
mod metadata;
mod provider;
mod register;
mod revoke;
mod token;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};

pub(crate) use access::{Endpoint, Refusal, admit, require};
pub(crate) use authorize::AuthorizationRequest;
pub(crate) use client::{Client, is_loopback, is_redirect_uri};
pub(crate) use device::Devices;
pub(crate) use form::Form;
pub(crate) use grants::Grants;
pub use provider::IdentityProvider;

use super::plan::{Auth, Discovery, Registration};
use super::state::Mock;

/// All that the plan lets exist; what an old release does not know is 404.
pub(crate) fn routes(mock: &Mock) -> Router<Arc<Mock>> {
    let mut router = Router::new();
    if mock.plan.auth == Auth::None {
        return router;
    }
    router = router.route("/oauth/token", post(token::token));
    if mock.plan.old_release {
        return router.layer(DefaultBodyLimit::max(MAX_BODY));
    }
    router = discovery(router, mock)
        .route("/.well-known/jwks.json", get(metadata::jwks))
        .route("/authorize", get(authorize::authorize))
        .route("/authorize/complete", get(authorize::complete))
        .route("/oauth/revoke", post(revoke::revoke));
    if mock.plan.registration != Registration::Closed {
        router = router.route("/register", post(register::register));
    }
    if mock.plan.device.is_some() {
        router = router.route("/oauth/device_authorization", post(device::begin));
    }
    router.layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The documents, where RFC 9728 3.1, RFC 8414 3.1 and OpenID Connect Discovery 1.0, 4 put them:
/// nothing of an issuer with a path is at the root, where it would be another issuer's.
fn discovery(mut router: Router<Arc<Mock>>, mock: &Mock) -> Router<Arc<Mock>> {
    if mock.plan.resource_metadata {
        router = router
            .route("/.well-known/oauth-protected-resource", get(metadata::root_resource))
            .route("/.well-known/oauth-protected-resource/{*path}", get(metadata::resource));
    }
    let path = &mock.plan.issuer_path;
    if matches!(mock.plan.discovery, Discovery::OAuth | Discovery::Both) {
        let at = format!("/.well-known/oauth-authorization-server{path}");
        router = router.route(&at, get(metadata::server));
    }
    if matches!(mock.plan.discovery, Discovery::OpenId | Discovery::Both) {
        let at = format!("/.well-known/openid-configuration{path}");
        router = router.route(&at, get(metadata::openid));
        if !path.is_empty() {
            let at = format!("{path}/.well-known/openid-configuration");
            router = router.route(&at, get(metadata::openid));
        }
    }
    if mock.plan.discovery == Discovery::None {
        // MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery".
        router = router.route("/token", post(token::token));
    }
    router
}

/// An error as RFC 6749 5.2 and RFC 7591 3.2.2 word it.
#[derive(Debug)]
pub(crate) struct OAuthError {
    pub(crate) status: StatusCode,
    pub(crate) error: Cow<'static, str>,
    pub(crate) description: &'static str,
}

impl OAuthError {
    pub(crate) fn bad_request(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: error.into(), description }
    }

    /// The error that a test has ordered.
    pub(crate) fn ordered(error: String) -> Self {
        let client = error == "invalid_client";
        let status = if client { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Self { status, error: error.into(), description: "a test has ordered this error" }
    }

    pub(crate) fn invalid_client(description: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client".into(), description }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({"error": self.error, "error_description": self.description});
        let mut response = (self.status, no_store(), axum::Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6749 5.2: required where the client used `Authorization`, harmless elsewhere.
            let challenge = http::HeaderValue::from_static("Basic realm=\"apexmcp-mock\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// RFC 6749 5.1: on every answer that could carry a token.
pub(crate) fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

/// No request to an authorization server is near this long.
const MAX_BODY: usize = 64 << 10;
