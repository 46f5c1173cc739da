//! The host's messages that wait, and how much memory they hold.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Kind, Outgoing};

/// How many bytes may wait here before stdin is not read any more. It is a limit on bytes, not on
/// messages, so that the end of stdin is seen behind any number of small ones; what large ones may
/// hold is the edge's to say (`edge::budget`).
const MAX_BYTES: usize = 32 << 20;
/// What a message takes besides its own bytes, about: a flood of empty ones must count too.
const OVERHEAD: usize = 512;

/// Messages in the order in which they are to be sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<Outgoing>,
    bytes: usize,
}

impl Queue {
    pub(super) fn has_room(&self) -> bool {
        self.bytes < MAX_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Outgoing> {
        self.items.front()
    }

    /// Where the message is that has waited longest: what was sent before may have begun to wait
    /// anew, and stands before the others.
    pub(super) fn oldest(&self) -> Option<(usize, Duration)> {
        let sent = self.items.iter().take_while(|outgoing| outgoing.sent != 0).count();
        let ages = self.items.iter().take(sent + 1).map(|outgoing| outgoing.since).enumerate();
        ages.min_by_key(|(_, since)| *since)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Outgoing> {
        self.items.iter()
    }

    pub(super) fn push_back(&mut self, outgoing: Outgoing) {
        self.bytes += outgoing.bytes.len() + OVERHEAD;
        self.items.push_back(outgoing);
    }

    pub(super) fn push_front(&mut self, outgoing: Outgoing) {
        self.bytes += outgoing.bytes.len() + OVERHEAD;
        self.items.push_front(outgoing);
    }

    /// Puts a message back that was sent before: in the order of sending, before what was not sent.
    pub(super) fn put_back(&mut self, outgoing: Outgoing) {
        let behind = |other: &Outgoing| other.sent == 0 || outgoing.sent < other.sent;
        let index = self.items.iter().position(behind).unwrap_or(self.items.len());
        self.bytes += outgoing.bytes.len() + OVERHEAD;
        self.items.insert(index, outgoing);
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Outgoing> {
        let outgoing = self.items.remove(index)?;
        self.bytes -= outgoing.bytes.len() + OVERHEAD;
        Some(outgoing)
    }

    /// Takes what may have run already.
    pub(super) fn take_repeated(&mut self) -> Vec<Outgoing> {
        let (again, rest): (Vec<_>, Vec<_>) =
            self.take().into_iter().partition(|outgoing| outgoing.repeated != 0);
        for outgoing in rest {
            self.push_back(outgoing);
        }
        again
    }

    /// Drops the host's answers to the gateway, and says how many there were.
    pub(super) fn take_answers(&mut self) -> usize {
        let before = self.items.len();
        for outgoing in self.take() {
            if outgoing.kind != Kind::Response {
                self.push_back(outgoing);
            }
        }
        before - self.items.len()
    }

    /// Takes everything.
    pub(super) fn take(&mut self) -> VecDeque<Outgoing> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}
