//! The two clocks, and where randomness comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use crate::core::time::Moment;

/// The clocks of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Uptime starts now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Now, on both clocks.
    pub fn now(&self) -> Moment {
        Moment { uptime: self.started.elapsed(), unix: unix() }
    }

    /// The instant at which `uptime` is reached.
    pub fn at(&self, uptime: Duration) -> Instant {
        self.started + uptime
    }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
pub fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Fresh random bytes from the operating system; `None` if it has none to give.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}
