//! What a request says about itself and its client: `_meta`, and what it brings from earlier rounds.

use std::time::Duration;

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{MISSING_CAPABILITY, REVISION, headers, supported, unsupported};
use crate::mock::fault::{Fault, Route};
use crate::mock::log::fingerprint;
use crate::mock::mcp::ask::{Memory, Question, Unfinished};
use crate::mock::mcp::jsonrpc::RpcError;
use crate::mock::mcp::methods::arguments;
use crate::mock::state::Mock;

/// What a request says about itself and its client.
#[derive(Debug)]
pub(crate) struct Claims {
    capabilities: Map<String, Value>,
    /// The position in [`LEVELS`]; none = the client wants no log.
    level: Option<usize>,
    /// The answers to questions that the client brings along.
    answers: Map<String, Value>,
    /// Whether it brings a `requestState`.
    returns: bool,
    /// What a `requestState` is bound to.
    subject: String,
}

/// The members of parameters that matter to all requests.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Params {
    #[serde(rename = "_meta")]
    meta: Option<Map<String, Value>>,
    pub(super) name: Option<Value>,
    pub(super) uri: Option<Value>,
    pub(super) arguments: Option<Value>,
    #[serde(rename = "inputResponses", default, deserialize_with = "present")]
    responses: Option<Value>,
    #[serde(rename = "requestState", default, deserialize_with = "present")]
    state: Option<Value>,
}

/// A `requestState`, once it is opened.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    subject: String,
    /// Seconds since the Unix epoch.
    until: u64,
    answers: Map<String, Value>,
}

impl Claims {
    /// Checks the frame of a request: headers, `_meta`, and what it brings along.
    pub(super) fn read(
        mock: &Mock,
        org: &str,
        headers: &HeaderMap,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Self, RpcError> {
        if let Some(error) = ordered(mock) {
            return Err(error);
        }
        let version = headers::version(headers).ok_or_else(|| headers::no_version(mock))?;
        let params: Params = arguments(params)?;
        let meta = params.meta.as_ref().ok_or_else(|| RpcError::invalid_params("no `_meta`"))?;
        let member = |name: &str| meta.get(&format!("{PREFIX}{name}"));
        let lacks = |name: &str| RpcError::invalid_params(format!("`_meta` lacks {PREFIX}{name}"));
        let claimed = member("protocolVersion").and_then(Value::as_str);
        let claimed = claimed.ok_or_else(|| lacks("protocolVersion"))?;
        let capabilities = member("clientCapabilities").and_then(Value::as_object);
        let capabilities = capabilities.ok_or_else(|| lacks("clientCapabilities"))?.clone();
        if claimed != version {
            return Err(headers::mismatch("MCP-Protocol-Version", version, claimed));
        }
        if version != REVISION {
            return Err(unsupported(&supported(mock), version));
        }
        headers::check(mock, headers, method, &params)?;
        let level = member("logLevel").map(read_level).transpose()?;
        let subject = subject(org, method, &params);
        let mut answers = Map::new();
        let returns = params.state.is_some();
        if let Some(state) = params.state {
            answers = remember(mock, &state, &subject)?;
        }
        if let Some(responses) = params.responses {
            answers.extend(read_responses(responses)?);
        }
        Ok(Self { capabilities, level, answers, returns, subject })
    }

    /// Whether the client asked for log messages of this level.
    pub(crate) fn logs(&self, level: &str) -> bool {
        let level = LEVELS.iter().position(|it| *it == level);
        matches!((self.level, level), (Some(least), Some(level)) if least <= level)
    }

    /// Whether the client can be asked by this method.
    pub(crate) fn can(&self, method: &str) -> bool {
        let capability = self.capabilities.get(capability(method)).and_then(Value::as_object);
        // A client that elicits by URL only has no forms.
        capability.is_some_and(|it| it.contains_key("form") || !it.contains_key("url"))
    }

    /// The answers to `questions`, or what has to be asked first.
    pub(crate) fn answer(
        &self,
        mock: &Mock,
        route: Route,
        mut questions: Vec<Question>,
        memory: Memory,
    ) -> Result<Vec<String>, Unfinished> {
        if let Some(question) = questions.iter().find(|it| !self.can(it.method)) {
            return Err(lacking(capability(question.method)).into());
        }
        let known = |it: &Question| self.answers.contains_key(it.key);
        if memory == Memory::Sealed && !self.returns && questions.iter().any(known) {
            return Err(RpcError::invalid_params("the `requestState` is missing").into());
        }
        let again = questions.iter().all(known) && mock.faults.strikes(route, &Fault::AskAgain);
        if !again && questions.iter().all(known) {
            let answer = |it: &Question| json!({"result": self.answers.get(it.key)}).to_string();
            return Ok(questions.iter().map(answer).collect());
        }
        let state = (memory == Memory::Sealed).then(|| {
            let until = (mock.clock.now() + STATE_LIFETIME).as_secs();
            let (subject, answers) = (self.subject.clone(), self.answers.clone());
            let payload = serde_json::to_vec(&Remembered { subject, until, answers });
            mock.keys.seal_state(&payload.unwrap_or_default())
        });
        if state.is_some() && !again {
            questions.retain(|it| !known(it));
        }
        Err(Unfinished::Asks(questions, state))
    }
}

/// The error that is ordered instead of a check, if one is.
fn ordered(mock: &Mock) -> Option<RpcError> {
    mock.faults.take(Route::Http, |fault| match fault {
        Fault::HeaderMismatch => Some(headers::mismatch("Mcp-Method", "ordered", "otherwise")),
        Fault::MissingCapability(name) => Some(lacking(name)),
        Fault::UnsupportedVersion(supported) => {
            let supported: Vec<&str> = supported.iter().map(String::as_str).collect();
            Some(unsupported(&supported, REVISION))
        }
        _ => None,
    })
}

/// `MissingRequiredClientCapabilityError`. A name with a slash is one of an extension.
fn lacking(capability: &str) -> RpcError {
    let mut required = json!({capability: {}});
    if capability.contains('/') {
        required = json!({"extensions": required});
    }
    RpcError::new(MISSING_CAPABILITY, format!("the client did not declare `{capability}`"))
        .with_data(json!({"requiredCapabilities": required}))
}

fn capability(method: &str) -> &str {
    method.split('/').next().unwrap_or_default()
}

fn read_level(level: &Value) -> Result<usize, RpcError> {
    let position = level.as_str().and_then(|level| LEVELS.iter().position(|it| *it == level));
    position.ok_or_else(|| RpcError::invalid_params("there is no such log level"))
}

fn read_responses(responses: Value) -> Result<Map<String, Value>, RpcError> {
    match responses {
        Value::Object(all) if all.values().all(Value::is_object) => Ok(all),
        _ => Err(RpcError::invalid_params("`inputResponses` must be an object of results")),
    }
}

/// The answers in a `requestState` of ours that is about the same request.
fn remember(mock: &Mock, state: &Value, subject: &str) -> Result<Map<String, Value>, RpcError> {
    let payload = state.as_str().and_then(|it| mock.keys.unseal_state(it));
    let remembered: Option<Remembered> = payload.and_then(|it| serde_json::from_slice(&it).ok());
    match remembered {
        Some(it) if it.subject == subject && mock.clock.now().as_secs() < it.until => {
            Ok(it.answers)
        }
        _ => Err(RpcError::invalid_params("this is no `requestState` for this request")),
    }
}

/// A retry is the same request again. Every credential belongs to one organisation, which stands
/// here for whoever asks.
fn subject(org: &str, method: &str, params: &Params) -> String {
    let salient = json!([org, method, params.name, params.uri, params.arguments]);
    fingerprint(&salient.to_string())
}

/// Tells `null` from what is not there.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

const PREFIX: &str = "io.modelcontextprotocol/";

/// RFC 5424 6.2.1, from the least.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// A person may have to read a form, and to think.
const STATE_LIFETIME: Duration = Duration::from_mins(10);
