//! Resources, prompts and the content of tools, by the names of the suite.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{arguments, rounds};

/// The resources to list besides the usual ones.
pub(crate) fn resources() -> Vec<Value> {
    vec![
        json!({"uri": "test://static-text", "name": "static text", "mimeType": "text/plain"}),
        json!({"uri": "test://static-binary", "name": "static binary", "mimeType": "image/png"}),
    ]
}

/// The prompts to list besides the usual ones.
pub(crate) fn prompts() -> Vec<Value> {
    let prompt = |name: &str, given: &[&str]| {
        let given: Vec<_> = given.iter().map(|it| json!({"name": it, "required": true})).collect();
        json!({"name": name, "description": "For the conformance suite", "arguments": given})
    };
    vec![
        prompt("test_simple_prompt", &[]),
        prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
        prompt("test_prompt_with_image", &[]),
        prompt(rounds::PROMPT, &[]),
    ]
}

/// What a tool returns that does nothing else, if it is one of these.
pub(super) fn content(tool: &str) -> Option<Vec<Value>> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    Some(match tool {
        "test_simple_text" => vec![text("This is a simple text response for testing.")],
        "test_image_content" => vec![image],
        "test_audio_content" => {
            vec![json!({"type": "audio", "data": WAV, "mimeType": "audio/wav"})]
        }
        "test_embedded_resource" => vec![resource(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        )],
        "test_multiple_content_types" => vec![
            text("Multiple content types test:"),
            image,
            resource(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#,
            ),
        ],
        _ => return None,
    })
}

/// The content of a resource, if it is one of these.
pub(super) fn read(params: Option<&RawValue>) -> Option<Value> {
    #[derive(Deserialize)]
    struct Read {
        uri: String,
    }
    let Read { uri } = arguments(params).ok()?;
    let template = uri.strip_prefix("test://template/").and_then(|it| it.strip_suffix("/data"));
    let contents = match (uri.as_str(), template) {
        ("test://static-text", _) => json!({
            "uri": uri,
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        ("test://static-binary", _) => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
        (_, Some(id)) => {
            let data = format!("Data for ID: {id}");
            let text = json!({"id": id, "templateTest": true, "data": data}).to_string();
            json!({"uri": uri, "mimeType": "application/json", "text": text})
        }
        _ => return None,
    };
    Some(json!({"contents": [contents]}))
}

/// A prompt, if it is one of these.
pub(super) fn prompt(params: Option<&RawValue>) -> Option<Value> {
    #[derive(Deserialize)]
    struct Get {
        name: String,
        #[serde(default)]
        arguments: Map<String, Value>,
    }
    let Get { name, arguments: given } = arguments(params).ok()?;
    let argument = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = |content: Value| json!({"role": "user", "content": content});
    let text = |text: &str| message(json!({"type": "text", "text": text}));
    let messages = match name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1"), argument("arg2"));
            vec![text(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => vec![
            message(resource(
                argument("resourceUri"),
                "text/plain",
                "Embedded resource content for testing.",
            )),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            message(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
            text("Please analyze the image above."),
        ],
        _ => return None,
    };
    Some(json!({"messages": messages}))
}

/// A resource as content.
fn resource(uri: &str, mime_type: &str, text: &str) -> Value {
    let resource = json!({"uri": uri, "mimeType": mime_type, "text": text});
    json!({"type": "resource", "resource": resource})
}

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// No sound at all.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";
