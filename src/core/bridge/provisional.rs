//! An answer to `initialize` while a person still signs in.
//!
//! Hosts give up on a server that does not answer `initialize`: the strictest after 10 s, others
//! after 30 or 60 s. A sign-in takes as long as a person takes. So the host gets an answer in time,
//! the one that this server gave last time if it is known, and the real handshake follows behind
//! its back, as after a lost session. What else the host asks for waits, and learns in time that a
//! sign-in is needed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Bridge, Interest, Kind, Outgoing, Phase};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Id, Message, read};
use crate::core::oauth::failure::SignInFailure;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::core::translate::modern_host::discovered;

/// How long `initialize` waits for a credential: long enough for a sign-in that needs no person,
/// short enough for the strictest host.
const INITIALIZE_WAIT: Duration = Duration::from_secs(4);
/// How long any other request waits for a credential.
pub(super) const REQUEST_WAIT: Duration = Duration::from_secs(20);
/// What a host is offered that asks for a version nobody knows.
const NEWEST: &str = "2025-11-25";
const KNOWN: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", NEWEST];

/// What is known of the server before it can be asked.
#[derive(Debug, Default)]
pub(super) struct Provisional {
    /// The notifications that the host gets when the server has been reached after all.
    owed: Vec<&'static str>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(rename = "protocolVersion")]
    protocol_version: &'a str,
}

/// The part of an `InitializeResult` that counts here.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "protocolVersion")]
    protocol_version: Option<String>,
    #[serde(default)]
    capabilities: Capabilities,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    tools: Option<Listed>,
    prompts: Option<Listed>,
    resources: Option<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "listChanged", default)]
    list_changed: bool,
}

/// What a server says of itself, as far as a change of it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Of all of it.
    hash: u64,
    /// The notifications by which the host learns that it may have changed.
    pub(super) lists: Vec<&'static str>,
}

impl Said {
    /// From a result of `initialize`.
    pub(super) fn of(result: &RawValue) -> Self {
        let mut hasher = DefaultHasher::new();
        result.get().hash(&mut hasher);
        let told = serde_json::from_str::<Told>(result.get());
        let lists = told.map(|told| lists(&told.capabilities, |_| true)).unwrap_or_default();
        Self { hash: hasher.finish(), lists }
    }
}

impl Bridge {
    /// When the host has waited long enough for a credential.
    pub(super) fn credential_deadline(&self) -> Option<Duration> {
        self.overdue().map(|(_, deadline)| deadline)
    }

    /// The first request that waits for a credential, and until when.
    fn overdue(&self) -> Option<(usize, Duration)> {
        if self.patient || !self.access.is_waiting() || self.closing.is_some() {
            return None;
        }
        let index = self.queue.iter().position(|outgoing| !outgoing.kind.ids().is_empty())?;
        let outgoing = self.queue.iter().nth(index)?;
        let wait = match &outgoing.kind {
            Kind::Initialize(_) => INITIALIZE_WAIT,
            Kind::Request(id)
                if self.pending.get(id).is_some_and(|it| it.interest == Interest::Discover) =>
            {
                INITIALIZE_WAIT
            }
            _ => REQUEST_WAIT,
        };
        Some((index, outgoing.since.saturating_add(wait)))
    }

    /// A ping asks whether somebody is there, and while a person is expected only this program is.
    fn answer_pings(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if !self.access.is_signing_in() || self.closing.is_some() {
            return;
        }
        loop {
            let index = self.queue.iter().position(|outgoing| outgoing.urgent);
            let Some(outgoing) = index.and_then(|index| self.queue.remove(index)) else { return };
            self.not_asked(&outgoing);
            for id in outgoing.kind.ids() {
                self.pending.remove(id);
                let pong = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id.to_json());
                self.tell_host(pong.into(), None, now, out);
            }
        }
    }

    /// Answers what has waited long enough.
    pub(super) fn tick_credential(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.answer_pings(now, out);
        while let Some((index, deadline)) = self.overdue() {
            if !now.reached(deadline) {
                return;
            }
            let Some(outgoing) = self.queue.remove(index) else { return };
            if let Kind::Initialize(id) = &outgoing.kind {
                self.answer_provisionally(id, &outgoing, now, out);
                continue;
            }
            if self.discover_provisionally(&outgoing, now, out) {
                continue;
            }
            let failure = if self.access.is_signing_in() {
                let url = self.access.sign_in_url().unwrap_or_default();
                SignInFailure::Unfinished { url }
            } else {
                let cause = format!("no answer within {} s", REQUEST_WAIT.as_secs());
                let step = if self.access.is_reading() {
                    "reading the stored sign-in"
                } else {
                    "the renewal of the access token"
                };
                SignInFailure::Transient { step, cause }
            };
            self.drop_outgoing(&outgoing, &Failure::SignIn(failure), now, out);
        }
    }

    fn answer_provisionally(
        &mut self,
        id: &Id,
        outgoing: &Outgoing,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let requested = requested_version(&outgoing.bytes);
        let remembered = self.remembered.result(requested).map(|result| result.get().to_owned());
        let result = remembered.unwrap_or_else(|| unknown_server(requested));
        if let Ok(Told { protocol_version, capabilities }) = serde_json::from_str(&result) {
            self.handshake.version = protocol_version;
            self.provisional.owed = lists(&capabilities, |listed| listed.list_changed);
        }
        self.pending.remove(id);
        out.detail("answering `initialize` before the gateway can be asked");
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.to_json());
        self.tell_host(answer.into(), None, now, out);
        self.remember(outgoing);
        self.phase = Phase::Lost;
        self.session_lost(now, out);
    }

    /// The real handshake is done: what the host knows of the server may be wrong.
    pub(super) fn pay_owed(&mut self, now: Moment, out: &mut Outbox<'_>) {
        for method in std::mem::take(&mut self.provisional.owed) {
            let notification = format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
            self.tell_host(notification.into(), None, now, out);
        }
    }

    /// The host will be told these when the session is there.
    pub(super) fn owe(&mut self, methods: impl Iterator<Item = &'static str>) {
        for method in methods {
            if !self.provisional.owed.contains(&method) {
                self.provisional.owed.push(method);
            }
        }
    }

    /// What is known of the server, as a result of `initialize`.
    pub(super) fn introduction(&self) -> String {
        let remembered = self.remembered.any_result().map(|result| result.get().to_owned());
        remembered.unwrap_or_else(|| unknown_server(None))
    }

    /// Answers a `server/discover` for which somebody would have to sign in. A host may ask it of a
    /// process that it ends at once, so nobody is sent to a browser for it: the next request will
    /// do that. `true` if it was one.
    pub(super) fn discover_provisionally(
        &mut self,
        outgoing: &Outgoing,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        let [id] = outgoing.kind.ids() else { return false };
        let discovers = self.pending.get(id).is_some_and(|it| it.interest == Interest::Discover);
        let direct = self.eras.translator.is_none() && !self.eras.is_pinned_modern();
        if !discovers || !direct || self.patient || self.closing.is_some() {
            return false;
        }
        let Some(result) = discovered(&self.introduction()) else { return false };
        self.not_asked(outgoing);
        self.pending.remove(id);
        out.detail("answering `server/discover` before the gateway can be asked");
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.to_json());
        self.tell_host(answer.into(), None, now, out);
        true
    }

    /// The same, if that is all that waits.
    pub(super) fn discover_queued(&mut self, now: Moment, out: &mut Outbox<'_>) -> bool {
        if self.queue.iter().nth(1).is_some() {
            return false;
        }
        let Some(outgoing) = self.queue.remove(0) else { return false };
        let answered = self.discover_provisionally(&outgoing, now, out);
        if !answered {
            self.queue.push_back(outgoing);
        }
        answered
    }
}

/// The version that a host's `initialize` asks for.
pub(super) fn requested_version(line: &[u8]) -> Option<&str> {
    let Ok(Frame::Single(Message::Request { params: Some(params), .. })) = read(line) else {
        return None;
    };
    serde_json::from_str::<Params<'_>>(params.get()).ok().map(|params| params.protocol_version)
}

/// What can be said of a server that was never reached: it may have anything, and it will say so.
fn unknown_server(requested: Option<&str>) -> String {
    let version = requested.filter(|version| KNOWN.contains(version)).unwrap_or(NEWEST);
    let listed = serde_json::json!({ "listChanged": true });
    serde_json::json!({
        "protocolVersion": version,
        "capabilities": { "tools": listed, "prompts": listed, "resources": listed },
        "serverInfo": { "name": crate::report::NAME, "version": env!("CARGO_PKG_VERSION") },
        "instructions": "A sign-in in the browser is needed before this server can be used.",
    })
    .to_string()
}

/// The notifications that say that a list has changed, for the lists that a server has.
fn lists(capabilities: &Capabilities, which: fn(&Listed) -> bool) -> Vec<&'static str> {
    [
        (&capabilities.tools, "notifications/tools/list_changed"),
        (&capabilities.prompts, "notifications/prompts/list_changed"),
        (&capabilities.resources, "notifications/resources/list_changed"),
    ]
    .into_iter()
    .filter(|(listed, _)| listed.as_ref().is_some_and(which))
    .map(|(_, method)| method)
    .collect()
}
