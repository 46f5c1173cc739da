//! The tools.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::ask::{Memory, Question, Unfinished};
use super::change::Change;
use super::conformance;
use super::jsonrpc::{Message, RpcError, notification};
use super::methods::{Caller, SCHEMA_URI, arguments};
use super::sql;
use crate::mock::evidence::ToolRun;
use crate::mock::fault::Fault;
use crate::mock::log::fingerprint;
use crate::mock::state::{Mock, lock};

/// The answer to `tools/list`.
pub(crate) fn listed(caller: &Caller) -> Value {
    let mut all = list(&caller.mock);
    let extra = caller.mock.faults.take(caller.route, |fault| match fault {
        Fault::ExtraTool(tool) => Some(tool.clone()),
        _ => None,
    });
    all.extend(extra);
    json!({"tools": all})
}

/// The tools that there are.
fn list(mock: &Mock) -> Vec<Value> {
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
        tool(
            "announce",
            "Tells clients of a change: of the tools, if nothing else is asked for",
            json!({"what": {"type": "string", "enum": ["tools", "prompts", "resources", "schema"]}}),
            &[],
        ),
        tool(
            "ship",
            "Says what would be shipped where; its arguments are also wanted as headers",
            json!({
                "warehouse": header("Warehouse", "string"),
                "order": header("Order", "integer"),
                "express": header("Express", "boolean"),
                "address": {
                    "type": "object",
                    "properties": {"country": header("Country", "string")},
                },
            }),
            &["warehouse"],
        ),
    ];
    if mock.plan.conformance {
        all.extend(conformance::tools());
    }
    all
}

/// The schema of an argument that is repeated as `Mcp-Param-NAME` (2026-07-28).
fn header(name: &str, kind: &str) -> Value {
    json!({"type": kind, "x-mcp-header": name})
}

/// The schemas of a tool's arguments, by name.
pub(crate) fn properties(mock: &Mock, name: &str) -> Option<Map<String, Value>> {
    let tool = list(mock).into_iter().find(|it| it.get("name") == Some(&name.into()))?;
    tool.pointer("/inputSchema/properties")?.as_object().cloned()
}

/// Whether a tool is called that tells the client something while it runs, for which it needs a
/// stream.
pub(crate) fn tells(params: Option<&RawValue>) -> bool {
    arguments::<Call>(params).is_ok_and(|it| it.name == "progress" || conformance::tells(&it.name))
}

/// Whether a tool is called that asks the client, for which it needs a stream before 2026-07-28.
pub(crate) fn asks(params: Option<&RawValue>) -> bool {
    arguments::<Call>(params).is_ok_and(|it| it.name == "ask" || conformance::asks(&it.name))
}

/// Whether a tool is called that lets go of its stream before it answers.
pub(crate) fn reconnects(message: &Message) -> bool {
    let Message::Request { params, .. } = message else { return false };
    arguments::<Call>(params.as_deref()).is_ok_and(|it| conformance::reconnects(&it.name))
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
) -> Result<String, Unfinished> {
    let call: Call = arguments(params)?;
    let extra = caller.mock.plan.conformance && conformance::is_tool(&call.name);
    if !extra && !NAMES.contains(&call.name.as_str()) {
        return Err(RpcError::invalid_params(format!("there is no tool `{}`", call.name)).into());
    }
    let given = call.arguments.as_deref();
    let session = &caller.session;
    let running = caller.mock.started(ToolRun {
        at: caller.mock.clock.now(),
        tool: call.name.clone(),
        org: session.org.clone(),
        session: (!session.id.is_empty()).then(|| fingerprint(&session.id)),
        id: id.get().to_owned(),
        arguments: fingerprint(given.map_or("", RawValue::get)),
        ending: None,
        number: 0,
    });
    server_request(caller);
    let result = run(caller, &call, extra).await;
    if caller.mock.faults.strikes(caller.route, &Fault::AnswerLost) {
        // Only a cancellation ends this, or the end of the gateway.
        std::future::pending::<()>().await;
    }
    let other = caller.mock.faults.take(caller.route, |fault| match fault {
        Fault::BigResult(bytes) => Some(text(&"x".repeat(*bytes))),
        Fault::ToolError(problem) => Some(failure(problem)),
        _ => None,
    });
    running.done();
    other.map_or(result, Ok)
}

async fn run(caller: &Caller, call: &Call, extra: bool) -> Result<String, Unfinished> {
    let given = call.arguments.as_deref();
    let token = call.meta.as_ref().and_then(|it| it.progress_token.as_deref());
    let result = match call.name.as_str() {
        "query_postgres_orders" => query(given),
        "echo" => echo(given),
        "slow" => slow(given).await,
        "progress" => progress(caller, given, token),
        "ask" => return ask(caller, given).await,
        "ship" => ship(given),
        name if extra => return conformance::call(caller, name, given, token).await,
        _ => announce(caller, given),
    };
    match result {
        // SEP-1303: a model can do better only if it sees what is wrong.
        Err(error) if caller.claims.is_some() => Ok(failure(&error.message)),
        result => Ok(result?),
    }
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
    token: Option<&RawValue>,
) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Progress {
        steps: u32,
    }
    let Progress { steps } = arguments(given)?;
    if 1000 < steps {
        return Err(RpcError::invalid_params("`steps` must be at most 1000"));
    }
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

async fn ask(caller: &Caller, given: Option<&RawValue>) -> Result<String, Unfinished> {
    #[derive(Deserialize)]
    struct Ask {
        what: String,
    }
    let Ask { what } = arguments(given)?;
    let (key, method, params) = match what.as_str() {
        "sampling" => (
            "sampling",
            "sampling/createMessage",
            json!({
                "messages": [{"role": "user", "content": {"type": "text", "text": "Say hello."}}],
                "maxTokens": 16,
            }),
        ),
        "elicitation" => (
            "elicitation",
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
        "roots" => ("roots", "roots/list", json!({})),
        _ => {
            let problem = "`what` must be sampling, elicitation or roots";
            return Err(RpcError::invalid_params(problem).into());
        }
    };
    let answers = caller.ask(vec![Question { key, method, params }], Memory::Sealed).await?;
    Ok(text(&answers.concat()))
}

fn announce(caller: &Caller, given: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Announce {
        what: Option<String>,
    }
    let Announce { what } = arguments(given)?;
    let change = match what.as_deref() {
        None | Some("tools") => Change::Tools,
        Some("prompts") => Change::Prompts,
        Some("resources") => Change::Resources,
        Some("schema") => Change::Resource(SCHEMA_URI.to_owned()),
        Some(_) => return Err(RpcError::invalid_params("`what` is nothing that changes")),
    };
    if !caller.announce(&change) {
        return Ok(failure("nobody listens"));
    }
    caller.log("info", "something has changed");
    Ok(text("announced"))
}

fn ship(given: Option<&RawValue>) -> Result<String, RpcError> {
    #[derive(Deserialize)]
    struct Ship {
        warehouse: String,
        order: Option<u32>,
    }
    let Ship { warehouse, order } = arguments(given)?;
    let order = order.map_or("every order".into(), |it| format!("order {it}"));
    Ok(text(&format!("would ship {order} from {warehouse}")))
}

fn text(text: &str) -> String {
    json!({"content": [{"type": "text", "text": text}]}).to_string()
}

/// An error of the tool: the model is meant to see it, the protocol is fine.
fn failure(problem: &str) -> String {
    json!({"content": [{"type": "text", "text": problem}], "isError": true}).to_string()
}

const NAMES: [&str; 7] =
    ["query_postgres_orders", "echo", "slow", "progress", "ask", "announce", "ship"];
