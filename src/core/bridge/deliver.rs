//! What the gateway says, on its way to the host.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Bridge, Pending, Phase, Stream};
use crate::core::event::{Effect, ExchangeId, Notice};
use crate::core::jsonrpc::{Frame, Message, one_line, read, read_object};
use crate::core::link::Transport;
use crate::core::outbox::Outbox;
use crate::core::redact::Hidden;
use crate::core::time::Moment;

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
                if self.is_for_host(&message, from, now, out) {
                    let text = bytes.trim_ascii();
                    out.push(Effect::Write(one_line(bytes.slice_ref(text))));
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
                Ok(message) if self.is_for_host(&message, from, now, out) => kept.push(*member),
                Ok(_) => {}
                Err(_) => out.tell(Notice::Warning("ignoring a member of a batch".to_owned())),
            }
        }
        let whole = kept.len() == members.len();
        if whole && self.handshake.has_batches() {
            out.push(Effect::Write(one_line(bytes.slice_ref(bytes.trim_ascii()))));
            return;
        }
        for member in kept {
            let member = bytes.slice_ref(member.get().as_bytes());
            out.push(Effect::Write(one_line(member)));
        }
    }

    /// Settles what a message answers, and says whether the host is to see it.
    fn is_for_host(
        &mut self,
        message: &Message<'_>,
        from: ExchangeId,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        let Message::Response { id, result } = message else { return true };
        let Some(id) = id else {
            // It belongs to no request, so the host could do nothing with it.
            out.tell(Notice::Warning("the gateway sent an error without an id".to_owned()));
            return false;
        };
        if self.handshake.is_replay(id) {
            if let Phase::Replaying(_) = self.phase {
                self.replay_answered(*result, now, out);
            }
            return false;
        }
        // Over Streamable HTTP an answer comes where its request went: from anywhere else it could
        // be somebody else's word (MCP security best practices, session hijacking).
        let elsewhere =
            |pending: &Pending| self.transport == Transport::Http && pending.exchange != Some(from);
        if self.pending.get(id).is_none_or(elsewhere) {
            out.detail("dropping an answer to no request that is open there");
            return false;
        }
        let Some(pending) = self.pending.remove(id) else { return false };
        self.outcome = None;
        if pending.initialize {
            self.initialize_answered(*result, out);
        }
        true
    }
}
