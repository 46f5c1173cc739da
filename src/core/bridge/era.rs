//! Which era of the protocol is spoken. Up to 2025-11-25 a conversation begins with `initialize`
//! (legacy); from 2026-07-28 on every request says for itself what it speaks (modern).
//!
//! The era of the host shows in how it opens. The era of the server is found out at no cost where
//! both agree; only a modern request to a server that nobody knows is preceded by a question,
//! because a legacy server might run it for what it is not (MCP 2026-07-28, versioning).

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;
use http::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::evidence::is_modern_answer;
use super::{Bridge, Interest, Kind, Outgoing, Pending};
use crate::config::Protocol;
use crate::core::event::Effect;
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Id, Message};
use crate::core::link::Transport;
use crate::core::link::annotations::Schemas;
use crate::core::link::derived;
use crate::core::members::{Members, quoted};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::core::translate::state::Signer;
use crate::core::translate::{self, Translator};

/// What is being spoken, and what is known of both sides.
#[derive(Debug)]
pub(super) struct Eras {
    /// What is spoken to the server.
    spoken: Spoken,
    /// The version that a message claimed last.
    version: Option<HeaderValue>,
    /// What the user wants spoken.
    pub(super) protocol: Protocol,
    /// What is known of the server.
    known: Known,
    /// Whether that was seen at an earlier start only.
    recalled: bool,
    /// The `server/discover` that will tell, and the host's line, if it was the host's.
    asked: Option<(Id, Option<Bytes>)>,
    /// What stands between a host and a server of different eras.
    pub(super) translator: Option<Translator>,
    /// What the translator wants sent.
    pub(super) lines: VecDeque<Bytes>,
    /// What the translator has to be told.
    pub(super) failures: VecDeque<(Id, Failure)>,
    /// What is known of the tools.
    pub(super) schemas: Schemas,
    prefix: u64,
    count: u64,
    /// What states are signed with that a host is to bring back.
    signer: Option<Signer>,
}

/// Which eras a server is known to speak; `None`: nobody has found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    modern: Option<bool>,
    legacy: Option<bool>,
}

/// What is spoken to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    /// Nothing yet that decides it.
    Open,
    Legacy,
    Modern,
}

impl Eras {
    pub(super) fn new(protocol: Protocol, seed: u64) -> Self {
        Self {
            spoken: Spoken::Open,
            version: None,
            protocol,
            known: Known::default(),
            recalled: false,
            asked: None,
            translator: None,
            lines: VecDeque::new(),
            failures: VecDeque::new(),
            schemas: Schemas::default(),
            prefix: seed,
            count: 0,
            signer: None,
        }
    }

    /// From here on a host can be told to come back.
    pub(super) fn sign_with(&mut self, key: &[u8; 32]) {
        self.signer = Some(Signer::new(key));
    }

    /// What another translator signs with: no state of an earlier one counts there.
    pub(super) fn next_signer(&mut self) -> Option<Signer> {
        self.count += 1;
        self.signer.as_ref().map(|signer| signer.another(self.count))
    }

    /// Whether requests say for themselves what they speak.
    pub(super) fn is_modern(&self) -> bool {
        self.spoken != Spoken::Legacy && self.version.is_some()
    }

    /// Whether the conversation cannot become one with a handshake any more.
    pub(super) fn is_pinned_modern(&self) -> bool {
        self.spoken == Spoken::Modern
    }

    /// Whether the server is known to take no `initialize`, or is to be spoken to without.
    pub(super) fn has_no_handshake(&self) -> bool {
        match self.protocol {
            Protocol::Auto => self.known.legacy == Some(false),
            Protocol::Legacy => false,
            Protocol::Modern => true,
        }
    }

    /// Whether the server is known not to speak 2026-07-28, or is to be spoken to as if.
    pub(super) fn is_known_legacy(&self) -> bool {
        match self.protocol {
            Protocol::Auto => self.known.modern == Some(false),
            Protocol::Legacy => true,
            Protocol::Modern => false,
        }
    }

    /// Whether this is the question that decides.
    pub(super) fn is_asked(&self, id: &Id) -> bool {
        self.asked.as_ref().is_some_and(|(asked, _)| asked == id)
    }

    /// Another conversation begins; what is known of the server stays.
    pub(super) fn forget_conversation(&mut self) {
        self.spoken = Spoken::Open;
        self.version = None;
        self.asked = None;
        self.lines.clear();
        self.failures.clear();
    }

    /// A seed for the ids of another translator.
    pub(super) fn next_seed(&mut self) -> u64 {
        self.count += 1;
        self.prefix.rotate_left(23) ^ self.count
    }

    /// What was known of the server at the last start.
    pub(super) fn recall(&mut self, known: Known) {
        self.known = known;
        self.recalled = true;
    }

    /// Whether nobody has seen since the last start what is known of the server.
    pub(super) fn is_hearsay(&self) -> bool {
        self.recalled
    }

    /// An id that no host would choose.
    pub(super) fn own_id(&mut self) -> Id {
        self.count += 1;
        Id::String(format!("{}{}", self.own_prefix(), self.count).into())
    }

    pub(super) fn own_prefix(&self) -> String {
        format!("apexmcp-era-{:016x}-", self.prefix)
    }

    /// Whether nothing may be sent before the server has told what it speaks.
    pub(super) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Adds the headers that repeat a message's own words.
    pub(super) fn repeat(&self, version: &HeaderValue, body: &[u8], headers: &mut HeaderMap) {
        headers.extend(derived::headers(version, body, &self.schemas));
    }

    /// The version that a message is sent under; `None` where the session has one. After an
    /// `initialize` no message is looked at for it.
    pub(super) fn claim(&mut self, message: &Message<'_>) -> Option<HeaderValue> {
        if self.spoken == Spoken::Legacy {
            return None;
        }
        match message {
            Message::Request { method, .. } if method == "initialize" => {
                self.spoken = Spoken::Legacy;
                None
            }
            Message::Request { method, params, .. } => {
                if let Some(version) = params.and_then(claimed) {
                    // A host may ask what there is, and then go the old way.
                    if method != "server/discover" {
                        self.spoken = Spoken::Modern;
                    }
                    self.version = Some(version);
                }
                self.version.clone()
            }
            Message::Notification { params, .. } => {
                params.and_then(claimed).or_else(|| self.version.clone())
            }
            Message::Response { .. } => None,
        }
    }
}

impl Bridge {
    /// What the server has shown of itself.
    pub(super) fn learn_era(
        &mut self,
        modern: Option<bool>,
        legacy: Option<bool>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let known = Known { modern, legacy: legacy.or(self.eras.known.legacy) };
        self.eras.recalled = false;
        if known != std::mem::replace(&mut self.eras.known, known) {
            self.remember_era(known, now, out);
        }
    }

    /// Before a modern request to a server that nobody knows goes a `server/discover`: the
    /// host's, if that is what it is, or our own. `true` if it was put before this message.
    pub(super) fn ask_first(&mut self, index: usize, now: Moment) -> bool {
        let chosen = self.eras.protocol == Protocol::Modern;
        if chosen || self.eras.translator.is_some() || self.transport != Transport::Http {
            return false;
        }
        let known = self.eras.known.modern.is_some();
        if known && !self.eras.recalled {
            return false;
        }
        let Some(outgoing) = self.queue.iter().nth(index) else { return false };
        let (Some(_), Kind::Request(id)) = (&outgoing.claims, &outgoing.kind) else {
            return false;
        };
        let interest = self.pending.get(id).map(|pending| pending.interest);
        if let Some(Interest::Discover | Interest::Probe) = interest {
            let line = (interest == Some(Interest::Discover)).then(|| outgoing.bytes.clone());
            self.eras.asked = Some((id.clone(), line));
            return false;
        }
        // What was seen at an earlier start is looked at again only where that costs nothing.
        if known {
            return false;
        }
        let id = self.eras.own_id();
        let question = question(&outgoing.bytes, &id, "server/discover", None);
        let Some(question) = question else { return false };
        let mut probe = Outgoing::new(question, Kind::Request(id.clone()), now);
        probe.claims.clone_from(&outgoing.claims);
        let mut pending = Pending::new("server/discover", None, now);
        pending.interest = Interest::Probe;
        self.pending.insert(id, pending);
        self.queue.push_front(probe);
        true
    }

    /// It was not answered where it was sent, and will be sent again: the decision is made anew.
    pub(super) fn not_asked(&mut self, outgoing: &Outgoing) {
        if outgoing.kind.ids().iter().any(|id| self.eras.is_asked(id)) {
            self.eras.asked = None;
        }
    }

    /// A question of our own got no answer: whoever it was asked for gets the failure. `true` if
    /// it was one.
    pub(super) fn question_failed(
        &mut self,
        id: &Id,
        pending: &Pending,
        failure: &Failure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        if self.eras.is_asked(id) {
            self.eras.asked = None;
        }
        let direct = self.eras.translator.is_none();
        if pending.interest == Interest::Listen && *failure == Failure::Lost && direct {
            listen_over(id, out);
            return true;
        }
        if pending.interest != Interest::Probe {
            return false;
        }
        if let Some(outgoing) = self.queue.remove(0) {
            self.drop_outgoing(&outgoing, failure, now, out);
        }
        true
    }

    /// The server has answered a `server/discover` that decides: in the words of its era, or as
    /// somebody who does not know what that is. `true` if its words are for the host.
    pub(super) fn question_answered(
        &mut self,
        id: &Id,
        text: &[u8],
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        if !self.eras.is_asked(id) {
            return true;
        }
        let line = self.eras.asked.take().and_then(|(_, line)| line);
        let modern = is_modern_answer(text);
        self.learn_era(Some(modern), None, now, out);
        if modern {
            return line.is_some();
        }
        self.fall_back(line, now, out);
        false
    }

    /// The host cancels a request of 2026-07-28: its stream is closed, which is how the server
    /// learns of it, and nothing more is said (MCP 2026-07-28, cancellation).
    pub(super) fn cancel_stream(&mut self, id: &Id, out: &mut Outbox<'_>) {
        let wanted = Kind::Request(id.clone());
        if self.eras.is_asked(id) {
            self.eras.asked = None;
        }
        if let Some(exchange) = self.pending.remove(id).and_then(|pending| pending.exchange) {
            self.exchanges.remove(&exchange);
            out.push(Effect::Abort(exchange));
        }
        if self.unpark(id) {
            return;
        }
        self.forget_delayed(id);
        let queued = self.queue.iter().position(|outgoing| outgoing.kind == wanted);
        if let Some(index) = queued {
            self.queue.remove(index);
        }
    }

    /// The end has come for what would go on for ever.
    pub(super) fn end_listens(&mut self, out: &mut Outbox<'_>) {
        let listens = self.pending.iter().filter(|(_, it)| it.interest == Interest::Listen);
        let listens: Vec<_> = listens.map(|(id, _)| id.clone()).collect();
        for id in listens {
            self.cancel_stream(&id, out);
            if self.eras.translator.is_none() {
                listen_over(&id, out);
            }
        }
    }
}

/// A subscription that had begun is over: the host is told so, as the revision asks of whoever
/// ends one on stdio (MCP 2026-07-28, cancellation).
fn listen_over(id: &Id, out: &mut Outbox<'_>) {
    for line in translate::over(id) {
        out.push(Effect::Write(line));
    }
}

/// The version that a request's `_meta` claims.
fn claimed(params: &RawValue) -> Option<HeaderValue> {
    let version =
        Members::read(params.get())?.object("_meta")?.string(translate::PROTOCOL_VERSION)?;
    HeaderValue::from_str(&version).ok()
}

/// A request of our own that says the same of the host as this one.
pub(super) fn question(
    request: &Bytes,
    id: &Id,
    method: &str,
    cursor: Option<&str>,
) -> Option<Bytes> {
    let request = Members::read(std::str::from_utf8(request).ok()?)?;
    let params = request.object("params")?;
    let mut meta = params.object("_meta")?;
    meta.remove("progressToken");
    let cursor = cursor.map(|it| format!(r#""cursor":{},"#, quoted(it))).unwrap_or_default();
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":{},"method":{},"params":{{{cursor}"_meta":{}}}}}"#,
        id.to_json(),
        quoted(method),
        meta.write()
    );
    Some(text.into())
}
