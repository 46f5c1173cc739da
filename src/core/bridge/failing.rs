//! Failures, on their way to those who asked.

use super::{Bridge, Kind, Outgoing, Phase};
use crate::core::event::{Effect, Notice};
use crate::core::failure::Failure;
use crate::core::jsonrpc::Id;
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

impl Bridge {
    /// Gives up on a message: each of its requests gets this failure as its answer.
    pub(super) fn drop_outgoing(
        &mut self,
        outgoing: &Outgoing,
        failure: &Failure,
        now: Moment,
        out: &mut Outbox<'_>,
    ) {
        for id in outgoing.kind.ids() {
            self.fail(id, failure, now, out);
        }
        match outgoing.kind {
            Kind::ReplayInitialize(_) | Kind::ReplayInitialized => {
                self.replay_failed(failure, now, out);
            }
            _ if outgoing.kind.ids().is_empty() && self.outcome.as_ref() != Some(failure) => {
                out.tell(Notice::Failed(Box::new(failure.clone())));
            }
            _ => {}
        }
    }

    /// Answers one request with a failure, if it still waits.
    pub(super) fn fail(&mut self, id: &Id, failure: &Failure, now: Moment, out: &mut Outbox<'_>) {
        let Some(pending) = self.pending.remove(id) else { return };
        if pending.initialize {
            self.phase = Phase::Fresh;
        }
        if self.question_failed(id, &pending, failure, now, out) {
            return;
        }
        if self.eras.translator.is_some() {
            self.eras.failures.push_back((id.clone(), failure.clone()));
            return;
        }
        self.answer_with_failure(id, failure, out);
    }

    /// Answers a request of the host with a failure.
    pub(super) fn answer_with_failure(&mut self, id: &Id, failure: &Failure, out: &mut Outbox<'_>) {
        // A failure that meets many requests is told once.
        if self.outcome.as_ref() != Some(failure) {
            out.tell(Notice::Failed(Box::new(failure.clone())));
        }
        self.outcome = Some(failure.clone());
        out.push(Effect::Fail(Some(id.clone()), Box::new(failure.clone())));
    }

    /// Gives up on everything that waits to be sent.
    pub(super) fn fail_queue(&mut self, failure: &Failure, now: Moment, out: &mut Outbox<'_>) {
        if self.replay.take().is_some() {
            self.phase = Phase::Lost;
        }
        for outgoing in self.queue.take() {
            self.drop_outgoing(&outgoing, failure, now, out);
        }
    }
}
