//! The MCP side: two transports and two eras, one server behind them.

mod ask;
mod change;
mod conformance;
mod http;
mod jsonrpc;
mod methods;
mod modern;
mod orders;
mod session;
mod source;
mod sql;
mod sse;
mod stream;
mod style;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use change::Change;
pub(crate) use modern::Listeners;
pub(crate) use session::Sessions;
pub(crate) use stream::Streams;

use super::state::Mock;

/// The endpoints of all organisations.
pub(crate) fn routes() -> Router<Arc<Mock>> {
    Router::new()
        .route("/mcp/{org}", get(http::listen).post(http::receive).delete(http::end))
        .route("/mcp/{org}/sse", get(sse::open))
        .route("/mcp/{org}/messages", post(sse::receive))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// Tests send large arguments; nobody sends more than this.
const MAX_BODY: usize = 64 << 20;
