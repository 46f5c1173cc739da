//! Token revocation (RFC 7009).

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};

use super::{Form, OAuthError, no_store};
use crate::mock::log::{Note, fingerprint};
use crate::mock::state::{Mock, lock};

/// `POST /oauth/revoke`. Access tokens are stateless: revoking one succeeds and changes nothing.
pub(crate) async fn revoke(
    State(mock): State<Arc<Mock>>,
    Extension(note): Extension<Note>,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let form = Form::parse(&body);
    let token = form
        .get("token")
        .ok_or(OAuthError::bad_request("invalid_request", "`token` is missing"))?;
    note.add(|entry| entry.refresh_token = Some(fingerprint(token)));
    let client_id = form
        .get("client_id")
        .filter(|it| lock(&mock.clients).contains_key(*it))
        .ok_or(OAuthError::invalid_client("this client is not registered"))?;
    lock(&mock.grants).revoke(token, client_id);
    // RFC 7009 2.2: also for tokens that nobody knows.
    Ok(no_store().into_response())
}
