//! The two clocks, and where randomness comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use crate::core::time::Moment;

/// The clocks of this process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// When uptime was zero.
    started: Instant,
}

/// Whoever looks at the time this late did not run in the meantime.
const STOPPED: Duration = Duration::from_secs(5);

impl Clock {
    /// Uptime starts now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Now, on both clocks.
    pub fn now(&self) -> Moment {
        Moment { uptime: self.started.elapsed(), unix: unix() }
    }

    /// Something was to be done at `due` and is seen to only now. The time in which this process
    /// was stopped does not count: nothing could be heard in it, as in the sleep of a machine.
    pub fn excuse(&mut self, due: Instant) {
        let late = due.elapsed();
        if STOPPED <= late {
            self.started += late;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_a_process_was_stopped_does_not_count() {
        let mut clock = Clock::start();
        let due = clock.at(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(12)).await;
        clock.excuse(due);
        assert_eq!(clock.now().uptime, Duration::from_secs(12), "it was busy");
        tokio::time::sleep(Duration::from_secs(600)).await;
        clock.excuse(due);
        assert_eq!(clock.now().uptime, Duration::from_secs(10));
        assert!(clock.at(Duration::from_secs(11)) > Instant::now());
    }
}
