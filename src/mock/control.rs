//! Steering from outside: `/__mock/…`, for those who hold the token of the ready line.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::FaultOrder;
use super::guard;
use super::keys::same_secret;
use super::live;
use super::mcp::Change;
use super::oauth::Form;
use super::serve::Peer;
use super::state::{Mock, lock};
use super::wire::Scissors;

/// What the owner of a gateway may do.
pub(crate) fn routes(mock: &Arc<Mock>) -> Router<Arc<Mock>> {
    Router::new()
        .route("/__mock/faults", get(faults).post(order).delete(clear))
        .route("/__mock/clock", get(clock).post(advance))
        .route("/__mock/act", post(act))
        .route("/__mock/log", get(log))
        .route("/__mock/tokens", get(async |mock: Owned| Json(lock(&mock.grants).records())))
        .route("/__mock/calls", get(async |mock: Owned| Json(lock(&mock.runs).clone())))
        .route("/__mock/clients", get(async |mock: Owned| Json(lock(&mock.met).clone())))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .route("/__mock/watch", get(live::watch))
        .route("/__mock/about", get(live::about))
        // Of these routes only: whatever else is asked for is the gateway's to answer.
        .route_layer(from_fn_with_state(Arc::clone(mock), gate))
        // The page alone tells nothing, and a browser cannot show a token before it has one.
        .merge(
            Router::new()
                .route("/__mock/live", get(live::page))
                .route_layer(from_fn_with_state(Arc::clone(mock), local_gate)),
        )
}

type Owned = State<Arc<Mock>>;

/// Loopback and the right host: a page of a foreign site has neither.
async fn local_gate(
    State(mock): Owned,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(line): Extension<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    line.fresh();
    let (parts, body) = request.into_parts();
    if !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "only this machine may steer the mock\n").into_response();
    }
    if let Some(reason) = guard::refusal(&mock, &parts) {
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The same, and the token.
async fn gate(
    mock: Owned,
    peer: Extension<Peer>,
    line: Extension<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    if is_owner(&mock, request.headers()) {
        return local_gate(mock, peer, line, request, next).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "the token is in the ready line\n").into_response()
}

fn is_owner(mock: &Mock, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = shown.and_then(|it| it.split_once(' ')).map(|(_, token)| token.trim());
    token.is_some_and(|it| same_secret(it, &mock.control_token))
}

async fn faults(State(mock): Owned) -> Json<Value> {
    Json(mock.faults.list())
}

async fn clear(State(mock): Owned) -> StatusCode {
    mock.faults.clear();
    StatusCode::NO_CONTENT
}

/// One order a line, or a JSON array of orders. All of them, or none.
async fn order(State(mock): Owned, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body);
    let orders = words(&text).into_iter().map(|it| it.parse::<FaultOrder>());
    match orders.collect::<Result<Vec<_>, _>>() {
        Ok(orders) => {
            for it in orders {
                mock.faults.order(it);
            }
            Json(mock.faults.list()).into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}

/// A JSON array of texts, or what is on the lines.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        text.lines().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    })
}

async fn clock(State(mock): Owned) -> Json<Value> {
    Json(json!({"now": mock.clock.now().as_secs_f64()}))
}

#[derive(Deserialize)]
struct Advance {
    advance: f64,
}

async fn advance(State(mock): Owned, body: Bytes) -> Response {
    let by = serde_json::from_slice::<Advance>(&body)
        .ok()
        .and_then(|it| Duration::try_from_secs_f64(it.advance).ok())
        .filter(|it| *it <= MOST);
    let Some(by) = by else {
        let expected = "expected {\"advance\": SECONDS}, forward and at most ten years\n";
        return (StatusCode::BAD_REQUEST, expected).into_response();
    };
    mock.clock.advance(by);
    clock(State(mock)).await.into_response()
}

/// Things that happen to a gateway: one a line, or a JSON array.
async fn act(State(mock): Owned, body: Bytes) -> Response {
    for word in words(&String::from_utf8_lossy(&body)) {
        match word.as_str() {
            "expire_access_tokens" => lock(&mock.grants).expire_access_tokens(),
            "revoke_refresh_tokens" => lock(&mock.grants).revoke_all(),
            "forget_clients" => mock.forget_clients(),
            "forget_sessions" => mock.sessions.forget(),
            "drop_streams" => mock.streams.cut_all(),
            "change_tools" => mock.announce(&Change::Tools),
            "change_prompts" => mock.announce(&Change::Prompts),
            "change_resources" => mock.announce(&Change::Resources),
            "end_subscriptions" => mock.listeners.end(),
            _ => {
                let problem = format!("`{word}` is nothing that happens here\n");
                return (StatusCode::BAD_REQUEST, problem).into_response();
            }
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// The request log as lines of JSON, without the first so many (`?skip=N`).
async fn log(State(mock): Owned, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let skip = form.get("skip").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut lines = String::new();
    for request in mock.log.requests().into_iter().skip(skip) {
        lines += &serde_json::to_string(&request).unwrap_or_default();
        lines.push('\n');
    }
    ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

/// Nobody orders this many faults at once.
const MAX_BODY: usize = 1 << 20;

/// Further on, sums of times would leave what fits.
const MOST: Duration = Duration::from_hours(10 * 365 * 24);
