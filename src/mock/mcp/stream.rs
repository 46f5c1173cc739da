//! Event streams: `text/event-stream`, with comments against idling, that can be cut from outside,
//! and resumed where events have ids.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::{HeaderName, header};
use tokio::sync::{mpsc, watch};

use super::jsonrpc::notification;
use super::source::{Guard, Source};
use super::style::Style;
use crate::mock::state::lock;

/// All open streams of one gateway, and the closed ones that can be resumed.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Counts the orders to cut; every stream ends at the next one.
    cuts: watch::Sender<u64>,
    open: Arc<AtomicUsize>,
    n_begun: AtomicU64,
    resumable: Mutex<BTreeMap<u64, Arc<Flow>>>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            cuts: watch::Sender::new(0),
            open: Arc::default(),
            n_begun: AtomicU64::default(),
            resumable: Mutex::default(),
        }
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

    /// A new stream of a session: the end to write to, and the response to return. `closed` runs
    /// when the stream ends in whatever way.
    pub(crate) fn start(
        &self,
        style: Style,
        session: &str,
        closed: impl FnOnce() + Send + 'static,
    ) -> (Outlet, Response) {
        let (sink, events) = mpsc::unbounded_channel();
        let flow = Arc::new(Flow {
            number: self.n_begun.fetch_add(1, Ordering::SeqCst),
            session: session.to_owned(),
            ids: style.ids,
            lines: style.lines,
            state: Mutex::new(State { sink: Some(sink), ..State::default() }),
        });
        if style.ids {
            let mut resumable = lock(&self.resumable);
            resumable.insert(flow.number, Arc::clone(&flow));
            if MAX_RESUMABLE < resumable.len() {
                resumable.pop_first();
            }
        }
        flow.begin(&style);
        let outlet = Outlet(Arc::new(Alive(flow)));
        (outlet, self.respond(events, &style, Some(Box::new(closed))))
    }

    /// The rest of a stream of this session, from behind the event with this id.
    pub(crate) fn resume(&self, id: &str, session: &str, style: &Style) -> Option<Response> {
        let (number, position) = id.split_once('-')?;
        let position: usize = position.parse().ok()?;
        let flow = lock(&self.resumable).get(&number.parse().ok()?).cloned()?;
        if flow.session != session {
            return None;
        }
        let (sink, events) = mpsc::unbounded_channel();
        let mut state = lock(&flow.state);
        for missed in state.history.iter().skip(position + 1) {
            sink.send(missed.clone()).ok();
        }
        // Of a stream that is complete the end follows at once.
        state.sink = (!state.done).then_some(sink);
        drop(state);
        Some(self.respond(events, style, None))
    }

    fn respond(
        &self,
        events: mpsc::UnboundedReceiver<Bytes>,
        style: &Style,
        closed: Option<Box<dyn FnOnce() + Send>>,
    ) -> Response {
        let guard = Guard::new(&self.open, closed);
        let source = Source::new(events, self.cuts.subscribe(), style, guard);
        let body = Body::from_stream(stream::unfold(source, |mut source| async {
            let bytes: io::Result<Bytes> = source.next().await?;
            Some((bytes, source))
        }));
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache, no-store"),
            // Proxies such as nginx are asked not to collect events.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        (headers, body).into_response()
    }
}

/// A stream, whether or not somebody reads it.
#[derive(Debug)]
struct Flow {
    number: u64,
    session: String,
    ids: bool,
    lines: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sink: Option<mpsc::UnboundedSender<Bytes>>,
    /// What has been sent, by the second half of its id.
    history: Vec<Bytes>,
    done: bool,
}

impl Flow {
    fn begin(self: &Arc<Self>, style: &Style) {
        if style.bom {
            self.push("\u{feff}".into());
        }
        if let Some(retry) = style.retry {
            self.push(format!("retry: {retry}{0}{0}", self.lines).into());
        }
        if style.priming {
            self.event(None, &[""]);
        }
        if let Some(a_second) = style.flood {
            tokio::spawn(flood(Arc::downgrade(self), a_second));
        }
    }

    fn event(&self, name: Option<&str>, data: &[&str]) {
        let end = self.lines;
        let mut text = String::with_capacity(data.iter().map(|it| it.len() + 8).sum());
        // Writing to a `String` cannot fail.
        if let Some(name) = name {
            write!(text, "event: {name}{end}").ok();
        }
        let mut state = lock(&self.state);
        if self.ids {
            write!(text, "id: {}-{}{end}", self.number, state.history.len()).ok();
        }
        for line in data {
            write!(text, "data: {line}{end}").ok();
        }
        text.push_str(end);
        let bytes = Bytes::from(text);
        if self.ids {
            state.history.push(bytes.clone());
        }
        state.push(bytes);
    }

    /// Sends what is no event, and is not missed when it is lost.
    fn push(&self, bytes: Bytes) {
        lock(&self.state).push(bytes);
    }
}

impl State {
    /// Into a closed stream it is lost, as on a real gateway.
    fn push(&self, bytes: Bytes) {
        if let Some(sink) = &self.sink {
            sink.send(bytes).ok();
        }
    }
}

/// The end of a stream to write to. The stream ends in order when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Outlet(Arc<Alive>);

#[derive(Debug)]
struct Alive(Arc<Flow>);

impl Drop for Alive {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.done = true;
        state.sink = None;
    }
}

impl Outlet {
    /// Sends an event.
    pub(crate) fn event(&self, name: &str, data: &str) {
        // A client may write its JSON over several lines, and some of it comes back.
        let lines: Vec<&str> = data.split(['\n', '\r']).collect();
        self.0.0.event(Some(name), &lines);
    }

    /// Sends a JSON-RPC message.
    pub(crate) fn message(&self, json: &str) {
        self.event("message", json);
    }
}

/// Sends notifications for as long as somebody could read them.
async fn flood(flow: Weak<Flow>, a_second: u64) {
    let mut n = 0_u64;
    let mut ticks = tokio::time::interval(TICK);
    let ticks_a_second = 100;
    loop {
        ticks.tick().await;
        let Some(flow) = flow.upgrade() else { break };
        let is_read = lock(&flow.state).sink.as_ref().is_some_and(|it| !it.is_closed());
        if !is_read {
            break;
        }
        // Slow floods skip ticks.
        let due = (n + 1) * a_second / ticks_a_second - n * a_second / ticks_a_second;
        n += 1;
        for _ in 0..due {
            let log = format!(r#"{{"level":"debug","logger":"flood","data":{n}}}"#);
            let message = notification("notifications/message", &log);
            flow.event(Some("message"), &[&message]);
        }
    }
}

const TICK: Duration = Duration::from_millis(10);

/// As many as anybody will come back to.
const MAX_RESUMABLE: usize = 1000;
