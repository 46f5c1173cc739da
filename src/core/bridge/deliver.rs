//! What the gateway says, on its way to the host.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Bridge, Interest, Pending, Phase, Stream};
use crate::core::event::{Effect, ExchangeId, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Message, id_of_answer, one_line, read, read_object, several};
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
                let lists_tools = self.lists_tools(&message);
                let text = bytes.slice_ref(bytes.trim_ascii());
                if self.is_for_host(&message, &text, from, now, out) {
                    let filtered =
                        lists_tools.and_then(|result| self.without_tools(&text, result, out));
                    self.tell_host(filtered.unwrap_or(text), Some(from), now, out);
                }
            }
            Ok(Frame::Batch(members)) => self.deliver_batch(&members, &bytes, from, now, out),
            Err(_) if let Some(messages) = several(&bytes) => {
                for message in messages {
                    self.deliver(bytes.slice_ref(message.get().as_bytes()), from, now, out);
                }
            }
            Err(_) => {
                self.spoiled(&bytes, from, now, out);
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
        let mut changed = false;
        for member in members {
            match read_object(member.get()) {
                Ok(message) => {
                    let lists_tools = self.lists_tools(&message);
                    let text = bytes.slice_ref(member.get().as_bytes());
                    if self.is_for_host(&message, &text, from, now, out) {
                        let filtered =
                            lists_tools.and_then(|result| self.without_tools(&text, result, out));
                        changed |= filtered.is_some();
                        kept.push(filtered.unwrap_or(text));
                    }
                }
                Err(_) => out.tell(Notice::Warning("ignoring a member of a batch".to_owned())),
            }
        }
        let whole = kept.len() == members.len() && !changed;
        let translated = self.eras.translator.is_some();
        if whole && self.handshake.has_batches() && !translated {
            out.push(Effect::Write(one_line(bytes.slice_ref(bytes.trim_ascii()))));
            return;
        }
        for member in kept {
            self.tell_host(member, Some(from), now, out);
        }
    }

    /// What should be an answer is not JSON: if it says whom it answers, nobody waits for another.
    fn spoiled(&mut self, bytes: &Bytes, from: ExchangeId, now: Moment, out: &mut Outbox<'_>) {
        let Some(id) = id_of_answer(bytes) else { return };
        let here = |pending: &Pending| match self.transport {
            Transport::Http => pending.exchange == Some(from),
            Transport::Sse => pending.exchange.is_none_or(|exchange| exchange == from),
        };
        if self.pending.get(&id).is_some_and(here) {
            let got = "an answer that is not JSON".to_owned();
            let expected = "a JSON-RPC message or an event stream";
            self.fail(&id, &Failure::Misbehaved { got, expected }, now, out);
        }
    }

    /// The result in which tools may have to be left out; to be asked before the answer is settled.
    fn lists_tools<'a>(&self, message: &Message<'a>) -> Option<&'a RawValue> {
        let Message::Response { id: Some(id), result: Some(result) } = message else { return None };
        let lists = (!self.hidden_tools.is_empty() || self.eras.is_modern())
            && self.pending.get(id).is_some_and(|pending| pending.lists_tools);
        lists.then_some(*result)
    }

    /// The message with its result, which stands in it, without the tools that the user does not
    /// want to see and those that nobody may be shown; `None` if it has none of them.
    fn without_tools(
        &mut self,
        message: &Bytes,
        result: &RawValue,
        out: &mut Outbox<'_>,
    ) -> Option<Bytes> {
        let valid = self.learn_tools(result.get(), out);
        let filtered = match &valid {
            _ if self.hidden_tools.is_empty() => None,
            Some(valid) => self.hidden_tools.filter(valid),
            None => self.hidden_tools.filter(result.get()),
        };
        let filtered = filtered.or(valid)?;
        let begin = result.get().as_ptr().addr().checked_sub(message.as_ptr().addr())?;
        let end = begin.checked_add(result.get().len())?;
        let (before, after) = (message.get(..begin)?, message.get(end..)?);
        Some([before, filtered.as_bytes(), after].concat().into())
    }

    /// Settles what a message answers, and says whether the host is to see it.
    fn is_for_host(
        &mut self,
        message: &Message<'_>,
        text: &Bytes,
        from: ExchangeId,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        if let Message::Notification { method, params } = message
            && method == "notifications/progress"
        {
            self.progress(*params, from, now);
        }
        let (id, result) = match message {
            Message::Response { id, result } => (id, result),
            Message::Request { method, .. } if self.eras.is_modern() => {
                out.tell(Notice::Warning(format!(
                    "dropping a request of the gateway, `{method}`: this revision has none"
                )));
                return false;
            }
            Message::Request { id, .. } => {
                self.asks(id);
                return true;
            }
            Message::Notification { method, params } => {
                if method == "notifications/cancelled" {
                    self.asks_no_more(*params);
                }
                return true;
            }
        };
        let Some(id) = id else {
            // It belongs to no request, so the host could do nothing with it.
            out.tell(Notice::Warning("the gateway sent an error without an id".to_owned()));
            return false;
        };
        if self.handshake.is_own(id) {
            if self.handshake.is_replay(id)
                && let Phase::Replaying(_) = self.phase
            {
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
        if let (Some(lasting), Some(_)) = (pending.lasting, result) {
            self.has_set(lasting, out);
        }
        match pending.interest {
            Interest::Discover | Interest::Probe => self.question_answered(id, text, now, out),
            Interest::Listen | Interest::None => true,
        }
    }
}
