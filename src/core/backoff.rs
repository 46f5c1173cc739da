//! How long to wait before the next try: decorrelated jitter.
//!
//! When a gateway comes back, thousands of bridges come back with it. With decorrelated jitter
//! their tries spread out from the first one on, and half of them are still back within seconds.

use std::time::Duration;

/// The first wait is at least this long: long enough that a gateway which refuses everything is
/// asked less than once a second.
const BASE: Duration = Duration::from_secs(1);
/// No wait is longer: a person who reopens a laptop should not wait for minutes.
const CAP: Duration = Duration::from_mins(1);
/// A connection that held this long counts as healthy, and the next wait starts from the base.
pub const HEALTHY_AFTER: Duration = Duration::from_mins(1);

/// The waits between tries at one thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    previous: Duration,
    random: Jitter,
}

impl Backoff {
    /// Waits that differ from those of every process with another `seed`.
    pub fn new(seed: u64) -> Self {
        Self { previous: BASE, random: Jitter::new(seed) }
    }

    /// The next wait: between the base and three times the wait before it, never above the cap.
    pub fn next_wait(&mut self) -> Duration {
        let upper = self.previous.saturating_mul(3).min(CAP);
        self.previous = self.random.between(BASE, upper);
        self.previous
    }

    /// Waits for another thing, from the base.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.random.next())
    }

    /// A little wait, so that not all come at the moment that a gateway has named to all.
    pub fn spread(&mut self) -> Duration {
        self.random.between(Duration::ZERO, BASE)
    }

    /// Starts from the base again.
    pub fn reset(&mut self) {
        self.previous = BASE;
    }
}

/// Spreads moments; not for secrets.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// A sequence that `seed` decides.
    pub fn new(seed: u64) -> Self {
        // Xorshift never leaves zero.
        Self(seed | 1)
    }

    /// A duration from `low` to `high`, both included, in whole milliseconds.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (low, high) = (millis(low), millis(high));
        let span = high.saturating_sub(low).saturating_add(1);
        Duration::from_millis(low + self.next() % span)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_start_again() {
        let mut backoff = Backoff::new(7);
        let mut previous = BASE;
        for _ in 0..1000 {
            let wait = backoff.next_wait();
            assert!(BASE <= wait && wait <= CAP.min(previous * 3), "{wait:?} after {previous:?}");
            previous = wait;
        }
        backoff.reset();
        assert!(backoff.next_wait() <= BASE * 3);
    }

    #[test]
    fn two_processes_wait_differently() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..8).map(|_| backoff.next_wait()).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(99));
        assert_eq!(waits(5), waits(5));
    }
}
