//! Faults that a test orders beforehand: the next n matching requests go wrong in a given way.
//!
//! To add one: a variant here, a `take` where it strikes, a test in `tests`.

use std::sync::Mutex;
use std::time::Duration;

use super::state::lock;

/// A way to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Delays a request of any kind to the gateway.
    Latency(Duration),
    /// Answers a POST to an MCP endpoint with this status instead of handling it.
    PostStatus(u16),
    /// Answers the GET that opens a stream with this status.
    SseStatus(u16),
    /// Rotates the refresh token (or uses up the code), then resets the connection: the client
    /// never sees the new token.
    TokenResetAfterRotate,
    /// Answers a token request with this status instead of handling it.
    TokenStatus(u16),
}

/// The faults still to come, in the order in which they were ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<Vec<Planned>>,
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    left: u32,
}

impl Faults {
    /// Lets the next `times` matching requests go wrong.
    pub(crate) fn inject(&self, fault: Fault, times: u32) {
        if times != 0 {
            lock(&self.planned).push(Planned { fault, left: times });
        }
    }

    /// Uses up the first fault that `pick` accepts.
    pub(crate) fn take<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut planned = lock(&self.planned);
        let (at, picked) =
            planned.iter().enumerate().find_map(|(at, it)| Some((at, pick(&it.fault)?)))?;
        if let Some(it) = planned.get_mut(at) {
            it.left -= 1;
        }
        planned.retain(|it| it.left != 0);
        Some(picked)
    }
}
