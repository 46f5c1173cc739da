//! The tools of the mock, and the data that they work on.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::state::{State, random};

/// How long the client may take to answer a question of the `ask` tool.
const ANSWER: Duration = Duration::from_secs(30);
/// `id`, `customer`, `status`, `total`.
const ORDERS: [(u32, &str, &str, &str); 5] = [
    (1001, "Ada Lovelace", "paid", "1290.00"),
    (1002, "Alan Turing", "open", "84.50"),
    (1003, "Grace Hopper", "paid", "415.25"),
    (1004, "Edsger Dijkstra", "refunded", "7.00"),
    (1005, "Barbara Liskov", "paid", "2048.10"),
];

/// What `tools/list` says.
pub(super) fn list() -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: Value| {
        json!({ "name": name, "description": description, "inputSchema": {
            "type": "object", "properties": properties, "required": required } })
    };
    json!({ "tools": [
        tool("query_postgres_orders", "Query the orders: `select * from orders [where column = 'value'] [limit n]`",
            json!({ "sql": { "type": "string" }, "limit": { "type": "integer", "default": 100, "maximum": 1000 } }), json!(["sql"])),
        tool("echo", "Answers with its text", json!({ "text": { "type": "string" } }), json!(["text"])),
        tool("slow", "Answers after some seconds", json!({ "seconds": { "type": "number" } }), json!([])),
        tool("progress", "Reports its progress", json!({ "steps": { "type": "integer" } }), json!([])),
        tool("ask", "Asks the client back: `sampling`, `elicitation` or `roots`", json!({ "what": { "type": "string" } }), json!([])),
        tool("announce", "Sends `tools/list_changed` and a log message", json!({}), json!([])),
    ]})
}

/// Whether a call says more than its result, so that its answer needs a stream.
pub(super) fn needs_stream(message: &Value) -> bool {
    let name = message.pointer("/params/name").and_then(Value::as_str);
    matches!(name, Some("progress" | "ask" | "announce"))
}

/// Calls a tool; `emit` takes what comes before the result.
pub(super) async fn call(state: &State, params: &Value, emit: &UnboundedSender<Value>) -> Value {
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    *state.lock().calls.entry(name.to_owned()).or_default() += 1;
    let argument = |name: &str| params.pointer(&format!("/arguments/{name}"));
    let text = |name: &str| argument(name).and_then(Value::as_str).unwrap_or_default();
    // What the client does not read any more is nobody's loss.
    let say = |message: Value| emit.send(message).ok();
    match name {
        "query_postgres_orders" => {
            let limit = argument("limit").and_then(Value::as_u64).unwrap_or(100).min(1000);
            orders(text("sql"), usize::try_from(limit).unwrap_or(1000))
        }
        "echo" => content(text("text")),
        "slow" => {
            let seconds = argument("seconds").and_then(Value::as_f64).unwrap_or(1.0);
            sleep(Duration::from_secs_f64(seconds.clamp(0.0, 600.0))).await;
            content("done")
        }
        "progress" => {
            let steps = argument("steps").and_then(Value::as_u64).unwrap_or(3).min(1000);
            if let Some(token) = params.pointer("/_meta/progressToken") {
                for step in 1..=steps {
                    say(json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                        "params": { "progressToken": token, "progress": step, "total": steps } }));
                }
            }
            content("done")
        }
        "ask" => ask(state, text("what"), emit).await,
        "announce" => {
            say(json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }));
            say(json!({ "jsonrpc": "2.0", "method": "notifications/message",
                "params": { "level": "info", "data": "hello from the mock" } }));
            content("announced")
        }
        _ => {
            json!({ "content": [{ "type": "text", "text": format!("unknown tool: {name}") }], "isError": true })
        }
    }
}

async fn ask(state: &State, what: &str, emit: &UnboundedSender<Value>) -> Value {
    let (method, params) = match what {
        "elicitation" => (
            "elicitation/create",
            json!({ "message": "Your name?", "requestedSchema": { "type": "object",
                "properties": { "name": { "type": "string" } } } }),
        ),
        "roots" => ("roots/list", json!({})),
        _ => (
            "sampling/createMessage",
            json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "Say hi" } }],
                "maxTokens": 16 }),
        ),
    };
    let id = random("ask-");
    let (answer, answered) = oneshot::channel();
    state.lock().waiting.insert(id.clone(), answer);
    emit.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).ok();
    match timeout(ANSWER, answered).await {
        Ok(Ok(answer)) => content(&answer.to_string()),
        _ => {
            json!({ "content": [{ "type": "text", "text": "the client did not answer" }], "isError": true })
        }
    }
}

fn content(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

/// Enough SQL to look real; everything else is refused with what would be understood.
fn orders(sql: &str, limit: usize) -> Value {
    let words: Vec<_> = sql.trim_end_matches(';').split_whitespace().collect();
    let plain: Vec<_> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let plain: Vec<_> = plain.iter().map(String::as_str).collect();
    let (filter, limit) = match plain.as_slice() {
        ["select", "*", "from", "orders"] => (None, limit),
        ["select", "*", "from", "orders", "limit", n] => {
            (None, n.parse().unwrap_or(limit).min(limit))
        }
        ["select", "*", "from", "orders", "where", "status", "=", value] => (Some(*value), limit),
        _ => {
            let text =
                "only `select * from orders [where status = 'value'] [limit n]` is understood";
            return json!({ "content": [{ "type": "text", "text": text }], "isError": true });
        }
    };
    let filter = filter.map(|value| value.trim_matches('\''));
    let rows: Vec<_> = ORDERS
        .iter()
        .filter(|(_, _, status, _)| filter.is_none_or(|wanted| wanted == *status))
        .take(limit)
        .map(|(id, customer, status, total)| {
            json!({ "id": id, "customer": customer, "status": status, "total": total })
        })
        .collect();
    content(&Value::Array(rows).to_string())
}
