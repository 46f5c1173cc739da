//! Streamable HTTP (MCP 2025-03-26 to 2025-11-25).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::gateway::What;
use super::state::{Session, State, random};
use super::{mcp, sse, tools};

/// Takes one message, or a batch where the session's revision has them.
pub(super) async fn message(
    Shared(state): Shared<Arc<State>>,
    Path(org): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Err(refusal) = admit(&state, &headers, &org, &body) {
        return refusal;
    }
    let method = body.get("method").and_then(Value::as_str).unwrap_or("answer").to_owned();
    let mut response = answer(&state, &org, body).await;
    response.extensions_mut().insert(What(method));
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn admit(state: &State, headers: &HeaderMap, org: &str, body: &Value) -> Result<(), Response> {
    mcp::admit(state, headers, org, "")?;
    let accept = text(headers, "accept");
    if !accept.contains("application/json") || !accept.contains("text/event-stream") {
        return Err(
            (StatusCode::NOT_ACCEPTABLE, "both media types must be accepted").into_response()
        );
    }
    let id = text(headers, "mcp-session-id");
    let session = state.lock().sessions.get(id).cloned();
    match session {
        None if !id.is_empty() => Err((StatusCode::NOT_FOUND, "no such session").into_response()),
        Some(session) if "2025-03-26" < session.version.as_str() => {
            if text(headers, "mcp-protocol-version") != session.version {
                let why = "MCP-Protocol-Version is missing or wrong";
                return Err((StatusCode::BAD_REQUEST, why).into_response());
            }
            if body.is_array() {
                return Err((StatusCode::BAD_REQUEST, "no batches here").into_response());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn answer(state: &Arc<State>, org: &str, body: Value) -> Response {
    if let Value::Array(members) = &body {
        let (emit, _) = unbounded_channel();
        let mut answers = Vec::new();
        for member in members {
            answers.extend(mcp::answer(state, member, &emit).await);
        }
        return Json(answers).into_response();
    }
    let request = body.get("id").is_some() && body.get("method").is_some();
    if !request {
        let (emit, _) = unbounded_channel();
        mcp::answer(state, &body, &emit).await;
        return StatusCode::ACCEPTED.into_response();
    }
    let initialize = body.get("method").is_some_and(|method| method == "initialize");
    let session = initialize.then(|| {
        let version = mcp::version(body.get("params").unwrap_or(&json!({}))).to_owned();
        let id = random("");
        let session = Session { organisation: org.to_owned(), version, stream: None };
        state.lock().sessions.insert(id.clone(), session);
        id
    });
    let (emit, messages) = unbounded_channel();
    let mut response = if state.plan.stream_answers || tools::needs_stream(&body) {
        let state = Arc::clone(state);
        tokio::spawn(async move {
            if let Some(answer) = mcp::answer(&state, &body, &emit).await {
                emit.send(answer).ok();
            }
        });
        Sse::new(sse::events(messages)).into_response()
    } else {
        Json(mcp::answer(state, &body, &emit).await).into_response()
    };
    if let Some(Ok(id)) = session.map(|id| HeaderValue::from_str(&id)) {
        response.headers_mut().insert("mcp-session-id", id);
    }
    response
}

/// The standalone stream.
pub(super) async fn listen(
    Shared(state): Shared<Arc<State>>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = mcp::admit(&state, &headers, &org, "") {
        return refusal;
    }
    let (sender, messages) = unbounded_channel();
    match state.lock().sessions.get_mut(text(&headers, "mcp-session-id")) {
        Some(session) => session.stream = Some(sender),
        None => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
    Sse::new(sse::events(messages)).keep_alive(KeepAlive::new()).into_response()
}

/// Ends a session.
pub(super) async fn end(
    Shared(state): Shared<Arc<State>>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = mcp::admit(&state, &headers, &org, "") {
        return refusal;
    }
    match state.lock().sessions.remove(text(&headers, "mcp-session-id")) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
