//! Decides which orders strike.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::Fault;
use super::order::FaultOrder;
use super::route::Route;
use crate::mock::log::note;
use crate::mock::state::lock;

/// The orders of one gateway, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Rules>,
    /// Whether every strike is told on stderr.
    told: AtomicBool,
}

#[derive(Debug, Default)]
struct Rules {
    rules: Vec<Rule>,
    /// The state of the generator behind `%P`.
    random: u64,
}

#[derive(Debug)]
struct Rule {
    order: FaultOrder,
    /// How often it could have struck, and how often it did.
    seen: u64,
    struck: u64,
}

impl Faults {
    /// No orders yet. The same seed gives the same dice.
    pub(crate) fn new(seed: u64) -> Self {
        let rules = Rules { rules: Vec::new(), random: seed };
        Self { rules: Mutex::new(rules), told: AtomicBool::new(false) }
    }

    /// Tells every strike on stderr from now on.
    pub(crate) fn tell(&self) {
        self.told.store(true, Ordering::Relaxed);
    }

    /// Takes an order.
    pub(crate) fn order(&self, order: FaultOrder) {
        lock(&self.rules).rules.push(Rule { order, seen: 0, struck: 0 });
    }

    /// Forgets all orders.
    pub(crate) fn clear(&self) {
        lock(&self.rules).rules.clear();
    }

    /// Every order, and how often it struck.
    pub(crate) fn list(&self) -> Value {
        let rules = lock(&self.rules);
        let shown = rules.rules.iter();
        shown
            .map(|it| json!({"fault": it.order.text, "seen": it.seen, "struck": it.struck}))
            .collect()
    }

    /// The first order that `pick` accepts and that strikes now.
    pub(crate) fn take<T>(&self, route: Route, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut rules = lock(&self.rules);
        let Rules { rules, random } = &mut *rules;
        let picked = rules.iter_mut().find_map(|rule| {
            let picked = rule.open(route).then(|| pick(&rule.order.fault))??;
            rule.strikes(random).then(|| (picked, rule.order.text.clone()))
        });
        let (picked, text) = picked?;
        self.say(route, &text);
        Some(picked)
    }

    /// Something from 0 to 1, from the same generator.
    pub(crate) fn dice(&self) -> f64 {
        f64::from(u16::try_from(roll(&mut lock(&self.rules).random) >> 48).unwrap_or_default())
            / f64::from(u16::MAX)
    }

    /// Whether a fault strikes that has nothing more to tell.
    pub(crate) fn strikes(&self, route: Route, fault: &Fault) -> bool {
        self.take(route, |it| (it == fault).then_some(())).is_some()
    }

    /// Applies every fault that replaces a member of `document`.
    pub(crate) fn replace(
        &self,
        route: Route,
        document: &mut Value,
        pick: impl Fn(&Fault) -> Option<(String, Value)>,
    ) {
        let Some(document) = document.as_object_mut() else { return };
        let mut rules = lock(&self.rules);
        let Rules { rules, random } = &mut *rules;
        for rule in rules.iter_mut().filter(|it| it.open(route)) {
            let Some((member, value)) = pick(&rule.order.fault) else { continue };
            if !rule.strikes(random) {
                continue;
            }
            self.say(route, &rule.order.text);
            if value.is_null() {
                document.remove(&member);
            } else {
                document.insert(member, value);
            }
        }
    }

    fn say(&self, route: Route, text: &str) {
        note(|entry| entry.faults.push(text.to_owned()));
        if self.told.load(Ordering::Relaxed) {
            // Nobody may read it, and then nothing is lost.
            writeln!(io::stderr().lock(), "fault at {}: {text}", route.name()).ok();
        }
    }
}

impl Rule {
    /// Whether it can still strike, here.
    fn open(&self, route: Route) -> bool {
        self.order.last.is_none_or(|last| self.seen < last) && self.order.covers(route)
    }

    /// Counts an occasion, and decides about it.
    fn strikes(&mut self, random: &mut u64) -> bool {
        self.seen += 1;
        let strikes = self.order.first <= self.seen
            && (self.order.percent == 100 || roll(random) % 100 < self.order.percent.into());
        self.struck += u64::from(strikes);
        strikes
    }
}

/// `SplitMix64`: small, and the same everywhere.
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults, Route};

    fn struck(orders: &[&str], seed: u64, n: usize) -> Vec<bool> {
        let faults = Faults::new(seed);
        for it in orders {
            faults.order(it.parse().unwrap());
        }
        (0..n).map(|_| faults.strikes(Route::Token, &Fault::Reset)).collect()
    }

    #[test]
    fn windows_are_kept() {
        assert_eq!(struck(&["net.reset#2-3"], 0, 4), [false, true, true, false]);
        assert_eq!(struck(&["net.reset#1", "net.reset#1"], 0, 3), [true, true, false]);
        assert_eq!(struck(&["net.reset@token#1"], 0, 2), [true, false]);
        assert_eq!(struck(&["net.reset@http"], 0, 2), [false, false]);
    }

    #[test]
    fn dice_are_fair_and_the_same_for_a_seed() {
        let often = |seed| struck(&["net.reset%25"], seed, 1000);
        let n = often(1).iter().filter(|it| **it).count();
        assert!((200..300).contains(&n), "{n}");
        assert_eq!(often(1), often(1));
        assert_ne!(often(1), often(2));
        assert!(!struck(&["net.reset%0"], 1, 100).contains(&true));
    }
}
