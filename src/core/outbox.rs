//! Where effects go, and where exchanges get their numbers.

use super::event::{Effect, ExchangeId, Notice, Request};

/// The effects of one event, in order.
#[derive(Debug)]
pub struct Outbox<'a> {
    effects: &'a mut Vec<Effect>,
    exchanges: &'a mut u64,
}

impl<'a> Outbox<'a> {
    /// Collects into `effects`; `exchanges` is the number of the last exchange.
    pub fn new(effects: &'a mut Vec<Effect>, exchanges: &'a mut u64) -> Self {
        Self { effects, exchanges }
    }

    /// Adds an effect.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Tells a person.
    pub fn tell(&mut self, notice: Notice) {
        self.push(Effect::Tell(notice));
    }

    /// Tells someone who looks for a fault.
    pub fn detail(&mut self, text: impl Into<String>) {
        self.tell(Notice::Detail(text.into()));
    }

    /// Starts an exchange.
    pub fn start(&mut self, request: Request) -> ExchangeId {
        *self.exchanges += 1;
        let id = ExchangeId(*self.exchanges);
        self.push(Effect::Http(id, Box::new(request)));
        id
    }
}
