//! The web origin: sign-in, consent and dashboard.

mod consent;
mod dashboard;
mod device;
mod handoff;
mod pages;
mod signin;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub(crate) use consent::HANDOFF_LIFETIME;
pub(crate) use handoff::{Decision, Handoff, seal, unseal};
pub(crate) use pages::{Pages, STYLE, headers, source};
pub(crate) use signin::Browsers;

use super::state::Mock;

/// The pages.
pub(crate) fn routes() -> Router<Arc<Mock>> {
    Router::new()
        .route("/oauth/consent", get(consent::show).post(consent::decide))
        .route("/device", get(device::show).post(device::submit))
        .route("/signin", post(signin::sign_in))
        .route("/signout", post(signin::sign_out))
        .merge(dashboard::routes())
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// A sealed hand-off and a few short fields.
const MAX_BODY: usize = 64 << 10;
