//! The longest that a request may take: the host has its own, shorter limit, but not every host,
//! and a gateway that never answers must not be waited for for ever.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Bridge, Interest, Kind, Outgoing, Pending};
use crate::core::event::{Effect, ExchangeId};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// The longest that any request may take, whatever progress it makes (MCP 2025-11-25, timeouts: a
/// maximum whatever the progress).
const LONGEST: Duration = Duration::from_hours(24);

/// The token by which the progress of a request is told, if it has one (MCP 2025-11-25, progress).
pub(super) fn progress_token(params: Option<&RawValue>) -> Option<Id> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(rename = "_meta", borrow)]
        meta: Meta<'a>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(rename = "progressToken", borrow)]
        token: &'a RawValue,
    }
    let text = params?.get();
    // Most requests have none, and their arguments may be large.
    memchr::memmem::find(text.as_bytes(), b"progressToken")?;
    Id::read(serde_json::from_str::<Params<'_>>(text).ok()?.meta.token)
}

#[derive(Deserialize)]
struct Progress<'a> {
    #[serde(rename = "progressToken", borrow)]
    token: &'a RawValue,
}

impl Bridge {
    /// A request comes: from now on an answer is due.
    pub(super) fn expect_answer(&mut self, now: Moment) {
        if self.pending.is_empty() {
            self.silence.begin(now);
        }
        if let Some(limit) = self.request_limit {
            // Those before it end before it.
            self.overdue.get_or_insert(now.after(limit));
        }
    }

    /// The server tells that it is at work on something.
    pub(super) fn progress(&mut self, params: Option<&RawValue>, from: ExchangeId, now: Moment) {
        let token = params
            .and_then(|params| serde_json::from_str::<Progress<'_>>(params.get()).ok())
            .and_then(|progress| Id::read(progress.token));
        let is_meant = |pending: &&mut Pending| {
            pending.exchange == Some(from) || (token.is_some() && pending.token == token)
        };
        for pending in self.pending.values_mut().filter(is_meant) {
            pending.alive = now.uptime;
        }
    }

    /// Gives up what has taken too long, and tells the gateway.
    pub(super) fn tick_overdue(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let Some(limit) = self.request_limit else { return };
        if !self.overdue.is_some_and(|overdue| now.reached(overdue)) {
            return;
        }
        let until = |pending: &Pending| {
            let hard = pending.since.saturating_add(LONGEST);
            pending.alive.saturating_add(limit).min(hard)
        };
        let late: Vec<_> = self
            .pending
            .iter()
            // A subscription goes on for as long as it is wanted.
            .filter(|(_, it)| it.interest != Interest::Listen && now.reached(until(it)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in late {
            self.give_up_on(&id, limit.as_secs(), now, out);
        }
        let limited = self.pending.values().filter(|it| it.interest != Interest::Listen);
        self.overdue = limited.map(until).min();
    }

    /// The limit on the head of an answer has passed (`--headers-timeout`).
    pub(super) fn too_late(
        &mut self,
        exchange: ExchangeId,
        outgoing: &Outgoing,
        seconds: u64,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        for id in outgoing.kind.ids() {
            let here = |it: &Pending| it.exchange.is_none_or(|here| here == exchange);
            if self.pending.get(id).is_some_and(here) {
                self.give_up_on(id, seconds, now, out);
            }
        }
        self.undelivered(exchange, outgoing, &Failure::Overdue { seconds }, now, out);
    }

    fn give_up_on(&mut self, id: &Id, seconds: u64, now: Moment, out: &mut Outbox<'_>) {
        let Some(pending) = self.pending.get(id) else { return };
        let (exchange, initialize) = (pending.exchange, pending.initialize);
        self.fail(id, &Failure::Overdue { seconds }, now, out);
        if initialize {
            // It cannot be cancelled (MCP 2025-11-25, cancellation).
            let kind = Kind::Initialize(id.clone());
            self.abort_posts(|sent| sent.kind == kind, out);
            return;
        }
        if self.eras.is_modern() {
            // Its stream is closed, which is how the server learns of it.
            if let Some(exchange) = exchange {
                self.exchanges.remove(&exchange);
                out.push(Effect::Abort(exchange));
            }
            return;
        }
        let notification = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{},"reason":"no answer in time"}}}}"#,
            id.to_json()
        );
        self.withdraw(id, exchange, Bytes::from(notification), now, out);
    }
}
