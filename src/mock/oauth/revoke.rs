//! Token revocation (RFC 7009).

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;

use super::client_auth::ClientAuth;
use super::{Form, OAuthError, no_store};
use crate::mock::log::{Note, fingerprint};
use crate::mock::state::{Mock, lock};

/// `POST /oauth/revoke`. Access tokens are stateless: revoking one succeeds and changes nothing.
pub(crate) async fn revoke(
    State(mock): State<Arc<Mock>>,
    Extension(note): Extension<Note>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let form = Form::parse(&body);
    let token = form
        .get("token")
        .ok_or(OAuthError::bad_request("invalid_request", "`token` is missing"))?;
    note.add(|entry| entry.refresh_token = Some(fingerprint(token)));
    // RFC 7009 2.1: the client proves itself as at the token endpoint.
    let client = ClientAuth::read(&headers, &form)?;
    client.client(&mock)?;
    lock(&mock.grants).revoke(token, &client.client_id);
    // RFC 7009 2.2: also for tokens that nobody knows.
    Ok(no_store().into_response())
}
