//! The headers that a request of 2026-07-28 repeats from its own body, so that what stands between
//! can route it unread (MCP 2026-07-28, Streamable HTTP, request metadata).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::HeaderValue;

use super::annotations::{Annotated, Schemas};
use crate::core::jsonrpc::{Frame, Message, read};
use crate::core::members::Members;

/// The headers for one message. `version` is the one that its body claims.
///
/// Whatever the body holds, a header is one line: what is not plain ASCII goes as Base64.
pub fn headers(version: &HeaderValue, body: &[u8], schemas: &Schemas) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("mcp-protocol-version", version.clone());
    let Ok(Frame::Single(message)) = read(body) else { return headers };
    let (method, params) = match &message {
        Message::Request { method, params, .. } | Message::Notification { method, params } => {
            (method.as_ref(), *params)
        }
        Message::Response { .. } => return headers,
    };
    // A method is not allowed the Base64 form, so one that needs it goes without.
    if is_plain(method)
        && let Ok(value) = HeaderValue::from_str(method)
    {
        headers.insert("mcp-method", value);
    }
    let Some(params) = params.and_then(|params| Members::read(params.get())) else {
        return headers;
    };
    let name = named_by(method).and_then(|member| params.string(member));
    if let Some(value) = name.as_deref().and_then(encode) {
        headers.insert("mcp-name", value);
    }
    if method == "tools/call"
        && let (Some(name), Some(arguments)) = (name, params.get("arguments"))
    {
        for Annotated { header, path } in schemas.of(&name) {
            if let Some(value) = argument(arguments, path) {
                headers.insert(header.clone(), value);
            }
        }
    }
    headers
}

/// Which parameter `Mcp-Name` repeats.
fn named_by(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        // The tasks extension (SEP-2663).
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// The value at the path of an argument; what is absent, null or no primitive has no header.
fn argument(arguments: &str, path: &[String]) -> Option<HeaderValue> {
    let Some((name, rest)) = path.split_first() else { return primitive(arguments) };
    argument(Members::read(arguments)?.get(name)?, rest)
}

fn primitive(json: &str) -> Option<HeaderValue> {
    match json.as_bytes().first()? {
        b'"' => encode(&serde_json::from_str::<String>(json).ok()?),
        b't' | b'f' => HeaderValue::from_str(json).ok(),
        b'-' | b'0'..=b'9' => HeaderValue::from_str(&number(json)?).ok(),
        _ => None,
    }
}

/// A number in decimal; an integer that JavaScript would not know exactly has no header.
fn number(json: &str) -> Option<String> {
    /// 2^53 - 1 (ECMA-262 §21.1.2.6).
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    let value: f64 = json.parse().ok()?;
    if value.fract() != 0.0 {
        return Some(json.to_owned());
    }
    (value.abs() <= MAX_SAFE).then(|| format!("{:.0}", if value == 0.0 { 0.0 } else { value }))
}

/// A value as it may stand in a header.
fn encode(text: &str) -> Option<HeaderValue> {
    if is_plain(text) {
        return HeaderValue::from_str(text).ok();
    }
    HeaderValue::from_str(&format!("{PREFIX}{}{SUFFIX}", STANDARD.encode(text))).ok()
}

const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

/// Whether every reader of headers sees the same value: visible ASCII with blanks inside, not
/// empty (some intermediaries drop empty headers), and not to be taken for the Base64 form.
fn is_plain(text: &str) -> bool {
    let marked = text.starts_with(PREFIX) && text.ends_with(SUFFIX);
    let ascii = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    ascii && !marked && !text.is_empty() && text.trim_ascii() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(body: &str, schemas: &Schemas) -> Vec<String> {
        let version = HeaderValue::from_static("2026-07-28");
        let headers = headers(&version, body.as_bytes(), schemas);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn method_and_name_are_repeated() {
        let none = Schemas::default();
        for (method, params, name) in [
            ("tools/call", r#"{"name":"a b"}"#, Some("a b")),
            ("prompts/get", r#"{"name":"x"}"#, Some("x")),
            ("resources/read", r#"{"uri":"file:///%20","name":"no"}"#, Some("file:///%20")),
            ("tasks/get", r#"{"taskId":"7"}"#, Some("7")),
            ("tools/list", r#"{"name":"x"}"#, None),
            ("tools/call", r#"{"name":7}"#, None),
        ] {
            let body = format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#);
            let mut expected = vec![format!("mcp-method: {method}")];
            expected.extend(name.map(|name| format!("mcp-name: {name}")));
            expected.push("mcp-protocol-version: 2026-07-28".to_owned());
            assert_eq!(derive(&body, &none), expected);
        }
    }

    #[test]
    fn what_is_no_plain_ascii_goes_as_base64() {
        // The examples of the specification, and what its table leaves out.
        for (text, expected) in [
            ("us-west1", "us-west1"),
            ("us west 1", "us west 1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("a\r\nX-API-Key: evil", "=?base64?YQ0KWC1BUEktS2V5OiBldmls?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("=?BASE64?x?=", "=?BASE64?x?="),
            ("\t", "=?base64?CQ==?="),
            ("", "=?base64??="),
        ] {
            assert_eq!(encode(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn arguments_are_repeated_where_the_schema_says_so() {
        let mut schemas = Schemas::default();
        let tools = r#"{"tools":[{"name":"t","inputSchema":{"properties":{
            "s":{"type":"string","x-mcp-header":"S"},
            "i":{"type":"integer","x-mcp-header":"I"},
            "b":{"type":"boolean","x-mcp-header":"B"},
            "o":{"type":"object","properties":{"deep.er":{"type":"string","x-mcp-header":"Deep"}}}}}}]}"#;
        schemas.learn(tools);
        let call = |arguments: &str| {
            let body = format!(
                r#"{{"id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
            );
            let lines = derive(&body, &schemas).into_iter();
            lines.filter(|line| line.starts_with("mcp-param")).collect::<Vec<_>>().join("|")
        };
        assert_eq!(
            call(r#"{"s":"\u000a","i":-7,"b":false,"o":{"deep.er":"d"},"deep.er":"no"}"#),
            "mcp-param-b: false|mcp-param-deep: d|mcp-param-i: -7|mcp-param-s: =?base64?Cg==?="
        );
        assert_eq!(call(r#"{"s":null,"i":[1],"b":{},"o":7}"#), "");
        assert_eq!(call(r#"{"i":42.0}"#), "mcp-param-i: 42");
        assert_eq!(call(r#"{"i":1e2}"#), "mcp-param-i: 100");
        assert_eq!(call(r#"{"i":-0.0}"#), "mcp-param-i: 0");
        assert_eq!(call(r#"{"i":9007199254740991}"#), "mcp-param-i: 9007199254740991");
        assert_eq!(call(r#"{"i":9007199254740992}"#), "");
        assert_eq!(call(r#"{"s":"\ud800"}"#), "", "no UTF-8 has half of a pair");
    }
}
