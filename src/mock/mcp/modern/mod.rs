//! MCP 2026-07-28: every request says who asks and stands for itself; there are no sessions.

mod claims;
mod headers;
mod listen;
mod results;

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

pub(crate) use claims::Claims;
pub(crate) use listen::Listeners;

use super::http::{is_initialize, json_response};
use super::jsonrpc::{self, Incoming, Message, RpcError};
use super::methods::{self, Caller, accepted, arguments, deliver, spread};
use super::session::{Revision, Session};
use super::style::Style;
use super::{ask::Unfinished, tools};
use crate::mock::fault::{Fault, Route};
use crate::mock::plan::{Answers, Eras};
use crate::mock::state::Mock;

/// The revision that this is.
pub(crate) const REVISION: &str = "2026-07-28";

/// Whether a body is to be handled as one of this era.
pub(crate) fn is_meant(mock: &Mock, headers: &HeaderMap, incoming: &Incoming) -> bool {
    let claims = || {
        let [Message::Request { params, .. } | Message::Notification { params, .. }] =
            incoming.messages()
        else {
            return false;
        };
        let claimed: Result<Claimed, _> = arguments(params.as_deref());
        let version = claimed.ok().and_then(|it| it.meta?.protocol_version);
        version.is_some_and(|it| Revision::parse(&it).is_none())
    };
    match mock.plan.eras {
        Eras::Legacy => false,
        Eras::Modern => true,
        // `initialize` selects the older revisions, whatever the headers.
        Eras::Dual => {
            claims() || (headers::version(headers) == Some(REVISION) && !is_initialize(incoming))
        }
    }
}

#[derive(Deserialize)]
struct Claimed {
    #[serde(rename = "_meta")]
    meta: Option<ClaimedMeta>,
}

#[derive(Deserialize)]
struct ClaimedMeta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: Option<String>,
}

/// The revisions that a client may choose from.
pub(crate) fn supported(mock: &Mock) -> Vec<&'static str> {
    let older = match mock.plan.eras {
        Eras::Modern => [].as_slice(),
        Eras::Dual | Eras::Legacy => &Revision::ALL,
    };
    let older = older.iter().rev().map(|it| it.as_str());
    std::iter::once(REVISION).chain(older).collect()
}

/// `POST /mcp/<org>`, once the request as such is in order.
pub(crate) async fn receive(
    mock: Arc<Mock>,
    org: &str,
    headers: &HeaderMap,
    incoming: Incoming,
) -> Response {
    let refuse = |problem: &str| {
        let error = RpcError::invalid_request(problem);
        json_response(StatusCode::BAD_REQUEST, error.without_id())
    };
    let (id, method, params) = match incoming {
        Incoming::One(Message::Request { id, method, params }) => (id, method, params),
        // The core has none; extensions may.
        Incoming::One(Message::Notification { .. }) => {
            return accepted(&mock, Route::Http).await.into_response();
        }
        Incoming::One(Message::Response { .. }) => {
            return refuse("since 2026-07-28 clients send no responses");
        }
        Incoming::Batch(_) => return refuse("batches are of 2025-03-26 only"),
    };
    let refuse = |error: RpcError| json_response(status(error.code), error.answer(Some(&id)));
    let claims = match Claims::read(&mock, org, headers, &method, params.as_deref()) {
        Ok(claims) => claims,
        // Whatever is wrong with the frame of a request is 400.
        Err(error) => return json_response(StatusCode::BAD_REQUEST, error.answer(Some(&id))),
    };
    if method == "subscriptions/listen" {
        return match listen::open(&mock, org, &id, params.as_deref()) {
            Ok(response) => response,
            Err(error) => refuse(error),
        };
    }
    let caller = Caller {
        session: Arc::new(Session::new(String::new(), org)),
        route: Route::Http,
        outlet: None,
        claims: Some(Arc::new(claims)),
        mock,
    };
    run(caller, id, method, params).await
}

/// Runs a request. Whoever closes the connection or the stream before the end cancels it.
async fn run(
    mut caller: Caller,
    id: Box<RawValue>,
    method: String,
    params: Option<Box<RawValue>>,
) -> Response {
    let mock = Arc::clone(&caller.mock);
    let calls_tool = method == "tools/call";
    // A log goes by the stream of its request.
    let logs = caller.claims.as_ref().is_some_and(|it| it.logs("emergency"));
    let tells = logs || (calls_tool && tools::tells(params.as_deref()));
    if mock.plan.answers == Answers::Json && !tells {
        let (status, text) = answer(&caller, &id, &method, params.as_deref()).await;
        let text = if calls_tool { spread(&caller, text) } else { text };
        return json_response(status, text);
    }
    let (open, closed) = oneshot::channel::<()>();
    let style = Style::draw(&mock, Route::Http);
    let (outlet, response) = mock.streams.start(style, "", move || drop(open));
    caller.outlet = Some(outlet.clone());
    let mut work = Box::pin(async move {
        let answer = answer(&caller, &id, &method, params.as_deref()).await;
        (caller, answer)
    });
    // What is refused at once is refused by a status; what takes time has begun its stream by then.
    let early = (&mut work).now_or_never();
    if let Some((_, (status, text))) = &early
        && *status != StatusCode::OK
    {
        return json_response(*status, text.clone());
    }
    let work = async {
        match early {
            Some(done) => done,
            None => work.await,
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            biased;
            (caller, (_, text)) = work => deliver(&caller, &outlet, &text, calls_tool),
            _ = closed => {}
        }
    });
    response
}

/// The answer to a request, and the status that goes with it.
async fn answer(
    caller: &Caller,
    id: &RawValue,
    method: &str,
    params: Option<&RawValue>,
) -> (StatusCode, String) {
    let outcome = match method {
        "server/discover" => Ok(results::discover(caller)),
        _ if REMOVED.contains(&method) => Err(RpcError::no_method(method).into()),
        _ => methods::request(caller, id, method, params).await,
    };
    match outcome {
        Ok(result) => {
            (StatusCode::OK, jsonrpc::answer(id, &results::complete(caller, method, &result)))
        }
        Err(Unfinished::Asks(questions, state)) => {
            let result = results::input_required(caller, questions, state);
            (StatusCode::OK, jsonrpc::answer(id, &result))
        }
        Err(Unfinished::Failed(error)) => (status(error.code), error.answer(Some(id))),
    }
}

/// The status that the transport demands for an error; most are a matter of the body alone.
fn status(code: i32) -> StatusCode {
    match code {
        HEADER_MISMATCH | MISSING_CAPABILITY | UNSUPPORTED_VERSION => StatusCode::BAD_REQUEST,
        -32601 => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    }
}

/// The answer to the `initialize` of an older client, where another one than usual is ordered.
pub(crate) fn refuse_initialize(mock: &Mock, incoming: &Incoming) -> Option<Response> {
    let [Message::Request { id, method, params }] = incoming.messages() else { return None };
    if method != "initialize" {
        return None;
    }
    let code = mock.faults.take(Route::Http, |fault| match fault {
        Fault::InitializeRefused(code) => Some(*code),
        _ => None,
    })?;
    let error = match code {
        HEADER_MISMATCH => headers::no_version(mock),
        UNSUPPORTED_VERSION => {
            let asked: Result<Initialize, _> = arguments(params.as_deref());
            unsupported(&supported(mock), &asked.map(|it| it.protocol_version).unwrap_or_default())
        }
        _ => RpcError::no_method(method),
    };
    Some(json_response(status(code), error.answer(Some(id))))
}

#[derive(Deserialize)]
struct Initialize {
    #[serde(rename = "protocolVersion")]
    protocol_version: String,
}

/// `UnsupportedProtocolVersionError`.
fn unsupported(supported: &[&str], requested: &str) -> RpcError {
    RpcError::new(UNSUPPORTED_VERSION, format!("`{requested}` is not supported"))
        .with_data(json!({"supported": supported, "requested": requested}))
}

/// What older revisions have and this one has not.
const REMOVED: [&str; 5] =
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

const HEADER_MISMATCH: i32 = -32020;
const MISSING_CAPABILITY: i32 = -32021;
const UNSUPPORTED_VERSION: i32 = -32022;
