//! A call that the server refused because of the headers that repeat its arguments (-32020): the
//! list of tools is read again, and the call is sent once more with what that says.

use bytes::Bytes;

use super::era::question;
use super::{Bridge, Exchange, Outgoing};
use crate::core::event::{ExchangeId, Expect, HttpEvent, Notice};
use crate::core::jsonrpc::{Frame, Id, Message, read};
use crate::core::members::Members;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How many pages of the list are read: what a host would show a model is on the first few.
const MAX_PAGES: u8 = 20;

/// How often that is tried for one call.
const MAX_REFRESHED: u8 = 1;

/// A call that waits for the list.
#[derive(Debug)]
pub(super) struct Refresh {
    call: Outgoing,
    /// The exchange in which it was refused, and with which words.
    refused_in: ExchangeId,
    refusal: Bytes,
    /// The request for the list.
    id: Id,
    pages: u8,
}

impl Refresh {
    pub(super) fn call(&self) -> &Outgoing {
        &self.call
    }
}

impl Bridge {
    /// Reads the list again if that may help; the call comes back if not.
    pub(super) fn refresh(
        &mut self,
        id: ExchangeId,
        call: Outgoing,
        refusal: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> Option<Outgoing> {
        if call.claims.is_none()
            || MAX_REFRESHED <= call.refreshed
            || !is_mismatch(refusal)
            || !is_call(&call.bytes)
        {
            return Some(call);
        }
        out.detail("a call was refused for its headers; reading the list of tools again");
        let list = self.eras.own_id();
        let refusal = refusal.clone();
        let refresh = Refresh { call, refused_in: id, refusal, id: list, pages: 0 };
        self.next_page(Box::new(refresh), None, now, out);
        None
    }

    fn next_page(
        &mut self,
        mut refresh: Box<Refresh>,
        cursor: Option<&str>,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let list = question(&refresh.call.bytes, &refresh.id, "tools/list", cursor);
        let (Some(list), Ok(token), Some(version), true) = (
            list,
            self.token_now(now, out),
            refresh.call.claims.clone(),
            refresh.pages < MAX_PAGES,
        ) else {
            return self.not_refreshed(&refresh, now, out);
        };
        refresh.pages += 1;
        let url = self.server().clone();
        let mut request = self.carrier.post(&url, token.as_ref(), list.clone(), Expect::Messages);
        self.eras.repeat(&version, &list, &mut request.headers);
        let exchange = out.start(request);
        self.exchanges.insert(exchange, Exchange::Refresh(refresh));
    }

    /// What came back for the list.
    pub(super) fn refreshing(
        &mut self,
        id: ExchangeId,
        refresh: Box<Refresh>,
        event: HttpEvent,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        let text = match event {
            HttpEvent::Answered(head, body) if (200..300).contains(&head.status) => body,
            HttpEvent::Message(event) if event.is_message() => event.data,
            event if event.is_open() => {
                self.exchanges.insert(id, Exchange::Refresh(refresh));
                return;
            }
            _ => return self.not_refreshed(&refresh, now, out),
        };
        let result = match read(&text) {
            Ok(Frame::Single(Message::Response { id: Some(answered), result }))
                if answered == refresh.id =>
            {
                result
            }
            _ => {
                self.exchanges.insert(id, Exchange::Refresh(refresh));
                return;
            }
        };
        out.push(crate::core::event::Effect::Abort(id));
        let Some(result) = result else { return self.not_refreshed(&refresh, now, out) };
        self.learn_tools(result.get(), out);
        let next = Members::read(result.get()).and_then(|result| result.string("nextCursor"));
        match next {
            Some(cursor) => self.next_page(refresh, Some(&cursor), now, out),
            None => self.call_again(*refresh),
        }
    }

    /// A list of tools, for the host: without those that misuse `x-mcp-header`. `None` if it
    /// stays as it is.
    pub(super) fn learn_tools(&mut self, result: &str, out: &mut Outbox<'_>) -> Option<String> {
        if !self.eras.is_modern() {
            return None;
        }
        let learned = self.eras.schemas.learn(result);
        for (tool, reason) in learned.rejected {
            out.tell(Notice::Warning(format!("the tool `{tool}` is left out: {reason}")));
        }
        learned.kept
    }

    fn call_again(&mut self, refresh: Refresh) {
        let mut call = refresh.call;
        // The host may not want it any more.
        if call.kind.ids().iter().all(|id| self.pending.contains_key(id)) {
            call.refreshed += 1;
            self.unsend(&call);
            self.queue.push_front(call);
        }
    }

    /// The host gets the words with which the call was refused.
    fn not_refreshed(&mut self, refresh: &Refresh, now: Moment, out: &mut Outbox<'_>) {
        self.deliver(refresh.refusal.clone(), refresh.refused_in, now, out);
    }
}

fn is_mismatch(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body.trim_ascii()).ok();
    let error = text.and_then(Members::read);
    error.is_some_and(|error| {
        error.object("error").is_some_and(|error| error.get("code") == Some("-32020"))
    })
}

fn is_call(line: &[u8]) -> bool {
    matches!(
        read(line),
        Ok(Frame::Single(Message::Request { method, .. })) if method == "tools/call"
    )
}
