//! The bytes of one event stream, on their way to one client.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;

use super::style::{Ending, Style};

/// The body of a response.
#[derive(Debug)]
pub(crate) struct Source {
    events: mpsc::UnboundedReceiver<Bytes>,
    cuts: watch::Receiver<u64>,
    heartbeat: Option<Duration>,
    lines: &'static str,
    /// The pieces in which bytes go out, and those that wait.
    chunk: Option<usize>,
    waiting: VecDeque<Bytes>,
    deadline: Option<(Pin<Box<Sleep>>, Ending)>,
    _guard: Guard,
}

impl Source {
    pub(crate) fn new(
        events: mpsc::UnboundedReceiver<Bytes>,
        cuts: watch::Receiver<u64>,
        style: &Style,
        guard: Guard,
    ) -> Self {
        Self {
            events,
            cuts,
            heartbeat: style.heartbeat,
            lines: style.lines,
            chunk: style.chunk,
            waiting: VecDeque::new(),
            deadline: style.ending.map(|(wait, it)| (Box::pin(tokio::time::sleep(wait)), it)),
            _guard: guard,
        }
    }

    /// The next piece; none at an orderly end.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(waiting) = self.waiting.pop_front() {
            // Else all of them would leave as one again.
            tokio::time::sleep(Duration::from_micros(50)).await;
            return Some(Ok(waiting));
        }
        let heartbeat = self.heartbeat;
        let idle = async {
            match heartbeat {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let ending = self.deadline.as_ref().map(|it| it.1);
        let over = async {
            match &mut self.deadline {
                Some((sleep, _)) => sleep.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let bytes = tokio::select! {
            biased;
            Ok(()) = self.cuts.changed() => return Some(Err(io::ErrorKind::ConnectionReset.into())),
            event = self.events.recv() => event?,
            () = over => return match ending {
                Some(Ending::Cut) => Some(Err(io::ErrorKind::ConnectionReset.into())),
                _ => None,
            },
            () = idle => format!(": heartbeat{0}{0}", self.lines).into(),
        };
        Some(Ok(self.first_piece(bytes)))
    }

    fn first_piece(&mut self, mut bytes: Bytes) -> Bytes {
        let Some(chunk) = self.chunk else { return bytes };
        let first = bytes.split_to(chunk.min(bytes.len()));
        while !bytes.is_empty() {
            self.waiting.push_back(bytes.split_to(chunk.min(bytes.len())));
        }
        first
    }
}

/// Notices the end of a stream.
pub(crate) struct Guard {
    open: Arc<AtomicUsize>,
    closed: Option<Box<dyn FnOnce() + Send>>,
}

impl Guard {
    /// Counts a stream as open until this is dropped; then `closed` runs.
    pub(crate) fn new(open: &Arc<AtomicUsize>, closed: Option<Box<dyn FnOnce() + Send>>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self { open: Arc::clone(open), closed }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        if let Some(closed) = self.closed.take() {
            closed();
        }
    }
}
