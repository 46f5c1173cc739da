//! What one event stream is like: the plan, and the faults that strike when it begins.

use std::time::Duration;

use crate::mock::fault::{Fault, Route};
use crate::mock::state::Mock;

/// What one event stream is like.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// The pause after which an idle stream gets a comment.
    pub(crate) heartbeat: Option<Duration>,
    /// Whether events have ids, and the stream can be resumed.
    pub(crate) ids: bool,
    /// Whether it begins with an event that has an id and no data.
    pub(crate) priming: bool,
    /// The `retry` field at the beginning.
    pub(crate) retry: Option<u64>,
    pub(crate) lines: &'static str,
    pub(crate) bom: bool,
    pub(crate) chunk: Option<usize>,
    pub(crate) ending: Option<(Duration, Ending)>,
    /// Notifications a second.
    pub(crate) flood: Option<u64>,
}

/// How a stream ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Cut,
    Orderly,
}

impl Style {
    /// A stream of HTTP+SSE, or one that is opened by a GET.
    pub(crate) fn draw(mock: &Mock, route: Route) -> Self {
        let faults = &mock.faults;
        let heartbeat = faults.take(route, |fault| match fault {
            Fault::Heartbeat(pause) => Some(*pause),
            _ => None,
        });
        let ending = faults.take(route, |fault| match fault {
            Fault::DropStream(wait) => Some((*wait, Ending::Cut)),
            Fault::Flap(wait) => Some((*wait, Ending::Orderly)),
            _ => None,
        });
        let retry = faults.take(route, |fault| match fault {
            Fault::RetryField(millis) => Some(*millis),
            _ => None,
        });
        let lines = faults.take(route, |fault| match fault {
            Fault::SseLines(lines) => Some(*lines),
            _ => None,
        });
        let chunk = faults.take(route, |fault| match fault {
            Fault::SseChunk(bytes) => Some(*bytes),
            _ => None,
        });
        let flood = faults.take(route, |fault| match fault {
            Fault::NotifyFlood(a_second) => Some(*a_second),
            _ => None,
        });
        Self {
            heartbeat: heartbeat.unwrap_or(Some(mock.plan.heartbeat)),
            ids: faults.strikes(route, &Fault::EventIds),
            priming: false,
            retry,
            lines: lines.unwrap_or("\n"),
            bom: faults.strikes(route, &Fault::SseBom),
            chunk,
            ending,
            flood,
        }
    }

    /// A stream of Streamable HTTP, where streams can be resumed.
    pub(crate) fn draw_streamable(mock: &Mock, route: Route) -> Self {
        let mut style = Self::draw(mock, route);
        if mock.faults.strikes(route, &Fault::Priming) {
            style.ids = true;
            style.priming = true;
        }
        if route == Route::Http
            && let Some(wait) = mock.faults.take(route, |fault| match fault {
                Fault::Polling(wait) => Some(*wait),
                _ => None,
            })
        {
            style.poll(wait);
        }
        style
    }

    /// Lets the stream end so soon: the client has to come back for the answer (2025-11-25).
    pub(crate) fn poll(&mut self, wait: Duration) {
        // It needs an id to come back with.
        self.ids = true;
        self.priming = true;
        self.ending = Some((wait, Ending::Orderly));
    }
}
