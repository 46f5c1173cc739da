//! Where host and server speak different eras: the translator between them, which conversations
//! get one, and how its lines travel. Without one nothing here is passed.

use bytes::Bytes;
use http::HeaderMap;

use super::evidence::is_modern_refusal;
use super::send::Next;
use super::{Bridge, Interest, Kind, Outgoing, Phase, Restore};
use crate::config::Protocol;
use crate::core::event::{Effect, ExchangeId, Head, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Message, one_line, read};
use crate::core::link::{Transport, is_transport_evidence};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::core::translate::legacy_host::{Greeting, LegacyHost};
use crate::core::translate::modern_host::ModernHost;
use crate::core::translate::{Origin, Output, Translator, no_handshake};

impl Bridge {
    /// A message of the host, whatever it speaks.
    pub(super) fn host_message(
        &mut self,
        message: &Message<'_>,
        bytes: Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if let Message::Request { id, method, params } = message
            && let Some(name) = self.hidden_tool(method, *params)
            && !self.pending.contains_key(id)
        {
            let failure = Box::new(Failure::HiddenTool(name));
            return out.push(Effect::Fail(Some(id.clone()), failure));
        }
        if let Some(translator) = &mut self.eras.translator {
            let mut outputs = Vec::new();
            translator.inner().host(bytes, now, &mut outputs);
            return self.carry_out(outputs, now, out);
        }
        match message {
            Message::Request { id, method, .. }
                if method == "initialize" && self.eras.is_pinned_modern() =>
            {
                out.push(Effect::Write(no_handshake(id, &bytes)));
            }
            _ => self.message(message, bytes, now, out),
        }
    }

    /// A message of the server that the host is to see.
    pub(super) fn tell_host(
        &mut self,
        line: Bytes,
        from: Option<ExchangeId>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let line = one_line(line);
        let Some(translator) = &mut self.eras.translator else {
            return out.push(Effect::Write(line));
        };
        let call = from.and_then(|from| {
            self.pending.iter().find(|(_, pending)| pending.exchange == Some(from))
        });
        let origin = call.map_or(Origin::Shared, |(id, _)| Origin::Request(id.clone()));
        let mut outputs = Vec::new();
        translator.inner().server(line, &origin, now, &mut outputs);
        self.carry_out(outputs, now, out);
    }

    /// Lets the translator hear of failures, and sends what it wants sent; `false` if there was
    /// nothing.
    pub(super) fn settle(&mut self, now: Moment, out: &mut Outbox<'_>) -> bool {
        if self.eras.failures.is_empty() && self.eras.lines.is_empty() {
            return false;
        }
        loop {
            if let Some((id, failure)) = self.eras.failures.pop_front() {
                let mut outputs = Vec::new();
                if let Some(translator) = &mut self.eras.translator {
                    translator.inner().failed(&id, &failure, now, &mut outputs);
                }
                self.carry_out(outputs, now, out);
            } else if let Some(line) = self.eras.lines.pop_front() {
                if let Ok(Frame::Single(message)) = read(&line) {
                    self.message(&message, line.clone(), now, out);
                }
            } else {
                return true;
            }
        }
    }

    /// Does what is due in the translator.
    pub(super) fn tick_translator(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let Some(translator) = &mut self.eras.translator else { return };
        let mut outputs = Vec::new();
        translator.inner().tick(now, &mut outputs);
        self.carry_out(outputs, now, out);
        self.settle(now, out);
    }

    /// The host has closed stdin: what would go on for ever ends.
    pub(super) fn end_translated(&mut self, now: Moment, out: &mut Outbox<'_>) {
        if let Some(translator) = &mut self.eras.translator {
            let mut outputs = Vec::new();
            translator.inner().eof(&mut outputs);
            self.carry_out(outputs, now, out);
            self.settle(now, out);
        }
        self.end_listens(out);
    }

    fn carry_out(&mut self, outputs: Vec<Output>, now: Moment, out: &mut Outbox<'_>) {
        for output in outputs {
            match output {
                Output::ToHost(line) => out.push(Effect::Write(line)),
                Output::ToServer(line) => self.eras.lines.push_back(line),
                Output::Fail(id, failure) => self.answer_with_failure(&id, &failure, out),
                Output::Connected(name) => {
                    out.tell(Notice::Connected(self.transport.name(), name));
                }
                Output::Warn(text) => out.tell(Notice::Warning(text)),
                Output::End { lines, mistaken, greeted } => {
                    self.end_translation(lines, mistaken, greeted, now, out);
                }
            }
        }
    }

    /// The host goes on without a translator.
    fn end_translation(
        &mut self,
        lines: Vec<Bytes>,
        mistaken: bool,
        greeted: bool,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let was = self.eras.translator.take();
        self.forget_conversation(out);
        if greeted {
            self.phase = Phase::Lost;
        }
        if mistaken {
            let speaks_modern = matches!(was, Some(Translator::ModernHost(_)));
            out.detail("the gateway speaks another revision than it was taken for");
            self.learn_era(Some(speaks_modern), Some(!speaks_modern), now, out);
            // What is demanded and does not work must not be tried again and again.
            if self.eras.protocol != Protocol::Auto {
                let got = "another revision of the protocol than `--protocol` names".to_owned();
                let expected = "one that the gateway speaks";
                self.refuse(lines, &Failure::Misbehaved { got, expected }, out);
                return;
            }
        }
        for line in lines {
            self.line(line, now, out);
        }
    }

    fn refuse(&mut self, lines: Vec<Bytes>, failure: &Failure, out: &mut Outbox<'_>) {
        for line in lines {
            if let Ok(Frame::Single(Message::Request { id, .. })) = read(&line) {
                self.answer_with_failure(&id, failure, out);
            }
        }
    }

    /// Nothing that is under way counts any more: another conversation begins.
    fn forget_conversation(&mut self, out: &mut Outbox<'_>) -> Vec<Bytes> {
        self.pending.clear();
        self.parked.clear();
        self.abort_posts(|_| true, out);
        self.close_listen(out);
        self.replay = None;
        self.cuts.clear();
        self.delayed.clear();
        self.restore = Restore::default();
        self.phase = Phase::Fresh;
        self.carrier.session = None;
        self.carrier.version = None;
        self.eras.forget_conversation();
        self.queue.take().into_iter().map(|outgoing| outgoing.bytes).collect()
    }

    /// Before a message is sent: whether host and server need a translator, and whether the
    /// server must be asked first. `true` if something else is next by now.
    pub(super) fn chooses_era(&mut self, next: Next, now: Moment, out: &mut Outbox<'_>) -> bool {
        if self.eras.translator.is_none() {
            let message = match next {
                Next::Replay => self.replay.as_ref(),
                Next::Restore => return false,
                Next::Queued(index) => self.queue.iter().nth(index),
            };
            let Some(message) = message else { return false };
            let handshake = matches!(message.kind, Kind::Initialize(_) | Kind::ReplayInitialize(_));
            let http = self.transport == Transport::Http;
            if handshake && http && self.eras.has_no_handshake() {
                if let Some(outgoing) = self.take(next) {
                    self.fall_forward(outgoing, None, now, out);
                }
                return true;
            }
            let is_request = matches!(message.kind, Kind::Request(_));
            let legacy =
                self.eras.is_known_legacy() || (!http && self.eras.protocol != Protocol::Modern);
            if message.claims.is_some() && is_request && legacy {
                self.fall_back(None, now, out);
                return true;
            }
        }
        match next {
            Next::Queued(index) => self.ask_first(index, now),
            Next::Replay | Next::Restore => false,
        }
    }

    /// A host up to 2025-11-25, and a server that has no handshake.
    fn fall_forward(
        &mut self,
        outgoing: Outgoing,
        refusal: Option<Bytes>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let mut outputs = Vec::new();
        let (line, greeting) = if let Kind::Initialize(id) = &outgoing.kind {
            (outgoing.bytes, Greeting::Answer(id.clone(), refusal))
        } else {
            let initialized = self.handshake.initialized.is_some();
            let line = self.handshake.initialize_line().cloned();
            (line.unwrap_or(outgoing.bytes), Greeting::Done(initialized))
        };
        out.detail("the gateway speaks no revision with a handshake; translating");
        let greeted = matches!(greeting, Greeting::Done(_));
        let lines = self.forget_conversation(out);
        let seed = self.eras.next_seed();
        let translator = LegacyHost::new(seed, line, greeting, &mut outputs);
        self.eras.translator = Some(Translator::LegacyHost(Box::new(translator)));
        if greeted {
            self.pay_owed(now, out);
        }
        self.carry_out(outputs, now, out);
        for line in lines {
            self.line(line, now, out);
        }
    }

    /// A host of 2026-07-28, and a server that does not know it. `asked` is the host's question,
    /// if it was that which showed it.
    pub(super) fn fall_back(&mut self, asked: Option<Bytes>, now: Moment, out: &mut Outbox<'_>) {
        out.detail("the gateway does not speak 2026-07-28; translating");
        let waiting = self.forget_conversation(out);
        let seed = self.eras.next_seed();
        let host = ModernHost::new(seed, self.eras.next_signer());
        self.eras.translator = Some(Translator::ModernHost(Box::new(host)));
        for line in asked.into_iter().chain(waiting) {
            self.line(line, now, out);
        }
    }

    /// Looks at an answer for what it says of the server's era; the message comes back if it is
    /// not settled by that.
    pub(super) fn era_shows(
        &mut self,
        outgoing: Outgoing,
        head: &Head,
        body: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        let status = head.status;
        let evidence = is_transport_evidence(status);
        if self.transport != Transport::Http || !(evidence || (200..300).contains(&status)) {
            return Some(outgoing);
        }
        let handshake = matches!(outgoing.kind, Kind::Initialize(_) | Kind::ReplayInitialize(_));
        if handshake && self.eras.protocol != Protocol::Legacy && is_modern_refusal(body) {
            match &mut self.eras.translator {
                Some(Translator::ModernHost(host)) => {
                    let mut outputs = Vec::new();
                    host.unsuited(&mut outputs);
                    self.carry_out(outputs, now, out);
                }
                Some(Translator::LegacyHost(_)) => return Some(outgoing),
                None => {
                    self.learn_era(Some(true), Some(false), now, out);
                    self.fall_forward(outgoing, Some(body.clone()), now, out);
                }
            }
            return None;
        }
        if !evidence || outgoing.claims.is_none() || super::receive::answers(body, &outgoing) {
            return Some(outgoing);
        }
        // A modern server answers in the words of the protocol, so this one speaks something else.
        match outgoing.kind.ids() {
            [id] if self.eras.is_asked(id) => {
                let id = id.clone();
                let pending = self.pending.remove(&id);
                let probe = pending.as_ref().is_some_and(|it| it.interest == Interest::Probe);
                self.question_answered(&id, body, now, out);
                let settled = probe || self.eras.translator.is_some();
                if let (false, Some(pending)) = (settled, pending) {
                    self.pending.insert(id, pending);
                    return Some(outgoing);
                }
                None
            }
            _ => {
                let changed = self.eras.is_hearsay();
                self.learn_era(None, None, now, out);
                if changed {
                    // It has run nothing, and is asked now what it speaks.
                    self.send_again(outgoing);
                    return None;
                }
                Some(outgoing)
            }
        }
    }

    /// The same for a message on a stream: some refuse a handshake there, with 200.
    pub(super) fn era_shows_on(
        &mut self,
        id: ExchangeId,
        outgoing: Outgoing,
        message: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        if !matches!(outgoing.kind, Kind::Initialize(_) | Kind::ReplayInitialize(_)) {
            return Some(outgoing);
        }
        let head = Head { status: 200, headers: HeaderMap::new(), url: None };
        let unsettled = self.era_shows(outgoing, &head, message, now, out);
        if unsettled.is_none() {
            out.push(Effect::Abort(id));
        }
        unsettled
    }

    /// 401 to a handshake that is ours, for a host that has only asked what there is: see
    /// `discover_provisionally`.
    pub(super) fn withdraw_handshake(&mut self, now: Moment, out: &mut Outbox<'_>) -> bool {
        let introduction = self.introduction();
        let Some(Translator::ModernHost(host)) = &mut self.eras.translator else { return false };
        let mut outputs = Vec::new();
        if self.patient || self.closing.is_some() || !host.withdraw(&introduction, &mut outputs) {
            return false;
        }
        self.carry_out(outputs, now, out);
        true
    }

    /// 401 before the server has introduced itself to the translator: the host's `initialize`
    /// waits for a sign-in like any other, and the decision is made again after it.
    pub(super) fn undo_translation(&mut self, now: Moment, out: &mut Outbox<'_>) -> bool {
        let Some(Translator::LegacyHost(host)) = &mut self.eras.translator else { return false };
        let mut outputs = Vec::new();
        if !host.restart(&mut outputs) {
            return false;
        }
        self.carry_out(outputs, now, out);
        true
    }
}

impl Bridge {
    /// Whether the host's lines have to wait for the server to introduce itself.
    pub(super) fn is_opening(&self) -> bool {
        self.eras.translator.as_ref().is_some_and(Translator::is_opening)
    }
}
