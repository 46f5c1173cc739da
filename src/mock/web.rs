//! The web host: sign-in and consent.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use minijinja::{Environment, context};
use serde_json::{Value, json};

use super::jwt;
use super::state::State;

type Pairs = HashMap<String, String>;

/// The page of the consent screen, or of the sign-in that comes before it.
pub(super) async fn consent(
    Shared(state): Shared<Arc<State>>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Response {
    let text = query.get("handoff").map(String::as_str).unwrap_or_default();
    let Some(handoff) = read(&state, text) else { return invalid() };
    let Some(user) = user(&state, &headers) else {
        return page("sign-in", include_str!("web/sign_in.html"), context! { handoff => text });
    };
    let get = |name: &str| handoff.get(name).and_then(Value::as_str).unwrap_or_default();
    page(
        "consent",
        include_str!("web/consent.html"),
        context! {
            handoff => text, user, token => csrf(&state, text),
            client => get("client_name"), organisation => get("org"),
            scope => get("scope"), redirect_uri => get("redirect_uri"),
        },
    )
}

/// Any name is somebody.
pub(super) async fn sign_in(
    Shared(state): Shared<Arc<State>>,
    Form(form): Form<Pairs>,
) -> Response {
    let name = form.get("name").map_or("ada", String::as_str);
    let handoff = form.get("handoff").map(String::as_str).unwrap_or_default();
    let session = jwt::sign(&state.handoff_key, &json!({ "user": name }));
    let cookie = format!("session={session}; HttpOnly; SameSite=Lax; Path=/");
    let to = format!("/oauth/consent?handoff={handoff}");
    ([("set-cookie", cookie)], Redirect::to(&to)).into_response()
}

/// Approve or Deny.
pub(super) async fn decide(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Form(form): Form<Pairs>,
) -> Response {
    let get = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let Some(mut handoff) = read(&state, get("handoff")) else { return invalid() };
    if user(&state, &headers).is_none() || get("token") != csrf(&state, get("handoff")) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(handoff) = handoff.as_object_mut() {
        handoff.insert("approve".to_owned(), json!(get("decision") == "approve"));
    }
    let decision = jwt::sign(&state.handoff_key, &handoff);
    let to = format!("{}/authorize/complete?decision={decision}", state.base);
    (StatusCode::SEE_OTHER, [("location", to)]).into_response()
}

fn read(state: &State, text: &str) -> Option<Value> {
    let handoff = jwt::verify(&state.handoff_key, text)?;
    (state.now() < handoff.get("exp")?.as_u64()?).then_some(handoff)
}

fn invalid() -> Response {
    (StatusCode::BAD_REQUEST, Html("<h1>handoff invalid</h1>")).into_response()
}

fn user(state: &State, headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get("cookie")?.to_str().ok()?;
    let session = cookies.split(';').find_map(|pair| pair.trim().strip_prefix("session="))?;
    let session = jwt::verify(&state.handoff_key, session)?;
    Some(session.get("user")?.as_str()?.to_owned())
}

/// Bound to the request that it answers; another page cannot know it.
fn csrf(state: &State, handoff: &str) -> String {
    jwt::sign(&state.handoff_key, &json!({ "csrf": handoff }))
}

fn page(name: &str, template: &str, values: minijinja::Value) -> Response {
    let mut environment = Environment::new();
    // The ending switches escaping on.
    let name = format!("{name}.html");
    let html = environment
        .add_template_owned(name.clone(), template.to_owned())
        .and_then(|()| environment.get_template(&name)?.render(values));
    let headers = [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ];
    match html {
        Ok(html) => (headers, Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
