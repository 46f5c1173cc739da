//! The dashboard: what a person sees and changes of an organisation.

mod audit;
mod clients;
mod keys;
mod organisation;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use minijinja::{Value, context};

use super::signin::{self, Browser, Purpose};
use crate::mock::keys::same_secret;
use crate::mock::oauth::Form;
use crate::mock::role::Role;
use crate::mock::state::Mock;
use crate::mock::strike::http_date;

/// Its pages.
pub(crate) fn routes() -> Router<Arc<Mock>> {
    Router::new()
        .route("/", get(async || see(organisation::PATH, "")))
        .route(organisation::PATH, get(organisation::show).post(organisation::change))
        .route(clients::PATH, get(clients::show))
        .route("/clients/new", get(clients::ask_new).post(clients::create))
        .route("/clients/delete", get(clients::ask_delete).post(clients::delete))
        .route("/clients/lifetime", post(clients::change_lifetime))
        .route(keys::PATH, get(keys::show).post(keys::create))
        .route("/keys/revoke", post(keys::revoke))
        .route(audit::PATH, get(audit::show))
        .route("/switch", post(switch))
}

/// The page by this path; the first one for everything else, so that nobody is sent elsewhere.
pub(crate) fn known(path: &str) -> &'static str {
    let mut all = SECTIONS.iter().flat_map(|it| it.1).map(|it| it.0);
    all.find(|it| *it == path).unwrap_or(organisation::PATH)
}

/// A page, or what somebody gets who may not see it.
type Shown = Result<Response, Response>;

/// Somebody who is signed in, in front of a page.
struct Visitor {
    browser: Browser,
    role: Role,
    page: &'static str,
    /// What the last form has done.
    done: Option<&'static str>,
}

/// Who wants to see a page; the way to sign in, if nobody knows.
fn visitor(
    mock: &Mock,
    headers: &HeaderMap,
    page: &'static str,
    query: Option<&str>,
) -> Result<Visitor, Response> {
    let Some(browser) = mock.browsers.of(headers) else {
        return Err(signin::page(mock, Purpose::Dashboard(page), None));
    };
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let done = form.get("done").and_then(|it| DONE.iter().find(|(name, _)| *name == it));
    let role = Role::of(&browser.user, &browser.org);
    Ok(Visitor { browser, role, page, done: done.map(|it| it.1) })
}

/// Who wants to change something: an administrator, with a form that came from a page.
fn actor(
    mock: &Mock,
    headers: &HeaderMap,
    body: &[u8],
    page: &'static str,
) -> Result<(Visitor, Form), Response> {
    let visitor = visitor(mock, headers, page, None)?;
    let form = Form::parse(body);
    if !form.get("csrf").is_some_and(|it| same_secret(it, &visitor.browser.csrf)) {
        let text = "This form did not come from the dashboard. Please go back and try again.";
        return Err(mock.pages.problem(StatusCode::FORBIDDEN, "Not accepted", text));
    }
    if visitor.role != Role::Admin {
        let text = "Only administrators of the organisation may change this.";
        return Err(mock.pages.problem(StatusCode::FORBIDDEN, "Not allowed", text));
    }
    Ok((visitor, form))
}

impl Visitor {
    /// The slug of the active organisation.
    fn org(&self) -> &str {
        &self.browser.org
    }

    /// The page, with its own values inside of what all pages have.
    fn show(&self, mock: &Mock, template: &str, title: &str, values: Value) -> Response {
        self.show_with(mock, StatusCode::OK, template, title, values)
    }

    fn show_with(
        &self,
        mock: &Mock,
        status: StatusCode,
        template: &str,
        title: &str,
        values: Value,
    ) -> Response {
        let sections = SECTIONS.map(|(heading, pages)| (heading, pages.to_vec()));
        let all = context! {
            title,
            sections => sections.to_vec(),
            page => self.page,
            orgs => &mock.plan.organisations,
            org => self.org(),
            user => &self.browser.user,
            role => self.role.name(),
            may_change => self.role == Role::Admin,
            csrf => &self.browser.csrf,
            done => self.done,
            live => format!("{}/__mock/live", mock.base_url),
            ..values
        };
        mock.pages.dashboard(status, template, &all)
    }
}

/// `POST /switch`: another organisation becomes the active one.
async fn switch(State(mock): State<Arc<Mock>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let page = known(form.get("next").unwrap_or_default());
    let Some(browser) = mock.browsers.of(&headers) else {
        return signin::page(&mock, Purpose::Dashboard(page), None);
    };
    let org = form.get("org").filter(|it| mock.has_org(it));
    let (Some(org), true) =
        (org, form.get("csrf").is_some_and(|it| same_secret(it, &browser.csrf)))
    else {
        let text = "This form did not come from the dashboard. Please go back and try again.";
        return mock.pages.problem(StatusCode::FORBIDDEN, "Not accepted", text);
    };
    mock.browsers.change(&headers, |it| org.clone_into(&mut it.org));
    see(page, "switched")
}

/// Leads to a page after a form, so that a reload does not send it again.
fn see(page: &str, done: &str) -> Response {
    let done = if done.is_empty() { String::new() } else { format!("?done={done}") };
    (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{page}{done}"))]).into_response()
}

/// A time for people: `06 Nov 1994 08:49:37 UTC`.
fn date(time: std::time::Duration) -> String {
    format!("{} UTC", http_date(time.as_secs()).get(5..25).unwrap_or_default())
}

/// A name that somebody has given to something.
fn given_name(form: &Form) -> Option<&str> {
    form.get("name").map(str::trim).filter(|it| !it.is_empty() && it.len() <= 64)
}

/// The navigation: headings, and the pages under them.
type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: [Section; 4] = [
    ("Settings", &[(organisation::PATH, "Organisation")]),
    ("Developer Portal", &[(clients::PATH, "OAuth clients")]),
    ("Agents", &[(keys::PATH, "API keys")]),
    ("Security", &[(audit::PATH, "Audit log")]),
];

/// What can be told after a form; nothing else from a URL gets into a page.
const DONE: [(&str, &str); 7] = [
    (
        "switched",
        "Organisation switched. Clients that are signed in stay with theirs until they sign in again.",
    ),
    ("saved", "Limits saved. They count from the next request on."),
    ("lifetime", "Lifetime saved. Refresh tokens that are issued from now on have it."),
    ("made-client", "Client created. All refresh tokens of this organisation are revoked."),
    ("deleted", "Client deleted. All refresh tokens of this organisation are revoked."),
    ("made-key", "Key created."),
    ("revoked", "Key revoked. The next request with it gets 401."),
];
