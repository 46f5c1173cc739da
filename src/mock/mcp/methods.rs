//! The methods of the server, whichever way a request came.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ask::Unfinished;
use super::conformance;
use super::jsonrpc::{self, Message, RpcError};
use super::modern::Claims;
use super::session::{Revision, Session};
use super::stream::Outlet;
use super::tools;
use crate::mock::fault::{Fault, Route};
use crate::mock::log::LoggedMessage;
use crate::mock::state::{Mock, lock};

/// Where a message came from, and the way back.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) mock: Arc<Mock>,
    pub(crate) session: Arc<Session>,
    /// The kind of request that the message came by.
    pub(crate) route: Route,
    /// Where a running request can talk to the client.
    pub(crate) outlet: Option<Outlet>,
    /// What a request of 2026-07-28 says about its client; none = it is of an older revision.
    pub(crate) claims: Option<Arc<Claims>>,
}

impl Caller {
    /// Tells the client while its request runs.
    pub(crate) fn tell(&self, method: &str, params: &Value) {
        if let Some(outlet) = &self.outlet {
            outlet.message(&jsonrpc::notification(method, &params.to_string()));
        }
    }

    /// Logs for the client, where (2026-07-28) its request asks for it.
    pub(crate) fn log(&self, level: &str, data: &str) {
        let outlet = match &self.claims {
            Some(claims) => self.outlet.clone().filter(|_| claims.logs(level)),
            None => self.outlet.clone().or_else(|| lock(&self.session.stream).clone()),
        };
        if let Some(outlet) = outlet {
            let params = json!({"level": level, "logger": "mock", "data": data});
            outlet.message(&jsonrpc::notification("notifications/message", &params.to_string()));
        }
    }
}

/// Handles a message. The answer is none for what has none: notifications, responses, and requests
/// that were cancelled.
pub(crate) async fn handle(caller: &Caller, message: Message) -> Option<String> {
    match message {
        Message::Request { id, method, params } => {
            let work = request(caller, &id, &method, params.as_deref());
            Some(match caller.session.run(&id, work).await? {
                Ok(result) => jsonrpc::answer(&id, &result),
                Err(Unfinished::Failed(error)) => error.answer(Some(&id)),
                // Only requests of 2026-07-28 are answered by questions, and not here.
                Err(Unfinished::Asks(..)) => RpcError::new(-32603, "cannot ask").answer(Some(&id)),
            })
        }
        Message::Notification { method, params } => {
            if method == "notifications/cancelled"
                && let Ok(Cancelled { request_id }) = arguments(params.as_deref())
            {
                caller.session.cancel(request_id.get());
            }
            None
        }
        Message::Response { id, text } => {
            caller.session.answered(&id, text);
            None
        }
    }
}

/// Sends an answer on a stream.
pub(crate) fn deliver(caller: &Caller, outlet: &Outlet, answer: &str, calls_tool: bool) {
    if !calls_tool {
        return outlet.message(answer);
    }
    let strikes = |fault: &Fault| caller.mock.faults.strikes(caller.route, fault);
    let mut answer = spread(caller, answer.to_owned());
    if strikes(&Fault::AnswerUnknownId) {
        outlet.message(r#"{"jsonrpc":"2.0","id":"nobody-asked","result":{}}"#);
    }
    if strikes(&Fault::AnswerTwoInOne) {
        let log = r#"{"level":"info","logger":"mock","data":"two in one"}"#;
        answer = format!("{}\n{answer}", jsonrpc::notification("notifications/message", log));
    }
    outlet.message(&answer);
    if strikes(&Fault::AnswerTwice) {
        outlet.message(&answer);
    }
}

/// Puts line ends between the tokens of an answer, where that is ordered.
pub(crate) fn spread(caller: &Caller, answer: String) -> String {
    let lines = caller.mock.faults.take(caller.route, |fault| match fault {
        Fault::AnswerLines(lines) => Some(*lines),
        _ => None,
    });
    let Some(lines) = lines else { return answer };
    let parsed: Option<Value> = serde_json::from_str(&answer).ok();
    let pretty = parsed.and_then(|it| serde_json::to_string_pretty(&it).ok());
    // No string of JSON holds a line end as such.
    pretty.map_or(answer, |it| it.replace('\n', lines))
}

/// 202, at its time.
pub(crate) async fn accepted(mock: &Mock, route: Route) -> StatusCode {
    if let Some(wait) = mock.faults.take(route, |fault| match fault {
        Fault::Slow202(wait) => Some(*wait),
        _ => None,
    }) {
        tokio::time::sleep(wait).await;
    }
    StatusCode::ACCEPTED
}

/// What a test has ordered instead of handling a POST.
pub(crate) fn ordered(mock: &Mock, route: Route) -> Option<Response> {
    mock.faults.take(route, |fault| match fault {
        Fault::PostRedirect(to) => Some(Redirect::temporary(to).into_response()),
        Fault::PostStatus(status) => Some(StatusCode::from_u16(*status).ok()?.into_response()),
        _ => None,
    })
}

/// What the log shows of a message.
pub(crate) fn logged(message: &Message) -> LoggedMessage {
    match message {
        Message::Notification { method, .. } => {
            LoggedMessage { method: Some(method.clone()), id: None, tool: None }
        }
        Message::Request { id, method, .. } => LoggedMessage {
            method: Some(method.clone()),
            id: Some(id.get().to_owned()),
            tool: tools::called(message),
        },
        Message::Response { id, .. } => {
            LoggedMessage { method: None, id: Some(id.get().to_owned()), tool: None }
        }
    }
}

/// Reads parameters.
pub(crate) fn arguments<T: DeserializeOwned>(params: Option<&RawValue>) -> Result<T, RpcError> {
    serde_json::from_str(params.map_or("{}", RawValue::get))
        .map_err(|error| RpcError::invalid_params(format!("the parameters do not fit: {error}")))
}

#[derive(Deserialize)]
struct Cancelled {
    #[serde(rename = "requestId")]
    request_id: Box<RawValue>,
}

/// Handles a request: the text of its result, or why it has none.
pub(crate) async fn request(
    caller: &Caller,
    id: &RawValue,
    method: &str,
    params: Option<&RawValue>,
) -> Result<String, Unfinished> {
    if caller.mock.plan.conformance
        && let Some(answer) = conformance::request(caller, method, params).await
    {
        return answer;
    }
    match method {
        "initialize" => Ok(initialize(caller, params)?),
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
            Ok("{}".into())
        }
        "tools/list" => Ok(tools::listed(caller).to_string()),
        "tools/call" => tools::call(caller, id, params).await,
        "resources/list" => Ok(resources(&caller.mock).to_string()),
        "resources/templates/list" => Ok(json!({"resourceTemplates": []}).to_string()),
        "resources/read" => Ok(read_resource(caller, params)?),
        "prompts/list" => Ok(prompts(&caller.mock).to_string()),
        "prompts/get" => Ok(prompt(params)?),
        _ => Err(RpcError::no_method(method).into()),
    }
}

fn initialize(caller: &Caller, params: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Initialize {
        #[serde(rename = "protocolVersion")]
        protocol_version: String,
    }
    let asked: Initialize = arguments(params)?;
    let revision = Revision::parse(&asked.protocol_version).unwrap_or(Revision::LATEST);
    *lock(&caller.session.revision) = Some(revision);
    let result = json!({
        "protocolVersion": revision.as_str(),
        "capabilities": capabilities(&caller.mock),
        "serverInfo": server_info(),
        "instructions": instructions(&caller.session.org),
    });
    Ok(result.to_string())
}

/// What the server can do.
pub(crate) fn capabilities(mock: &Mock) -> Value {
    let mut capabilities = json!({
        "tools": {"listChanged": true},
        "resources": {"subscribe": true, "listChanged": true},
        "prompts": {"listChanged": true},
        "logging": {},
    });
    if mock.plan.conformance
        && let Some(capabilities) = capabilities.as_object_mut()
    {
        capabilities.insert("completions".into(), json!({}));
    }
    capabilities
}

/// Who the server says it is.
pub(crate) fn server_info() -> Value {
    json!({"name": "apexmcp-mock-gateway", "version": env!("CARGO_PKG_VERSION")})
}

/// What a model is told about the server.
pub(crate) fn instructions(org: &str) -> String {
    format!("A mock of the organisation {org}.")
}

fn resources(mock: &Mock) -> Value {
    let mut all = vec![json!({
        "uri": SCHEMA_URI,
        "name": "orders_schema",
        "description": "The columns of the table `orders`",
        "mimeType": "text/plain",
    })];
    if mock.plan.conformance {
        all.extend(conformance::resources());
    }
    json!({"resources": all})
}

fn read_resource(caller: &Caller, params: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Read {
        uri: String,
    }
    let Read { uri } = arguments(params)?;
    if uri != SCHEMA_URI {
        // 2026-07-28 gave the code up.
        let code = if caller.claims.is_some() { -32602 } else { -32002 };
        let error = RpcError::new(code, format!("there is no resource `{uri}`"));
        return Err(error.with_data(json!({"uri": uri})));
    }
    let text = super::orders::COLUMNS.join(", ");
    Ok(json!({"contents": [{"uri": uri, "mimeType": "text/plain", "text": text}]}).to_string())
}

fn prompts(mock: &Mock) -> Value {
    let mut all = vec![json!({
        "name": "summarise_orders",
        "description": "Ask for a summary of the orders in one state",
        "arguments": [{"name": "status", "description": "for example `open`", "required": true}],
    })];
    if mock.plan.conformance {
        all.extend(conformance::prompts());
    }
    json!({"prompts": all})
}

fn prompt(params: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Get {
        name: String,
        #[serde(default)]
        arguments: Option<serde_json::Map<String, Value>>,
    }
    let Get { name, arguments } = arguments(params)?;
    if name != "summarise_orders" {
        return Err(RpcError::invalid_params(format!("there is no prompt `{name}`")));
    }
    let status = arguments.as_ref().and_then(|it| it.get("status")).and_then(Value::as_str);
    let status = status.ok_or_else(|| RpcError::invalid_params("`status` is missing"))?;
    let text = format!("Summarise the orders whose status is “{status}”.");
    Ok(json!({"messages": [{"role": "user", "content": {"type": "text", "text": text}}]})
        .to_string())
}

/// The one resource of an organisation.
pub(crate) const SCHEMA_URI: &str = "apex://orders/schema";
