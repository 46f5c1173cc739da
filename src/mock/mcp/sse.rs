//! The HTTP+SSE transport (2024-11-05): one stream down, POSTs up.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

use super::jsonrpc::{Incoming, parse};
use super::methods::{Caller, handle, logged};
use crate::mock::fault::Fault;
use crate::mock::log::Note;
use crate::mock::oauth::{Endpoint, Form, admit};
use crate::mock::state::{Mock, lock};

/// `GET /mcp/<org>/sse`.
pub(crate) async fn open(
    State(mock): State<Arc<Mock>>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = admit(&mock, &headers, &org, Endpoint::Sse) {
        return refusal.into_response();
    }
    if let Some(status) = super::http::sse_fault(&mock) {
        return status.into_response();
    }
    let id = mock.issue("");
    let session = mock.sessions.begin(id.clone(), &org);
    let closing = (Arc::clone(&mock), id.clone());
    let (outlet, response) =
        mock.streams.start(mock.plan.heartbeat, move || closing.0.sessions.end(&closing.1));
    outlet.event("endpoint", &format!("/mcp/{org}/messages?sessionId={id}"));
    *lock(&session.stream) = Some(outlet);
    response
}

/// `POST /mcp/<org>/messages?sessionId=<id>`.
pub(crate) async fn receive(
    State(mock): State<Arc<Mock>>,
    Extension(note): Extension<Note>,
    Path(org): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let incoming = parse(&body);
    if let Ok(Incoming::One(message)) = &incoming {
        note.add(|entry| entry.messages = vec![logged(message)]);
    }
    if let Err(refusal) = admit(&mock, &headers, &org, Endpoint::Sse) {
        return refusal.into_response();
    }
    if let Some(status) = mock.faults.take(|fault| match fault {
        Fault::PostStatus(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    }) {
        return status.into_response();
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let session = form.get("sessionId").and_then(|id| mock.sessions.find(id, &org));
    let Some(session) = session else {
        return (StatusCode::NOT_FOUND, "there is no such session\n").into_response();
    };
    let message = match incoming {
        Ok(Incoming::One(message)) => message,
        Ok(Incoming::Batch(_)) => {
            return (StatusCode::BAD_REQUEST, "batches are not supported\n").into_response();
        }
        Err(error) => return (StatusCode::BAD_REQUEST, error.answer(None)).into_response(),
    };
    let outlet = lock(&session.stream).clone();
    let caller = Caller { mock, session, outlet };
    tokio::spawn(async move {
        if let Some(answer) = handle(&caller, message).await
            && let Some(outlet) = &caller.outlet
        {
            outlet.message(&answer);
        }
    });
    (StatusCode::ACCEPTED, "Accepted").into_response()
}
