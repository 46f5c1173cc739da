//! What the gateway says, on its way to the host.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Bridge, Interest, Pending, Phase, Stream};
use crate::core::event::{Effect, ExchangeId, Notice};
use crate::core::jsonrpc::{Frame, Message, one_line, read, read_object};
use crate::core::link::Transport;
use crate::core::members::Members;
use crate::core::outbox::Outbox;
use crate::core::redact::Hidden;
use crate::core::time::Moment;

/// What the host is to see of a message.
enum Fate {
    Pass,
    Instead(Bytes),
    Drop,
}

/// The same answer with another result.
fn with_result(text: &[u8], result: String) -> Fate {
    let Some(mut answer) = std::str::from_utf8(text).ok().and_then(Members::read) else {
        return Fate::Pass;
    };
    answer.set("result", result);
    Fate::Instead(answer.write().into())
}

impl Bridge {
    /// Whatever a server said: people do not read their own secrets in it.
    pub(super) fn hide_secrets(&self, effects: &mut [Effect]) {
        let is_text = |effect: &Effect| matches!(effect, Effect::Fail(..) | Effect::Tell(_));
        if !effects.iter().any(is_text) {
            return;
        }
        let mut hidden = Hidden::default();
        self.carrier.secrets().for_each(|value| hidden.add(value));
        if let Some(token) = self.access.token() {
            hidden.add(token.expose().to_owned());
        }
        // The session of HTTP+SSE is in the address of its endpoint.
        if let Stream::Open { endpoint, .. } = &self.stream {
            endpoint.query_pairs().for_each(|(_, value)| hidden.add(value));
        }
        for effect in effects {
            hidden.hide_in(effect);
        }
    }

    /// Passes one body or one event of an exchange on. What is no JSON-RPC never reaches stdout.
    pub(super) fn deliver(
        &mut self,
        bytes: Bytes,
        from: ExchangeId,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        match read(&bytes) {
            Ok(Frame::Single(message)) => {
                let text = bytes.slice_ref(bytes.trim_ascii());
                match self.fate(&message, &text, from, now, out) {
                    Fate::Pass => self.tell_host(text, Some(from), now, out),
                    Fate::Instead(text) => self.tell_host(text, Some(from), now, out),
                    Fate::Drop => {}
                }
            }
            Ok(Frame::Batch(members)) => self.deliver_batch(&members, &bytes, from, now, out),
            Err(_) => {
                let size = bytes.len();
                out.tell(Notice::Warning(format!(
                    "ignoring {size} bytes from the gateway: not JSON-RPC"
                )));
            }
        }
    }

    fn deliver_batch(
        &mut self,
        members: &[&RawValue],
        bytes: &Bytes,
        from: ExchangeId,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let mut kept = Vec::new();
        for member in members {
            match read_object(member.get()) {
                Ok(message) => {
                    let text = bytes.slice_ref(member.get().as_bytes());
                    // Lists of tools are changed in a revision that has no batches.
                    if !matches!(self.fate(&message, &text, from, now, out), Fate::Drop) {
                        kept.push(*member);
                    }
                }
                Err(_) => out.tell(Notice::Warning("ignoring a member of a batch".to_owned())),
            }
        }
        let whole = kept.len() == members.len();
        let translated = self.eras.translator.is_some();
        if whole && self.handshake.has_batches() && !translated {
            out.push(Effect::Write(one_line(bytes.slice_ref(bytes.trim_ascii()))));
            return;
        }
        for member in kept {
            let member = bytes.slice_ref(member.get().as_bytes());
            self.tell_host(member, Some(from), now, out);
        }
    }

    /// Settles what a message answers, and says what the host is to see of it.
    fn fate(
        &mut self,
        message: &Message<'_>,
        text: &Bytes,
        from: ExchangeId,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Fate {
        let (id, result) = match message {
            Message::Response { id, result } => (id, *result),
            Message::Request { method, .. } if self.eras.is_modern() => {
                let warning = format!(
                    "dropping a request of the gateway, `{method}`: this revision has none"
                );
                out.tell(Notice::Warning(warning));
                return Fate::Drop;
            }
            _ => return Fate::Pass,
        };
        let Some(id) = id else {
            // It belongs to no request, so the host could do nothing with it.
            out.tell(Notice::Warning("the gateway sent an error without an id".to_owned()));
            return Fate::Drop;
        };
        if self.handshake.is_replay(id) {
            if let Phase::Replaying(_) = self.phase {
                self.replay_answered(result, now, out);
            }
            return Fate::Drop;
        }
        // Over Streamable HTTP an answer comes where its request went: from anywhere else it could
        // be somebody else's word (MCP security best practices, session hijacking).
        let elsewhere =
            |pending: &Pending| self.transport == Transport::Http && pending.exchange != Some(from);
        if self.pending.get(id).is_none_or(elsewhere) {
            out.detail("dropping an answer to no request that is open there");
            return Fate::Drop;
        }
        let Some(pending) = self.pending.remove(id) else { return Fate::Drop };
        self.outcome = None;
        match (pending.interest, result) {
            (Interest::Initialize, _) => self.initialize_answered(result, out),
            (Interest::Discover | Interest::Probe, _)
                if !self.question_answered(id, text, now, out) =>
            {
                return Fate::Drop;
            }
            (Interest::Tools, Some(result)) => {
                if let Some(kept) = self.learn_tools(result, out) {
                    return with_result(text, kept);
                }
            }
            _ => {}
        }
        Fate::Pass
    }
}
