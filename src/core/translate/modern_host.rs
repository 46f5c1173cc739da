//! A host of 2026-07-28 with a server up to 2025-11-25.
//!
//! The handshake is ours, with what the host says of itself; `server/discover` is answered from
//! its result. What the server asks on the stream of a call ends the host's request with
//! `input_required`, and the server's call stays open until the host comes back
//! (`modern_calls`). Subscriptions are `modern_listens`.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::modern_calls::Calls;
use super::modern_listens::Listens;
use super::state::Signer;
use super::{
    CLIENT_CAPABILITIES, CLIENT_INFO, Held, Ids, LEGACY, METHOD_NOT_FOUND, MODERN, Origin, Output,
    SERVER_INFO, Translate, cancelled_id, error, fail_held, notification, parse, request, result,
    text,
};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Id, Message};
use crate::core::members::{Members, quoted};
use crate::core::time::Moment;

/// What stands between such a host and such a server.
#[derive(Debug)]
pub struct ModernHost {
    pub(super) ids: Ids,
    stage: Stage,
    held: Held,
    /// Whether the host has sent anything but `server/discover`: then it is a modern one.
    pinned: bool,
    pub(super) server: Server,
    pub(super) calls: Calls,
    pub(super) listens: Listens,
    /// Requests of our own.
    pub(super) own: HashMap<Id, Own>,
    /// The level that the server was told, as JSON.
    level: Option<String>,
    /// Calls that wait until it has been told another one.
    waiting: Held,
}

#[derive(Debug)]
enum Stage {
    /// Nothing was sent.
    Fresh,
    /// Our `initialize` is on its way under this id.
    Initializing(Id),
    Open,
}

/// What the server has said of itself.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) capabilities: String,
    discovered: String,
}

impl Server {
    pub(super) fn declares(&self, what: &str, member: Option<&str>) -> bool {
        let Some(capabilities) = Members::read(&self.capabilities) else { return false };
        let Some(declared) = capabilities.object(what) else { return false };
        member.is_none_or(|member| declared.get(member) == Some("true"))
    }
}

/// A request of our own.
#[derive(Debug)]
pub(super) enum Own {
    Subscribe(String),
    Unsubscribe,
    SetLevel,
}

impl ModernHost {
    /// Begins with the host's first request. Without anything to sign with nobody can be asked in
    /// the middle of a call.
    pub fn new(seed: u64, signer: Option<Signer>) -> Self {
        Self {
            ids: Ids::new(seed),
            stage: Stage::Fresh,
            held: Held::new(),
            pinned: false,
            server: Server::default(),
            calls: Calls::new(signer),
            listens: Listens::default(),
            own: HashMap::new(),
            level: None,
            waiting: Held::new(),
        }
    }

    /// When something is due, as uptime.
    pub fn deadline(&self) -> Option<Duration> {
        self.calls.deadline()
    }

    /// Whether the host's lines wait for the server to introduce itself.
    pub fn is_opening(&self) -> bool {
        !matches!(self.stage, Stage::Open)
    }

    /// The server turns out to speak the host's own era: nothing has been lost.
    pub fn unsuited(&mut self, out: &mut Vec<Output>) {
        let lines = std::mem::take(&mut self.held).into();
        out.push(Output::End { lines, mistaken: true, greeted: false });
    }

    /// Takes the handshake back if the host has asked for nothing but what there is, and answers
    /// that with this result of an `initialize`; `false` if it has asked for more.
    pub fn withdraw(&mut self, introduction: &str, out: &mut Vec<Output>) -> bool {
        let asked = self.held.iter().map(|line| match parse(line) {
            Some(Message::Request { id, method, .. }) if method == "server/discover" => Some(id),
            _ => None,
        });
        let asked: Option<Vec<_>> = asked.collect();
        let (true, Some(asked), Some(answer)) =
            (self.is_opening(), asked, discovered(introduction))
        else {
            return false;
        };
        self.held.clear();
        out.extend(asked.iter().map(|id| Output::ToHost(result(id, &answer))));
        out.push(Output::End { lines: Vec::new(), mistaken: false, greeted: false });
        true
    }

    /// Our handshake, with what the host says of itself in its first request.
    fn initialize(&mut self, line: &Bytes, out: &mut Vec<Output>) {
        let message = Members::read(text(line)).unwrap_or_default();
        let params = message.object("params").unwrap_or_default();
        let meta = params.object("_meta").unwrap_or_default();
        let capabilities = meta.get(CLIENT_CAPABILITIES).unwrap_or("{}");
        let info = meta.get(CLIENT_INFO).unwrap_or(r#"{"name":"unknown","version":"0"}"#);
        let params = format!(
            r#"{{"protocolVersion":{},"capabilities":{capabilities},"clientInfo":{info}}}"#,
            quoted(LEGACY)
        );
        let id = self.ids.next();
        out.push(Output::ToServer(request(&id, "initialize", &params)));
        self.stage = Stage::Initializing(id);
    }

    fn initialized(&mut self, line: &Bytes, now: Moment, out: &mut Vec<Output>) {
        let answer = Members::read(text(line)).unwrap_or_default();
        self.stage = Stage::Open;
        let Some(introduction) = answer.object("result") else {
            // The server takes no handshake; its words go to everyone who waits.
            let words = answer.get("error").unwrap_or("null");
            for line in std::mem::take(&mut self.held) {
                if let Some(Message::Request { id, .. }) = parse(&line) {
                    let id = id.to_json();
                    let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{words}}}"#);
                    out.push(Output::ToHost(line.into()));
                }
            }
            return out.push(Output::End { lines: Vec::new(), mistaken: false, greeted: false });
        };
        self.server = introduced(&introduction);
        out.push(Output::ToServer(notification("notifications/initialized", None)));
        for line in std::mem::take(&mut self.held) {
            self.host(line, now, out);
        }
    }

    fn request(&mut self, id: Id, method: &str, line: Bytes, now: Moment, out: &mut Vec<Output>) {
        if self.calls.has_host(&id) || self.listens.has(&id) {
            let failure = Failure::InvalidRequest("this id is in use by an open request");
            return out.push(Output::Fail(id, Box::new(failure)));
        }
        self.pinned |= method != "server/discover";
        match method {
            "server/discover" => {
                out.push(Output::ToHost(result(&id, &self.server.discovered)));
            }
            "subscriptions/listen" => self.listen(id, &line, out),
            // They belong to the sessions that this revision does not have.
            "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
                out.push(Output::ToHost(error(&id, METHOD_NOT_FOUND, "Method not found")));
            }
            _ if !self.waiting.is_empty() => self.waiting.push_back(line),
            _ if self.tells_level(&line, out) => self.waiting.push_back(line),
            _ => self.call(id, method, &line, now, out),
        }
    }

    /// Tells the server the level that a request asks for; `true` if it has to hear of it first.
    fn tells_level(&mut self, line: &Bytes, out: &mut Vec<Output>) -> bool {
        let level = Members::read(text(line)).and_then(|message| {
            message.object("params")?.object("_meta")?.string(super::LOG_LEVEL)
        });
        let Some(level) = level.map(|level| quoted(&level)) else { return false };
        if self.level.as_ref() == Some(&level) || !self.server.declares("logging", None) {
            return false;
        }
        let id = self.ids.next();
        let params = format!(r#"{{"level":{level}}}"#);
        out.push(Output::ToServer(request(&id, "logging/setLevel", &params)));
        self.own.insert(id, Own::SetLevel);
        self.level = Some(level);
        true
    }

    /// A request of our own has an answer, or none.
    fn own_settled(&mut self, own: Own, good: bool, now: Moment, out: &mut Vec<Output>) {
        match own {
            Own::Subscribe(uri) => self.subscribed(&uri, good, out),
            Own::Unsubscribe => {}
            Own::SetLevel => {
                for line in std::mem::take(&mut self.waiting) {
                    self.host(line, now, out);
                }
            }
        }
    }

    fn cancel(&mut self, id: &Id, out: &mut Vec<Output>) {
        let is_it = |line: &Bytes| matches!(parse(line), Some(Message::Request { id: of, .. }) if of == *id);
        self.held.retain(|line| !is_it(line));
        self.waiting.retain(|line| !is_it(line));
        self.cancel_call(id, out);
        self.end_listen(id, out);
    }
}

/// The result of `server/discover` that says the same as this result of `initialize`.
pub fn discovered(introduction: &str) -> Option<String> {
    Members::read(introduction).map(|it| introduced(&it).discovered)
}

/// What the server has said of itself, for the host.
fn introduced(introduction: &Members<'_>) -> Server {
    let mut capabilities = introduction.object("capabilities").unwrap_or_default();
    // It was an experiment; the extension of that name is another protocol.
    capabilities.remove("tasks");
    let capabilities = capabilities.write();
    let mut discovered = Members::default();
    discovered.set("resultType", r#""complete""#);
    discovered.set("supportedVersions", format!("[{}]", quoted(MODERN)));
    discovered.set("capabilities", capabilities.clone());
    if let Some(instructions) = introduction.get("instructions") {
        discovered.set("instructions", instructions.to_owned());
    }
    discovered.set("ttlMs", "0");
    discovered.set("cacheScope", r#""private""#);
    if let Some(info) = introduction.get("serverInfo") {
        discovered.set("_meta", format!(r#"{{"{SERVER_INFO}":{info}}}"#));
    }
    let discovered = discovered.write();
    Server { capabilities, discovered }
}

impl Translate for ModernHost {
    fn host(&mut self, line: Bytes, now: Moment, out: &mut Vec<Output>) {
        let held = line.clone();
        match parse(&held) {
            Some(Message::Request { id, method, .. }) => {
                if method == "initialize" {
                    return self.late_initialize(&id, line, out);
                }
                match self.stage {
                    Stage::Open => return self.request(id, &method, line, now, out),
                    Stage::Fresh => self.initialize(&line, out),
                    Stage::Initializing(_) => {}
                }
                self.held.push_back(line);
            }
            Some(Message::Notification { method, params }) => {
                if method == "notifications/cancelled" {
                    if let Some(id) = cancelled_id(params) {
                        self.cancel(&id, out);
                    }
                } else if self.is_opening() {
                    self.held.push_back(line);
                } else {
                    out.push(Output::ToServer(line));
                }
            }
            // Nobody has asked it anything.
            Some(Message::Response { .. }) | None => {}
        }
    }

    fn server(&mut self, line: Bytes, origin: &Origin, now: Moment, out: &mut Vec<Output>) {
        let held = line.clone();
        match parse(&held) {
            Some(Message::Response { id: Some(id), result }) => {
                if matches!(&self.stage, Stage::Initializing(initialize) if *initialize == id) {
                    self.initialized(&line, now, out);
                } else if let Some(own) = self.own.remove(&id) {
                    self.own_settled(own, result.is_some(), now, out);
                } else {
                    self.answered(&id, line, now, out);
                }
            }
            Some(Message::Request { id, method, params }) => {
                let params = params.map(serde_json::value::RawValue::get);
                if method == "ping" {
                    out.push(Output::ToServer(result(&id, "{}")));
                } else if !self.ask(&id, &method, params, origin, now, out) {
                    let why = "nobody can be asked that here";
                    out.push(Output::ToServer(error(&id, METHOD_NOT_FOUND, why)));
                }
            }
            Some(Message::Notification { method, params }) => {
                let params = params.map(serde_json::value::RawValue::get);
                match method.as_ref() {
                    "notifications/progress" => self.progressed(&line, params, out),
                    "notifications/message" => self.logged(line, params, origin, out),
                    "notifications/cancelled" => self.unask(params),
                    // Tasks are not offered, and the answer to a call tells that it can go on.
                    "notifications/tasks/status" | "notifications/elicitation/complete" => {}
                    _ if !self.listened(&method, params, out) => out.push(Output::ToHost(line)),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, id: &Id, failure: &Failure, now: Moment, out: &mut Vec<Output>) {
        if matches!(&self.stage, Stage::Initializing(initialize) if initialize == id) {
            fail_held(&mut self.held, failure, out);
            return out.push(Output::End { lines: Vec::new(), mistaken: false, greeted: false });
        }
        if let Some(own) = self.own.remove(id) {
            return self.own_settled(own, false, now, out);
        }
        self.call_failed(id, failure, out);
    }

    fn eof(&mut self, out: &mut Vec<Output>) {
        self.end_listens(out);
        self.drop_held_calls(out);
    }

    fn tick(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.expire(now, out);
    }
}

impl ModernHost {
    /// `initialize` from a host that has asked what there is, and goes the old way; or from one
    /// that has long gone the new one.
    fn late_initialize(&mut self, id: &Id, line: Bytes, out: &mut Vec<Output>) {
        if self.pinned {
            return out.push(Output::ToHost(super::no_handshake(id, &line)));
        }
        let mut lines: Vec<_> = std::mem::take(&mut self.held).into();
        lines.push(line);
        out.push(Output::End { lines, mistaken: false, greeted: false });
    }
}
