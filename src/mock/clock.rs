//! The only place that reads the time: a wall clock that tests can push forward.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use super::state::lock;

/// The wall clock of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    /// The time since the Unix epoch, as this gateway sees it.
    pub(crate) fn now(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = SystemTime::now();
        now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + *lock(&self.ahead)
    }

    /// Moves the clock forward. Timers that already run are not affected.
    pub(crate) fn advance(&self, by: Duration) {
        *lock(&self.ahead) += by;
    }
}
