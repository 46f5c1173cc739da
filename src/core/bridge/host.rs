//! What the host writes.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::retry::is_safe;
use super::{Bridge, Kind, Outgoing, Pending};
use crate::core::event::{Effect, ExchangeId, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::{Frame, Id, Malformed, Message, id_at_beginning, read, read_object};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;
use crate::core::tools;

/// Why something is no message although its id could be read.
const NO_MESSAGE: &str = "neither a method nor a result";

impl Bridge {
    /// One line of stdin.
    pub(super) fn line(&mut self, line: Bytes, now: Moment, out: &mut Outbox<'_>) {
        let line = trim(line);
        if line.is_empty() {
            return;
        }
        match read(&line) {
            Ok(Frame::Single(message)) => self.host_message(&message, line.clone(), now, out),
            Ok(Frame::Batch(members)) if self.handshake.has_batches() => {
                self.batch(&members, &line, now, out);
            }
            // Every other revision knows single messages only.
            Ok(Frame::Batch(members)) => self.split(&members, &line, now, out),
            Err(Malformed::NotRpc(Some(id))) => self.invalid(id, NO_MESSAGE, out),
            Err(malformed) => {
                let what = match malformed {
                    Malformed::NotJson => "not JSON",
                    Malformed::NotRpc(_) => "not JSON-RPC",
                };
                // Without an id there is nobody to answer: up to 2025-06-18 an error without an
                // id is no legal message.
                let size = line.len();
                out.tell(Notice::Warning(format!("ignoring {size} bytes on stdin: {what}")));
            }
        }
    }

    /// A line that is too long to be held.
    pub(super) fn long_line(&mut self, beginning: &[u8], out: &mut Outbox<'_>) {
        match id_at_beginning(beginning) {
            Some(id) => self.invalid(id, "the line is too long", out),
            None => out.tell(Notice::Warning("ignoring a line on stdin: too long".to_owned())),
        }
    }

    /// Answers what is no request, unless the answer would be taken for that of an open one.
    fn invalid(&mut self, id: Id, why: &'static str, out: &mut Outbox<'_>) {
        if self.pending.contains_key(&id) {
            out.tell(Notice::Warning(format!(
                "ignoring what has the id of an open request: {why}"
            )));
            return;
        }
        out.push(Effect::Fail(Some(id), Box::new(Failure::InvalidRequest(why))));
    }

    fn split(&mut self, members: &[&RawValue], line: &Bytes, now: Moment, out: &mut Outbox<'_>) {
        for member in members {
            match read_object(member.get()) {
                Ok(message) => {
                    let bytes = line.slice_ref(member.get().as_bytes());
                    self.host_message(&message, bytes, now, out);
                }
                Err(Malformed::NotRpc(Some(id))) => self.invalid(id, NO_MESSAGE, out),
                Err(_) => out.tell(Notice::Warning("ignoring a member of a batch".to_owned())),
            }
        }
    }

    /// A batch of 2025-03-26 goes as it is, if it holds only what a batch may hold.
    fn batch(&mut self, members: &[&RawValue], line: &Bytes, now: Moment, out: &mut Outbox<'_>) {
        let mut requests = Vec::new();
        for member in members {
            match read_object(member.get()) {
                Ok(Message::Request { id, method, params })
                    if method != "initialize"
                        && !self.pending.contains_key(&id)
                        && !requests.iter().any(|(other, _)| *other == id)
                        && self.hidden_tool(&method, params).is_none() =>
                {
                    let pending = Pending::new(&method, params, now);
                    requests.push((id, pending));
                }
                // What moves the handshake on, or concerns another request, goes alone.
                Ok(Message::Notification { method, .. })
                    if method != "notifications/cancelled"
                        && method != "notifications/initialized" => {}
                Ok(Message::Response { .. }) => {}
                _ => return self.split(members, line, now, out),
            }
        }
        let ids = requests.iter().map(|(id, _)| id.clone()).collect();
        self.expect_answer(now);
        self.pending.extend(requests);
        self.enqueue(line.clone(), Kind::Batch(ids), now);
    }

    pub(super) fn message(
        &mut self,
        message: &Message<'_>,
        bytes: Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let claims = self.eras.claim(message);
        match message {
            Message::Request { id, method, params } => {
                let pending = Pending::new(method, *params, now);
                let kind = if pending.initialize {
                    Kind::Initialize(id.clone())
                } else {
                    Kind::Request(id.clone())
                };
                let mut outgoing = Outgoing::new(bytes, kind, now);
                outgoing.urgent = method == "ping";
                // A lost request of 2026-07-28 may only come again as another one.
                outgoing.safe = is_safe(method) && claims.is_none();
                outgoing.claims = claims;
                self.request(id, pending, outgoing, now, out);
            }
            Message::Notification { method, params } => match method.as_ref() {
                // Our own handshake says it when its time has come.
                "notifications/initialized" if self.phase.is_replay() => {
                    self.handshake.initialized = Some(bytes);
                }
                "notifications/initialized" => self.enqueue(bytes, Kind::Initialized, now),
                "notifications/cancelled" => self.cancel(*params, bytes, now, out),
                _ => {
                    let mut outgoing = Outgoing::new(bytes, Kind::Notification, now);
                    outgoing.claims = claims;
                    self.queue.push_back(outgoing);
                }
            },
            Message::Response { .. } if self.eras.is_modern() => {
                out.detail("dropping an answer of the host: the server has asked nothing");
            }
            Message::Response { id: Some(id), .. } if !self.may_answer(id) => {
                out.detail("dropping an answer of the host: the session that has asked is gone");
            }
            Message::Response { .. } => self.enqueue(bytes, Kind::Response, now),
        }
    }

    fn request(
        &mut self,
        id: &Id,
        pending: Pending,
        outgoing: Outgoing,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if self.pending.contains_key(id) {
            let failure = Failure::InvalidRequest("this id is in use by an open request");
            out.push(Effect::Fail(Some(id.clone()), Box::new(failure)));
            return;
        }
        // Of the requests only a ping is urgent.
        if outgoing.urgent && self.access.is_signing_in() {
            // It asks whether somebody is there, and only this program is.
            let pong = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id.to_json());
            out.push(Effect::Write(pong.into()));
            return;
        }
        self.expect_answer(now);
        self.pending.insert(id.clone(), pending);
        self.hurry(now);
        self.queue.push_back(outgoing);
    }

    /// The name of the tool that a request calls, if the user has hidden it.
    pub(super) fn hidden_tool(&self, method: &str, params: Option<&RawValue>) -> Option<String> {
        if method != "tools/call" || self.hidden_tools.is_empty() {
            return None;
        }
        tools::name(params?).filter(|name| self.hidden_tools.hides(name))
    }

    /// The host does not want the answer any more. What was not sent yet is never sent; what was
    /// is cancelled at the gateway too, and a late answer is dropped.
    fn cancel(
        &mut self,
        params: Option<&RawValue>,
        bytes: Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let Some(id) = params.and_then(cancelled_id) else {
            return self.enqueue(bytes, Kind::Notification, now);
        };
        if self.eras.is_modern() {
            return self.cancel_stream(&id, out);
        }
        if self.pending.get(&id).is_some_and(|pending| pending.initialize) {
            out.detail("the host cancelled `initialize`, which cannot be cancelled");
            return;
        }
        let exchange = self.pending.remove(&id).and_then(|pending| pending.exchange);
        self.withdraw(&id, exchange, bytes, now, out);
    }

    /// Nobody waits for an answer any more: nothing is sent for it, and the gateway is told.
    pub(super) fn withdraw(
        &mut self,
        id: &Id,
        exchange: Option<ExchangeId>,
        notification: Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        if let Some(exchange) = exchange {
            self.let_linger(exchange, now, out);
            self.end_resume(exchange, out);
        }
        self.forget_cut(id);
        if self.unpark(id) || self.forget_delayed(id) {
            return;
        }
        let wanted = Kind::Request(id.clone());
        let queued = self.queue.iter().position(|outgoing| outgoing.kind == wanted);
        let queued = queued.and_then(|index| self.queue.remove(index));
        if queued.is_none_or(|outgoing| 0 < outgoing.repeated) {
            self.enqueue(notification, Kind::Notification, now);
        }
    }

    fn enqueue(&mut self, bytes: Bytes, kind: Kind, now: Moment) {
        self.queue.push_back(Outgoing::new(bytes, kind, now));
    }
}

/// The id of the request that is cancelled.
pub(super) fn cancelled_id(params: &RawValue) -> Option<Id> {
    #[derive(Deserialize)]
    struct Cancelled<'a> {
        #[serde(rename = "requestId", borrow)]
        request_id: &'a RawValue,
    }
    let params: Cancelled<'_> = serde_json::from_str(params.get()).ok()?;
    Id::read(params.request_id)
}

/// Windows hosts end lines with `\r\n`, and some begin the first one with a byte-order mark.
fn trim(line: Bytes) -> Bytes {
    let bytes = line.as_ref();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    line.slice_ref(bytes)
}
