//! Which transport it is, as long as that is not known.

use bytes::Bytes;
use http::HeaderMap;

use super::Bridge;
use crate::core::event::Head;
use crate::core::failure::Failure;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

impl Bridge {
    /// The other transport, if this one may still be the wrong one.
    pub(super) fn switch(
        &mut self,
        status: u16,
        body: &Bytes,
        now: Moment,
        out: &mut Outbox<'_>,
    ) -> bool {
        let Some(other) = self.alternative.take() else { return false };
        let head = Head { status, headers: HeaderMap::new(), url: None };
        self.evidence = Some(self.refusal(&head, body, now));
        out.detail(format!(
            "HTTP {status}: not {}, trying {}",
            self.transport.name(),
            other.name()
        ));
        self.transport = other;
        true
    }

    /// The first transport's refusal, if both were tried in vain: the second was only a try.
    pub(super) fn neither_works(&mut self) -> Option<Failure> {
        let first = self.evidence.take().filter(|_| !self.reached)?;
        self.begin_again();
        Some(first)
    }

    /// This transport is the right one.
    pub(super) fn settle_transport(&mut self) {
        self.alternative = None;
        self.evidence = None;
        self.reached = true;
    }

    /// Neither transport worked: the next message starts from the beginning.
    pub(super) fn begin_again(&mut self) {
        (self.transport, self.alternative) = self.order;
        self.evidence = None;
    }
}
