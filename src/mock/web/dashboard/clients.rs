//! Developer Portal → OAuth clients: list, create, delete, and the lifetime of refresh tokens.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};

use super::{Shown, Visitor, actor, date, given_name, see, visitor};
use crate::mock::credentials::Authentication;
use crate::mock::evidence::ClientOrigin;
use crate::mock::oauth::{Client, Form, is_redirect_uri};
use crate::mock::state::{Mock, lock};
use crate::mock::tenant::PortalClient;
use crate::mock::web::signin::Unseen;

/// Where the list is.
pub(super) const PATH: &str = "/clients";

/// `GET /clients`.
pub(super) async fn show(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let visitor = visitor(&mock, &headers, PATH, query.as_deref())?;
    let unseen = mock
        .browsers
        .change(&headers, |it| it.unseen.take_if(|it| it.client_id.is_some()))
        .flatten()
        .map(|it| context! { name => &it.name, client_id => &it.client_id, secret => &it.secret });
    let lifetime = lock(&mock.tenants).get(visitor.org()).map(|it| it.refresh_token_lifetime);
    let days = lifetime.map(|it| it.as_secs() / DAY.as_secs());
    let clients: Vec<Value> = list(&mock, visitor.org()).iter().map(Listed::shown).collect();
    let values = context! { clients, unseen, days, choices => LIFETIMES.to_vec() };
    Ok(visitor.show(&mock, "clients.html", "OAuth clients", values))
}

/// `GET /clients/new`: with the warning.
pub(super) async fn ask_new(State(mock): State<Arc<Mock>>, headers: HeaderMap) -> Shown {
    let visitor = visitor(&mock, &headers, PATH, None)?;
    Ok(form_for_new(&mock, &visitor, StatusCode::OK, context! {}))
}

/// `POST /clients/new`.
pub(super) async fn create(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    let (visitor, form) = actor(&mock, &headers, &body, PATH)?;
    let (name, client, prefix) = match read(&mock, &form) {
        Ok(it) => it,
        Err(problem) => {
            let typed = context! {
                problem,
                name => form.get("name"),
                kind => form.get("kind"),
                redirect_uri => form.get("redirect_uri"),
            };
            return Ok(form_for_new(&mock, &visitor, StatusCode::BAD_REQUEST, typed));
        }
    };
    let client_id = format!("{prefix}{}", mock.keys.random());
    let secret = client.authentication.secret().map(str::to_owned);
    mock.meet(ClientOrigin::Portal, &client_id, &client);
    if secret.is_none() {
        lock(&mock.clients).insert(client_id.clone(), client);
    }
    if let Some(tenant) = lock(&mock.tenants).get_mut(visitor.org()) {
        tenant.clients.push(PortalClient {
            client_id: client_id.clone(),
            name: name.clone(),
            made: mock.clock.now(),
            secret: secret.clone(),
        });
    }
    // The product revokes with every new client, too.
    lock(&mock.grants).revoke_org(visitor.org());
    let unseen = Unseen { name, client_id: Some(client_id), secret };
    mock.browsers.change(&headers, |it| it.unseen = Some(unseen));
    Ok(see(PATH, "made-client"))
}

/// `GET /clients/delete?id=…`: the warning.
pub(super) async fn ask_delete(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let visitor = visitor(&mock, &headers, PATH, None)?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let all = list(&mock, visitor.org());
    let Some(client) = all.iter().find(|it| Some(it.client_id.as_str()) == form.get("id")) else {
        return Ok(see(PATH, ""));
    };
    let n_tokens: usize = live(&mock, visitor.org());
    let values = context! { client => client.shown(), n_tokens };
    Ok(visitor.show(&mock, "client_delete.html", "Delete client", values))
}

/// `POST /clients/delete`.
pub(super) async fn delete(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    let (visitor, form) = actor(&mock, &headers, &body, PATH)?;
    let id = form.get("id").unwrap_or_default();
    if !list(&mock, visitor.org()).iter().any(|it| it.client_id == id) {
        return Ok(see(PATH, ""));
    }
    if let Some(tenant) = lock(&mock.tenants).get_mut(visitor.org()) {
        tenant.clients.retain(|it| it.client_id != id);
    }
    lock(&mock.clients).remove(id);
    let mut grants = lock(&mock.grants);
    grants.revoke_client(id);
    grants.revoke_org(visitor.org());
    Ok(see(PATH, "deleted"))
}

/// `POST /clients/lifetime`.
pub(super) async fn change_lifetime(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    let (visitor, form) = actor(&mock, &headers, &body, PATH)?;
    let days = form.get("days").and_then(|it| it.parse().ok());
    let Some(days) = days.filter(|it| LIFETIMES.contains(it)) else {
        let text = "A refresh token lasts for 1, 7, 30 or 90 days.";
        return Err(mock.pages.problem(StatusCode::BAD_REQUEST, "Not accepted", text));
    };
    if let Some(tenant) = lock(&mock.tenants).get_mut(visitor.org()) {
        tenant.refresh_token_lifetime = DAY * days;
    }
    Ok(see(PATH, "lifetime"))
}

/// What a form wants: the name, the client, and what its id begins with.
fn read(mock: &Mock, form: &Form) -> Result<(String, Client, &'static str), &'static str> {
    let name = given_name(form).ok_or("Please give the client a name of at most 64 characters.")?;
    let machine = form.get("kind") != Some("application");
    let mut redirect_uris = Vec::new();
    let authentication = if machine {
        Authentication::SecretPost(mock.issue("apx_secret_"))
    } else {
        let uri = form.get("redirect_uri").map(str::trim).filter(|it| is_redirect_uri(it));
        let problem = "Please give a redirect URI with https, or with http on a loopback host.";
        redirect_uris.push(uri.ok_or(problem)?.to_owned());
        Authentication::None
    };
    let client = Client {
        name: name.to_owned(),
        redirect_uris,
        refreshes: !machine,
        authentication,
        machine_of: None,
    };
    Ok((name.to_owned(), client, if machine { "apx_client_" } else { "apx_app_" }))
}

fn form_for_new(mock: &Mock, visitor: &Visitor, status: StatusCode, typed: Value) -> Response {
    let n_tokens = live(mock, visitor.org());
    let values = context! { n_tokens, ..typed };
    visitor.show_with(mock, status, "client_new.html", "New client", values)
}

/// How many refresh tokens of an organisation work.
fn live(mock: &Mock, org: &str) -> usize {
    lock(&mock.grants).live_refresh_tokens(org, mock.clock.now()).len()
}

/// A client of an organisation: made in its portal, or approved by one of its users.
struct Listed {
    client_id: String,
    name: String,
    kind: &'static str,
    redirect_uris: Vec<String>,
    made: Option<Duration>,
    n_tokens: usize,
}

impl Listed {
    fn shown(&self) -> Value {
        // A metadata document's id is a URL.
        let query: String =
            url::form_urlencoded::byte_serialize(self.client_id.as_bytes()).collect();
        context! {
            query,
            client_id => &self.client_id,
            name => &self.name,
            kind => self.kind,
            redirect_uris => &self.redirect_uris,
            made => self.made.map(date),
            n_tokens => self.n_tokens,
        }
    }
}

fn list(mock: &Mock, org: &str) -> Vec<Listed> {
    let now = mock.clock.now();
    let made_here = lock(&mock.tenants).get(org).map(|it| it.clients.clone()).unwrap_or_default();
    let known = lock(&mock.clients).clone();
    let grants = lock(&mock.grants);
    let live = grants.live_refresh_tokens(org, now);
    let n_tokens = |id: &str| live.iter().filter(|it| **it == id).count();
    let mut all: Vec<Listed> = made_here
        .iter()
        .map(|it| Listed {
            client_id: it.client_id.clone(),
            name: it.name.clone(),
            kind: if it.secret.is_some() { "Machine" } else { "Application" },
            redirect_uris: known
                .get(&it.client_id)
                .map_or(Vec::new(), |it| it.redirect_uris.clone()),
            made: Some(it.made),
            n_tokens: n_tokens(&it.client_id),
        })
        .collect();
    let met = lock(&mock.met);
    for id in grants.clients_of(org) {
        let Some(client) =
            known.get(&id).filter(|_| !made_here.iter().any(|it| it.client_id == id))
        else {
            continue;
        };
        let record = met.iter().find(|it| it.client_id == id);
        all.push(Listed {
            name: client.name.clone(),
            kind: match record.map(|it| it.origin) {
                Some(ClientOrigin::Document) => "Metadata document",
                Some(ClientOrigin::Plan) => "Pre-registered",
                _ => "Registered itself",
            },
            redirect_uris: client.redirect_uris.clone(),
            made: record.map(|it| it.at),
            n_tokens: n_tokens(&id),
            client_id: id,
        });
    }
    all
}

/// What the product offers, in days.
const LIFETIMES: [u32; 4] = [1, 7, 30, 90];

const DAY: Duration = Duration::from_hours(24);
