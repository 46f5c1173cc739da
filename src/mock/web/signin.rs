//! Sign-in: a name is enough. A cookie remembers it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use minijinja::context;

use super::{Handoff, consent, dashboard, unseal};
use crate::mock::fault::{Fault, Route};
use crate::mock::log::Site;
use crate::mock::oauth::Form;
use crate::mock::state::{Mock, lock};

/// The signed-in browsers by cookie.
#[derive(Debug, Default)]
pub(crate) struct Browsers(Mutex<HashMap<String, Browser>>);

/// A signed-in browser.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) user: String,
    /// The active organisation: what is granted is granted for this one.
    pub(crate) org: String,
    /// Must come with every decision.
    pub(crate) csrf: String,
    /// A secret that was made for this person, until it has been shown.
    pub(crate) unseen: Option<Unseen>,
}

/// Something that is shown once.
#[derive(Clone, Debug)]
pub(crate) struct Unseen {
    pub(crate) name: String,
    /// Of a client: its id.
    pub(crate) client_id: Option<String>,
    /// None: a public client.
    pub(crate) secret: Option<String>,
}

impl Browsers {
    /// The browser that a request comes from.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<Browser> {
        lock(&self.0).get(cookie(headers)?).cloned()
    }

    /// Changes the browser that a request comes from.
    pub(crate) fn change<T>(
        &self,
        headers: &HeaderMap,
        change: impl FnOnce(&mut Browser) -> T,
    ) -> Option<T> {
        lock(&self.0).get_mut(cookie(headers)?).map(change)
    }

    fn add(&self, cookie: String, browser: Browser) {
        let mut all = lock(&self.0);
        if all.len() == MAX_BROWSERS {
            all.clear();
        }
        all.insert(cookie, browser);
    }

    fn remove(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers) {
            lock(&self.0).remove(cookie);
        }
    }
}

/// What a person signs in for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// The consent page; the hand-off waits in the sign-in page.
    Consent(&'a str),
    /// A page of the dashboard.
    Dashboard(&'a str),
}

impl<'a> Purpose<'a> {
    fn read(form: &'a Form) -> Self {
        match form.get("handoff") {
            Some(handoff) => Self::Consent(handoff),
            None => Self::Dashboard(dashboard::known(form.get("next").unwrap_or_default())),
        }
    }

    /// Where it goes on.
    fn see(self) -> (StatusCode, [(header::HeaderName, String); 1]) {
        let location = match self {
            Self::Consent(handoff) => {
                // A forged hand-off could carry anything: encode it before it becomes part of a header.
                let handoff: String =
                    url::form_urlencoded::byte_serialize(handoff.as_bytes()).collect();
                format!("{}?handoff={handoff}", consent::PATH)
            }
            Self::Dashboard(page) => page.to_owned(),
        };
        (StatusCode::SEE_OTHER, [(header::LOCATION, location)])
    }

    /// The organisation to begin with: the one that was asked for.
    fn org(self, mock: &Mock) -> String {
        let handoff = match self {
            Self::Consent(sealed) => unseal::<Handoff>(mock.keys.handoff(Site::Web), sealed),
            Self::Dashboard(_) => None,
        };
        let first = || mock.plan.organisations.first().cloned().unwrap_or_default();
        handoff.map_or_else(first, |it| it.request.org)
    }
}

/// The page that asks who is there.
pub(crate) fn page(mock: &Mock, purpose: Purpose<'_>, problem: Option<&str>) -> Response {
    let (name, value) = match purpose {
        Purpose::Consent(handoff) => ("handoff", handoff),
        Purpose::Dashboard(page) => ("next", page),
    };
    let values = context! { title => "Sign in", name, value, problem, users => DEMO_USERS };
    mock.pages.page(StatusCode::OK, "signin.html", "'self'", &values)
}

/// `POST /signin`.
pub(crate) async fn sign_in(State(mock): State<Arc<Mock>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let purpose = Purpose::read(&form);
    let user = form.get("user").map(str::trim).filter(|it| !it.is_empty() && it.len() <= 64);
    let Some(user) = user else {
        return page(&mock, purpose, Some("Please give a name of at most 64 characters."));
    };
    if mock.faults.strikes(Route::Page, &Fault::CookieLost) {
        return purpose.see().into_response();
    }
    let secret = mock.issue("web_");
    let csrf = mock.keys.random();
    let browser = Browser { user: user.to_owned(), org: purpose.org(&mock), csrf, unseen: None };
    mock.browsers.add(secret.clone(), browser);
    let cookie = format!("{}={secret}; {}", name(&mock), attributes(&mock));
    ([(header::SET_COOKIE, cookie)], purpose.see()).into_response()
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
    ([(header::SET_COOKIE, cookie)], Purpose::read(&form).see()).into_response()
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

/// More than any test signs in; all begin anew then.
const MAX_BROWSERS: usize = 10_000;

const DEMO_USERS: [&str; 3] = ["ada", "grace", "linus"];
