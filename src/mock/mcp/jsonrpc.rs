//! JSON-RPC messages. Ids, parameters and results stay the text that the client wrote.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A message from the client.
#[derive(Debug)]
pub(crate) enum Message {
    Notification {
        method: String,
        params: Option<Box<RawValue>>,
    },
    Request {
        id: Box<RawValue>,
        method: String,
        params: Option<Box<RawValue>>,
    },
    /// The whole text, as the asking tool may want either member of it.
    Response {
        id: Box<RawValue>,
        text: String,
    },
}

/// The body of a POST.
#[derive(Debug)]
pub(crate) enum Incoming {
    Batch(Vec<Message>),
    One(Message),
}

impl Incoming {
    /// The messages, however many there are.
    pub(crate) fn messages(&self) -> &[Message] {
        match self {
            Self::Batch(messages) => messages,
            Self::One(message) => std::slice::from_ref(message),
        }
    }
}

/// An error to answer with.
#[derive(Debug)]
pub(crate) struct RpcError {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    pub(crate) fn invalid_request(message: &str) -> Self {
        Self::new(-32600, message)
    }

    pub(crate) fn no_method(method: &str) -> Self {
        Self::new(-32601, format!("there is no method `{method}`"))
    }

    pub(crate) fn with_data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// The error as an answer; without an id where there is none to name.
    pub(crate) fn answer(&self, id: Option<&RawValue>) -> String {
        let id = id.map_or("null", RawValue::get);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, self.to_json())
    }

    /// The error as an answer to nothing that has an id, as 2025-11-25 and later write it.
    pub(crate) fn without_id(&self) -> String {
        format!(r#"{{"jsonrpc":"2.0","error":{}}}"#, self.to_json())
    }

    fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(data), Some(members)) = (&self.data, error.as_object_mut()) {
            members.insert("data".into(), data.clone());
        }
        error
    }
}

/// The answer to a request: `result` is JSON text.
pub(crate) fn answer(id: &RawValue, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.get())
}

/// A notification to the client: `params` is JSON text.
pub(crate) fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// Reads the body of a POST.
pub(crate) fn parse(body: &[u8]) -> Result<Incoming, RpcError> {
    let syntax = |_| RpcError::new(-32700, "expected JSON");
    let text: &RawValue = serde_json::from_slice(body).map_err(syntax)?;
    if !text.get().starts_with('[') {
        return message(text).map(Incoming::One);
    }
    let parts: Vec<&RawValue> = serde_json::from_str(text.get()).map_err(syntax)?;
    if parts.is_empty() {
        return Err(RpcError::invalid_request("expected at least one message"));
    }
    parts.into_iter().map(message).collect::<Result<_, _>>().map(Incoming::Batch)
}

#[derive(Deserialize)]
struct Members<'a> {
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

fn message(raw: &RawValue) -> Result<Message, RpcError> {
    let invalid = || RpcError::invalid_request("expected a JSON-RPC 2.0 message");
    let members: Members<'_> = serde_json::from_str(raw.get()).map_err(|_| invalid())?;
    if members.jsonrpc != "2.0" || !members.id.is_none_or(is_id) {
        return Err(invalid());
    }
    let params = members.params.map(ToOwned::to_owned);
    match (members.id.map(ToOwned::to_owned), members.method.map(Cow::into_owned)) {
        (Some(id), Some(method)) => Ok(Message::Request { id, method, params }),
        (None, Some(method)) => Ok(Message::Notification { method, params }),
        (Some(id), None) => Ok(Message::Response { id, text: raw.get().to_owned() }),
        (None, None) => Err(invalid()),
    }
}

/// MCP: a string or a number.
fn is_id(id: &RawValue) -> bool {
    id.get().starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}
