//! Closed stdin, seen past a line that nobody takes.
//!
//! While more waits than the bridge will hold, stdin is not read, and its end not seen. The system
//! knows of it all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Sender, UnboundedSender};

use crate::core::event::Event;

pub(super) use imp::Watched;

/// How long one line may wait after the host has hung up, before the end is told out of turn.
const PATIENCE: Duration = Duration::from_millis(300);
/// The same for lines of which some are still taken: there must be time left to end in order.
const LONGEST: Duration = Duration::from_millis(800);
/// How often to look whether lines are still taken.
const LOOK: Duration = Duration::from_millis(20);

/// What the reader has handed over.
#[derive(Debug, Default)]
pub(super) struct Handed {
    lines: AtomicU64,
    end: AtomicBool,
}

impl Handed {
    /// One more line; it may be the end.
    pub(super) fn line(&self, end: bool) {
        self.end.store(end, Ordering::Release);
        self.lines.fetch_add(1, Ordering::Release);
    }
}

/// Waits beside the reader until the host hangs up, and sees to it that this is heard.
pub(super) fn watch(
    input: Watched,
    handed: Arc<Handed>,
    lines: Sender<Event>,
    control: UnboundedSender<Event>,
) {
    let work = move || {
        if input.wait_for_hangup() {
            see_off(&handed, &lines, &control);
        }
    };
    super::spawn("hang-up", work);
}

/// The host has hung up. Its last lines are waited for as long as any of them is taken; then the
/// end is told out of turn.
pub(super) fn see_off(handed: &Handed, lines: &Sender<Event>, control: &UnboundedSender<Event>) {
    let mut before = (0, 0);
    let mut waited = Duration::ZERO;
    let mut total = Duration::ZERO;
    let heard = || handed.end.load(Ordering::Acquire) && lines.capacity() == lines.max_capacity();
    while !heard() && !lines.is_closed() {
        let now = (handed.lines.load(Ordering::Acquire), lines.capacity());
        waited = if now == before { waited + LOOK } else { Duration::ZERO };
        before = now;
        if PATIENCE <= waited || LONGEST <= total {
            control.send(Event::HungUp(total)).ok();
            return;
        }
        thread::sleep(LOOK);
        total += LOOK;
    }
}

#[cfg(unix)]
mod imp {
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::event::{PollFd, PollFlags, poll};

    /// The pipe once more.
    pub(in super::super) struct Watched(OwnedFd);

    impl Watched {
        pub(in super::super) fn new(input: &impl AsFd) -> Option<Self> {
            input.as_fd().try_clone_to_owned().ok().map(Self)
        }

        /// Waits until nobody can write any more; `false` if that cannot be known.
        pub(super) fn wait_for_hangup(&self) -> bool {
            loop {
                // Nothing is asked for: a hang-up is told in any case.
                let mut fds = [PollFd::new(&self.0, PollFlags::empty())];
                match poll(&mut fds, None) {
                    Ok(0) | Err(rustix::io::Errno::INTR) => {}
                    Ok(_) => return fds[0].revents().contains(PollFlags::HUP),
                    Err(_) => return false,
                }
            }
        }
    }
}

#[cfg(not(unix))]
mod imp {
    /// Nothing: on Windows the end of stdin is seen by reading only. Never run there.
    pub(in super::super) struct Watched;

    impl Watched {
        #[expect(clippy::unnecessary_wraps, reason = "one signature for every system")]
        pub(in super::super) fn new<T>(_: &T) -> Option<Self> {
            Some(Self)
        }

        #[expect(clippy::unused_self, reason = "one signature for every system")]
        pub(super) fn wait_for_hangup(&self) -> bool {
            false
        }
    }
}
