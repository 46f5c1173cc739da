//! The calls of a host of 2026-07-28 to a legacy server. A call that the server interrupts with a
//! question stays open there, while the host is told with `input_required` to come back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ring::digest::{Context, SHA256};
use serde_json::Value;

use super::modern_asks::Ask;
use super::modern_host::ModernHost;
use super::modern_news::severity;
use super::state::Signer;
use super::{
    CLIENT_CAPABILITIES, CLIENT_INFO, INVALID_PARAMS, LOG_LEVEL, Output, PROTOCOL_VERSION,
    cancelled, error, is_cacheable, text,
};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::members::Members;
use crate::core::time::Moment;

/// The calls that are open at the server.
#[derive(Debug)]
pub(super) struct Calls {
    /// `None`: nothing can be signed, so nobody is told to come back.
    pub(super) signer: Option<Signer>,
    count: u64,
    /// By the id under which they are at the server.
    pub(super) open: BTreeMap<u64, Call>,
    pub(super) upstream: HashMap<Id, u64>,
    pub(super) hosts: HashMap<Id, u64>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) upstream: Id,
    /// Under which the host waits; `None`: it is to come back.
    pub(super) host: Option<Id>,
    pub(super) method: String,
    /// What the call is about: it comes back with the same.
    about: About,
    pub(super) capabilities: String,
    /// The tokens of its progress: the server's, and the host's at the moment.
    pub(super) token: Option<String>,
    pub(super) host_token: Option<String>,
    /// From which level on the host wants to hear of it.
    pub(super) level: Option<usize>,
    /// What the server has asked and nobody has been told.
    pub(super) asks: VecDeque<Ask>,
    /// What the host was told, by key.
    pub(super) handed: BTreeMap<String, Ask>,
    pub(super) round: u8,
    pub(super) expires: Duration,
    /// The answer that came while the host was away.
    answer: Option<Bytes>,
    /// The server has refused it until its addresses are opened, with these words; then it is to
    /// be called again.
    pub(super) refused: Option<String>,
}

impl Calls {
    pub(super) fn new(signer: Option<Signer>) -> Self {
        Self {
            signer,
            count: 0,
            open: BTreeMap::new(),
            upstream: HashMap::new(),
            hosts: HashMap::new(),
        }
    }

    pub(super) fn has_host(&self, id: &Id) -> bool {
        self.hosts.contains_key(id)
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.held().map(|(_, call)| call.expires).min()
    }

    pub(super) fn held(&self) -> impl Iterator<Item = (u64, &Call)> {
        self.open.iter().filter(|(_, call)| call.host.is_none()).map(|(key, call)| (*key, call))
    }

    pub(super) fn at(&self, upstream: &Id) -> Option<&Call> {
        self.open.get(self.upstream.get(upstream)?)
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<Call> {
        let call = self.open.remove(&key)?;
        // One that was refused is at the server no more, and its id may be another's.
        if call.refused.is_none() {
            self.upstream.remove(&call.upstream);
        }
        if let Some(host) = &call.host {
            self.hosts.remove(host);
        }
        Some(call)
    }
}

impl ModernHost {
    /// Sends a call, or goes on with one that the server has interrupted.
    pub(super) fn call(
        &mut self,
        id: Id,
        method: &str,
        line: &Bytes,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let Some(mut message) = Members::read(text(line)) else { return };
        let params = message.get("params").unwrap_or("{}").to_owned();
        let Some(mut params) = Members::read(&params) else {
            let failure = Failure::InvalidRequest("its `params` is no object");
            return out.push(Output::Fail(id, Box::new(failure)));
        };
        let meta = params.get("_meta").unwrap_or("{}").to_owned();
        let mut meta = Members::read(&meta).unwrap_or_default();
        let host_token = meta.get("progressToken").map(str::to_owned);
        let mut round = 0;
        if params.get("requestState").is_some() {
            match self.go_on(&id, method, &params, host_token.clone(), now, out) {
                Some(rounds) => round = rounds,
                None => return,
            }
            params.remove("requestState");
            params.remove("inputResponses");
        }
        let capabilities = meta.get(CLIENT_CAPABILITIES).unwrap_or("{}").to_owned();
        let level = meta.string(LOG_LEVEL).and_then(|level| severity(&level));
        for key in [PROTOCOL_VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL] {
            meta.remove(key);
        }
        let meta = (!meta.is_empty()).then(|| meta.write());
        let about = about(&params);
        match meta {
            Some(meta) => params.set("_meta", meta),
            None => params.remove("_meta"),
        }
        // An id that the host may use again can still be in use at the server.
        let taken = self.calls.upstream.contains_key(&id);
        let upstream = if taken { self.ids.next() } else { id.clone() };
        message.set("id", upstream.to_json());
        message.set("params", params.write());
        out.push(Output::ToServer(message.write().into()));
        let calls = &mut self.calls;
        calls.count += 1;
        calls.upstream.insert(upstream.clone(), calls.count);
        calls.hosts.insert(id.clone(), calls.count);
        let call = Call {
            upstream,
            host: Some(id),
            method: method.to_owned(),
            about,
            capabilities,
            token: host_token.clone(),
            host_token,
            level,
            asks: VecDeque::new(),
            handed: BTreeMap::new(),
            round,
            expires: Duration::ZERO,
            answer: None,
            refused: None,
        };
        calls.open.insert(calls.count, call);
    }

    /// The host comes back with what the server had asked for. If that is to be called again, this
    /// is after how many rounds.
    fn go_on(
        &mut self,
        id: &Id,
        method: &str,
        params: &Members<'_>,
        host_token: Option<String>,
        now: Moment,
        out: &mut Vec<Output>,
    ) -> Option<u8> {
        let state = params.string("requestState");
        let signer = self.calls.signer.as_ref();
        let round = state.zip(signer).and_then(|(state, signer)| signer.verify(&state));
        let fits = |call: &&mut Call| {
            call.host.is_none()
                && !now.reached(call.expires)
                && round.is_some_and(|it| it.round == u64::from(call.round))
                && call.method == method
                && call.about == about(params)
        };
        let key = round.map(|it| it.call).unwrap_or_default();
        let Some(call) = self.calls.open.get_mut(&key).filter(fits) else {
            let why = "`requestState` is unknown, used up or too old: begin again without it";
            out.push(Output::ToHost(error(id, INVALID_PARAMS, why)));
            return None;
        };
        if call.refused.is_some() {
            return self.visited(key, id, params, out);
        }
        call.host = Some(id.clone());
        call.host_token = host_token;
        self.calls.hosts.insert(id.clone(), key);
        let answers = params.object("inputResponses").unwrap_or_default();
        for (name, ask) in std::mem::take(&mut call.handed).into_iter().rev() {
            match answers.get(&name) {
                Some(answer) => out.push(Output::ToServer(super::result(&ask.id, answer))),
                // Without it the server cannot go on; it is asked for again.
                None => call.asks.push_front(ask),
            }
        }
        match call.answer.take() {
            Some(answer) => self.finish(key, &answer, now, out),
            None => self.hand_out(key, now, out),
        }
        None
    }

    /// The server has answered a call.
    pub(super) fn answered(
        &mut self,
        upstream: &Id,
        line: Bytes,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let Some(key) = self.calls.upstream.get(upstream).copied() else { return };
        match self.calls.open.get_mut(&key) {
            Some(call) if call.host.is_none() => call.answer = Some(line),
            _ => self.finish(key, &line, now, out),
        }
    }

    fn finish(&mut self, key: u64, line: &Bytes, now: Moment, out: &mut Vec<Output>) {
        let Some(mut answer) = Members::read(text(line)) else { return };
        if self.needs_visit(key, &answer, now, out) {
            return;
        }
        let Some(call) = self.calls.remove(key) else { return };
        let Some(host) = call.host else { return };
        answer.set("id", host.to_json());
        if let Some(mut outcome) =
            answer.get("result").map(str::to_owned).as_deref().and_then(Members::read)
        {
            outcome.set("resultType", r#""complete""#);
            if is_cacheable(&call.method) {
                outcome.set("ttlMs", "0");
                outcome.set("cacheScope", r#""private""#);
            }
            answer.set("result", outcome.write());
        } else if let Some(mut failure) =
            answer.get("error").map(str::to_owned).as_deref().and_then(Members::read)
            && failure.get("code") == Some("-32002")
        {
            // A resource that is not there has another code by now.
            failure.set("code", INVALID_PARAMS.to_string());
            answer.set("error", failure.write());
        }
        out.push(Output::ToHost(answer.write().into()));
    }

    pub(super) fn call_failed(&mut self, upstream: &Id, failure: &Failure, out: &mut Vec<Output>) {
        let Some(key) = self.calls.upstream.get(upstream).copied() else { return };
        if let Some(host) = self.calls.remove(key).and_then(|call| call.host) {
            out.push(Output::Fail(host, Box::new(failure.clone())));
        }
    }

    pub(super) fn cancel_call(&mut self, host: &Id, out: &mut Vec<Output>) {
        if let Some(key) = self.calls.hosts.get(host).copied() {
            self.drop_call(key, out);
        }
    }

    pub(super) fn drop_call(&mut self, key: u64, out: &mut Vec<Output>) {
        let Some(call) = self.calls.remove(key) else { return };
        if call.answer.is_none() && call.refused.is_none() {
            out.push(Output::ToServer(cancelled(&call.upstream)));
        }
    }

    /// Nobody will come back.
    pub(super) fn drop_held_calls(&mut self, out: &mut Vec<Output>) {
        let held: Vec<_> = self.calls.held().map(|(key, _)| key).collect();
        for key in held {
            self.drop_call(key, out);
        }
    }

    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Output>) {
        let late = self.calls.held().filter(|(_, call)| now.reached(call.expires));
        let late: Vec<_> = late.map(|(key, _)| key).collect();
        for key in late {
            self.drop_call(key, out);
        }
    }
}

/// What a call asks for; no host is bound to write the same twice in the same way.
type About = Vec<u8>;

/// What is longer is compared as it was written.
const MAX_COMPARED: usize = 1 << 20;

fn about(params: &Members<'_>) -> About {
    let mut digest = Context::new(&SHA256);
    for member in ["name", "uri", "arguments"] {
        let text = params.get(member).unwrap_or("null");
        let value = (text.len() <= MAX_COMPARED).then(|| serde_json::from_str::<Value>(text));
        match value {
            Some(Ok(value)) => digest.update(value.to_string().as_bytes()),
            _ => digest.update(text.as_bytes()),
        }
        // No JSON has it.
        digest.update(&[0]);
    }
    digest.finish().as_ref().to_vec()
}
