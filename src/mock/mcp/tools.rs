//! The tools.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::conformance;
use super::jsonrpc::{Message, RpcError, notification};
use super::methods::{Caller, arguments};
use super::sql;
use crate::mock::evidence::ToolRun;
use crate::mock::fault::Fault;
use crate::mock::log::fingerprint;
use crate::mock::state::{Mock, lock};

/// The answer to `tools/list`.
pub(crate) fn list(mock: &Mock) -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties, "required": required},
        })
    };
    let asks = json!({"type": "string", "enum": ["sampling", "elicitation", "roots"]});
    let mut all = vec![
        tool(
            "query_postgres_orders",
            "Query the orders. Understands: select * from orders [where column = 'value'] [limit n]",
            json!({
                "sql": {"type": "string"},
                "limit": {"type": "integer", "default": 100, "minimum": 1, "maximum": 1000},
            }),
            &["sql"],
        ),
        tool("echo", "Returns its text", json!({"text": {"type": "string"}}), &["text"]),
        tool("slow", "Waits", json!({"seconds": {"type": "number", "minimum": 0}}), &["seconds"]),
        tool(
            "progress",
            "Reports progress on its way",
            json!({"steps": {"type": "integer", "minimum": 0, "maximum": 1000}}),
            &["steps"],
        ),
        tool("ask", "Asks the client, and returns its answer", json!({"what": asks}), &["what"]),
        tool("announce", "Tells the client that the tools have changed", json!({}), &[]),
    ];
    if mock.plan.conformance {
        all.extend(conformance::tools());
    }
    json!({"tools": all})
}

/// Whether a call must be answered by a stream, as the tool talks to the client while it runs.
pub(crate) fn needs_stream(params: Option<&RawValue>) -> bool {
    arguments::<Call>(params).is_ok_and(|call| {
        matches!(call.name.as_str(), "ask" | "progress") || conformance::talks(&call.name)
    })
}

/// The name of the tool that a message calls, if it calls one.
pub(crate) fn called(message: &Message) -> Option<String> {
    let Message::Request { method, params, .. } = message else { return None };
    (method == "tools/call").then_some(())?;
    arguments::<Call>(params.as_deref()).ok().map(|call| call.name)
}

/// The connector of the tool that a message calls, if it calls one.
pub(crate) fn connector(message: &Message) -> Option<&'static str> {
    let Message::Request { method, params, .. } = message else { return None };
    if method != "tools/call" {
        return None;
    }
    let call: Call = arguments(params.as_deref()).ok()?;
    match call.name.as_str() {
        "query_postgres_orders" => Some("postgres"),
        name => (NAMES.contains(&name) || conformance::is_tool(name)).then_some("demo"),
    }
}

/// Answers `tools/call`.
pub(crate) async fn call(
    caller: &Caller,
    id: &RawValue,
    params: Option<&RawValue>,
) -> Result<String, RpcError> {
    let call: Call = arguments(params)?;
    let extra = caller.mock.plan.conformance && conformance::is_tool(&call.name);
    if !extra && !NAMES.contains(&call.name.as_str()) {
        return Err(RpcError::invalid_params(format!("there is no tool `{}`", call.name)));
    }
    let given = call.arguments.as_deref();
    let session = &caller.session;
    caller.mock.started(ToolRun {
        at: caller.mock.clock.now(),
        tool: call.name.clone(),
        org: session.org.clone(),
        session: (!session.id.is_empty()).then(|| fingerprint(&session.id)),
        id: id.get().to_owned(),
        arguments: fingerprint(given.map_or("", RawValue::get)),
    });
    server_request(caller);
    let result = match call.name.as_str() {
        "query_postgres_orders" => query(given),
        "echo" => echo(given),
        "slow" => slow(given).await,
        "progress" => progress(caller, given, call.meta.as_ref()),
        "ask" => ask(caller, given).await,
        name if extra => {
            let token = call.meta.as_ref().and_then(|it| it.progress_token.as_deref());
            conformance::call(caller, name, given, token).await
        }
        _ => Ok(announce(caller)),
    };
    if caller.mock.faults.strikes(caller.route, &Fault::AnswerLost) {
        // Only a cancellation ends this, or the end of the gateway.
        std::future::pending::<()>().await;
    }
    let other = caller.mock.faults.take(caller.route, |fault| match fault {
        Fault::BigResult(bytes) => Some(text(&"x".repeat(*bytes))),
        Fault::ToolError(problem) => Some(failure(problem)),
        _ => None,
    });
    other.map_or(result, Ok)
}

/// Asks the client something in between, where that is ordered, and does not care for its answer.
fn server_request(caller: &Caller) {
    let method = caller.mock.faults.take(caller.route, |fault| match fault {
        Fault::ServerRequest(method) => Some(method.clone()),
        _ => None,
    });
    let outlet = caller.outlet.clone().or_else(|| lock(&caller.session.stream).clone());
    if let (Some(method), Some(outlet)) = (method, outlet) {
        let session = Arc::clone(&caller.session);
        let asked = session.pose(&outlet, &method, "{}");
        tokio::spawn(async move { session.wait(asked).await });
    }
}

#[derive(Deserialize)]
struct Call {
    name: String,
    arguments: Option<Box<RawValue>>,
    #[serde(rename = "_meta")]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "progressToken")]
    progress_token: Option<Box<RawValue>>,
}

fn query(given: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Query {
        sql: String,
        limit: Option<usize>,
    }
    let Query { sql, limit } = arguments(given)?;
    let limit = limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Ok(failure("`limit` must be from 1 to 1000"));
    }
    Ok(match sql::query(&sql, limit) {
        Ok(rows) => text(&rows.to_string()),
        Err(problem) => failure(&problem),
    })
}

/// Puts the text of the argument into the result as it stands, escapes and all.
fn echo(given: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Echo {
        text: Box<RawValue>,
    }
    let Echo { text } = arguments(given)?;
    if !text.get().starts_with('"') {
        return Err(RpcError::invalid_params("`text` must be a string"));
    }
    Ok(format!(r#"{{"content":[{{"type":"text","text":{}}}]}}"#, text.get()))
}

async fn slow(given: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Slow {
        seconds: f64,
    }
    let Slow { seconds } = arguments(given)?;
    let wait = Duration::try_from_secs_f64(seconds)
        .map_err(|_| RpcError::invalid_params("`seconds` must be a duration"))?;
    tokio::time::sleep(wait).await;
    Ok(text(&format!("waited {seconds} s")))
}

fn progress(
    caller: &Caller,
    given: Option<&RawValue>,
    meta: Option<&Meta>,
) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Progress {
        steps: u32,
    }
    let Progress { steps } = arguments(given)?;
    if 1000 < steps {
        return Err(RpcError::invalid_params("`steps` must be at most 1000"));
    }
    let token = meta.and_then(|it| it.progress_token.as_deref());
    if let (Some(token), Some(outlet)) = (token, &caller.outlet) {
        for step in 1..=steps {
            let token = token.get();
            let params =
                format!(r#"{{"progressToken":{token},"progress":{step},"total":{steps}}}"#);
            outlet.message(&notification("notifications/progress", &params));
        }
    }
    Ok(text(&format!("{steps} steps")))
}

async fn ask(caller: &Caller, given: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Ask {
        what: String,
    }
    let Ask { what } = arguments(given)?;
    let (method, params) = match what.as_str() {
        "sampling" => (
            "sampling/createMessage",
            json!({
                "messages": [{"role": "user", "content": {"type": "text", "text": "Say hello."}}],
                "maxTokens": 16,
            }),
        ),
        "elicitation" => (
            "elicitation/create",
            json!({
                "message": "Which order?",
                "requestedSchema": {
                    "type": "object",
                    "properties": {"order": {"type": "integer"}},
                    "required": ["order"],
                },
            }),
        ),
        "roots" => ("roots/list", json!({})),
        _ => return Err(RpcError::invalid_params("`what` must be sampling, elicitation or roots")),
    };
    let Some(outlet) = &caller.outlet else {
        return Ok(failure("there is no stream to ask the client on"));
    };
    let answer = caller.session.ask(outlet, method, &params.to_string()).await?;
    Ok(text(&answer))
}

fn announce(caller: &Caller) -> String {
    let Some(outlet) = lock(&caller.session.stream).clone() else {
        return failure("there is no stream to announce on");
    };
    outlet.message(&notification("notifications/tools/list_changed", "{}"));
    let log = json!({"level": "info", "logger": "mock", "data": "the tools have changed"});
    outlet.message(&notification("notifications/message", &log.to_string()));
    text("announced")
}

fn text(text: &str) -> String {
    json!({"content": [{"type": "text", "text": text}]}).to_string()
}

/// An error of the tool: the model is meant to see it, the protocol is fine.
fn failure(problem: &str) -> String {
    json!({"content": [{"type": "text", "text": problem}], "isError": true}).to_string()
}

const NAMES: [&str; 6] = ["query_postgres_orders", "echo", "slow", "progress", "ask", "announce"];
