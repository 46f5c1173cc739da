//! Exchanges from which nothing more is needed: their answer came, and the server keeps the
//! stream open all the same (Streamable HTTP lets it). They may say a little more, and must neither
//! count against the limit nor hold up the end.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Bridge, Exchange, Kind, Outgoing, Phase};
use crate::core::event::{Effect, ExchangeId};
use crate::core::outbox::Outbox;
use crate::core::time::Moment;

/// How long the server may still say something after the last answer.
const GRACE: Duration = Duration::from_secs(2);
/// How many such exchanges there may be; the oldest has to go first.
const MOST: usize = 32;

/// By the time at which they are ended.
#[derive(Debug, Default)]
pub(super) struct Lingering(BTreeSet<(Duration, ExchangeId)>);

impl Lingering {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.0.first().map(|(deadline, _)| *deadline)
    }

    /// Forgets an exchange that is over.
    pub(super) fn remove(&mut self, id: ExchangeId, outgoing: &Outgoing) {
        if let Some(deadline) = outgoing.lingers {
            self.0.remove(&(deadline, id));
        }
    }
}

impl Bridge {
    /// Marks an open exchange of which every request has been answered.
    pub(super) fn let_linger(&mut self, id: ExchangeId, now: Moment, out: &mut Outbox<'_>) {
        let Some(Exchange::Post(outgoing, _)) = self.exchanges.get_mut(&id) else { return };
        let settled = match outgoing.kind {
            Kind::ReplayInitialize(_) => !matches!(self.phase, Phase::Replaying(_)),
            _ => outgoing.kind.ids().iter().all(|request| !self.pending.contains_key(request)),
        };
        if outgoing.lingers.is_some() || !settled {
            return;
        }
        let deadline = now.after(GRACE);
        outgoing.lingers = Some(deadline);
        self.lingering.0.insert((deadline, id));
        if MOST < self.lingering.len() {
            self.end_oldest(out);
        }
    }

    /// Drops the messages under way for which `which` says so.
    pub(super) fn abort_posts(&mut self, which: impl Fn(&Outgoing) -> bool, out: &mut Outbox<'_>) {
        let lingering = &mut self.lingering;
        self.exchanges.retain(|id, exchange| match exchange {
            Exchange::Post(outgoing, _) | Exchange::Resume(outgoing, _) if which(outgoing) => {
                lingering.remove(*id, outgoing);
                out.push(Effect::Abort(*id));
                false
            }
            _ => true,
        });
    }

    /// Nobody waits for the rest of a stream any more: it is not asked for.
    pub(super) fn end_resume(&mut self, id: ExchangeId, out: &mut Outbox<'_>) {
        if matches!(self.exchanges.get(&id), Some(Exchange::Resume(..))) {
            self.exchanges.remove(&id);
            out.push(Effect::Abort(id));
        }
    }

    /// Ends what has lingered long enough.
    pub(super) fn tick_lingering(&mut self, now: Moment, out: &mut Outbox<'_>) {
        while self.lingering.deadline().is_some_and(|deadline| now.reached(deadline)) {
            self.end_oldest(out);
        }
    }

    fn end_oldest(&mut self, out: &mut Outbox<'_>) {
        if let Some((_, id)) = self.lingering.0.pop_first() {
            self.exchanges.remove(&id);
            out.push(Effect::Abort(id));
        }
    }
}
