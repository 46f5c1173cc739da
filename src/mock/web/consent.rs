//! The consent page.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use minijinja::context;
use url::{Host, Url};

use super::signin::{self, Browser, Purpose};
use super::{Decision, Handoff, seal, unseal};
use crate::mock::keys::same_secret;
use crate::mock::log::Site;
use crate::mock::oauth::{Form, is_loopback};
use crate::mock::role::Role;
use crate::mock::state::Mock;

/// Where the gateway sends the browser.
pub(crate) const PATH: &str = "/oauth/consent";

/// Long enough to sign in and to read the page.
pub(crate) const HANDOFF_LIFETIME: Duration = Duration::from_mins(10);

/// `GET /oauth/consent`.
pub(crate) async fn show(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let sealed = form.get("handoff").unwrap_or_default();
    let Some(handoff) = open(&mock, sealed) else { return invalid(&mock) };
    match mock.browsers.of(&headers) {
        Some(browser) => page(&mock, &browser, &handoff, sealed),
        None => signin::page(&mock, Purpose::Consent(sealed), None),
    }
}

/// `POST /oauth/consent`.
pub(crate) async fn decide(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    let sealed = form.get("handoff").unwrap_or_default();
    let Some(handoff) = open(&mock, sealed) else { return invalid(&mock) };
    let Some(browser) = mock.browsers.of(&headers) else {
        return signin::page(&mock, Purpose::Consent(sealed), None);
    };
    if !form.get("csrf").is_some_and(|it| same_secret(it, &browser.csrf)) {
        let text = "This decision did not come from the page. Please start again from your client.";
        return mock.pages.problem(StatusCode::FORBIDDEN, "Not accepted", text);
    }
    if let Some(org) = form.get("switch").filter(|it| mock.has_org(it)) {
        let browser = Browser { org: org.to_owned(), ..browser };
        mock.browsers.change(&headers, |it| it.org.clone_from(&browser.org));
        return page(&mock, &browser, &handoff, sealed);
    }
    // The page has shown an organisation; the browser may have switched in another tab since.
    if form.get("org") != Some(&browser.org) {
        return page(&mock, &browser, &handoff, sealed);
    }
    // Everything but a clear yes is a no.
    let approved = form.get("decision") == Some("approve");
    let decision = Decision { handoff, user: browser.user, org: browser.org, approved };
    let sealed = seal(mock.keys.handoff(Site::Web), &decision);
    let location = format!("{}/authorize/complete?decision={sealed}", mock.base_url);
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

fn open(mock: &Mock, sealed: &str) -> Option<Handoff> {
    unseal::<Handoff>(mock.keys.handoff(Site::Web), sealed)
        .filter(|handoff| mock.clock.now().as_secs() < handoff.expires)
}

fn invalid(mock: &Mock) -> Response {
    let text = "It was changed on the way, has expired, or gateway and web do not share the same \
                secret. Please start again from your client.";
    mock.pages.problem(StatusCode::BAD_REQUEST, "Handoff invalid", text)
}

fn page(mock: &Mock, browser: &Browser, handoff: &Handoff, sealed: &str) -> Response {
    let request = &handoff.request;
    let values = context! {
        title => "Allow access?",
        client => &request.client_name,
        client_id => &request.client_id,
        org => &browser.org,
        asked_org => &request.org,
        is_local => is_local(&request.redirect_uri),
        role => Role::of(&browser.user, &browser.org).name(),
        scopes => request.scope.split(' ').map(meaning).collect::<Vec<_>>(),
        redirect_uri => &request.redirect_uri,
        user_code => &request.user_code,
        user => &browser.user,
        csrf => &browser.csrf,
        handoff => sealed,
    };
    mock.pages.page(StatusCode::OK, "consent.html", &form_action(mock, request), &values)
}

/// A scope, and what it means to somebody who has never heard of scopes.
fn meaning(scope: &str) -> (String, String) {
    let meaning = match scope.strip_prefix("mcp:call:") {
        Some(connector) => format!("Use the connector “{connector}”"),
        None => "Use all connectors".to_owned(),
    };
    (scope.to_owned(), meaning)
}

/// Whether the answer goes to a program on the person's own machine, which nobody can vouch for.
fn is_local(redirect_uri: &str) -> bool {
    Url::parse(redirect_uri).is_ok_and(|it| is_loopback(&it))
}

/// Browsers apply `form-action` to the redirects that follow, too: over the gateway to the client.
fn form_action(mock: &Mock, request: &crate::mock::oauth::AuthorizationRequest) -> String {
    let client = match Url::parse(&request.redirect_uri) {
        // CSP has no notation for IPv6 addresses.
        Ok(url) if !matches!(url.host(), Some(Host::Ipv6(_))) => url.origin().ascii_serialization(),
        _ => "http:".into(),
    };
    format!("'self' {} {client}", mock.base_url)
}
