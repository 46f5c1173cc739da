//! The calls of a host up to 2025-11-25 to a server of 2026-07-28. Every request says for itself who
//! asks; what the server asks in `input_required` becomes requests to the host, and with their
//! answers the call is sent again (MCP 2026-07-28, multi round-trip requests).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::legacy_host::{LegacyHost, renamed};
use super::{
    MAX_INPUTS, MAX_ROUNDS, Output, SERVER_INFO, allows, cancelled, is_cacheable, request, text,
};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::members::Members;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) line: Bytes,
    pub(super) method: String,
    /// Under which it is at the server.
    pub(super) upstream: Id,
    pub(super) rounds: u8,
    /// What is still to be asked of the host, if the server waits for that.
    pub(super) round: Option<Round>,
}

#[derive(Debug, Default)]
pub(super) struct Round {
    /// `requestState`, as it came.
    state: Option<String>,
    answers: BTreeMap<String, String>,
    left: usize,
}

impl LegacyHost {
    /// Sends a call, for the first time or with what the server has asked for.
    pub(super) fn send(&mut self, id: Id, call: Call, round: Option<Round>, out: &mut Vec<Output>) {
        let Some(line) = self.dressed(&call, round) else {
            let failure = Failure::InvalidRequest("its `params` is no object");
            out.push(Output::Fail(id, Box::new(failure)));
            return;
        };
        self.calls.insert(id, call);
        out.push(Output::ToServer(line.into()));
    }

    fn dressed(&self, call: &Call, round: Option<Round>) -> Option<String> {
        let mut line = Members::read(text(&call.line))?;
        let params = line.get("params").unwrap_or("{}").to_owned();
        let mut params = Members::read(&params)?;
        if let Some(round) = round {
            if !round.answers.is_empty() {
                let mut answers = Members::default();
                for (key, answer) in &round.answers {
                    answers.set(key, answer.as_str());
                }
                params.set("inputResponses", answers.write());
            }
            if let Some(state) = round.state {
                params.set("requestState", state);
            }
        }
        let meta = self.meta(params.object("_meta"));
        params.set("_meta", meta);
        line.set("params", params.write());
        line.set("id", call.upstream.to_json());
        Some(line.write())
    }

    pub(super) fn cancel(&mut self, id: &Id, out: &mut Vec<Output>) {
        let Some(call) = self.calls.remove(id) else { return };
        self.resent.remove(&call.upstream);
        if call.round.is_some() {
            self.take_questions_back(id, out);
        } else {
            out.push(Output::ToServer(cancelled(&call.upstream)));
        }
    }

    /// Nobody waits for what the host was asked for this call.
    fn take_questions_back(&mut self, call: &Id, out: &mut Vec<Output>) {
        let mut open: Vec<_> =
            self.asked.iter().filter(|(_, (of, _))| of == call).map(|(id, _)| id.clone()).collect();
        open.sort_by_key(Id::to_json);
        for question in open {
            self.asked.remove(&question);
            out.push(Output::ToHost(cancelled(&question)));
        }
    }

    /// The host has answered what the server had asked in a result.
    pub(super) fn answer(&mut self, id: &Id, line: &Bytes, out: &mut Vec<Output>) {
        let Some((of, key)) = self.asked.remove(id) else { return };
        let Some(mut call) = self.calls.remove(&of) else { return };
        let Some(mut round) = call.round.take() else { return };
        let answer = Members::read(text(line)).unwrap_or_default();
        let Some(given) = answer.get("result") else {
            // Its own words are the best answer to the call: there is no place for an error in
            // what the server gets.
            let words = answer.get("error").unwrap_or(r#"{"code":-32603,"message":"no answer"}"#);
            let id = of.to_json();
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{words}}}"#);
            out.push(Output::ToHost(line.into()));
            self.take_questions_back(&of, out);
            return;
        };
        round.answers.insert(key, given.to_owned());
        round.left = round.left.saturating_sub(1);
        if 0 < round.left {
            call.round = Some(round);
            self.calls.insert(of, call);
            return;
        }
        self.resend(of, call, round, out);
    }

    fn resend(&mut self, id: Id, mut call: Call, round: Round, out: &mut Vec<Output>) {
        // The first and every later try are requests of their own.
        call.upstream = self.ids.next();
        self.resent.insert(call.upstream.clone(), id.clone());
        self.send(id, call, Some(round), out);
    }

    /// The server has answered a call.
    pub(super) fn answered(&mut self, upstream: &Id, line: Bytes, out: &mut Vec<Output>) {
        let id = self.resent.remove(upstream).unwrap_or_else(|| upstream.clone());
        let Some(call) = self.calls.remove(&id) else { return };
        let Some(mut answer) = Members::read(text(&line)) else { return };
        if let Some(outcome) = answer.get("result").map(str::to_owned) {
            let Some(mut outcome) = Members::read(&outcome) else {
                return out.push(Output::ToHost(renamed(answer, &id)));
            };
            match outcome.get("resultType") {
                None | Some(r#""complete""#) => {}
                Some(r#""input_required""#) => return self.ask(id, call, &outcome, out),
                Some(other) => {
                    let got = format!("a result of the type {other}");
                    return fail(id, got, "one of the type `complete` or `input_required`", out);
                }
            }
            plain(&mut outcome, &call.method);
            answer.set("result", outcome.write());
            return out.push(Output::ToHost(renamed(answer, &id)));
        }
        out.push(Output::ToHost(renamed(answer, &id)));
    }

    /// The server needs more before it can answer.
    fn ask(&mut self, id: Id, mut call: Call, outcome: &Members<'_>, out: &mut Vec<Output>) {
        call.rounds += 1;
        let state = outcome.get("requestState").map(str::to_owned);
        let questions = outcome.object("inputRequests").unwrap_or_default();
        let questions: Vec<_> = questions.iter().map(|(key, it)| (key, it.to_owned())).collect();
        if MAX_ROUNDS < call.rounds || MAX_INPUTS < questions.len() {
            let got = "a call that asks for ever more input".to_owned();
            return fail(id, got, "a result", out);
        }
        if questions.is_empty() && state.is_none() {
            let got = "`input_required` that requires nothing".to_owned();
            return fail(id, got, "`inputRequests` or `requestState`", out);
        }
        let mut lines = Vec::new();
        for (key, question) in &questions {
            let question = Members::read(question).unwrap_or_default();
            let method = question.string("method").unwrap_or_default();
            let params = question.get("params");
            if !allows(&self.host.capabilities, &method, params) {
                let got = format!("a call that needs `{method}`, which the host does not offer");
                return fail(id, got, "only what the host has declared", out);
            }
            lines.push((key.clone(), method, params.unwrap_or("{}").to_owned()));
        }
        if lines.is_empty() {
            let round = Round { state, ..Round::default() };
            return self.resend(id, call, round, out);
        }
        for (key, method, params) in &lines {
            let question = self.ids.next();
            self.asked.insert(question.clone(), (id.clone(), key.clone()));
            let named = named(method, params, &question);
            let params = named.as_deref().unwrap_or(params);
            out.push(Output::ToHost(request(&question, method, params)));
        }
        call.round = Some(Round { state, answers: BTreeMap::new(), left: lines.len() });
        self.calls.insert(id, call);
    }
}

/// The result as the older revisions have it.
fn plain(outcome: &mut Members<'_>, method: &str) {
    outcome.remove("resultType");
    if is_cacheable(method) {
        outcome.remove("ttlMs");
        outcome.remove("cacheScope");
    }
    let Some(mut meta) = outcome.object("_meta") else { return };
    meta.remove(SERVER_INFO);
    let meta = (!meta.is_empty()).then(|| meta.write());
    match meta {
        Some(meta) => outcome.set("_meta", meta),
        None => outcome.remove("_meta"),
    }
}

/// Before 2026-07-28 an address that is to be opened has an id, by which the end of that is told;
/// `None` if nothing is missing.
fn named(method: &str, params: &str, question: &Id) -> Option<String> {
    let mut params = Members::read(params).filter(|_| method == "elicitation/create")?;
    if params.string("mode").as_deref() != Some("url") || params.get("elicitationId").is_some() {
        return None;
    }
    params.set("elicitationId", question.to_json());
    Some(params.write())
}

fn fail(id: Id, got: String, expected: &'static str, out: &mut Vec<Output>) {
    out.push(Output::Fail(id, Box::new(Failure::Misbehaved { got, expected })));
}
