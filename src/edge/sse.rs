//! Event streams, read by two decoders that were written apart.
//!
//! `sse-stream` keeps ids and waits of blocks without data, which resuming needs; the stream of
//! HTTP+SSE cannot be resumed and is read by `eventsource-client`. Either way an event has a size
//! limit, and the reader stops when the bridge cannot take more.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use eventsource_client::{Client as _, ClientBuilder, Error, ReconnectOptions, SSE};
use futures_util::stream::{self, Stream, StreamExt as _};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture, TransportError};
use reqwest::Response;
use sse_stream::SseByteStream;
use tokio::time::Instant;

use super::budget::{Budget, Share};
use super::http::{Inbox, MAX_MESSAGE, Signs, chunk};
use crate::core::event::{Delivery, FailureKind, HttpEvent, HttpFailure, StreamEvent};

mod lines;
mod utf8;

use lines::{Lines, Sifted};
use utf8::Repair;

/// How often a large event on a slow line shows that it still comes.
const PIECE: Duration = Duration::from_secs(10);

/// Reads a stream of Streamable HTTP to its end.
pub(super) async fn stream(response: Response, inbox: &Inbox<'_>) -> Result<(), HttpFailure> {
    let unread = Unread::new(inbox.budget);
    let mut events = std::pin::pin!(SseByteStream::new(chunks(response, unread.clone(), inbox)));
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| decoding(&error))?;
        let share = unread.reset();
        let data = event.data.map(|data| share.hold(data.into_bytes())).unwrap_or_default();
        let event = StreamEvent { name: event.event, data, id: event.id, retry: event.retry };
        if !inbox.deliver(event).await {
            break;
        }
    }
    Ok(())
}

/// Reads the stream of HTTP+SSE to its end.
pub(super) async fn endpoint_stream(
    response: Response,
    inbox: &Inbox<'_>,
) -> Result<(), HttpFailure> {
    let unread = Unread::new(inbox.budget);
    // The decoder gives up at a block that sets nothing; behind an id every block has one.
    let first = stream::iter([Ok(Bytes::from_static(b"id:0\n\n"))]);
    let transport = OneResponse::new(first.chain(chunks(response, unread.clone(), inbox)));
    let client = ClientBuilder::for_url("http://localhost/")
        .map_err(|error| malformed(error.to_string()))?
        .reconnect(ReconnectOptions::reconnect(false).build())
        .redirect_limit(0)
        .build_with_transport(transport);
    let mut events = client.stream();
    loop {
        match events.next().await {
            Some(Ok(SSE::Event(event))) => {
                let share = unread.reset();
                let event = StreamEvent {
                    name: Some(event.event_type),
                    data: share.hold(event.data.into_bytes()),
                    id: event.id,
                    retry: event.retry,
                };
                if !inbox.deliver(event).await {
                    return Ok(());
                }
            }
            Some(Ok(SSE::Comment(_) | SSE::Connected(_))) => {}
            None | Some(Err(Error::Eof | Error::UnexpectedEof)) => return Ok(()),
            Some(Err(error)) => return Err(transport_failure(&error)),
        }
    }
}

/// The bytes that came since the last whole event, and their share of what may be held.
#[derive(Clone, Debug)]
struct Unread(Arc<Mutex<(usize, Share)>>, Budget);

impl Unread {
    fn new(budget: &Budget) -> Self {
        Self(Arc::new(Mutex::new((0, budget.share()))), budget.clone())
    }

    /// Begins again, and returns the share of the event that is whole now.
    fn reset(&self) -> Share {
        std::mem::replace(&mut *self.lock(), (0, self.1.share())).1
    }

    /// Counts, and waits until there is room for that much; `false` if it is too large an event.
    async fn add(&self, more: usize) -> bool {
        let (mut size, mut share) = std::mem::replace(&mut *self.lock(), (0, self.1.share()));
        size += more;
        if size <= MAX_MESSAGE {
            share.grow(size).await;
        }
        *self.lock() = (size, share);
        size <= MAX_MESSAGE
    }

    fn lock(&self) -> MutexGuard<'_, (usize, Share)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a response as chunks of UTF-8, until an event grows too large.
fn chunks(
    response: Response,
    unread: Unread,
    inbox: &Inbox<'_>,
) -> impl Stream<Item = Result<Bytes, ChunkError>> + Send + Sync + 'static + use<> {
    let source = Source {
        response,
        lines: Lines::default(),
        repair: Repair::default(),
        told: Instant::now(),
        unread,
        pause: inbox.pause,
        signs: inbox.signs(),
    };
    stream::unfold(Some(source), |source| async move {
        let mut source = source?;
        match source.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(source))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// Where the chunks of one stream come from, and what was seen of them.
struct Source {
    response: Response,
    lines: Lines,
    repair: Repair,
    /// When it was last told that something comes.
    told: Instant,
    unread: Unread,
    pause: Option<Duration>,
    signs: Signs,
}

impl Source {
    /// The next chunk that says something; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ChunkError> {
        loop {
            let chunk = match chunk(&mut self.response, self.pause).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(None),
                Err(failure) => return Err(ChunkError::Broken(failure.cause)),
            };
            let sifted = self.lines.chunk(chunk);
            if let Some(sign) = self.sign(&sifted) {
                self.signs.send(sign).await;
            }
            if sifted.bytes.is_empty() {
                continue;
            }
            if !self.unread.add(sifted.bytes.len()).await {
                return Err(ChunkError::TooLarge);
            }
            return Ok(Some(self.repair.chunk(sifted.bytes)));
        }
    }

    /// What the bridge should know before there is a whole event.
    fn sign(&mut self, sifted: &Sifted) -> Option<HttpEvent> {
        if sifted.retry.is_some() {
            let (name, data, id) = (None, Bytes::new(), None);
            return Some(HttpEvent::Message(StreamEvent { name, data, id, retry: sifted.retry }));
        }
        if sifted.comment {
            return Some(HttpEvent::Beat);
        }
        let long_ago = PIECE <= self.told.elapsed();
        if long_ago {
            self.told = Instant::now();
        }
        long_ago.then_some(HttpEvent::Part)
    }
}

#[derive(Debug, thiserror::Error)]
enum ChunkError {
    #[error("an event of more than {MAX_MESSAGE} bytes")]
    TooLarge,
    #[error("{0}")]
    Broken(String),
}

fn decoding(error: &(dyn std::error::Error + 'static)) -> HttpFailure {
    let mut source = Some(error);
    while let Some(error) = source {
        match error.downcast_ref::<ChunkError>() {
            Some(ChunkError::TooLarge) => {
                let cause = ChunkError::TooLarge.to_string();
                return HttpFailure { kind: FailureKind::TooLarge, ..malformed(cause) };
            }
            Some(ChunkError::Broken(cause)) => return lost(cause.clone()),
            None => source = error.source(),
        }
    }
    malformed(error.to_string())
}

fn transport_failure(error: &Error) -> HttpFailure {
    match error {
        Error::Transport(error) => decoding(error.inner()),
        Error::HttpStream(error) => decoding(error.as_ref()),
        error => malformed(error.to_string()),
    }
}

fn lost(cause: String) -> HttpFailure {
    HttpFailure { cause, delivery: Delivery::Unknown, kind: FailureKind::Network }
}

fn malformed(cause: String) -> HttpFailure {
    HttpFailure { cause, delivery: Delivery::Unknown, kind: FailureKind::Malformed }
}

/// A transport that has had its response already: it makes the client a decoder, while redirects,
/// statuses and reconnecting stay the core's.
#[derive(Clone)]
struct OneResponse(Arc<Mutex<Option<ByteStream>>>);

impl OneResponse {
    fn new(chunks: impl Stream<Item = Result<Bytes, ChunkError>> + Send + Sync + 'static) -> Self {
        let stream: ByteStream = Box::pin(chunks.map(|chunk| chunk.map_err(TransportError::new)));
        Self(Arc::new(Mutex::new(Some(stream))))
    }
}

impl HttpTransport for OneResponse {
    fn request(&self, _: http::Request<Option<Bytes>>) -> ResponseFuture {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            let stream = stream.unwrap_or_else(|| {
                Box::pin(stream::empty()) as Pin<Box<dyn Stream<Item = _> + Send + Sync>>
            });
            Ok(http::Response::new(stream))
        })
    }
}

#[cfg(test)]
mod tests;
