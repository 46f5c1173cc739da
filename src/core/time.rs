//! Time as an argument.

use std::time::Duration;

/// One moment on both clocks.
///
/// Deadlines are kept on the monotonic clock, which no one can set back. Expiry of a token is
/// compared on the wall clock too, because the monotonic one may stand still while a laptop sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since the process started, on the monotonic clock.
    pub uptime: Duration,
    /// Seconds since 1970, on the wall clock.
    pub unix: u64,
}

impl Moment {
    /// The moment on the monotonic clock that is `wait` away.
    pub fn after(self, wait: Duration) -> Duration {
        self.uptime.saturating_add(wait)
    }

    /// Whether `deadline` has come.
    pub fn reached(self, deadline: Duration) -> bool {
        deadline <= self.uptime
    }
}
