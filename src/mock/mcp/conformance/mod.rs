//! What the conformance suite of the MCP project expects of a server, by its names and its words.
//! Only where the plan asks for it: nothing of this is like the product.

mod data;
mod rounds;

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::ask::{Memory, Question, Unfinished};
use super::change::Change;
use super::jsonrpc::RpcError;
use super::methods::{Caller, arguments};
pub(crate) use data::{prompts, resources};

/// Answers what is not a tool, if it belongs here.
pub(crate) async fn request(
    caller: &Caller,
    method: &str,
    params: Option<&RawValue>,
) -> Option<Result<String, Unfinished>> {
    match method {
        "completion/complete" => {
            let values = json!(["paris", "park", "party"]);
            Some(Ok(json!({"completion": {"values": values, "hasMore": false}}).to_string()))
        }
        "resources/templates/list" => Some(Ok(json!({"resourceTemplates": [{
            "uriTemplate": "test://template/{id}/data",
            "name": "template",
            "mimeType": "application/json",
        }]})
        .to_string())),
        "resources/read" => data::read(params).map(|it| Ok(it.to_string())),
        "prompts/get" if rounds::is_prompt(params) => Some(rounds::prompt(caller).await),
        "prompts/get" => data::prompt(params).map(|it| Ok(it.to_string())),
        _ => None,
    }
}

/// The tools to list besides the usual ones.
pub(crate) fn tools() -> Vec<Value> {
    let tool = |name: &str, schema: Value| json!({"name": name, "description": "For the conformance suite", "inputSchema": schema});
    let mut all: Vec<Value> = TOOLS
        .iter()
        .map(|(name, argument, _)| {
            let properties: Map<String, Value> =
                argument.iter().map(|it| ((*it).to_owned(), json!({"type": "string"}))).collect();
            tool(name, json!({"type": "object", "properties": properties, "required": argument}))
        })
        .collect();
    all.push(tool(SCHEMA_TOOL, schema()));
    all
}

/// Whether there is such a tool.
pub(crate) fn is_tool(name: &str) -> bool {
    name == SCHEMA_TOOL || TOOLS.iter().any(|it| it.0 == name)
}

/// Whether a tool tells the client something while it runs.
pub(crate) fn tells(name: &str) -> bool {
    TOOLS.iter().any(|it| it.0 == name && it.2 == Talk::Tells)
}

/// Whether a tool lets go of its stream, so that the client has to come back for the answer.
pub(crate) fn reconnects(name: &str) -> bool {
    name == RECONNECTION_TOOL
}

/// Whether a tool asks the client something.
pub(crate) fn asks(name: &str) -> bool {
    TOOLS.iter().any(|it| it.0 == name && it.2 == Talk::Asks)
}

/// Runs a tool.
pub(crate) async fn call(
    caller: &Caller,
    name: &str,
    given: Option<&RawValue>,
    progress_token: Option<&RawValue>,
) -> Result<String, Unfinished> {
    let given: Map<String, Value> = arguments(given)?;
    if let Some(outcome) = rounds::call(caller, name).await {
        let content = json!({"type": "text", "text": outcome?});
        return Ok(json!({"content": [content]}).to_string());
    }
    let text = |text: &str| json!({"type": "text", "text": text});
    if let Some(content) = data::content(name) {
        return Ok(json!({"content": content}).to_string());
    }
    let content = match name {
        "test_tool_with_logging" => {
            for step in
                ["Tool execution started", "Tool processing data", "Tool execution completed"]
            {
                caller.log("info", step);
                tokio::time::sleep(PAUSE).await;
            }
            vec![text("Three messages were logged.")]
        }
        "test_tool_with_progress" => {
            for progress in [0, 50, 100] {
                if let Some(token) = progress_token {
                    let params =
                        json!({"progressToken": token, "progress": progress, "total": 100});
                    caller.tell("notifications/progress", &params);
                }
                tokio::time::sleep(PAUSE).await;
            }
            vec![text("Progress was reported.")]
        }
        "test_sampling"
        | "test_elicitation"
        | "test_elicitation_sep1034_defaults"
        | "test_elicitation_sep1330_enums" => vec![text(&ask(caller, name, &given).await?)],
        "test_logging_tool" => {
            caller.log("info", "Something was done");
            vec![text("One message was logged, where that was wanted.")]
        }
        "test_trigger_tool_change" | "test_trigger_prompt_change" => {
            let tools = name == "test_trigger_tool_change";
            caller.announce(if tools { &Change::Tools } else { &Change::Prompts });
            vec![text("It was announced.")]
        }
        SCHEMA_TOOL => vec![text("Its schema is what matters.")],
        RECONNECTION_TOOL => {
            tokio::time::sleep(4 * PAUSE).await;
            vec![text("The stream was closed in between.")]
        }
        _ => {
            let problem = text("This tool intentionally returns an error for testing");
            return Ok(json!({"content": [problem], "isError": true}).to_string());
        }
    };
    Ok(json!({"content": content}).to_string())
}

async fn ask(
    caller: &Caller,
    name: &str,
    given: &Map<String, Value>,
) -> Result<String, Unfinished> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<Value>,
    }
    let elicit = |message: &str, properties: Value, required: Value| {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        ("elicitation/create", json!({"message": message, "requestedSchema": schema}))
    };
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
    let (method, params) = match name {
        "test_sampling" => {
            let content = json!({"type": "text", "text": text("prompt")});
            let message = json!({"role": "user", "content": content});
            ("sampling/createMessage", json!({"messages": [message], "maxTokens": 100}))
        }
        "test_elicitation" => elicit(
            text("message"),
            json!({
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            }),
            json!(["username", "email"]),
        ),
        "test_elicitation_sep1034_defaults" => {
            elicit("Please look at the defaults", defaults(), json!([]))
        }
        _ => elicit("Please choose", choices(), json!([])),
    };
    let question = Question { key: "question", method, params };
    let answer = caller.ask(vec![question], Memory::None).await?.concat();
    let answer: Answer = serde_json::from_str(&answer)
        .map_err(|_| RpcError::invalid_params("expected a response"))?;
    let result = answer.result.ok_or(RpcError::invalid_params("the client cannot do this"))?;
    let member = |name: &str| result.get(name).cloned().unwrap_or_default();
    let action = member("action");
    let action = action.as_str().unwrap_or_default();
    Ok(match name {
        "test_sampling" => {
            let content = member("content");
            let said = content.get("text").and_then(Value::as_str).unwrap_or_default();
            format!("LLM response: {said}")
        }
        "test_elicitation" => {
            format!("User response: action: {action}, content: {}", member("content"))
        }
        _ => format!("Elicitation completed: action={action}, content={}", member("content")),
    })
}

/// SEP-1034: a default of every primitive type.
fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {
            "type": "string",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": {"type": "boolean", "default": true},
    })
}

/// SEP-1330: every way to write a choice.
fn choices() -> Value {
    let titled = |ordinals: [&str; 3], noun: &str| {
        let values = ["value1", "value2", "value3"].into_iter().zip(ordinals);
        values.map(|(value, it)| json!({"const": value, "title": format!("{it} {noun}")})).collect()
    };
    let options = json!(["option1", "option2", "option3"]);
    let ordinals = ["First", "Second", "Third"];
    let single: Value = titled(ordinals, "Option");
    let several: Value = titled(ordinals, "Choice");
    json!({
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": single},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": several}},
    })
}

/// SEP-1613 and SEP-2106: keywords of JSON Schema that must survive the way to the client.
fn schema() -> Value {
    let address = json!({
        "$anchor": "addressDef",
        "type": "object",
        "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": address},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// How a tool talks to the client before it has a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    Asks,
    Not,
    Tells,
}

/// Name, arguments, and how it talks to the client.
const TOOLS: [(&str, &[&str], Talk); 26] = [
    ("test_simple_text", &[], Talk::Not),
    ("test_image_content", &[], Talk::Not),
    ("test_audio_content", &[], Talk::Not),
    ("test_embedded_resource", &[], Talk::Not),
    ("test_multiple_content_types", &[], Talk::Not),
    ("test_error_handling", &[], Talk::Not),
    ("test_tool_with_logging", &[], Talk::Tells),
    (RECONNECTION_TOOL, &[], Talk::Tells),
    ("test_tool_with_progress", &[], Talk::Tells),
    ("test_sampling", &["prompt"], Talk::Asks),
    ("test_elicitation", &["message"], Talk::Asks),
    ("test_elicitation_sep1034_defaults", &[], Talk::Asks),
    ("test_elicitation_sep1330_enums", &[], Talk::Asks),
    ("test_logging_tool", &[], Talk::Tells),
    ("test_trigger_tool_change", &[], Talk::Not),
    ("test_trigger_prompt_change", &[], Talk::Not),
    ("test_missing_capability", &[], Talk::Asks),
    ("test_streaming_elicitation", &[], Talk::Tells),
    ("test_input_required_result_elicitation", &[], Talk::Asks),
    ("test_input_required_result_sampling", &[], Talk::Asks),
    ("test_input_required_result_list_roots", &[], Talk::Asks),
    ("test_input_required_result_request_state", &[], Talk::Asks),
    ("test_input_required_result_multiple_inputs", &[], Talk::Asks),
    ("test_input_required_result_multi_round", &[], Talk::Asks),
    ("test_input_required_result_tampered_state", &[], Talk::Asks),
    ("test_input_required_result_capabilities", &[], Talk::Asks),
];

const SCHEMA_TOOL: &str = "json_schema_2020_12_tool";

const RECONNECTION_TOOL: &str = "test_reconnection";

/// How long the stream of that tool lasts.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);
