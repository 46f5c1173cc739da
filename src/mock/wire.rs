//! Connections that misbehave on purpose: what a handler orders here happens to the bytes.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::state::lock;

/// What a handler holds to order what becomes of the connection that its request came by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scissors(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    mood: Mutex<Mood>,
    /// Asks for an orderly end: GOAWAY.
    leave: Notify,
    /// Whether a request has come by it.
    is_used: AtomicBool,
}

#[derive(Debug, Default)]
struct Mood {
    end: Option<End>,
    /// Bytes that may still be written, and what happens then.
    left: Option<(u64, End)>,
    /// Written instead of everything else, before the end.
    raw: Vec<u8>,
    piece: Option<usize>,
    /// Bytes a second.
    rate: Option<u64>,
    slow_close: Option<Duration>,
    no_close_notify: bool,
}

/// How a connection ends, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Closed, as if everything had been said.
    Fin,
    /// Nothing is read or written any more, and nobody is told.
    HalfOpen,
    Reset,
}

impl Scissors {
    /// Whether a request has come by the connection.
    pub(crate) fn is_used(&self) -> bool {
        self.0.is_used.load(Ordering::Relaxed)
    }

    /// A request has come: forgets what was ordered for the one before.
    pub(crate) fn fresh(&self) {
        self.0.is_used.store(true, Ordering::Relaxed);
        let mut mood = lock(&self.0.mood);
        // By HTTP/2 the other request may not be answered yet, and its connection ends.
        if mood.end.is_none() {
            *mood = Mood::default();
        }
    }

    /// Ends the connection with the next byte that is written: the answer is never sent.
    pub(crate) fn cut(&self, end: End) {
        lock(&self.0.mood).end = Some(end);
    }

    /// Ends the connection after so many bytes more.
    pub(crate) fn cut_after(&self, bytes: u64, end: End) {
        lock(&self.0.mood).left = Some((bytes, end));
    }

    /// Writes these bytes instead of the answer, and closes the connection.
    pub(crate) fn instead(&self, raw: &[u8]) {
        let mut mood = lock(&self.0.mood);
        mood.raw = raw.to_vec();
        mood.end = Some(End::Fin);
    }

    /// Writes in pieces of this size.
    pub(crate) fn slice(&self, bytes: usize) {
        lock(&self.0.mood).piece = Some(bytes.max(1));
    }

    /// Writes so many bytes a second.
    pub(crate) fn throttle(&self, bytes_per_second: u64) {
        lock(&self.0.mood).rate = Some(bytes_per_second.max(1));
    }

    /// Waits before the connection is closed.
    pub(crate) fn close_slowly(&self, wait: Duration) {
        lock(&self.0.mood).slow_close = Some(wait);
    }

    /// Lets TLS end without a word.
    pub(crate) fn close_silently(&self) {
        lock(&self.0.mood).no_close_notify = true;
    }

    /// Whether TLS shall end without a word.
    pub(crate) fn is_silent(&self) -> bool {
        lock(&self.0.mood).no_close_notify
    }

    /// Asks the connection to take leave after what runs.
    pub(crate) fn leave(&self) {
        self.0.leave.notify_one();
    }

    /// Waits until the connection is asked to take leave.
    pub(crate) async fn leaves(&self) {
        self.0.leave.notified().await;
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    tcp: TcpStream,
    scissors: Scissors,
    pause: Option<Pin<Box<Sleep>>>,
    closing: Option<Pin<Box<Sleep>>>,
}

impl Line {
    pub(crate) fn new(tcp: TcpStream, scissors: Scissors) -> Self {
        // Small events must not wait for more; failure only costs time.
        tcp.set_nodelay(true).ok();
        Self { tcp, scissors, pause: None, closing: None }
    }

    /// What has been ordered for the next byte.
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut mood = lock(&self.scissors.0.mood);
        while !mood.raw.is_empty() {
            let n = ready!(Pin::new(&mut self.tcp).poll_write(cx, &mood.raw))?;
            mood.raw.drain(..n);
        }
        match mood.end {
            None => Poll::Ready(Ok(())),
            Some(End::HalfOpen) => Poll::Pending,
            Some(End::Fin) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Some(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// How much of `length` bytes may be written now, and the pause to make afterwards.
    fn allowance(&self, length: usize) -> (usize, Option<Duration>) {
        let mood = lock(&self.scissors.0.mood);
        let mut most = length.min(mood.piece.unwrap_or(length));
        if let Some((left, _)) = mood.left {
            most = most.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let Some(rate) = mood.rate else { return (most, mood.piece.map(|_| APART)) };
        // Twenty times a second, or one byte at a time where that is faster already.
        let step = usize::try_from(rate / 20).unwrap_or(usize::MAX).max(1);
        most = most.min(step);
        let written = u32::try_from(most).unwrap_or(u32::MAX);
        (most, Some(Duration::from_secs_f64(f64::from(written)).div_f64(rate_of(rate))))
    }
}

/// Pieces without a pause between them leave as one.
const APART: Duration = Duration::from_millis(1);

fn rate_of(rate: u64) -> f64 {
    u32::try_from(rate).map_or(f64::MAX, f64::from)
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if lock(&self.scissors.0.mood).end == Some(End::HalfOpen) {
            return Poll::Pending;
        }
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.end(cx))?;
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let (most, pause) = self.allowance(bytes.len());
        let piece = bytes.get(..most).unwrap_or(bytes);
        let n = ready!(Pin::new(&mut self.tcp).poll_write(cx, piece))?;
        self.pause = pause.map(|it| Box::pin(tokio::time::sleep(it)));
        let mut mood = lock(&self.scissors.0.mood);
        if let Some((left, end)) = &mut mood.left {
            *left -= n as u64;
            if *left == 0 {
                let end = *end;
                mood.end = Some(end);
                mood.left = None;
                drop(mood);
                if n == 0 {
                    ready!(self.end(cx))?;
                }
            }
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Where all is written, nothing more would bring up what was ordered.
        ready!(self.end(cx))?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.end(cx))?;
        let wait = lock(&self.scissors.0.mood).slow_close.take();
        if let Some(wait) = wait {
            self.closing = Some(Box::pin(tokio::time::sleep(wait)));
        }
        if let Some(closing) = &mut self.closing {
            ready!(closing.as_mut().poll(cx));
            self.closing = None;
        }
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if lock(&self.scissors.0.mood).end == Some(End::Reset) {
            // Turns the coming close into a reset.
            self.tcp.set_zero_linger().ok();
        }
    }
}

/// A TLS connection that can end without a word (RFC 8446 6.1 wants `close_notify`).
#[derive(Debug)]
pub(crate) struct Silent {
    pub(crate) tls: TlsStream<Line>,
    pub(crate) scissors: Scissors,
}

impl AsyncRead for Silent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Silent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.scissors.is_silent() {
            return Pin::new(self.tls.get_mut().0).poll_shutdown(cx);
        }
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
