//! Tools and a prompt that need answers of the client (SEP-2322), by the names of the suite.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Caller, Memory, Question, Unfinished, arguments};

/// The prompt that needs an answer.
pub(super) const PROMPT: &str = "test_input_required_result_prompt";

/// Whether that prompt is asked for.
pub(super) fn is_prompt(params: Option<&RawValue>) -> bool {
    #[derive(Deserialize)]
    struct Get {
        name: String,
    }
    arguments::<Get>(params).is_ok_and(|it| it.name == PROMPT)
}

/// Makes that prompt.
pub(super) async fn prompt(caller: &Caller) -> Result<String, Unfinished> {
    let question = form("user_context", "What context should the prompt use?", "context", "string");
    let answers = caller.ask(vec![question], Memory::None).await?;
    let content = json!({"type": "text", "text": answers.concat()});
    Ok(json!({"messages": [{"role": "user", "content": content}]}).to_string())
}

/// Runs a tool, if it is one of these: the text of its result.
pub(super) async fn call(caller: &Caller, name: &str) -> Option<Result<String, Unfinished>> {
    let (questions, memory) = match name {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            (vec![who()], Memory::None)
        }
        "test_input_required_result_sampling" | "test_missing_capability" => {
            (vec![sample("capital_question", "What is the capital of France?")], Memory::None)
        }
        "test_input_required_result_list_roots" => (vec![roots()], Memory::None),
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => {
            (vec![form("confirm", "Please confirm", "ok", "boolean")], Memory::Sealed)
        }
        "test_input_required_result_multiple_inputs" => {
            (vec![who(), sample("greeting", "Generate a greeting"), roots()], Memory::Sealed)
        }
        "test_input_required_result_multi_round" => return Some(two_rounds(caller).await),
        "test_input_required_result_capabilities" => (possible(caller), Memory::None),
        _ => return None,
    };
    let answers = caller.ask(questions, memory).await;
    Some(answers.map(|it| {
        let verified = if memory == Memory::Sealed { "state-ok: " } else { "" };
        format!("{verified}{}", it.join(" "))
    }))
}

async fn two_rounds(caller: &Caller) -> Result<String, Unfinished> {
    let name = form("step1", "Step 1: What is your name?", "name", "string");
    let name = caller.ask(vec![name], Memory::Sealed).await?;
    let color = form("step2", "Step 2: What is your favorite color?", "color", "string");
    let color = caller.ask(vec![color], Memory::Sealed).await?;
    Ok([name, color].concat().join(" "))
}

/// Every question that the client can answer.
fn possible(caller: &Caller) -> Vec<Question> {
    let mut all = vec![who(), sample("greeting", "Generate a greeting"), roots()];
    if let Some(claims) = &caller.claims {
        all.retain(|it| claims.can(it.method));
    }
    all
}

fn who() -> Question {
    form("user_name", "What is your name?", "name", "string")
}

fn form(key: &'static str, message: &str, field: &str, kind: &str) -> Question {
    let schema = json!({
        "type": "object",
        "properties": {field: {"type": kind}},
        "required": [field],
    });
    let params = json!({"message": message, "requestedSchema": schema});
    Question { key, method: "elicitation/create", params }
}

fn sample(key: &'static str, text: &str) -> Question {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    let params: Value = json!({"messages": [message], "maxTokens": 100});
    Question { key, method: "sampling/createMessage", params }
}

fn roots() -> Question {
    Question { key: "client_roots", method: "roots/list", params: json!({}) }
}
