//! Calls that a server up to 2025-11-25 refuses until somebody has opened an address (-32042, MCP
//! 2025-11-25, elicitation). A host of 2026-07-28 is asked to open it, and when it comes back the
//! call is made again.

use super::modern_asks::{Ask, may_ask};
use super::modern_host::ModernHost;
use super::{INVALID_PARAMS, MAX_INPUTS, Output, allows};
use crate::core::jsonrpc::Id;
use crate::core::members::{Members, quoted};
use crate::core::time::Moment;

/// What is asked of a host.
const ELICIT: &str = "elicitation/create";
/// The host lacks a capability (MCP 2026-07-28, error codes).
const MISSING_CAPABILITY: i32 = -32021;
/// JSON-RPC 2.0 §5.1.
const INTERNAL: i32 = -32603;

impl ModernHost {
    /// Whether the answer to a call is such a refusal. The code means nothing to the host, so it
    /// never gets it.
    pub(super) fn needs_visit(
        &mut self,
        key: u64,
        answer: &Members<'_>,
        now: Moment,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(failure) = answer.object("error") else { return false };
        if failure.get("code") != Some("-32042") {
            return false;
        }
        let Some(call) = self.calls.open.get_mut(&key) else { return false };
        let words = failure.string("message").unwrap_or_default();
        let addresses = addresses(&failure);
        let able = addresses.iter().all(|it| allows(&call.capabilities, ELICIT, Some(it)));
        let asks = may_ask(&call.method) && self.calls.signer.is_some();
        if asks && able && !addresses.is_empty() {
            // It is over for the server, and comes back as another call.
            self.calls.upstream.remove(&call.upstream);
            let (id, method) = (call.upstream.clone(), ELICIT.to_owned());
            let ask = |params| Ask { id: id.clone(), method: method.clone(), params: Some(params) };
            call.asks = addresses.into_iter().map(ask).collect();
            call.refused = Some(words);
            self.hand_out(key, now, out);
            return true;
        }
        let Some(host) = self.calls.remove(key).and_then(|call| call.host) else { return true };
        let refusal =
            if able { super::error(&host, INTERNAL, &words) } else { unable(&host, &words) };
        out.push(Output::ToHost(refusal));
        true
    }

    /// The host comes back from the addresses: after how many rounds the call is to be made again,
    /// if somebody has agreed to all of it.
    pub(super) fn visited(
        &mut self,
        key: u64,
        host: &Id,
        params: &Members<'_>,
        out: &mut Vec<Output>,
    ) -> Option<u8> {
        let call = self.calls.remove(key)?;
        let answers = params.object("inputResponses").unwrap_or_default();
        let agreed = |name: &String| {
            let action = answers.object(name).and_then(|answer| answer.string("action"));
            action.as_deref() == Some("accept")
        };
        if call.handed.keys().all(agreed) {
            return Some(call.round);
        }
        let why = format!("refused, as nobody agreed: {}", call.refused.unwrap_or_default());
        out.push(Output::ToHost(super::error(host, INVALID_PARAMS, &why)));
        None
    }
}

/// The questions that stand in such a refusal; none if they are not what they should be.
fn addresses(failure: &Members<'_>) -> Vec<String> {
    let data = failure.object("data").unwrap_or_default();
    let list = data.get("elicitations").map(serde_json::from_str::<Vec<Members<'_>>>);
    let Some(Ok(list)) = list else { return Vec::new() };
    let is_url = |it: &Members<'_>| it.string("mode").as_deref() == Some("url");
    if MAX_INPUTS < list.len() || !list.iter().all(is_url) {
        return Vec::new();
    }
    list.iter().map(Members::write).collect()
}

/// What a server of 2026-07-28 says to a host that cannot open addresses.
fn unable(host: &Id, words: &str) -> bytes::Bytes {
    format!(
        r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{MISSING_CAPABILITY},"message":{},"data":{{"requiredCapabilities":{{"elicitation":{{"url":{{}}}}}}}}}}}}"#,
        host.to_json(),
        quoted(words)
    )
    .into()
}
