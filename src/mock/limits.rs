//! What an organisation refuses whatever the credential: foreign addresses, and too many requests.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::oauth::Refusal;
use super::serve::Peer;
use super::state::{Mock, lock};
use super::tenant::Limit;

/// The gate of the MCP endpoints.
pub(crate) async fn gate(
    State(mock): State<Arc<Mock>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    // `/mcp/<org>…`
    let org = request.uri().path().split('/').nth(2).unwrap_or_default();
    let limit = lock(&mock.tenants).limit(org, peer.ip(), mock.clock.now());
    match limit {
        None => next.run(request).await,
        Some(Limit::Address) => Refusal::Address.into_response(),
        Some(Limit::Rate(wait)) => {
            // A client that comes back a moment early would only be refused again.
            Refusal::RateLimit(Some(wait.as_secs() + 1)).into_response()
        }
    }
}
