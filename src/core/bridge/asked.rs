//! What the gateway has asked the host and the host has not answered yet.
//!
//! A question belongs to the session in which it was asked. In the next one the gateway counts its
//! ids anew, so a late answer would be taken for that to another question: somebody who has agreed
//! to one thing must not have agreed to another.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::host::cancelled_id;
use super::{Bridge, Kind};
use crate::core::jsonrpc::Id;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How many questions are remembered: many times what any host was seen to have open.
const MOST: usize = 1024;

/// The questions of the gateway.
#[derive(Debug, Default)]
pub(super) struct Asked {
    open: Ids,
    /// Those of sessions that are gone; their answers are for nobody.
    void: Ids,
}

/// Ids, of which the oldest are forgotten.
#[derive(Debug, Default)]
struct Ids {
    known: HashSet<Id>,
    order: VecDeque<Id>,
}

impl Ids {
    fn insert(&mut self, id: Id) {
        if !self.known.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if MOST < self.order.len()
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn remove(&mut self, id: &Id) -> bool {
        if !self.known.remove(id) {
            return false;
        }
        // Most are answered soon.
        if let Some(index) = self.order.iter().rposition(|other| other == id) {
            self.order.remove(index);
        }
        true
    }
}

impl Bridge {
    /// The gateway asks the host something.
    pub(super) fn asks(&mut self, id: &Id) {
        self.asked.void.remove(id);
        self.asked.open.insert(id.clone());
    }

    /// The gateway does not want the answer any more.
    pub(super) fn asks_no_more(&mut self, params: Option<&RawValue>) {
        if let Some(id) = params.and_then(cancelled_id) {
            self.asked.open.remove(&id);
        }
    }

    /// The host answers; `false` if whoever asked is gone.
    pub(super) fn may_answer(&mut self, id: &Id) -> bool {
        self.asked.open.remove(id) || !self.asked.void.remove(id)
    }

    /// The session is gone, and whoever has asked in it: the host is told, and what it has answered
    /// is not sent to the next one.
    pub(super) fn withdraw_questions(&mut self, now: Moment, out: &mut Outbox<'_>) {
        let answers = self.queue.take_answers()
            + self.delayed.iter().filter(|it| it.outgoing.kind == Kind::Response).count();
        self.delayed.retain(|it| it.outgoing.kind != Kind::Response);
        if 0 < answers {
            out.detail(format!("{answers} answers to a session that is gone are dropped"));
        }
        let open = std::mem::take(&mut self.asked.open);
        for id in open.order {
            let line = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{},"reason":"the session is gone"}}}}"#,
                id.to_json()
            );
            self.asked.void.insert(id);
            self.tell_host(Bytes::from(line), None, now, out);
        }
    }
}
