//! The authorization server: metadata, registration, authorization, tokens.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine as _;
use serde_json::{Value, json};
use url::Url;

use super::gateway::What;
use super::jwt;
use super::plan::Consent;
use super::state::{Client, Grant, Inner, Refresh, State, random, s256};

/// How long a hand-off between gateway and web host is good, in seconds.
const HANDOFF_LIFE: u64 = 600;
/// How long a code is good, in seconds (RFC 6749 §4.1.2).
const CODE_LIFE: u64 = 600;

type Pairs = HashMap<String, String>;

/// RFC 9728 §3, without a path: the first organisation's SSE endpoint.
pub(super) async fn resource_metadata(Shared(state): Shared<Arc<State>>) -> Response {
    let org = state.plan.organisations.first().cloned().unwrap_or_default();
    describe(&state, &format!("mcp/{org}/sse"))
}

/// RFC 9728 §3.1, with the endpoint's path.
pub(super) async fn resource_metadata_at(
    Shared(state): Shared<Arc<State>>,
    Path(path): Path<String>,
) -> Response {
    describe(&state, &path)
}

fn describe(state: &State, path: &str) -> Response {
    let known = state
        .plan
        .organisations
        .iter()
        .any(|org| path == format!("mcp/{org}") || path == format!("mcp/{org}/sse"));
    if state.plan.old_release || !known {
        return StatusCode::NOT_FOUND.into_response();
    }
    Json(json!({
        "resource": format!("{}/{path}", state.base),
        "authorization_servers": [state.base],
        "scopes_supported": ["mcp:call"],
        "bearer_methods_supported": ["header"],
    }))
    .into_response()
}

/// RFC 8414 §2.
pub(super) async fn server_metadata(Shared(state): Shared<Arc<State>>) -> Response {
    if state.plan.old_release {
        return StatusCode::NOT_FOUND.into_response();
    }
    let at = |path: &str| format!("{}{path}", state.base);
    Json(json!({
        "issuer": state.base,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/oauth/token"),
        "registration_endpoint": at("/register"),
        "scopes_supported": ["mcp:call"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    }))
    .into_response()
}

fn refuse(status: StatusCode, error: &str, description: &str) -> Response {
    (
        status,
        [("cache-control", "no-store")],
        Json(json!({ "error": error, "error_description": description })),
    )
        .into_response()
}

/// RFC 7591 §3.
pub(super) async fn register(
    Shared(state): Shared<Arc<State>>,
    Json(request): Json<Value>,
) -> Response {
    let uris = request.get("redirect_uris").and_then(Value::as_array).cloned().unwrap_or_default();
    let uris: Vec<_> = uris.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if uris.is_empty() || !uris.iter().all(|uri| is_redirect(uri)) {
        let why = "https, or http on this machine";
        return refuse(StatusCode::BAD_REQUEST, "invalid_redirect_uri", why);
    }
    let id = random("apx_client_");
    let name = request.get("client_name").and_then(Value::as_str).unwrap_or("unnamed").to_owned();
    let client = Client { name, redirect_uris: uris.clone() };
    state.lock().clients.insert(id.clone(), client);
    let answer = json!({ "client_id": id, "redirect_uris": uris,
        "token_endpoint_auth_method": "none", "client_id_issued_at": state.now() });
    (StatusCode::CREATED, [("cache-control", "no-store")], Json(answer)).into_response()
}

fn is_redirect(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let local = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    url.fragment().is_none() && (url.scheme() == "https" || url.scheme() == "http" && local)
}

/// RFC 6749 §4.1.1: checks the request and hands the browser over to the web host.
///
/// A request with an unknown client or redirect URI gets a page; it is never redirected.
pub(super) async fn authorize(
    Shared(state): Shared<Arc<State>>,
    Query(request): Query<Pairs>,
) -> Response {
    let get = |name: &str| request.get(name).map(String::as_str).unwrap_or_default();
    let client = state.lock().clients.get(get("client_id")).cloned();
    let redirect = get("redirect_uri");
    let Some(client) =
        client.filter(|client| client.redirect_uris.iter().any(|uri| uri == redirect))
    else {
        let page = "<h1>Unknown client or redirect URI</h1>";
        return (StatusCode::BAD_REQUEST, Html(page)).into_response();
    };
    let error = match () {
        () if get("response_type") != "code" => Some("unsupported_response_type"),
        () if get("code_challenge").len() < 43 || get("code_challenge_method") != "S256" => {
            Some("invalid_request")
        }
        () if !get("resource").starts_with(&state.base) => Some("invalid_target"),
        () => None,
    };
    if let Some(error) = error {
        return back(&state, redirect, get("state"), &[("error", error)]);
    }
    let org = get("resource").rsplit("/mcp/").next().and_then(|rest| rest.split('/').next());
    let handoff = json!({
        "client_id": get("client_id"), "client_name": client.name, "redirect_uri": redirect,
        "state": get("state"), "code_challenge": get("code_challenge"), "resource": get("resource"),
        "scope": request.get("scope").map_or("mcp:call", String::as_str), "org": org,
        "exp": state.now() + HANDOFF_LIFE,
    });
    match state.plan.consent {
        Consent::Ask => {
            let handoff = jwt::sign(&state.handoff_key, &handoff);
            Redirect::to(&format!("{}/oauth/consent?handoff={handoff}", state.web)).into_response()
        }
        Consent::Approve => decided(&state, &handoff, true),
        Consent::Deny => decided(&state, &handoff, false),
    }
}

/// The web host sends the browser back with what the person decided.
pub(super) async fn complete(
    Shared(state): Shared<Arc<State>>,
    Query(request): Query<Pairs>,
) -> Response {
    let decision = request.get("decision").and_then(|text| jwt::verify(&state.handoff_key, text));
    let alive = |decision: &Value| {
        decision.get("exp").and_then(Value::as_u64).is_some_and(|exp| state.now() < exp)
    };
    match decision.filter(alive) {
        Some(decision) => {
            let approve = decision.get("approve").and_then(Value::as_bool).unwrap_or(false);
            decided(&state, &decision, approve)
        }
        None => (StatusCode::BAD_REQUEST, Html("<h1>handoff invalid</h1>")).into_response(),
    }
}

fn decided(state: &State, handoff: &Value, approve: bool) -> Response {
    let get = |name: &str| handoff.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (redirect, client_state) = (get("redirect_uri"), get("state"));
    if !approve {
        return back(state, &redirect, &client_state, &[("error", "access_denied")]);
    }
    let code = random("apx_code_");
    let grant = Grant {
        client: get("client_id"),
        redirect_uri: redirect.clone(),
        challenge: get("code_challenge"),
        scope: get("scope"),
        resource: get("resource"),
        organisation: get("org"),
        expires: state.now() + CODE_LIFE,
    };
    let mut inner = state.lock();
    inner.secrets.push(code.clone());
    inner.codes.insert(code.clone(), grant);
    drop(inner);
    back(state, &redirect, &client_state, &[("code", &code)])
}

fn back(state: &State, redirect: &str, client_state: &str, pairs: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(redirect) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // RFC 9207 §2: the answer names its issuer.
    url.query_pairs_mut()
        .extend_pairs(pairs)
        .extend_pairs([("state", client_state), ("iss", &state.base)]);
    (StatusCode::FOUND, [("location", url.as_str()), ("cache-control", "no-store")]).into_response()
}

/// RFC 6749 §3.2.
pub(super) async fn token(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Form(request): Form<Pairs>,
) -> Response {
    let kind = request.get("grant_type").cloned().unwrap_or_default();
    let mut response = grant(&state, &headers, &request, &kind);
    response.extensions_mut().insert(What(kind));
    response
}

fn grant(state: &State, headers: &HeaderMap, request: &Pairs, kind: &str) -> Response {
    let mut inner = state.lock();
    if let Some((left, status)) = inner.refuse_tokens.filter(|(left, _)| 0 < *left) {
        inner.refuse_tokens = Some((left - 1, status));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return status.into_response();
    }
    drop(inner);
    let client = client_id(headers, request);
    if !state.lock().clients.contains_key(&client) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", "unknown client");
    }
    let now = state.now();
    let mut inner = state.lock();
    match kind {
        "authorization_code" => {
            let code = request.get("code").map(String::as_str).unwrap_or_default();
            // Taken out first: a code that is presented wrongly is used up too.
            let grant = inner.codes.remove(code);
            let verifier = request.get("code_verifier").map(|verifier| s256(verifier));
            let good = grant.filter(|grant| {
                grant.client == client
                    && now < grant.expires
                    && Some(&grant.challenge) == verifier.as_ref()
                    && Some(&grant.redirect_uri) == request.get("redirect_uri")
            });
            match good {
                Some(grant) => {
                    inner.families += 1;
                    let family = inner.families;
                    issue(state, &mut inner, grant, family, now)
                }
                None => refuse(StatusCode::BAD_REQUEST, "invalid_grant", "unknown code"),
            }
        }
        "refresh_token" => {
            let token = request.get("refresh_token").cloned().unwrap_or_default();
            let Some(refresh) = inner.refresh_tokens.get_mut(&token) else {
                return refuse(StatusCode::BAD_REQUEST, "invalid_grant", "unknown refresh token");
            };
            let (found, reused) = (refresh.clone(), refresh.used);
            refresh.used = true;
            if reused {
                // RFC 9700 §4.14.2: one of the two holders is a thief; neither goes on.
                inner.reuses += 1;
                inner.dead_families.insert(found.family);
            }
            let dead = inner.dead_families.contains(&found.family);
            if dead || found.expires <= now || found.grant.client != client {
                return refuse(
                    StatusCode::BAD_REQUEST,
                    "invalid_grant",
                    "this refresh token is dead",
                );
            }
            issue(state, &mut inner, found.grant, found.family, now)
        }
        _ => refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", "code and refresh only"),
    }
}

/// From the body, or from Basic authentication with an empty secret (RFC 6749 §2.3.1).
fn client_id(headers: &HeaderMap, request: &Pairs) -> String {
    if let Some(id) = request.get("client_id") {
        return id.clone();
    }
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic "));
    let text = basic.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let text = text.and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
    text.split(':').next().unwrap_or_default().to_owned()
}

fn issue(state: &State, inner: &mut Inner, grant: Grant, family: u64, now: u64) -> Response {
    inner.access_tokens += 1;
    let life = state.plan.access_token_life.as_secs();
    let access = jwt::sign(
        &state.token_key,
        &json!({ "iss": state.base, "sub": "ada", "aud": grant.resource, "org": grant.organisation,
            "scope": grant.scope, "iat": now, "exp": now + life, "jti": inner.access_tokens }),
    );
    let refresh = random("apx_refresh_");
    let scope = grant.scope.clone();
    let expires = now + state.plan.refresh_token_life.as_secs();
    inner.secrets.extend([access.clone(), refresh.clone()]);
    inner.refresh_tokens.insert(refresh.clone(), Refresh { grant, family, used: false, expires });
    let answer = json!({ "access_token": access, "token_type": "Bearer", "expires_in": life,
        "refresh_token": refresh, "scope": scope });
    ([("cache-control", "no-store")], Json(answer)).into_response()
}
