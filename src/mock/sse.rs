//! HTTP+SSE (MCP 2024-11-05).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::gateway::What;
use super::mcp;
use super::state::{Session, State, random};

/// How often a silent stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Opens the stream; its first event says where messages go.
pub(super) async fn open(
    Shared(state): Shared<Arc<State>>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = mcp::admit(&state, &headers, &org, "/sse") {
        return refusal;
    }
    let id = random("");
    let (sender, messages) = unbounded_channel();
    let endpoint = format!("/mcp/{org}/messages?sessionId={id}");
    let session = Session { organisation: org, version: String::new(), stream: Some(sender) };
    state.lock().sessions.insert(id, session);
    let first = Event::default().event("endpoint").data(endpoint);
    let events = stream::iter([Ok::<_, Infallible>(first)]).chain(events(messages));
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

/// Messages as events.
pub(super) fn events(
    messages: UnboundedReceiver<Value>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(messages, |mut messages| async {
        let message = messages.recv().await?;
        Some((Ok(Event::default().event("message").data(message.to_string())), messages))
    })
}

#[derive(Deserialize)]
pub(super) struct Address {
    #[serde(rename = "sessionId")]
    session: String,
}

/// Takes one message; its answer comes on the stream.
pub(super) async fn message(
    Shared(state): Shared<Arc<State>>,
    Path(org): Path<String>,
    Query(address): Query<Address>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    if let Err(refusal) = mcp::admit(&state, &headers, &org, "/sse") {
        return refusal;
    }
    let session = state.lock().sessions.get(&address.session).cloned();
    let stream = session.filter(|session| session.organisation == org).and_then(|s| s.stream);
    let Some(stream) = stream else {
        return (StatusCode::NOT_FOUND, "no such session").into_response();
    };
    let method = message.get("method").and_then(Value::as_str).unwrap_or("answer").to_owned();
    tokio::spawn(async move {
        if let Some(answer) = mcp::answer(&state, &message, &stream).await {
            stream.send(answer).ok();
        }
    });
    let mut response = (StatusCode::ACCEPTED, "Accepted").into_response();
    response.extensions_mut().insert(What(method));
    response
}
