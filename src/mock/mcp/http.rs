//! The Streamable HTTP transport. Requests of 2026-07-28 are handed over to `modern`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::jsonrpc::{Incoming, Message, RpcError, parse};
use super::methods::{Caller, accepted, deliver, handle, logged, ordered, spread};
use super::session::{Revision, Session};
use super::style::Style;
use super::{conformance, modern, tools};
use crate::mock::fault::{Fault, Route};
use crate::mock::log::Note;
use crate::mock::oauth::{self, Endpoint, admit, require};
use crate::mock::plan::{Answers, Eras};
use crate::mock::state::{Mock, lock};

/// `POST /mcp/<org>`.
pub(crate) async fn receive(
    State(mock): State<Arc<Mock>>,
    Extension(note): Extension<Note>,
    Path(org): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let incoming = parse(&body);
    note.add(|entry| {
        entry.messages = messages(&incoming).iter().map(logged).collect();
    });
    if let Err(refusal) = admit_messages(&mock, &headers, &org, Endpoint::Http, &incoming) {
        return refusal.into_response();
    }
    if let Some(response) = ordered(&mock, Route::Http) {
        return response;
    }
    if !(accepts(&headers, JSON) && accepts(&headers, EVENT_STREAM)) {
        let message = "expected `Accept` to list application/json and text/event-stream";
        return Refusal(StatusCode::NOT_ACCEPTABLE, message).into_response();
    }
    if !media_types(&headers, header::CONTENT_TYPE).any(|it| it == JSON) {
        return Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/json")
            .into_response();
    }
    let incoming = match incoming {
        Ok(incoming) => incoming,
        Err(error) => return json_response(StatusCode::BAD_REQUEST, error.answer(None)),
    };
    if let Some(refusal) = modern::refuse_initialize(&mock, &incoming) {
        return refusal;
    }
    if modern::is_meant(&mock, &headers, &incoming) {
        return modern::receive(mock, &org, &headers, incoming).await;
    }
    let named = match session(&mock, &headers, &org) {
        Ok(named) => named,
        Err(refusal) => return refusal.into_response(),
    };
    let begins = is_initialize(&incoming);
    if !begins && let Err(refusal) = check_revision(named.as_deref(), &headers) {
        return refusal.into_response();
    }
    let begun = (begins && named.is_none() && mock.plan.sessions)
        .then(|| mock.sessions.begin(mock.issue(""), &org));
    let id = begun.as_ref().map(|it| it.id.clone());
    let session = named.or(begun).unwrap_or_else(|| mock.sessions.nameless(&org));
    let mut response = answer(mock, session, incoming).await;
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        response.headers_mut().insert(SESSION_ID, id);
    }
    response
}

/// `GET /mcp/<org>`: the stream for what belongs to no request.
pub(crate) async fn listen(
    State(mock): State<Arc<Mock>>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = admit(&mock, &headers, &org, Endpoint::Stream) {
        return refusal.into_response();
    }
    if mock.plan.eras == Eras::Modern {
        return only_post();
    }
    if let Some(status) = sse_fault(&mock, Route::Sse) {
        return status.into_response();
    }
    if !accepts(&headers, EVENT_STREAM) {
        return Refusal(StatusCode::NOT_ACCEPTABLE, "expected `Accept: text/event-stream`")
            .into_response();
    }
    let session = match session(&mock, &headers, &org) {
        Ok(Some(session)) => session,
        Ok(None) => return only_post(),
        Err(refusal) => return refusal.into_response(),
    };
    if let Err(refusal) = check_revision(Some(&session), &headers) {
        return refusal.into_response();
    }
    let style = Style::draw_streamable(&mock, Route::Sse);
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok());
    if let Some(last) = last
        && !mock.faults.strikes(Route::Sse, &Fault::NoResume)
        && let Some(response) = mock.streams.resume(last, &session.id, &style)
    {
        return response;
    }
    let (outlet, response) = mock.streams.start(style, &session.id, || {});
    // A later stream takes over, so that a client which lost its one can come back at once.
    *lock(&session.stream) = Some(outlet);
    response
}

/// `DELETE /mcp/<org>`: the client ends its session.
pub(crate) async fn end(
    State(mock): State<Arc<Mock>>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = admit(&mock, &headers, &org, Endpoint::Http) {
        return refusal.into_response();
    }
    if mock.plan.eras == Eras::Modern {
        return only_post();
    }
    match session(&mock, &headers, &org) {
        Ok(Some(session)) => {
            mock.sessions.end(&session.id);
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(None) => Refusal(StatusCode::BAD_REQUEST, "there is no session to end").into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// 405, as there is no stream or session here.
pub(crate) fn only_post() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response()
}

/// Admits messages: the request as such, and what they are about to do.
pub(crate) fn admit_messages(
    mock: &Mock,
    headers: &HeaderMap,
    org: &str,
    endpoint: Endpoint,
    incoming: &Result<Incoming, RpcError>,
) -> Result<(), oauth::Refusal> {
    let access = admit(mock, headers, org, endpoint)?;
    let connectors = messages(incoming).iter().filter_map(tools::connector);
    require(mock, &access, org, endpoint, connectors)
}

fn messages(incoming: &Result<Incoming, RpcError>) -> &[Message] {
    incoming.as_ref().map_or(&[], Incoming::messages)
}

/// The fault of the next stream.
pub(crate) fn sse_fault(mock: &Mock, route: Route) -> Option<StatusCode> {
    mock.faults.take(route, |fault| match fault {
        Fault::SseStatus(status) => StatusCode::from_u16(*status).ok(),
        _ => None,
    })
}

async fn answer(mock: Arc<Mock>, session: Arc<Session>, incoming: Incoming) -> Response {
    let message = match incoming {
        Incoming::One(message) => message,
        Incoming::Batch(messages) => return batch(mock, session, messages).await,
    };
    let streams = match &message {
        Message::Request { params, .. } => {
            let params = params.as_deref();
            mock.plan.answers == Answers::Sse || tools::tells(params) || tools::asks(params)
        }
        Message::Notification { .. } | Message::Response { .. } => false,
    };
    if streams {
        let mut style = Style::draw_streamable(&mock, Route::Http);
        if mock.plan.conformance && tools::reconnects(&message) {
            style.retry = Some(100);
            style.poll(conformance::PAUSE);
        }
        let (outlet, response) = mock.streams.start(style, &session.id, || {});
        let outlet_too = Some(outlet.clone());
        let caller = Caller { mock, session, route: Route::Http, outlet: outlet_too, claims: None };
        tokio::spawn(async move {
            let calls_tool = tools::connector(&message).is_some();
            if let Some(answer) = handle(&caller, message).await {
                deliver(&caller, &outlet, &answer, calls_tool);
            }
        });
        return response;
    }
    let (mock_too, route) = (Arc::clone(&mock), Route::Http);
    let caller = Caller { mock: mock_too, session, route, outlet: None, claims: None };
    let calls_tool = tools::connector(&message).is_some();
    // A task of its own: a client that hangs up does not cancel (2025-03-26 and later).
    let work = tokio::spawn(async move {
        let answer = handle(&caller, message).await?;
        Some(if calls_tool { spread(&caller, answer) } else { answer })
    });
    match work.await {
        Ok(Some(answer)) => json_response(StatusCode::OK, answer),
        // Nothing to answer, or the request was cancelled: then an answer must not follow.
        Ok(None) => accepted(&mock, Route::Http).await.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Several messages at once, which only 2025-03-26 has.
async fn batch(mock: Arc<Mock>, session: Arc<Session>, messages: Vec<Message>) -> Response {
    if *lock(&session.revision) != Some(Revision::R20250326) {
        return Refusal(StatusCode::BAD_REQUEST, "batches are of 2025-03-26 only").into_response();
    }
    let caller = Caller { mock, session, route: Route::Http, outlet: None, claims: None };
    let running: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let caller = caller.clone();
            tokio::spawn(async move { handle(&caller, message).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in running {
        answers.extend(task.await.ok().flatten());
    }
    if answers.is_empty() {
        return StatusCode::ACCEPTED.into_response();
    }
    json_response(StatusCode::OK, format!("[{}]", answers.join(",")))
}

/// The session that a request names. An unknown one is 404: the client has to begin anew.
fn session(mock: &Mock, headers: &HeaderMap, org: &str) -> Result<Option<Arc<Session>>, Refusal> {
    let Some(id) = headers.get(SESSION_ID).map(|it| it.to_str().unwrap_or_default()) else {
        return Ok(None);
    };
    if mock.faults.strikes(Route::Http, &Fault::SessionLost) {
        mock.sessions.end(id);
    }
    match mock.sessions.find(id, org) {
        Some(session) => Ok(Some(session)),
        None => Err(Refusal(StatusCode::NOT_FOUND, "there is no such session")),
    }
}

/// 2025-06-18 and later: every request after `initialize` names the revision agreed on.
fn check_revision(session: Option<&Session>, headers: &HeaderMap) -> Result<(), Refusal> {
    let agreed = session.and_then(|it| *lock(&it.revision));
    let Some(named) = headers.get("mcp-protocol-version") else {
        return match agreed {
            Some(agreed) if Revision::R20250618 <= agreed => {
                Err(Refusal(StatusCode::BAD_REQUEST, "`MCP-Protocol-Version` is missing"))
            }
            _ => Ok(()),
        };
    };
    let named = named.to_str().ok().and_then(Revision::parse);
    match (named, agreed) {
        (None, _) => Err(Refusal(StatusCode::BAD_REQUEST, "unknown `MCP-Protocol-Version`")),
        (Some(named), Some(agreed)) if named != agreed => Err(Refusal(
            StatusCode::BAD_REQUEST,
            "`MCP-Protocol-Version` is not the one that `initialize` agreed on",
        )),
        _ => Ok(()),
    }
}

/// Whether a body begins a session.
pub(crate) fn is_initialize(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::One(Message::Request { method, .. }) if method == "initialize")
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let range = format!("{}/*", media_type.split('/').next().unwrap_or_default());
    media_types(headers, header::ACCEPT).any(|it| it == media_type || it == "*/*" || it == range)
}

fn media_types(
    headers: &HeaderMap,
    name: header::HeaderName,
) -> impl Iterator<Item = String> + use<'_> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .map(|it| it.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

pub(crate) fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

/// An error that belongs to no request.
struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json_response(self.0, RpcError::invalid_request(self.1).answer(None))
    }
}

const EVENT_STREAM: &str = "text/event-stream";
const JSON: &str = "application/json";
const SESSION_ID: &str = "mcp-session-id";
