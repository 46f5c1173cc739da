//! How far the handshake is (MCP 2025-11-25, lifecycle), and how it is repeated with a new session.

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::provisional::Said;
use super::restore::Restore;
use super::{Bridge, Kind, Outgoing, PATIENCE};
use crate::core::event::{Effect, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Id, Message, read};
use crate::core::link::Transport;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How long a server may take to acknowledge `notifications/initialized` before requests follow
/// anyway: nothing but this notification waits for it.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);

/// How many sessions may be begun at once without anything that works in them.
const MAX_BEGUN: u8 = 3;

/// How far the handshake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The host has not sent `initialize`; what it sends is passed on as it is.
    Fresh,
    /// `initialize` is on its way.
    Initializing,
    /// It is answered; `notifications/initialized` comes next.
    Answered,
    /// That is on its way too.
    Announcing(Duration),
    /// Everything may pass.
    Ready,
    /// The session is lost. Our own `initialize` is next, as soon as there is a connection; if it
    /// was tried in vain, as soon as there is something to send.
    Lost,
    /// It is on its way.
    Replaying(Duration),
    /// Our own `notifications/initialized` is on its way.
    ReplayAnnouncing(Duration),
}

impl Phase {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Announcing(deadline)
            | Self::Replaying(deadline)
            | Self::ReplayAnnouncing(deadline) => Some(*deadline),
            _ => None,
        }
    }

    /// Whether a message of this kind may be sent now.
    pub(super) fn lets_pass(&self, kind: &Kind) -> bool {
        match self {
            Self::Fresh | Self::Answered | Self::Ready => true,
            // The server may ping before it answers.
            Self::Initializing => matches!(kind, Kind::Initialize(_) | Kind::Response),
            Self::Announcing(_) => matches!(kind, Kind::Initialized | Kind::Response),
            Self::Lost | Self::Replaying(_) | Self::ReplayAnnouncing(_) => false,
        }
    }

    /// Whether a new session is being begun behind the host's back.
    pub(super) fn is_replay(&self) -> bool {
        matches!(self, Self::Lost | Self::Replaying(_) | Self::ReplayAnnouncing(_))
    }
}

/// What the handshake said; kept to say it again to a new session.
#[derive(Debug)]
pub(super) struct Handshake {
    prefix: u64,
    /// Counts our own requests.
    replays: u64,
    replay_id: Option<Id>,
    initialize: Option<Bytes>,
    /// The host's `notifications/initialized`.
    pub(super) initialized: Option<Bytes>,
    /// The version that the host was told.
    pub(super) version: Option<String>,
    /// The version of the session that there is.
    session_version: Option<String>,
    /// What the server last said of itself.
    said: Option<Said>,
}

#[derive(Deserialize)]
struct InitializeResult {
    #[serde(rename = "protocolVersion")]
    protocol_version: Option<String>,
    #[serde(rename = "serverInfo")]
    server_info: Option<ServerInfo>,
}

#[derive(Deserialize)]
struct ServerInfo {
    name: Option<String>,
    version: Option<String>,
}

impl Handshake {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            prefix: seed,
            replays: 0,
            replay_id: None,
            initialize: None,
            initialized: None,
            version: None,
            session_version: None,
            said: None,
        }
    }

    /// Whether batches belong to the agreed version; only one has them.
    pub(super) fn has_batches(&self) -> bool {
        let known = |version: &Option<String>| version.as_deref() == Some("2025-03-26");
        known(&self.version) && known(&self.session_version)
    }

    /// Whether this is the id of our own last `initialize`.
    pub(super) fn is_replay(&self, id: &Id) -> bool {
        self.replay_id.as_ref() == Some(id)
    }

    /// Whether this is the id of a request of our own.
    pub(super) fn is_own(&self, id: &Id) -> bool {
        matches!(id, Id::String(text) if text.starts_with(&self.own_prefix()))
    }

    /// An id that no host would choose.
    pub(super) fn own_id(&mut self) -> Id {
        self.replays += 1;
        Id::String(format!("{}{}", self.own_prefix(), self.replays).into())
    }

    fn own_prefix(&self) -> String {
        format!("apexmcp-bridge-{:016x}-", self.prefix)
    }

    /// The host's `initialize`.
    pub(super) fn initialize_line(&self) -> Option<&Bytes> {
        self.initialize.as_ref()
    }

    /// The host's `initialize` once more, under an id that no host would choose.
    fn replay(&mut self) -> Option<(Id, Bytes)> {
        let line = self.initialize.as_ref()?;
        let Ok(Frame::Single(Message::Request { params, .. })) = read(line) else { return None };
        let params = params.map_or("{}", RawValue::get).to_owned();
        let id = self.own_id();
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"initialize","params":{params}}}"#,
            id.to_json()
        );
        self.replay_id = Some(id.clone());
        Some((id, text.into()))
    }
}

impl Bridge {
    /// The host's own handshake passes by.
    pub(super) fn remember(&mut self, outgoing: &Outgoing) {
        match outgoing.kind {
            Kind::Initialize(_) => self.handshake.initialize = Some(outgoing.bytes.clone()),
            Kind::Initialized => self.handshake.initialized = Some(outgoing.bytes.clone()),
            _ => {}
        }
    }

    /// What was sent moves the handshake on.
    pub(super) fn sent(&mut self, kind: &Kind, now: Moment) {
        self.phase = match kind {
            Kind::Initialize(_) => Phase::Initializing,
            Kind::Initialized => Phase::Announcing(now.after(ACKNOWLEDGE)),
            Kind::ReplayInitialize(_) => Phase::Replaying(now.after(PATIENCE)),
            Kind::ReplayInitialized => Phase::ReplayAnnouncing(now.after(ACKNOWLEDGE)),
            _ => return,
        };
    }

    /// `initialize` was answered: with this result, or with an error.
    pub(super) fn initialize_answered(&mut self, result: Option<&RawValue>, out: &mut Outbox<'_>) {
        // The host itself begins anew.
        self.restore = Restore::default();
        let Some(result) = result else {
            // The host may try again with other words.
            self.phase = Phase::Fresh;
            return;
        };
        self.phase = Phase::Answered;
        self.handshake.said = Some(Said::of(result));
        self.remember_result(result, out);
        let result = serde_json::from_str::<InitializeResult>(result.get());
        let Ok(InitializeResult { protocol_version, server_info }) = result else { return };
        self.handshake.version.clone_from(&protocol_version);
        self.learn_version(protocol_version);
        self.tell_connected(server_info, out);
    }

    fn tell_connected(&self, server_info: Option<ServerInfo>, out: &mut Outbox<'_>) {
        let server = server_info.and_then(|info| {
            let version = info.version.map(|version| format!(" {version}")).unwrap_or_default();
            info.name.map(|name| format!("{name}{version}"))
        });
        out.tell(Notice::Connected(self.transport.name(), server));
    }

    /// Our own `initialize` was answered; the host does not hear of it.
    pub(super) fn replay_answered(
        &mut self,
        result: Option<&RawValue>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let Some(result) = result else {
            let got = "an error as the answer to `initialize`".to_owned();
            let failure = Failure::Misbehaved { got, expected: "a new session" };
            self.replay_failed(&failure, now, out);
            return;
        };
        self.remember_result(result, out);
        self.compare(Said::of(result), out);
        self.begun = self.begun.saturating_add(1);
        if let Ok(result) = serde_json::from_str::<InitializeResult>(result.get()) {
            if result.protocol_version != self.handshake.version {
                out.tell(Notice::Warning(
                    "the gateway came back with another protocol version".to_owned(),
                ));
            }
            self.learn_version(result.protocol_version);
            self.tell_connected(result.server_info, out);
        }
        let Some(bytes) = self.handshake.initialized.clone() else {
            self.phase = Phase::Answered;
            return;
        };
        self.phase = Phase::ReplayAnnouncing(now.after(ACKNOWLEDGE));
        self.replay = Some(Outgoing::new(bytes, Kind::ReplayInitialized, now));
    }

    /// The gateway has taken `notifications/initialized`, or has had time enough.
    pub(super) fn ready(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if matches!(self.phase, Phase::ReplayAnnouncing(_)) {
            self.set_again(now);
        }
        self.phase = Phase::Ready;
        self.pay_owed(now, out);
        if self.transport == Transport::Http {
            self.open_listen(now, out);
        }
    }

    /// The session is gone: the next message has to begin a new one.
    pub(super) fn session_lost(&mut self, now: Moment, out: &mut Outbox<'_>) {
        self.drop_replay(out);
        self.withdraw_questions(now, out);
        self.epoch += 1;
        // The version stays: the GET that may come before the handshake names it too.
        self.carrier.session = None;
        if matches!(self.phase, Phase::Fresh | Phase::Initializing) {
            self.phase = Phase::Fresh;
            return;
        }
        self.phase = Phase::Lost;
        self.restore.due.clear();
        self.silence.forget();
        self.watch_old_calls(now);
        self.begin_replay(now);
        self.slow_down(now);
        if self.replay.is_none() {
            self.phase = Phase::Fresh;
        }
    }

    /// Forgets our own handshake, wherever it is, and what else was asked in its session.
    fn drop_replay(&mut self, out: &mut Outbox<'_>) {
        self.replay = None;
        self.abort_posts(|sent| sent.kind.is_own(), out);
    }

    /// There is no new session. What waited for it gets this failure, and the next message of the
    /// host tries again: so a gateway that refuses is asked once a message and not in a loop. Only
    /// where the network is to blame it goes on by itself, ever more slowly.
    pub(super) fn replay_failed(&mut self, failure: &Failure, now: Moment, out: &mut Outbox<'_>) {
        self.phase = Phase::Lost;
        self.replay = None;
        out.tell(Notice::Failed(Box::new(failure.clone())));
        self.fail_queue(failure, now, out);
        let network = matches!(failure, Failure::Lost | Failure::Unreachable { .. });
        if network && self.reached && self.closing.is_none() {
            let wait = self.next_wait(now);
            self.outage.hold(now.after(wait), false);
            self.begin_replay(now);
        }
    }

    fn begin_replay(&mut self, now: Moment) {
        self.replay = self
            .handshake
            .replay()
            .map(|(id, bytes)| Outgoing::new(bytes, Kind::ReplayInitialize(id), now));
    }

    /// Does what is due: a server that never acknowledges must not hold everything up.
    pub(super) fn tick_handshake(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if !self.phase.deadline().is_some_and(|deadline| now.reached(deadline)) {
            return;
        }
        if let Phase::Replaying(_) = self.phase {
            self.drop_replay(out);
            out.push(Effect::NewConnections);
            self.replay_failed(&Failure::TimedOut { seconds: PATIENCE.as_secs() }, now, out);
        } else {
            self.ready(now, out);
        }
    }

    /// What the server says of itself may have changed with the session: then the lists may have
    /// too, and the host looks again.
    fn compare(&mut self, said: Said, out: &mut Outbox<'_>) {
        let before = self.handshake.said.replace(said.clone());
        let Some(before) = before.filter(|before| *before != said) else { return };
        out.detail("the gateway says something else of itself than before");
        self.server_changed();
        self.owe(before.lists.into_iter().chain(said.lists));
    }

    /// Sessions that are lost before anything has worked in them are begun ever more slowly.
    fn slow_down(&mut self, now: Moment) {
        if MAX_BEGUN <= self.begun {
            let wait = self.next_wait(now);
            self.outage.hold(now.after(wait), true);
        }
    }

    fn learn_version(&mut self, version: Option<String>) {
        // Older servers do not know the header, and the oldest revisions do not have it.
        self.carrier.version = version
            .as_deref()
            .filter(|version| "2025-03-26" < *version)
            .and_then(|version| HeaderValue::from_str(version).ok());
        self.handshake.session_version = version;
    }
}
