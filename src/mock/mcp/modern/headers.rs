//! Headers that repeat parts of the body, so that others on the way need not read it (SEP-2243).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};

use super::claims::Params;
use super::{HEADER_MISMATCH, supported};
use crate::mock::mcp::jsonrpc::RpcError;
use crate::mock::mcp::tools;
use crate::mock::state::Mock;

/// The revision that the headers name.
pub(super) fn version(headers: &HeaderMap) -> Option<&str> {
    text(headers, "mcp-protocol-version").ok().flatten()
}

/// A request that names no revision in its headers; older clients learn from it which there are.
pub(super) fn no_version(mock: &Mock) -> RpcError {
    let supported = supported(mock);
    let message = format!("`MCP-Protocol-Version` is missing, expected {}", supported.join(" or "));
    RpcError::new(HEADER_MISMATCH, message).with_data(json!({"supported": supported}))
}

/// `HeaderMismatchError`.
pub(super) fn mismatch(header: &str, sent: &str, expected: &str) -> RpcError {
    let message = format!("`{header}` is `{sent}`, the body says `{expected}`");
    RpcError::new(HEADER_MISMATCH, message)
}

/// Compares what headers and body say.
pub(super) fn check(
    mock: &Mock,
    headers: &HeaderMap,
    method: &str,
    params: &Params,
) -> Result<(), RpcError> {
    if text(headers, "mcp-method")? != Some(method) {
        let sent = text(headers, "mcp-method")?.unwrap_or("missing");
        return Err(mismatch("Mcp-Method", sent, method));
    }
    let name = match method {
        "prompts/get" | "tools/call" => params.name.as_ref(),
        "resources/read" => params.uri.as_ref(),
        _ => return Ok(()),
    };
    compare(headers, "Mcp-Name", name)?;
    if method == "tools/call"
        && let Some(name) = name.and_then(Value::as_str)
    {
        for (header, path) in annotations(mock, name) {
            let value = path
                .iter()
                .try_fold(params.arguments.as_ref(), |at, step| at.map(|it| it.get(step)));
            compare(headers, &format!("Mcp-Param-{header}"), value.flatten())?;
        }
    }
    Ok(())
}

/// A header must be there exactly if the body has the value, and say the same.
fn compare(headers: &HeaderMap, name: &str, value: Option<&Value>) -> Result<(), RpcError> {
    let sent = text(headers, name)?
        .map(decode)
        .transpose()
        .map_err(|problem| RpcError::new(HEADER_MISMATCH, format!("`{name}`: {problem}")))?;
    let value = value.filter(|it| !it.is_null());
    let same = match (value, &sent) {
        (None, None) => true,
        (Some(Value::String(text)), Some(sent)) => text == sent,
        // 42.0 and 42 are equal.
        (Some(Value::Number(number)), Some(sent)) => {
            sent.parse().ok().is_some_and(|it: f64| Some(it) == number.as_f64())
        }
        (Some(Value::Bool(yes)), Some(sent)) => sent == if *yes { "true" } else { "false" },
        _ => false,
    };
    if same {
        return Ok(());
    }
    let expected = value.map_or("nothing".into(), ToString::to_string);
    Err(mismatch(name, sent.as_deref().unwrap_or("missing"), &expected))
}

/// A value as it was before it became safe for a header.
fn decode(sent: &str) -> Result<String, &'static str> {
    let coded = sent.strip_prefix("=?base64?").and_then(|it| it.strip_suffix("?="));
    let Some(coded) = coded else { return Ok(sent.to_owned()) };
    let bytes = STANDARD.decode(coded).map_err(|_| "expected Base64 with its padding")?;
    String::from_utf8(bytes).map_err(|_| "expected UTF-8 in the Base64")
}

/// A header that came at most once, of characters that may be in one.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, RpcError> {
    let wrong = |what: &str| RpcError::new(HEADER_MISMATCH, format!("`{name}` {what}"));
    let known = HeaderName::try_from(name).map_err(|_| wrong("is no header"))?;
    let mut all = headers.get_all(known).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(wrong("came twice"));
    }
    let text = first.to_str().map_err(|_| wrong("has characters that a header must not have"))?;
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// The headers that a tool wants, and where in its arguments their values are.
fn annotations(mock: &Mock, tool: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    if let Some(properties) = tools::properties(mock, tool) {
        collect(&properties, &[], &mut found);
    }
    found
}

fn collect(properties: &Map<String, Value>, at: &[String], found: &mut Vec<(String, Vec<String>)>) {
    for (name, schema) in properties {
        let path = [at, std::slice::from_ref(name)].concat();
        if let Some(header) = schema.get("x-mcp-header").and_then(Value::as_str) {
            found.push((header.to_owned(), path.clone()));
        }
        if let Some(inner) = schema.get("properties").and_then(Value::as_object) {
            collect(inner, &path, found);
        }
    }
}
