//! Agents → API keys: made, shown once, revoked at once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};

use super::{Shown, Visitor, actor, date, given_name, see, visitor};
use crate::mock::state::{Mock, lock};
use crate::mock::web::signin::Unseen;

/// Where the page is.
pub(super) const PATH: &str = "/keys";

/// `GET /keys`.
pub(super) async fn show(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Shown {
    let visitor = visitor(&mock, &headers, PATH, query.as_deref())?;
    // Taken: the next look at the page does not have it any more.
    let unseen =
        mock.browsers.change(&headers, |it| it.unseen.take_if(|it| it.client_id.is_none()));
    Ok(page(&mock, &visitor, StatusCode::OK, unseen.flatten(), None))
}

/// `POST /keys`: a new key.
pub(super) async fn create(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    let (visitor, form) = actor(&mock, &headers, &body, PATH)?;
    let Some(name) = given_name(&form) else {
        let problem = "Please give the key a name of at most 64 characters.";
        return Ok(page(&mock, &visitor, StatusCode::BAD_REQUEST, None, Some(problem)));
    };
    let key = new_key(&mock);
    if let Some(tenant) = lock(&mock.tenants).get_mut(visitor.org()) {
        tenant.add_key(name, &visitor.browser.user, &key, mock.clock.now());
    }
    let unseen = Unseen { name: name.to_owned(), client_id: None, secret: Some(key) };
    mock.browsers.change(&headers, |it| it.unseen = Some(unseen));
    Ok(see(PATH, "made-key"))
}

/// `POST /keys/revoke`.
pub(super) async fn revoke(
    State(mock): State<Arc<Mock>>,
    headers: HeaderMap,
    body: Bytes,
) -> Shown {
    let (visitor, form) = actor(&mock, &headers, &body, PATH)?;
    let id = form.get("id").unwrap_or_default();
    let revoked = lock(&mock.tenants).get_mut(visitor.org()).is_some_and(|it| it.revoke_key(id));
    Ok(see(PATH, if revoked { "revoked" } else { "" }))
}

fn page(
    mock: &Mock,
    visitor: &Visitor,
    status: StatusCode,
    unseen: Option<Unseen>,
    problem: Option<&str>,
) -> Response {
    let keys: Vec<Value> = lock(&mock.tenants)
        .get(visitor.org())
        .into_iter()
        .flat_map(|tenant| tenant.keys.iter().rev())
        .map(|it| {
            context! {
                id => &it.id,
                name => &it.name,
                ending => &it.ending,
                made_by => &it.made_by,
                made => date(it.made),
                used => it.used.map(date),
            }
        })
        .collect();
    let unseen = unseen.map(|it| context! { name => &it.name, secret => &it.secret });
    let values = context! { keys, unseen, problem };
    visitor.show_with(mock, status, "keys.html", "API keys", values)
}

/// `apx_live_sk_` and 32 characters.
fn new_key(mock: &Mock) -> String {
    let random = mock.keys.random() + &mock.keys.random();
    let letters: String = random.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let key = format!("apx_live_sk_{letters}");
    mock.remember(&key);
    key
}
