//! Event streams: `text/event-stream`, with comments against idling, that can be cut from outside.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header;
use tokio::sync::{mpsc, watch};

/// All open streams of one gateway.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Counts the orders to cut; every stream ends at the next one.
    cuts: watch::Sender<u64>,
    open: Arc<AtomicUsize>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { cuts: watch::Sender::new(0), open: Arc::default() }
    }
}

impl Streams {
    /// Closes every open stream without an orderly end.
    pub(crate) fn cut_all(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The number of open streams.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// A new stream: the end to write to, and the response to return. `closed` runs when the stream
    /// ends in whatever way.
    pub(crate) fn start(
        &self,
        heartbeat: Duration,
        closed: impl FnOnce() + Send + 'static,
    ) -> (Outlet, Response) {
        let (outlet, events) = mpsc::unbounded_channel();
        self.open.fetch_add(1, Ordering::SeqCst);
        let source = Source {
            events,
            cuts: self.cuts.subscribe(),
            heartbeat,
            _guard: Guard { open: Arc::clone(&self.open), closed: Some(Box::new(closed)) },
        };
        let body = Body::from_stream(stream::unfold(source, |mut source| async {
            source.next().await.map(|bytes| (bytes, source))
        }));
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache, no-store"),
        ];
        (Outlet(outlet), (headers, body).into_response())
    }
}

/// The end of a stream to write to. The stream ends in order when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Outlet(mpsc::UnboundedSender<Bytes>);

impl Outlet {
    /// Sends an event; into a closed stream it is lost, as on a real gateway.
    pub(crate) fn event(&self, name: &str, data: &str) {
        let mut text = String::with_capacity(data.len() + name.len() + 16);
        // Writing to a `String` cannot fail.
        writeln!(text, "event: {name}").ok();
        // A client may write its JSON over several lines, and some of it comes back.
        for line in data.split(['\n', '\r']) {
            writeln!(text, "data: {line}").ok();
        }
        text.push('\n');
        self.0.send(text.into()).ok();
    }

    /// Sends a JSON-RPC message.
    pub(crate) fn message(&self, json: &str) {
        self.event("message", json);
    }
}

struct Source {
    events: mpsc::UnboundedReceiver<Bytes>,
    cuts: watch::Receiver<u64>,
    heartbeat: Duration,
    _guard: Guard,
}

impl Source {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        tokio::select! {
            biased;
            Ok(()) = self.cuts.changed() => Some(Err(io::ErrorKind::ConnectionReset.into())),
            event = self.events.recv() => event.map(Ok),
            () = tokio::time::sleep(self.heartbeat) => Some(Ok(HEARTBEAT)),
        }
    }
}

/// Notices the end of a stream.
struct Guard {
    open: Arc<AtomicUsize>,
    closed: Option<Box<dyn FnOnce() + Send>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        if let Some(closed) = self.closed.take() {
            closed();
        }
    }
}

const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");
