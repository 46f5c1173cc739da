//! What results of this era have besides their content.

use serde_json::{Map, Value, json};

use super::supported;
use crate::mock::fault::Fault;
use crate::mock::mcp::ask::Question;
use crate::mock::mcp::methods::{Caller, capabilities, instructions, server_info};

/// The result of `server/discover`.
pub(super) fn discover(caller: &Caller) -> String {
    let mock = &caller.mock;
    let mut result = json!({
        "supportedVersions": supported(mock),
        "capabilities": capabilities(mock),
        "instructions": instructions(&caller.session.org),
    });
    mock.faults.replace(caller.route, &mut result, |fault| match fault {
        Fault::DiscoverMember(member, value) => Some((member.clone(), value.clone())),
        _ => None,
    });
    result.to_string()
}

/// Makes a result complete. It is the text of an object, and what is in it stays as it is written.
pub(super) fn complete(caller: &Caller, method: &str, result: &str) -> String {
    let mut members = common(caller, "complete");
    if let Some((_, milliseconds)) = FRESH.iter().find(|it| it.0 == method) {
        members.insert("ttlMs".into(), json!(milliseconds));
        // It is what one organisation may see.
        members.insert("cacheScope".into(), json!("private"));
    }
    let members = Value::from(members).to_string();
    match (members.strip_suffix('}'), result.strip_prefix('{').map(str::trim_start)) {
        (Some(members), Some("}")) => format!("{members}}}"),
        (Some(members), Some(rest)) => format!("{members},{rest}"),
        _ => result.to_owned(),
    }
}

/// `InputRequiredResult`.
pub(super) fn input_required(
    caller: &Caller,
    questions: Vec<Question>,
    state: Option<String>,
) -> String {
    let mut members = common(caller, "input_required");
    let requests: Map<String, Value> = questions
        .into_iter()
        .map(|it| (it.key.to_owned(), json!({"method": it.method, "params": it.params})))
        .collect();
    members.insert("inputRequests".into(), requests.into());
    members.extend(state.map(|it| ("requestState".to_owned(), it.into())));
    Value::from(members).to_string()
}

/// What every result has.
fn common(caller: &Caller, kind: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let ordered = caller.mock.faults.take(caller.route, |fault| match fault {
        Fault::ResultType(other) => Some(other.clone()),
        _ => None,
    });
    if let Some(kind) = ordered.unwrap_or_else(|| Some(kind.to_owned())) {
        members.insert("resultType".into(), kind.into());
    }
    let meta = json!({"io.modelcontextprotocol/serverInfo": server_info()});
    members.insert("_meta".into(), meta);
    members
}

/// For how many milliseconds a client may keep a result: lists change when they are announced,
/// what a resource holds may change at any time.
const FRESH: [(&str, u64); 6] = [
    ("server/discover", 300_000),
    ("tools/list", 60_000),
    ("prompts/list", 60_000),
    ("resources/list", 60_000),
    ("resources/templates/list", 60_000),
    ("resources/read", 0),
];
