//! Where a person types the code of a device (RFC 8628 3.3). Consent follows on its usual page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use minijinja::context;

use super::{Handoff, consent, seal};
use crate::mock::log::Site;
use crate::mock::oauth::Form;
use crate::mock::state::{Mock, lock};

/// `GET /device`.
pub(crate) async fn show(State(mock): State<Arc<Mock>>, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    // RFC 8628 3.3.1: a code that came with the link is still for the person to confirm.
    page(&mock, StatusCode::OK, form.get("user_code").unwrap_or_default(), None)
}

/// `POST /device`.
pub(crate) async fn submit(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let typed = form.get("user_code").unwrap_or_default();
    let now = mock.clock.now();
    let Some(request) = lock(&mock.devices).request(typed, now).cloned() else {
        let problem = "This code is not known, or has expired. Please look at your device again.";
        return page(&mock, StatusCode::BAD_REQUEST, typed, Some(problem));
    };
    let expires = (now + consent::HANDOFF_LIFETIME).as_secs();
    let handoff = Handoff { request, nonce: mock.keys.random(), expires };
    let sealed = seal(mock.keys.handoff(Site::Web), &handoff);
    let location = format!("{}?handoff={sealed}", consent::PATH);
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

fn page(mock: &Mock, status: StatusCode, user_code: &str, problem: Option<&str>) -> Response {
    let values = context! { title => "Connect a device", user_code, problem };
    mock.pages.page(status, "device.html", "'self'", &values)
}
