//! Exchanges with servers: one task each, nothing decided here.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, Response};
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use url::Url;

use super::budget::{Budget, Share};
use super::client::Clients;
use super::clock;
use super::cookies::Jar;
use super::sse;
use crate::config::Network;
use crate::core::event::{
    Delivery, Event, ExchangeId, Expect, FailureKind, Head, HttpEvent, HttpFailure, Request,
    StreamEvent,
};
use crate::core::link;

/// A document of the sign-in, from the request to its last byte: a drip must end.
const DOCUMENT: Duration = Duration::from_secs(20);
/// That a notification was taken: what comes behind it may have to wait for it.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(10);
/// How many bytes a slow line takes in a second: an answer of the host may be as large as any message.
const SLOW_LINE: usize = 32 << 10;
/// The head of a stream, which has nothing to wait for.
const STREAM: Duration = Duration::from_secs(30);
/// Between two pieces of an answer that is no stream, where the user has set no limit: a tool may
/// still run after the head has come.
const PAUSE: Duration = Duration::from_hours(1);
/// Who has slept, or was stopped, for longer than a limit finds the answer in the socket: it has to
/// be looked at before the limit counts.
const AWAKE: Duration = Duration::from_millis(300);
/// The largest MCP message: more than any that was seen, and little enough to hold in memory.
pub const MAX_MESSAGE: usize = 65 << 20;
/// The largest document of a sign-in.
const MAX_DOCUMENT: usize = 1 << 20;

/// The HTTP edge.
#[derive(Debug)]
pub struct Http {
    clients: Clients,
    limits: Limits,
    jar: Option<Arc<Mutex<Jar>>>,
    tasks: HashMap<ExchangeId, AbortHandle>,
    events: Sender<Event>,
    budget: Budget,
}

impl Http {
    /// Posts what comes back to `events`.
    pub fn new(network: Network, server: &Url, events: Sender<Event>) -> Self {
        Self {
            limits: Limits { head: network.head_limit, pause: network.pause_limit },
            jar: network.cookies.then(|| Arc::new(Mutex::new(Jar::new(server)))),
            clients: Clients::new(network),
            tasks: HashMap::new(),
            events,
            budget: Budget::default(),
        }
    }

    /// Starts an exchange.
    pub fn start(&mut self, id: ExchangeId, request: Request) {
        let (events, budget, limits) = (self.events.clone(), self.budget.clone(), self.limits);
        let client = self.client(&request.url);
        let jar = self.jar.clone();
        let task = tokio::spawn(async move {
            let event = match client {
                Ok(client) => {
                    let way = Way { client: &client, jar: jar.as_deref() };
                    let inbox = Inbox { id, events: &events, budget: &budget, pause: limits.pause };
                    exchange(&way, request, limits, &inbox).await
                }
                Err(failure) => HttpEvent::Failed(failure),
            };
            // A closed inbox is the end of the process.
            events.send(Event::Http(id, event)).await.ok();
        });
        self.tasks.insert(id, task.abort_handle());
    }

    /// Drops an exchange.
    pub fn abort(&mut self, id: ExchangeId) {
        if let Some(task) = self.tasks.remove(&id) {
            task.abort();
        }
    }

    /// Leaves the connections that wait for use to themselves; what is under way goes on.
    pub fn renew(&mut self) {
        self.clients.renew();
    }

    /// Forgets an exchange that is over.
    pub fn finished(&mut self, id: ExchangeId) {
        self.tasks.remove(&id);
    }

    /// The client for a URL.
    pub fn client(&mut self, url: &Url) -> Result<Client, HttpFailure> {
        self.clients.get(url)
    }
}

/// What the user lets a server take its time for; `None`: for ever.
#[derive(Clone, Copy, Debug)]
struct Limits {
    head: Option<Duration>,
    pause: Option<Duration>,
}

/// How requests of one exchange reach their server.
#[derive(Debug)]
struct Way<'a> {
    client: &'a Client,
    jar: Option<&'a Mutex<Jar>>,
}

impl Way<'_> {
    fn jar(&self) -> Option<MutexGuard<'_, Jar>> {
        Some(self.jar?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Performs one exchange; the last event is returned, those before it are sent.
async fn exchange(way: &Way<'_>, request: Request, limits: Limits, inbox: &Inbox<'_>) -> HttpEvent {
    let expect = request.expect;
    // From the request to the last byte, streams aside. What a tool says may take longer: only its
    // head and the pauses in it are limited.
    let (whole, head) = match expect {
        Expect::Messages => (None, limits.head),
        Expect::Stream | Expect::EndpointStream => (Some(STREAM), None),
        Expect::Acknowledgement => (Some(ACKNOWLEDGEMENT + upload(&request)), None),
        Expect::Document => (Some(DOCUMENT), None),
    };
    let answer = within(whole, async {
        let (head, response) = within(head, send(way, request)).await?;
        // 204 has no body, whatever it says of it: there is no stream (WHATWG HTML §9.2.3).
        let stream = (200..300).contains(&head.status)
            && head.status != 204
            && head.media_type() == "text/event-stream";
        if stream && expect != Expect::Document {
            return Ok((head, Body::Stream(response)));
        }
        let body = if expect == Expect::Document {
            read(response, MAX_DOCUMENT).await?
        } else {
            let share = Some(inbox.budget.share());
            read_within(response, MAX_MESSAGE, share, limits.pause.unwrap_or(PAUSE)).await?
        };
        Ok((head, Body::Whole(body)))
    });
    let (head, body) = match answer.await {
        Ok(answer) => answer,
        Err(failure) => return HttpEvent::Failed(failure),
    };
    let response = match body {
        Body::Whole(body) => return HttpEvent::Answered(head, body),
        Body::Stream(response) => response,
    };
    if inbox.events.send(Event::Http(inbox.id, HttpEvent::Opened(head))).await.is_err() {
        return HttpEvent::Ended;
    }
    let end = match expect {
        Expect::EndpointStream => sse::endpoint_stream(response, inbox).await,
        _ => sse::stream(response, inbox).await,
    };
    end.map_or_else(HttpEvent::Failed, |()| HttpEvent::Ended)
}

/// How long the body of a request may take to get out.
fn upload(request: &Request) -> Duration {
    let size = request.body.as_ref().map_or(0, Bytes::len);
    Duration::from_secs(u64::try_from(size / SLOW_LINE).unwrap_or(u64::MAX))
}

/// Where the events of one stream go.
#[derive(Debug)]
pub(super) struct Inbox<'a> {
    pub(super) id: ExchangeId,
    pub(super) events: &'a Sender<Event>,
    pub(super) budget: &'a Budget,
    /// How long the stream may be silent; `None`: for ever.
    pub(super) pause: Option<Duration>,
}

/// Tells the bridge what a stream shows before there is an event.
#[derive(Clone, Debug)]
pub(super) struct Signs(ExchangeId, Sender<Event>);

impl Signs {
    pub(super) async fn send(&self, sign: HttpEvent) {
        // A closed inbox is the end of the process.
        if let Ok(room) = self.1.reserve().await {
            room.send(Event::Http(self.0, sign));
        }
    }
}

impl Inbox<'_> {
    /// The same inbox, for what is no event of the stream.
    pub(super) fn signs(&self) -> Signs {
        Signs(self.id, self.events.clone())
    }

    /// Hands one event over, when the bridge takes it; `false` if it never will.
    pub(super) async fn deliver(&self, event: StreamEvent) -> bool {
        self.events.send(Event::Http(self.id, HttpEvent::Message(event))).await.is_ok()
    }
}

enum Body {
    Whole(Bytes),
    Stream(Response),
}

/// Waits for something that may fail, and no longer than the limit.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, HttpFailure>>,
) -> Result<T, HttpFailure> {
    let Some(limit) = limit else { return work.await };
    let mut work = pin!(work);
    match timeout(limit, &mut work).await {
        Ok(done) => done,
        Err(_) => timeout(AWAKE, work).await.unwrap_or_else(|_| Err(timed_out(limit))),
    }
}

/// Sends a request, and sends it on where the core allows that.
async fn send(way: &Way<'_>, request: Request) -> Result<(Head, Response), HttpFailure> {
    let Request { method, mut url, headers, body, .. } = request;
    let mut left = link::MAX_REDIRECTS;
    loop {
        let mut outgoing = reqwest::Request::new(method.clone(), url.clone());
        *outgoing.headers_mut() = headers.clone();
        *outgoing.body_mut() = body.clone().map(reqwest::Body::from);
        if let Some(jar) = way.jar() {
            jar.add_to(outgoing.headers_mut(), &url, clock::unix());
        }
        let response = way.client.execute(outgoing).await.map_err(|error| failure(&error))?;
        if let Some(mut jar) = way.jar() {
            jar.take_from(response.headers(), &url, clock::unix());
        }
        let head = Head {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            url: (left < link::MAX_REDIRECTS).then(|| url.clone()),
        };
        match link::redirect(&method, &url, &head) {
            Some(target) if 0 < left => {
                left -= 1;
                url = target;
            }
            _ => return Ok((head, response)),
        }
    }
}

/// Reads a whole body of at most `most` bytes, counted after decompression.
pub(super) async fn read(response: Response, most: usize) -> Result<Bytes, HttpFailure> {
    read_within(response, most, None, PAUSE).await
}

/// The same for a body that takes its share of what may be held.
async fn read_within(
    mut response: Response,
    most: usize,
    mut share: Option<Share>,
    pause: Duration,
) -> Result<Bytes, HttpFailure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = chunk(&mut response, Some(pause)).await? {
        if most < body.len() + chunk.len() {
            return Err(HttpFailure {
                cause: format!("more than {most} bytes"),
                delivery: Delivery::Unknown,
                kind: FailureKind::TooLarge,
            });
        }
        if let Some(share) = &mut share {
            share.grow(body.len() + chunk.len()).await;
        }
        // Most answers are one chunk; they are not copied.
        if body.is_empty() {
            match chunk.try_into_mut() {
                Ok(whole) => body = whole,
                Err(shared) => body.extend_from_slice(&shared),
            }
        } else {
            body.extend_from_slice(&chunk);
        }
    }
    let body = body.freeze();
    Ok(match share {
        Some(share) => share.hold(body),
        None => body,
    })
}

/// The next piece of a body; `None` at its end.
pub(super) async fn chunk(
    response: &mut Response,
    pause: Option<Duration>,
) -> Result<Option<Bytes>, HttpFailure> {
    within(pause, async { response.chunk().await.map_err(|error| broken(&error)) }).await
}

/// An answer that had begun and broke off.
pub(super) fn broken(error: &reqwest::Error) -> HttpFailure {
    HttpFailure { delivery: Delivery::Unknown, ..failure(error) }
}

/// What a failed request means.
pub(super) fn failure(error: &reqwest::Error) -> HttpFailure {
    let not_delivered = error.is_connect() || error.is_builder();
    HttpFailure {
        cause: cause(error),
        delivery: if not_delivered { Delivery::NotDelivered } else { Delivery::Unknown },
        // What the system or the peer calls a time-out is a connection that is gone.
        kind: if matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_))) {
            FailureKind::Certificate
        } else {
            FailureKind::Network
        },
    }
}

/// What TLS says, wherever it stands in the chain of causes.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error has what it wraps inside, and not as its source.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        source = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn timed_out(limit: Duration) -> HttpFailure {
    HttpFailure {
        cause: format!("no answer within {} s", limit.as_secs()),
        delivery: Delivery::Unknown,
        kind: FailureKind::TimedOut { seconds: limit.as_secs() },
    }
}

/// The innermost cause: the outer ones repeat the URL, whose query may hold a secret.
fn cause(error: &reqwest::Error) -> String {
    if matches!(tls_error(error), Some(rustls::Error::InvalidMessage(_))) {
        return "it does not speak TLS; it may be one for `http://`, or the port of something else"
            .to_owned();
    }
    let mut source = error.source();
    let mut text = None;
    while let Some(error) = source {
        text = Some(error.to_string());
        source = error.source();
    }
    text.unwrap_or_else(|| "the request failed".to_owned())
}

#[cfg(test)]
mod tests;
