//! The calls of a host of 2026-07-28 to a legacy server. A call that the server interrupts with a
//! question stays open there, while the host is told with `input_required` to come back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::modern_host::ModernHost;
use super::modern_news::severity;
use super::state::{Round, Signer};
use super::{
    CLIENT_CAPABILITIES, CLIENT_INFO, INVALID_PARAMS, LOG_LEVEL, Origin, Output, PROTOCOL_VERSION,
    allows, cancelled, error, is_cacheable, text,
};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::members::{Members, quoted};
use crate::core::time::Moment;

/// How long a call waits for the host to come back: as long as a person may think.
const HELD_FOR: Duration = Duration::from_mins(10);
/// How many calls may wait so; the oldest has to go first.
const MAX_HELD: usize = 64;

/// The calls that are open at the server.
#[derive(Debug)]
pub(super) struct Calls {
    signer: Signer,
    count: u64,
    /// By the id under which they are at the server.
    pub(super) open: BTreeMap<u64, Call>,
    upstream: HashMap<Id, u64>,
    hosts: HashMap<Id, u64>,
}

#[derive(Debug)]
pub(super) struct Call {
    upstream: Id,
    /// Under which the host waits; `None`: it is to come back.
    pub(super) host: Option<Id>,
    method: String,
    /// What the call is about: it comes back with the same.
    about: Option<String>,
    capabilities: String,
    /// The tokens of its progress: the server's, and the host's at the moment.
    pub(super) token: Option<String>,
    pub(super) host_token: Option<String>,
    /// From which level on the host wants to hear of it.
    pub(super) level: Option<usize>,
    /// What the server has asked and nobody has been told.
    asks: VecDeque<Ask>,
    /// What the host was told, by key.
    handed: BTreeMap<String, Ask>,
    round: u64,
    expires: Duration,
    /// The answer that came while the host was away.
    answer: Option<Bytes>,
}

#[derive(Clone, Debug)]
struct Ask {
    id: Id,
    method: String,
    params: Option<String>,
}

impl Calls {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            signer: Signer::new(seed.rotate_left(11)),
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

    fn held(&self) -> impl Iterator<Item = (u64, &Call)> {
        self.open.iter().filter(|(_, call)| call.host.is_none()).map(|(key, call)| (*key, call))
    }

    pub(super) fn at(&self, upstream: &Id) -> Option<&Call> {
        self.open.get(self.upstream.get(upstream)?)
    }

    fn remove(&mut self, key: u64) -> Option<Call> {
        let call = self.open.remove(&key)?;
        self.upstream.remove(&call.upstream);
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
        let mut meta = params.object("_meta").unwrap_or_default();
        let host_token = meta.get("progressToken").map(str::to_owned);
        if params.get("requestState").is_some() {
            return self.go_on(id, method, &params, host_token, now, out);
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
            round: 0,
            expires: Duration::ZERO,
            answer: None,
        };
        calls.open.insert(calls.count, call);
    }

    /// The host comes back with what the server had asked for.
    fn go_on(
        &mut self,
        id: Id,
        method: &str,
        params: &Members<'_>,
        host_token: Option<String>,
        now: Moment,
        out: &mut Vec<Output>,
    ) {
        let round = params.string("requestState").and_then(|it| self.calls.signer.verify(&it));
        let fits = |call: &&mut Call| {
            call.host.is_none()
                && round.is_some_and(|it| it.round == call.round)
                && call.method == method
                && call.about == about(params)
        };
        let key = round.map(|it| it.call).unwrap_or_default();
        let Some(call) = self.calls.open.get_mut(&key).filter(fits) else {
            let why = "`requestState` is unknown, used up or too old: begin again without it";
            return out.push(Output::ToHost(error(&id, INVALID_PARAMS, why)));
        };
        call.host = Some(id.clone());
        call.host_token = host_token;
        self.calls.hosts.insert(id, key);
        let answers = params.object("inputResponses").unwrap_or_default();
        for (name, ask) in std::mem::take(&mut call.handed).into_iter().rev() {
            match answers.get(&name) {
                Some(answer) => out.push(Output::ToServer(super::result(&ask.id, answer))),
                // Without it the server cannot go on; it is asked for again.
                None => call.asks.push_front(ask),
            }
        }
        if let Some(answer) = call.answer.take() {
            return self.finish(key, &answer, out);
        }
        self.hand_out(key, now, out);
    }

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
        let (method, params) = (method.to_owned(), params.map(str::to_owned));
        call.asks.push_back(Ask { id: id.clone(), method, params });
        self.hand_out(key, now, out);
        true
    }

    /// The call in whose course a question comes. On a stream that calls share it is clear only
    /// if there is but one.
    fn asked_by(&self, origin: &Origin, method: &str, params: Option<&str>) -> Option<u64> {
        let calls = &self.calls;
        let key = match origin {
            Origin::Request(id) => *calls.upstream.get(id)?,
            Origin::Shared => {
                let mut open = calls.open.iter().filter(|(_, call)| may_ask(&call.method));
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
    fn hand_out(&mut self, key: u64, now: Moment, out: &mut Vec<Output>) {
        let calls = &mut self.calls;
        let Some(call) = calls.open.get_mut(&key) else { return };
        if call.asks.is_empty() {
            return;
        }
        let Some(host) = call.host.take() else { return };
        calls.hosts.remove(&host);
        call.round += 1;
        call.expires = now.after(HELD_FOR);
        let mut questions = Members::default();
        for (number, ask) in call.asks.drain(..).enumerate() {
            let name = format!("question-{}-{}", call.round, number + 1);
            let mut question = Members::default();
            question.set("method", quoted(&ask.method));
            // Of the three only this one may go without.
            if let Some(params) = &ask.params {
                question.set("params", params.clone());
            }
            questions.set(&name, question.write());
            call.handed.insert(name, ask);
        }
        let state = calls.signer.sign(Round { call: key, round: call.round });
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
        }
    }

    /// The server has answered a call.
    pub(super) fn answered(&mut self, upstream: &Id, line: Bytes, out: &mut Vec<Output>) {
        let Some(key) = self.calls.upstream.get(upstream).copied() else { return };
        match self.calls.open.get_mut(&key) {
            Some(call) if call.host.is_none() => call.answer = Some(line),
            _ => self.finish(key, &line, out),
        }
    }

    fn finish(&mut self, key: u64, line: &Bytes, out: &mut Vec<Output>) {
        let Some(call) = self.calls.remove(key) else { return };
        let (Some(host), Some(mut answer)) = (call.host, Members::read(text(line))) else { return };
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

    fn drop_call(&mut self, key: u64, out: &mut Vec<Output>) {
        let Some(call) = self.calls.remove(key) else { return };
        if call.answer.is_none() {
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

/// The requests that may be answered with `input_required`.
fn may_ask(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

/// What a call is about.
fn about(params: &Members<'_>) -> Option<String> {
    params.string("name").or_else(|| params.string("uri"))
}
