//! MCP itself: what a message gets as its answer, whatever carries it.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::jwt;
use super::state::State;
use super::tools;

const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// Answers one message; `None` for what wants no answer.
pub(super) async fn answer(
    state: &State,
    message: &Value,
    emit: &UnboundedSender<Value>,
) -> Option<Value> {
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        // An answer of the client to one of our questions.
        let id = message.get("id").and_then(Value::as_str).unwrap_or_default();
        if let Some(waiting) = state.lock().waiting.remove(id) {
            waiting.send(message.clone()).ok();
        }
        return None;
    };
    let id = message.get("id")?;
    let empty = json!({});
    let params = message.get("params").unwrap_or(&empty);
    let result = match method {
        "initialize" => initialize(params),
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => json!({}),
        "tools/list" => tools::list(),
        "tools/call" => tools::call(state, params, emit).await,
        "resources/list" => json!({ "resources": [{ "uri": "mock://orders", "name": "orders" }] }),
        "resources/read" => {
            json!({ "contents": [{ "uri": "mock://orders", "text": "five orders" }] })
        }
        "prompts/list" => json!({ "prompts": [{ "name": "greet" }] }),
        "prompts/get" => json!({ "messages": [{ "role": "user",
            "content": { "type": "text", "text": "Say hello" } }] }),
        _ => {
            let error = json!({ "code": -32601, "message": format!("unknown method: {method}") });
            return Some(json!({ "jsonrpc": "2.0", "id": id, "error": error }));
        }
    };
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn initialize(params: &Value) -> Value {
    json!({
        "protocolVersion": version(params),
        "capabilities": { "tools": { "listChanged": true }, "resources": { "subscribe": true },
            "prompts": {}, "logging": {} },
        "serverInfo": { "name": "apexmcp-mock-gateway", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// The version that both sides know.
pub(super) fn version(params: &Value) -> &'static str {
    let asked = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    VERSIONS.into_iter().find(|version| *version == asked).unwrap_or("2025-11-25")
}

/// Whether a request may reach the endpoint of an organisation; otherwise what it gets instead.
pub(super) fn admit(
    state: &State,
    headers: &HeaderMap,
    org: &str,
    transport: &str,
) -> Result<(), Response> {
    if !state.plan.organisations.iter().any(|known| known == org) {
        return Err((StatusCode::NOT_FOUND, "no such organisation").into_response());
    }
    if !state.plan.auth {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = text("x-api-key") {
        let known = state.keys.get(org).is_some_and(|known| known == key);
        return if known { Ok(()) } else { Err(challenge(state, org, transport, None)) };
    }
    let Some(token) = text("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
        return Err(challenge(state, org, transport, None));
    };
    let claims = jwt::verify(&state.token_key, token);
    let number = |name: &str| claims.as_ref().and_then(|claims| claims.get(name)?.as_u64());
    let alive = number("exp").is_some_and(|exp| state.now() < exp)
        && number("jti").is_some_and(|jti| state.lock().expired_up_to < jti);
    if !alive {
        return Err(challenge(state, org, transport, Some("invalid_token")));
    }
    if claims.and_then(|claims| Some(claims.get("org")?.as_str()? == org)) == Some(true) {
        return Ok(());
    }
    Err((StatusCode::FORBIDDEN, "this token belongs to another organisation").into_response())
}

fn challenge(state: &State, org: &str, transport: &str, error: Option<&str>) -> Response {
    if state.plan.old_release {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let base = &state.base;
    let error = error.map(|error| format!(", error=\"{error}\"")).unwrap_or_default();
    let value = format!(
        "Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp/{org}{transport}\", \
         scope=\"mcp:call\"{error}"
    );
    (StatusCode::UNAUTHORIZED, [("www-authenticate", value)]).into_response()
}
