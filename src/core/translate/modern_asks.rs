//! What a server up to 2025-11-25 asks in the middle of a call: the host's request is answered with
//! `input_required`, and a `requestState` that leads back to the call.

use std::time::Duration;

use super::modern_calls::Call;
use super::modern_host::ModernHost;
use super::state::Round;
use super::{MAX_INPUTS, MAX_ROUNDS, Origin, Output, allows};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::members::{Members, quoted};
use crate::core::time::Moment;

/// How long a call waits for the host to come back: as long as a person may think.
const HELD_FOR: Duration = Duration::from_mins(10);
/// How many calls may wait so; the oldest has to go first.
const MAX_HELD: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) id: Id,
    pub(super) method: String,
    pub(super) params: Option<String>,
}

impl ModernHost {
    /// The server asks something; `false` if there is nobody to ask.
    pub(super) fn ask(
        &mut self,
        id: &Id,
        method: &str,
        params: Option<&str>,
        origin: &Origin,
        now: Moment,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(key) = self.asked_by(origin, method, params) else { return false };
        let Some(call) = self.calls.open.get_mut(&key) else { return false };
        if MAX_INPUTS <= call.asks.len() + call.handed.len() {
            return false;
        }
        let (method, params) = (method.to_owned(), params.map(str::to_owned));
        call.asks.push_back(Ask { id: id.clone(), method, params });
        self.hand_out(key, now, out);
        true
    }

    /// The call in whose course a question comes. On a stream that calls share it is clear only
    /// if there is but one.
    fn asked_by(&self, origin: &Origin, method: &str, params: Option<&str>) -> Option<u64> {
        let calls = &self.calls;
        calls.signer.as_ref()?;
        let key = match origin {
            Origin::Request(id) => *calls.upstream.get(id)?,
            Origin::Shared => {
                let asks = |call: &Call| may_ask(&call.method) && call.refused.is_none();
                let mut open = calls.open.iter().filter(|(_, call)| asks(call));
                let (key, _) = open.next()?;
                if open.next().is_some() {
                    return None;
                }
                *key
            }
        };
        let call = calls.open.get(&key)?;
        (may_ask(&call.method) && allows(&call.capabilities, method, params)).then_some(key)
    }

    /// Tells the host what is asked, if it waits.
    pub(super) fn hand_out(&mut self, key: u64, now: Moment, out: &mut Vec<Output>) {
        let calls = &mut self.calls;
        let Some(call) = calls.open.get_mut(&key) else { return };
        if call.asks.is_empty() {
            return;
        }
        let (Some(signer), Some(host)) = (&calls.signer, call.host.take()) else { return };
        calls.hosts.remove(&host);
        if MAX_ROUNDS <= call.round {
            let got = "a call that asks for ever more input".to_owned();
            let failure = Failure::Misbehaved { got, expected: "a result" };
            out.push(Output::Fail(host, Box::new(failure)));
            return self.drop_call(key, out);
        }
        call.round += 1;
        call.expires = now.after(HELD_FOR);
        let mut questions = Members::default();
        for (number, ask) in call.asks.drain(..).enumerate() {
            let name = format!("question-{}-{}", call.round, number + 1);
            let mut question = Members::default();
            question.set("method", quoted(&ask.method));
            // Of the three only this one may go without.
            if let Some(params) = &ask.params {
                question.set("params", unnamed(params));
            }
            questions.set(&name, question.write());
            call.handed.insert(name, ask);
        }
        let state = signer.sign(Round { call: key, round: call.round.into() });
        let outcome = format!(
            r#"{{"resultType":"input_required","inputRequests":{},"requestState":{}}}"#,
            questions.write(),
            quoted(&state)
        );
        out.push(Output::ToHost(super::result(&host, &outcome)));
        if MAX_HELD < self.calls.held().count() {
            let oldest = self.calls.held().min_by_key(|(_, call)| call.expires);
            if let Some(oldest) = oldest.map(|(key, _)| key) {
                self.drop_call(oldest, out);
            }
        }
    }

    /// The server does not want to know any more.
    pub(super) fn unask(&mut self, params: Option<&str>) {
        let Some(id) = params.and_then(Members::read).and_then(|it| it.id("requestId")) else {
            return;
        };
        for call in self.calls.open.values_mut() {
            call.asks.retain(|ask| ask.id != id);
            call.handed.retain(|_, ask| ask.id != id);
        }
    }
}

/// The requests that may be answered with `input_required`.
pub(super) fn may_ask(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

/// A question without what 2026-07-28 does not have: the id of an address that is to be opened.
fn unnamed(params: &str) -> String {
    let Some(mut members) = Members::read(params) else { return params.to_owned() };
    members.remove("elicitationId");
    members.write()
}
