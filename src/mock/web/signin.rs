//! Sign-in: a name is enough. A cookie remembers it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use minijinja::context;

use super::consent;
use crate::mock::fault::{Fault, Route};
use crate::mock::oauth::Form;
use crate::mock::state::{Mock, lock};

/// The signed-in browsers by cookie.
#[derive(Debug, Default)]
pub(crate) struct Browsers(Mutex<HashMap<String, Browser>>);

/// A signed-in browser.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) user: String,
    /// Must come with every decision.
    pub(crate) csrf: String,
}

impl Browsers {
    /// The browser that a request comes from.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<Browser> {
        lock(&self.0).get(cookie(headers)?).cloned()
    }

    fn add(&self, cookie: String, browser: Browser) {
        lock(&self.0).insert(cookie, browser);
    }

    fn remove(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers) {
            lock(&self.0).remove(cookie);
        }
    }
}

/// The page that asks who is there; the hand-off waits in it.
pub(crate) fn page(mock: &Mock, handoff: &str, problem: Option<&str>) -> Response {
    let values = context! { title => "Sign in", handoff, problem, users => DEMO_USERS };
    mock.pages.page(StatusCode::OK, "signin.html", "'self'", &values)
}

/// `POST /signin`.
pub(crate) async fn sign_in(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let handoff = form.get("handoff").unwrap_or_default();
    let user = form.get("user").map(str::trim).filter(|it| !it.is_empty() && it.len() <= 64);
    let Some(user) = user else {
        return page(&mock, handoff, Some("Please give a name of at most 64 characters."));
    };
    if mock.faults.strikes(Route::Page, &Fault::CookieLost) {
        return see_consent(handoff).into_response();
    }
    let secret = mock.issue("web_");
    let browser = Browser { user: user.to_owned(), csrf: mock.keys.random() };
    mock.browsers.add(secret.clone(), browser);
    let cookie = format!("{}={secret}; {}", name(&mock), attributes(&mock));
    ([(header::SET_COOKIE, cookie)], see_consent(handoff)).into_response()
}

/// `POST /signout`: somebody else wants to decide.
pub(crate) async fn sign_out(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = Form::parse(&body);
    mock.browsers.remove(&headers);
    let cookie = format!("{}=; {}; Max-Age=0", name(&mock), attributes(&mock));
    let handoff = form.get("handoff").unwrap_or_default();
    ([(header::SET_COOKIE, cookie)], see_consent(handoff)).into_response()
}

fn see_consent(handoff: &str) -> (StatusCode, [(header::HeaderName, String); 1]) {
    // A forged hand-off could carry anything: encode it before it becomes part of a header.
    let handoff: String = url::form_urlencoded::byte_serialize(handoff.as_bytes()).collect();
    let location = format!("{}?handoff={handoff}", consent::PATH);
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)])
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(';'))
        .find_map(|it| {
            let it = it.trim();
            it.strip_prefix("__Host-").unwrap_or(it).strip_prefix(COOKIE)?.strip_prefix('=')
        })
}

/// Over HTTPS the browser vouches that this host has set the cookie, and no other.
fn name(mock: &Mock) -> String {
    format!("{}{COOKIE}", if is_secure(mock) { "__Host-" } else { "" })
}

fn attributes(mock: &Mock) -> &'static str {
    if is_secure(mock) {
        "Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "Path=/; HttpOnly; SameSite=Lax"
    }
}

fn is_secure(mock: &Mock) -> bool {
    mock.web_url.starts_with("https://")
}

/// Cookies do not know ports, so the name must tell this program's from others' on this machine.
const COOKIE: &str = "apexmcp_mock_session";

const DEMO_USERS: [&str; 3] = ["ada", "grace", "linus"];
