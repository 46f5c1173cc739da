//! The host's end: stdin and stdout on threads of their own.
//!
//! A blocking read cannot be cancelled, and a host that does not read must not stop the loop. The
//! threads end with the process.

use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Sender, UnboundedSender};

use super::budget::Budget;
use super::http::MAX_MESSAGE;
use crate::core::event::Event;

mod hangup;
mod pipes;

use hangup::{Handed, Watched};
pub use pipes::{Pipes, claim};

/// How much may wait for a host that does not read. Then the gateway's streams are not read
/// either, so that it is the gateway that waits.
const MAX_BACKLOG: usize = 16 << 20;
/// How long the last lines may take to a stderr that nobody reads.
const FLUSH: Duration = Duration::from_millis(200);

/// Reads lines until the end, which is an event too. The runtime must be running.
pub fn read_lines(input: pipes::Input, lines: Sender<Event>, control: UnboundedSender<Event>) {
    let runtime = Handle::current();
    let read = move || {
        let mut watched = Watched::new(&input);
        let handed = Arc::new(Handed::default());
        let budget = Budget::default();
        let mut input = BufReader::with_capacity(64 << 10, input);
        loop {
            let (end, long, line) = match next_line(&mut input) {
                Ok(Some(Line::Whole(line))) => (false, false, line),
                Ok(Some(Line::Beginning(line))) => (false, true, line),
                Ok(None) | Err(_) => (true, false, Bytes::new()),
            };
            let mut share = budget.share();
            let waits = !share.try_grow(line.len()) || lines.capacity() == 0;
            if waits && let Some(watched) = watched.take() {
                hangup::watch(watched, Arc::clone(&handed), lines.clone(), control.clone());
            }
            runtime.block_on(share.grow(line.len()));
            let event = match (end, long) {
                (true, _) => Event::Eof,
                (_, true) => Event::LongLine(line),
                _ => Event::Line(share.hold(line)),
            };
            if lines.blocking_send(event).is_err() {
                return;
            }
            handed.line(end);
            if end {
                return hangup::see_off(&handed, &lines, &control);
            }
        }
    };
    spawn("stdin", read);
}

/// What stands in one line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(Bytes),
    /// It is too long to be held; this is enough to find the request's id.
    Beginning(Bytes),
}

/// How much of a line over the limit is kept: a few members, of which one may be long.
const BEGINNING: usize = 64 << 10;

/// One line without its line break; `None` at the end.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX);
    let n = input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if n == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() == MAX_MESSAGE {
        // Too long to hold: the rest goes unread.
        line.truncate(BEGINNING);
        line.shrink_to_fit();
        input.skip_until(b'\n')?;
        return Ok(Some(Line::Beginning(line.into())));
    }
    Ok(Some(Line::Whole(line.into())))
}

/// Writes lines to the host.
#[derive(Debug)]
pub struct Lines {
    queue: mpsc::Sender<Bytes>,
    done: mpsc::Receiver<()>,
    backlog: Arc<Backlog>,
}

#[derive(Debug, Default)]
struct Backlog {
    bytes: AtomicUsize,
    room: Notify,
}

impl Lines {
    /// Writes to `output`; a host that is gone is told to `control`.
    pub fn new(output: impl Write + Send + 'static, control: UnboundedSender<Event>) -> Self {
        let (lines, inbox) = mpsc::channel::<Bytes>();
        let (ended, done) = mpsc::channel();
        let backlog = Arc::new(Backlog::default());
        let shared = Arc::clone(&backlog);
        spawn("stdout", move || {
            if write_lines(output, &inbox, &shared).is_err() {
                control.send(Event::HostGone).ok();
            }
            ended.send(()).ok();
        });
        Self { queue: lines, done, backlog }
    }

    /// Queues one line.
    pub fn write(&self, line: Bytes) {
        self.backlog.bytes.fetch_add(line.len() + 1, Ordering::Relaxed);
        // A writer that has ended has said so already.
        self.queue.send(line).ok();
    }

    /// Whether more may be queued.
    pub fn has_room(&self) -> bool {
        self.backlog.bytes.load(Ordering::Relaxed) < MAX_BACKLOG
    }

    /// Waits until more may be queued.
    pub async fn room(&self) {
        while !self.has_room() {
            self.backlog.room.notified().await;
        }
    }

    /// Takes no more lines; the receiver hears when the host has those that are queued.
    pub fn close(self) -> mpsc::Receiver<()> {
        self.done
    }
}

fn write_lines(
    output: impl Write,
    inbox: &mpsc::Receiver<Bytes>,
    backlog: &Backlog,
) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(64 << 10, output);
    while let Ok(first) = inbox.recv() {
        let mut next = Some(first);
        // Everything that waits goes out together; then the host gets it at once.
        while let Some(line) = next {
            output.write_all(&line)?;
            output.write_all(b"\n")?;
            let before = backlog.bytes.fetch_sub(line.len() + 1, Ordering::Relaxed);
            if MAX_BACKLOG <= before {
                backlog.room.notify_one();
            }
            next = inbox.try_recv().ok();
        }
        output.flush()?;
    }
    Ok(())
}

/// Lines for people on stderr: a reader that is slow or gone costs nothing but its lines.
#[derive(Clone, Debug)]
pub struct Log {
    lines: mpsc::SyncSender<LogLine>,
    /// How many lines were dropped since the last one that was not.
    dropped: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum LogLine {
    Text(String),
    /// Everything before it is out.
    Flush(mpsc::Sender<()>),
}

/// How many lines may wait for a stderr that nobody reads.
const MAX_LOG_LINES: usize = 1024;

impl Log {
    /// Writes to stderr.
    pub fn stderr() -> Self {
        let (lines, inbox) = mpsc::sync_channel(MAX_LOG_LINES);
        spawn("stderr", move || {
            while let Ok(line) = inbox.recv() {
                match line {
                    // Nobody is left to be told.
                    LogLine::Text(text) => io::stderr().write_all(text.as_bytes()).ok(),
                    LogLine::Flush(done) => done.send(()).ok(),
                };
            }
        });
        Self { lines, dropped: Arc::default() }
    }

    /// Writes one line, or drops it if too many wait.
    pub fn line(&self, text: &str) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let before = match dropped {
            0 => String::new(),
            n => format!("({n} lines that nobody has read are missing here)\n"),
        };
        if self.lines.try_send(LogLine::Text(format!("{before}{text}\n"))).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }

    /// The receiver hears when the lines that wait are out.
    pub fn flush(&self) -> mpsc::Receiver<()> {
        let (done, ended) = mpsc::channel();
        self.lines.try_send(LogLine::Flush(done)).ok();
        ended
    }

    /// Gives the lines that wait a moment to get out.
    pub fn settle(&self) {
        self.flush().recv_timeout(FLUSH).ok();
    }

    /// The same, at the end.
    pub fn close(self) {
        self.settle();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    // Without threads there is no bridge; the loop ends at once, because its inbox is closed.
    thread::Builder::new().name(name.to_owned()).spawn(work).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        let mut input = BufReader::new(input);
        std::iter::from_fn(|| next_line(&mut input).unwrap()).collect()
    }

    #[test]
    fn a_last_line_without_a_break_counts() {
        let whole = |text: &'static str| Line::Whole(Bytes::from_static(text.as_bytes()));
        assert_eq!(lines(b"a\n\nb\r\nc"), ["a", "", "b\r", "c"].map(whole));
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_line_over_the_limit_does_not_stop_the_next() {
        let mut input = vec![b'x'; MAX_MESSAGE + 5];
        input.extend_from_slice(b"\nnext\n");
        let lines = lines(&input);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], Line::Beginning(vec![b'x'; BEGINNING].into()));
        assert_eq!(lines[1], Line::Whole(Bytes::from_static(b"next")));
    }
}
