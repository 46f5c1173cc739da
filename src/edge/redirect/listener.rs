//! The listener itself: one path, GET only, and strangers cost nothing.
//!
//! `tiny_http` allocates whatever `Content-Length` an unread request declares when the request is
//! dropped, which can end the process. So a request with a body is never dropped here; it is left
//! to the end of this short-lived process. Nor does it know time limits, and one answer waits for
//! the one before it on the same connection: each answer has a thread of its own.

use std::collections::HashMap;
use std::io::{BufRead, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tiny_http::{Method, Request, Server};
use url::Url;

use super::{Command, News, Page, Scene, browser, page};
use crate::secret::Secret;

/// A longer query is no redirect.
const MAX_QUERY: usize = 8 << 10;
/// How many redirects may wait for their answer.
const MAX_WAITING: usize = 32;
/// How many strangers are told that they are wrong at the same time; the others are left.
const MAX_REFUSALS: usize = 32;
/// How long the last page may take when the bridge has said good-bye.
const FAREWELL: Duration = Duration::from_millis(400);
/// A person does not notice it, and it costs one connection to ourselves.
const NUDGE: Duration = Duration::from_millis(250);
/// How long a port may still belong to the listener of a bridge that was killed.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is tried.
const RETRY: Duration = Duration::from_millis(50);

/// Serves until `commands` ends.
pub(super) fn serve(commands: impl BufRead, news: impl Write + Send + 'static) {
    let shared = Arc::new(Shared {
        news: Mutex::new(Box::new(news)),
        waiting: Mutex::new(Waiting::default()),
        refusals: AtomicUsize::new(0),
    });
    // Closed when the last answer is written.
    let (writing, written) = mpsc::channel::<()>();
    for line in commands.lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Command::Bind { ports, path, host }) => bind(&shared, &ports, &path, &host),
            Ok(Command::Open { url, browser }) => {
                let late = Arc::clone(&shared);
                let failed = move |reason| late.tell(&News::OpenFailed(reason));
                if let Err(reason) = browser::open(url.expose(), browser.as_deref(), failed) {
                    shared.tell(&News::OpenFailed(reason));
                }
            }
            Ok(Command::Answer { id, page, hint, scene }) => {
                if let Some(request) = shared.take(id) {
                    let answer = Answer::new(page, hint.as_deref(), &scene);
                    let writing = writing.clone();
                    thread::spawn(move || {
                        respond(request, &answer);
                        drop(writing);
                    });
                }
            }
            Err(_) => break,
        }
    }
    drop(writing);
    written.recv_timeout(FAREWELL).ok();
}

struct Shared {
    news: Mutex<Box<dyn Write + Send>>,
    waiting: Mutex<Waiting>,
    refusals: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    requests: HashMap<u64, Request>,
}

impl Shared {
    fn tell(&self, news: &News) {
        let mut out = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(line) = serde_json::to_string(news) {
            // The bridge is gone; so is this process, in a moment.
            out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).ok();
        }
    }

    fn keep(&self, request: Request) -> Result<u64, Request> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if MAX_WAITING <= waiting.requests.len() {
            return Err(request);
        }
        waiting.last += 1;
        let id = waiting.last;
        waiting.requests.insert(id, request);
        Ok(id)
    }

    fn take(&self, id: u64) -> Option<Request> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).requests.remove(&id)
    }

    fn refuse(self: &Arc<Self>, request: Request, status: &'static str) {
        if MAX_REFUSALS <= self.refusals.fetch_add(1, Ordering::AcqRel) {
            self.refusals.fetch_sub(1, Ordering::AcqRel);
            // Not dropped: `tiny_http` would wait until it can answer.
            std::mem::forget(request);
            return;
        }
        let shared = Arc::clone(self);
        thread::spawn(move || {
            respond(request, &Answer { status, location: None, html: String::new() });
            shared.refusals.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

/// Listens on a port, once it is free.
fn listen(address: SocketAddr, patience: Duration) -> std::io::Result<TcpListener> {
    let mut waited = Duration::ZERO;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && waited < patience => {
                thread::sleep(RETRY);
                waited += RETRY;
            }
            result => return result,
        }
    }
}

fn bind(shared: &Arc<Shared>, ports: &[u16], path: &str, host: &str) {
    let mut failure = "no port was named".to_owned();
    let address = match host {
        "[::1]" => IpAddr::from(Ipv6Addr::LOCALHOST),
        _ => IpAddr::from(Ipv4Addr::LOCALHOST),
    };
    for (index, port) in ports.iter().enumerate() {
        // Nothing but the last one will do, and its last user may be on its way out.
        let patience = if index + 1 == ports.len() { PATIENCE } else { Duration::ZERO };
        let listener = match listen((address, *port).into(), patience) {
            Ok(listener) => listener,
            Err(error) => {
                failure = format!("port {port}: {error}");
                continue;
            }
        };
        let Ok(port) = listener.local_addr().map(|address| address.port()) else { continue };
        let mut listeners = vec![listener];
        if host == "localhost" {
            // A browser may try this one first; without it the other one serves.
            let second = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
            listeners.extend(TcpListener::bind(second));
        }
        for listener in listeners {
            let Ok(address) = listener.local_addr() else { continue };
            let Ok(server) = Server::from_listener(listener, None) else { continue };
            let names = [host, "127.0.0.1", "localhost", "[::1]"];
            let door = Door {
                address,
                path: path.to_owned(),
                hosts: names.iter().map(|name| format!("{name}:{port}")).collect(),
            };
            let shared = Arc::clone(shared);
            thread::spawn(move || door.attend(&server, &shared));
        }
        return shared.tell(&News::Bound(port));
    }
    shared.tell(&News::BindFailed(failure));
}

/// What is let in.
struct Door {
    address: SocketAddr,
    path: String,
    hosts: Vec<String>,
}

impl Door {
    fn attend(&self, server: &Server, shared: &Arc<Shared>) {
        loop {
            match server.recv_timeout(NUDGE) {
                Ok(Some(request)) => self.receive(request, shared),
                // Of connections that come in a burst `tiny_http` may queue some behind others
                // that say nothing, as browsers open them in advance. The thread that it starts
                // for one more connection then takes what is queued.
                Ok(None) => drop(TcpStream::connect_timeout(&self.address, NUDGE)),
                // It accepts no more. The bridge hears of it as of any other end.
                Err(_) => std::process::exit(1),
            }
        }
    }

    fn receive(&self, request: Request, shared: &Arc<Shared>) {
        let expects = request.headers().iter().any(|header| header.field.equiv("Expect"));
        if expects || request.body_length().unwrap_or(0) > 0 {
            std::mem::forget(request);
            return;
        }
        if let Some(status) = self.objection(&request) {
            shared.refuse(request, status);
            return;
        }
        let query = request.url().split_once('?').map(|(_, query)| query.to_owned());
        match shared.keep(request) {
            Ok(id) => {
                let query = Secret::new(query.unwrap_or_default());
                shared.tell(&News::Redirected { id, query });
            }
            Err(request) => shared.refuse(request, "503 Service Unavailable"),
        }
    }

    fn objection(&self, request: &Request) -> Option<&'static str> {
        let is_own = |name: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
        // A page that has another name point to this machine is not answered.
        let hosts: Vec<_> = values(request, "Host").collect();
        if !matches!(*hosts, [host] if is_own(host)) {
            return Some("400 Bad Request");
        }
        // A navigation has no origin, or after some redirects an opaque one; a script has one.
        let is_harmless =
            |origin: &str| origin == "null" || origin.strip_prefix("http://").is_some_and(is_own);
        if !values(request, "Origin").all(is_harmless) {
            return Some("400 Bad Request");
        }
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        if path != self.path {
            return Some("404 Not Found");
        }
        if *request.method() != Method::Get {
            return Some("405 Method Not Allowed");
        }
        (MAX_QUERY < query.len()).then_some("414 URI Too Long")
    }
}

fn values<'a>(request: &'a Request, name: &'static str) -> impl Iterator<Item = &'a str> {
    let named = request.headers().iter().filter(move |header| header.field.equiv(name));
    named.map(|header| header.value.as_str())
}

/// What a browser gets.
struct Answer {
    status: &'static str,
    location: Option<String>,
    html: String,
}

impl Answer {
    fn new(page: Page, hint: Option<&str>, scene: &Scene) -> Self {
        if let (Page::Onward, Some(url)) = (page, hint) {
            // The bridge has checked it; what is no URL must not break the head of the answer.
            let location = Url::parse(url).ok().map(String::from);
            return Self { status: "303 See Other", location, html: String::new() };
        }
        let status = if page == Page::SignedIn { "200 OK" } else { "400 Bad Request" };
        Self { status, location: None, html: page::render(page, hint, scene) }
    }
}

/// Writes the whole answer by hand: `tiny_http` keeps connections open otherwise.
fn respond(request: Request, answer: &Answer) {
    let Answer { status, location, html } = answer;
    let location = location.as_ref().map(|url| format!("Location: {url}\r\n"));
    let mut out = request.into_writer();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         {}Connection: close\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; \
         style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n",
        html.len(),
        location.unwrap_or_default()
    );
    // A browser that has left does not read its page.
    out.write_all(head.as_bytes())
        .and_then(|()| out.write_all(html.as_bytes()))
        .and_then(|()| out.flush())
        .ok();
}

#[cfg(test)]
mod tests;
