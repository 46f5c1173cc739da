//! A host up to 2025-11-25 with a server that speaks 2026-07-28 only.
//!
//! `initialize` is answered from `server/discover`; every request says for itself who asks; what
//! the server asks in `input_required` becomes requests to the host; and what the host subscribes
//! to comes on one `subscriptions/listen` (MCP 2026-07-28, multi round-trip requests,
//! subscriptions).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::legacy_calls::Call;
use super::legacy_listen::Listen;
use super::{
    CLIENT_CAPABILITIES, CLIENT_INFO, Held, INVALID_PARAMS, Ids, KNOWN_LEGACY, LEGACY, LOG_LEVEL,
    MODERN, Origin, Output, PROTOCOL_VERSION, SERVER_INFO, SUBSCRIPTION, Translate, cancelled_id,
    error, fail_held, parse, request, result, text,
};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Id, Message};
use crate::core::members::{Members, quoted};
use crate::core::time::Moment;

/// How often the server may name a version that it then takes (MCP 2026-07-28, versioning).
const MAX_TRIES: u8 = 2;

/// What stands between such a host and such a server.
#[derive(Debug)]
pub struct LegacyHost {
    pub(super) ids: Ids,
    pub(super) host: Introduction,
    stage: Stage,
    /// How often the server was asked to introduce itself.
    tries: u8,
    held: Held,
    /// The answer to `initialize`.
    initialized: String,
    pub(super) listen: Listen,
    log_level: Option<String>,
    /// By the host's id.
    pub(super) calls: HashMap<Id, Call>,
    /// Calls that were sent under another id than the host's.
    pub(super) resent: HashMap<Id, Id>,
    /// What the host was asked: for which call, and under which key.
    pub(super) asked: HashMap<Id, (Id, String)>,
}

/// How the host has introduced itself; JSON.
#[derive(Debug)]
pub(super) struct Introduction {
    line: Bytes,
    version: Option<String>,
    pub(super) capabilities: String,
    info: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// `server/discover` is on its way under this id.
    Asking(Id, Greeting),
    Open,
}

/// What the host is to hear when the server has introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The answer to its `initialize`. If the server had refused that, these were its words.
    Answer(Id, Option<Bytes>),
    /// Nothing: it was answered before. Whether it has sent `notifications/initialized`.
    Done(bool),
}

impl LegacyHost {
    /// Begins with the host's `initialize`.
    pub fn new(seed: u64, initialize: Bytes, greeting: Greeting, out: &mut Vec<Output>) -> Self {
        let mut ids = Ids::new(seed);
        let mut new = Self {
            stage: Stage::Asking(ids.next(), greeting),
            ids,
            host: Introduction::read(initialize),
            tries: 0,
            held: Held::new(),
            initialized: String::new(),
            listen: Listen::new(seed),
            log_level: None,
            calls: HashMap::new(),
            resent: HashMap::new(),
            asked: HashMap::new(),
        };
        new.discover(out);
        new
    }

    /// When something is due, as uptime.
    pub fn deadline(&self) -> Option<Duration> {
        self.listen.deadline()
    }

    /// Whether the host's lines wait for the server to introduce itself.
    pub fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Asking(..))
    }

    /// Asks the server to introduce itself.
    fn discover(&mut self, out: &mut Vec<Output>) {
        self.tries += 1;
        let id = self.ids.next();
        let params = format!(r#"{{"_meta":{}}}"#, self.meta(None));
        out.push(Output::ToServer(request(&id, "server/discover", &params)));
        if let Stage::Asking(asking, _) = &mut self.stage {
            *asking = id;
        }
    }

    /// What a request says of the host, and of itself.
    pub(super) fn meta(&self, own: Option<Members<'_>>) -> String {
        let mut meta = own.unwrap_or_default();
        meta.set(PROTOCOL_VERSION, quoted(MODERN));
        if let Some(info) = &self.host.info {
            meta.set(CLIENT_INFO, info.clone());
        }
        meta.set(CLIENT_CAPABILITIES, self.host.capabilities.clone());
        if let Some(level) = &self.log_level {
            meta.set(LOG_LEVEL, level.clone());
        }
        meta.write()
    }

    fn request(&mut self, id: Id, method: &str, line: Bytes, now: Moment, out: &mut Vec<Output>) {
        if self.calls.contains_key(&id) {
            let failure = Failure::InvalidRequest("this id is in use by an open request");
            out.push(Output::Fail(id, Box::new(failure)));
            return;
        }
        match method {
            "initialize" => out.push(Output::ToHost(result(&id, &self.initialized))),
            "ping" => out.push(Output::ToHost(result(&id, "{}"))),
            "logging/setLevel" => out.push(Output::ToHost(self.set_level(&id, &line))),
            "resources/subscribe" => self.subscribe(id, &line, true, now, out),
            "resources/unsubscribe" => self.subscribe(id, &line, false, now, out),
            _ => {
                let method = method.to_owned();
                let call = Call { line, method, upstream: id.clone(), rounds: 0, round: None };
                self.send(id, call, None, out);
            }
        }
    }

    fn set_level(&mut self, id: &Id, line: &Bytes) -> Bytes {
        const LEVELS: [&str; 8] =
            ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
        let level = Members::read(text(line)).and_then(|it| it.object("params")?.string("level"));
        match level {
            Some(level) if LEVELS.contains(&level.as_str()) => {
                self.log_level = Some(quoted(&level));
                result(id, "{}")
            }
            _ => error(id, INVALID_PARAMS, "Invalid log level"),
        }
    }

    /// `server/discover` has an answer.
    fn discovered(&mut self, line: &Bytes, now: Moment, out: &mut Vec<Output>) {
        let answer = Members::read(text(line)).unwrap_or_default();
        let discovered = answer.object("result");
        let speaks = discovered.as_ref().is_some_and(|it| {
            let versions = it.get("supportedVersions").map(serde_json::from_str::<Vec<String>>);
            matches!(versions, Some(Ok(versions)) if versions.iter().any(|it| it == MODERN))
        });
        let Some(discovered) = discovered.filter(|_| speaks) else {
            if self.tries < MAX_TRIES && offers(&answer) {
                return self.discover(out);
            }
            return self.not_discovered(out);
        };
        self.initialized = self.initialize_result(&discovered);
        self.listen.offer(&discovered);
        out.push(Output::Connected(server_name(&discovered)));
        let Stage::Asking(_, greeting) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return;
        };
        match greeting {
            Greeting::Answer(id, _) => {
                out.push(Output::ToHost(result(&id, &self.initialized)));
            }
            Greeting::Done(true) => self.open_listen(now, out),
            Greeting::Done(false) => {}
        }
        for line in std::mem::take(&mut self.held) {
            self.host(line, now, out);
        }
    }

    fn initialize_result(&self, discovered: &Members<'_>) -> String {
        let asked = self.host.version.as_deref().filter(|it| KNOWN_LEGACY.contains(it));
        let mut answer = Members::default();
        answer.set("protocolVersion", quoted(asked.unwrap_or(LEGACY)));
        let mut capabilities = discovered.object("capabilities").unwrap_or_default();
        capabilities.remove("tasks");
        answer.set("capabilities", capabilities.write());
        let meta = discovered.object("_meta");
        let info = meta.as_ref().and_then(|meta| meta.get(SERVER_INFO));
        // The schema of the older revisions wants one.
        let info = info.or_else(|| discovered.get("serverInfo"));
        answer.set("serverInfo", info.unwrap_or(r#"{"name":"unknown","version":"0"}"#).to_owned());
        if let Some(instructions) = discovered.get("instructions") {
            answer.set("instructions", instructions.to_owned());
        }
        answer.write()
    }

    /// The server does not speak the new revision either.
    fn not_discovered(&mut self, out: &mut Vec<Output>) {
        let Stage::Asking(_, greeting) = std::mem::replace(&mut self.stage, Stage::Open) else {
            return;
        };
        let mut lines: Vec<_> = std::mem::take(&mut self.held).into();
        let (mistaken, greeted) = match greeting {
            // It has refused the host's own words before, so these are its last.
            Greeting::Answer(id, Some(refusal)) => {
                let refusal = Members::read(text(&refusal)).unwrap_or_default();
                out.push(Output::ToHost(renamed(refusal, &id)));
                (false, false)
            }
            Greeting::Answer(_, None) => {
                lines.insert(0, self.host.line.clone());
                (true, false)
            }
            Greeting::Done(_) => (true, true),
        };
        out.push(Output::End { lines, mistaken, greeted });
    }

    /// Takes everything back, as long as the server has not introduced itself; `false` after that.
    pub fn restart(&mut self, out: &mut Vec<Output>) -> bool {
        let Stage::Asking(_, greeting) = &self.stage else { return false };
        let greeted = matches!(greeting, Greeting::Done(_));
        let mut lines: Vec<_> = std::mem::take(&mut self.held).into();
        if !greeted {
            lines.insert(0, self.host.line.clone());
        }
        out.push(Output::End { lines, mistaken: false, greeted });
        true
    }
}

impl Introduction {
    fn read(line: Bytes) -> Self {
        let message = Members::read(text(&line)).unwrap_or_default();
        let params = message.object("params").unwrap_or_default();
        let (version, info) = (params.string("protocolVersion"), params.get("clientInfo"));
        let info = info.map(str::to_owned);
        let mut capabilities = params.object("capabilities").unwrap_or_default();
        // It was an experiment; the extension of that name is another protocol.
        capabilities.remove("tasks");
        let capabilities = capabilities.write();
        Self { version, capabilities, info, line: line.clone() }
    }
}

/// The same answer under another id.
pub(super) fn renamed(mut answer: Members<'_>, id: &Id) -> Bytes {
    answer.set("id", id.to_json());
    answer.write().into()
}

/// Whether a refusal names the version that was asked for as one to try.
fn offers(answer: &Members<'_>) -> bool {
    let Some(error) = answer.object("error") else { return false };
    let Some(data) = error.object("data") else { return false };
    let supported = data.get("supported").map(serde_json::from_str::<Vec<String>>);
    error.get("code") == Some("-32022")
        && matches!(supported, Some(Ok(versions)) if versions.iter().any(|it| it == MODERN))
}

fn server_name(discovered: &Members<'_>) -> Option<String> {
    let info = discovered.object("_meta")?;
    let info = info.object(SERVER_INFO)?;
    let version = info.string("version").map(|version| format!(" {version}")).unwrap_or_default();
    Some(format!("{}{version}", info.string("name")?))
}

impl Translate for LegacyHost {
    fn host(&mut self, line: Bytes, now: Moment, out: &mut Vec<Output>) {
        let held = line.clone();
        let Some(message) = parse(&held) else { return };
        let ping = matches!(&message, Message::Request { method, .. } if method == "ping");
        if self.is_opening() && !ping {
            return self.held.push_back(line);
        }
        match message {
            Message::Request { id, method, .. } => self.request(id, &method, line, now, out),
            Message::Notification { method, params } => match method.as_ref() {
                "notifications/initialized" => self.open_listen(now, out),
                "notifications/cancelled" => {
                    if let Some(id) = cancelled_id(params) {
                        self.cancel(&id, out);
                    }
                }
                // Roots are asked for anew each time, and progress has nobody to hear of it.
                "notifications/roots/list_changed" | "notifications/progress" => {}
                _ => out.push(Output::ToServer(line)),
            },
            Message::Response { id: Some(id), .. } => self.answer(&id, &line, out),
            Message::Response { .. } => {}
        }
    }

    fn server(&mut self, line: Bytes, _: &Origin, now: Moment, out: &mut Vec<Output>) {
        let held = line.clone();
        match parse(&held) {
            Some(Message::Response { id: Some(id), .. }) => match &self.stage {
                Stage::Asking(asking, _) if *asking == id => self.discovered(&line, now, out),
                _ if self.listen.is_one(&id) => self.listen_answered(&id, &line, now, out),
                _ => self.answered(&id, line, out),
            },
            Some(Message::Notification { method, params }) => {
                let params = params.and_then(|params| Members::read(params.get()));
                let tag =
                    params.as_ref().and_then(|params| params.object("_meta")?.id(SUBSCRIPTION));
                match tag {
                    Some(tag) => self.notified(&tag, &method, params.unwrap_or_default(), out),
                    // It has asked the host nothing that it could take back.
                    None if method == "notifications/cancelled" => {}
                    None => out.push(Output::ToHost(line)),
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, id: &Id, failure: &Failure, now: Moment, out: &mut Vec<Output>) {
        if self.listen.is_one(id) {
            return self.listen_lost(id, failure, now, out);
        }
        if let Stage::Asking(asking, greeting) = &self.stage {
            if asking != id {
                return;
            }
            if matches!(failure, Failure::Misbehaved { .. }) {
                return self.not_discovered(out);
            }
            if let Greeting::Answer(id, _) = greeting {
                out.push(Output::Fail(id.clone(), Box::new(failure.clone())));
            }
            let greeted = matches!(greeting, Greeting::Done(_));
            fail_held(&mut self.held, failure, out);
            return out.push(Output::End { lines: Vec::new(), mistaken: false, greeted });
        }
        let id = self.resent.remove(id).unwrap_or_else(|| id.clone());
        if self.calls.remove(&id).is_some() {
            out.push(Output::Fail(id, Box::new(failure.clone())));
        }
    }

    fn eof(&mut self, out: &mut Vec<Output>) {
        // Nobody will answer what the server has asked.
        let waiting = self.calls.iter().filter(|(_, call)| call.round.is_some());
        let mut waiting: Vec<_> = waiting.map(|(id, _)| id.clone()).collect();
        waiting.sort_by_key(Id::to_json);
        for id in waiting {
            self.calls.remove(&id);
            out.push(Output::Fail(id, Box::new(Failure::Closing { sent: true })));
        }
        self.asked.clear();
    }

    fn tick(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.tick_listen(now, out);
    }
}
