//! The HTTP+SSE transport (2024-11-05): one stream down, POSTs up.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

use super::http::{admit_messages, only_post};
use super::jsonrpc::{Incoming, parse};
use super::methods::{Caller, accepted, deliver, handle, logged, ordered};
use super::style::Style;
use super::tools;
use crate::mock::fault::{Fault, Route};
use crate::mock::log::Note;
use crate::mock::oauth::{Endpoint, Form, admit};
use crate::mock::plan::Eras;
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
    if mock.plan.eras == Eras::Modern {
        return only_post();
    }
    if let Some(status) = super::http::sse_fault(&mock, Route::Sse) {
        return status.into_response();
    }
    let id = mock.issue("");
    let session = mock.sessions.begin(id.clone(), &org);
    let closing = (Arc::clone(&mock), id.clone());
    let (outlet, response) = mock
        .streams
        .start(Style::draw(&mock, Route::Sse), &id, move || closing.0.sessions.end(&closing.1));
    let endpoint = mock.faults.take(Route::Sse, |fault| match fault {
        Fault::EndpointEvent(data) => Some(data.clone()),
        _ => None,
    });
    let endpoint = endpoint.unwrap_or_else(|| format!("/mcp/{org}/messages?sessionId={id}"));
    outlet.event("endpoint", &endpoint);
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
    if let Err(refusal) = admit_messages(&mock, &headers, &org, Endpoint::Post, &incoming) {
        return refusal.into_response();
    }
    if let Some(response) = ordered(&mock, Route::Post) {
        return response;
    }
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let id = form.get("sessionId").unwrap_or_default();
    if mock.faults.strikes(Route::Post, &Fault::SessionLost) {
        mock.sessions.end(id);
    }
    let session = mock.sessions.find(id, &org);
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
    let (mock_too, route) = (Arc::clone(&mock), Route::Post);
    let caller = Caller { mock: mock_too, session, route, outlet, claims: None };
    let calls_tool = tools::connector(&message).is_some();
    let early = calls_tool && mock.faults.strikes(Route::Post, &Fault::AnswerBefore202);
    let work = tokio::spawn(async move {
        if let Some(answer) = handle(&caller, message).await
            && let Some(outlet) = &caller.outlet
        {
            deliver(&caller, outlet, &answer, calls_tool);
        }
    });
    if early {
        // A panic in it has been printed already.
        work.await.ok();
    }
    (accepted(&mock, Route::Post).await, "Accepted").into_response()
}
