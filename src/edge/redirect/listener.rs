//! The listener itself: one path, GET only, and strangers cost nothing.
//!
//! `tiny_http` allocates whatever `Content-Length` an unread request declares when the request is
//! dropped, which can end the process. So a request with a body is never dropped here; it is left
//! to the end of this short-lived process. Nor does it know time limits, and one answer waits for
//! the one before it on the same connection: each answer has a thread of its own.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tiny_http::{Method, Request, Server};

use super::{Command, News, Page, browser, page};
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
                if let Err(reason) = browser::open(url.expose(), browser.as_deref()) {
                    shared.tell(&News::OpenFailed(reason));
                }
            }
            Ok(Command::Answer { id, page, hint }) => {
                if let Some(request) = shared.take(id) {
                    let status = if page == Page::SignedIn { "200 OK" } else { "400 Bad Request" };
                    let page = page::render(page, hint.as_deref());
                    let writing = writing.clone();
                    thread::spawn(move || {
                        respond(request, status, &page);
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
            respond(request, status, "");
            shared.refusals.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

fn bind(shared: &Arc<Shared>, ports: &[u16], path: &str, host: &str) {
    let mut failure = "no port was named".to_owned();
    for port in ports {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, *port)) {
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

/// Writes the whole answer by hand: `tiny_http` keeps connections open otherwise.
fn respond(request: Request, status: &str, html: &str) {
    let mut out = request.into_writer();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; \
         style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n",
        html.len()
    );
    // A browser that has left does not read its page.
    out.write_all(head.as_bytes())
        .and_then(|()| out.write_all(html.as_bytes()))
        .and_then(|()| out.flush())
        .ok();
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, PipeWriter, Read};

    use super::*;

    struct Helper {
        commands: PipeWriter,
        news: mpsc::Receiver<String>,
        port: u16,
    }

    impl Helper {
        fn start() -> Self {
            let (input, commands) = std::io::pipe().unwrap();
            let (news, output) = std::io::pipe().unwrap();
            thread::spawn(move || serve(BufReader::new(input), output));
            let (lines, inbox) = mpsc::channel();
            thread::spawn(move || {
                BufReader::new(news).lines().map_while(Result::ok).try_for_each(|l| lines.send(l))
            });
            let mut helper = Self { commands, news: inbox, port: 0 };
            helper.command(&Command::Bind {
                ports: vec![0],
                path: "/oauth/callback".to_owned(),
                host: "127.0.0.1".to_owned(),
            });
            let News::Bound(port) = helper.news() else { panic!() };
            helper.port = port;
            helper
        }

        fn command(&mut self, command: &Command) {
            let line = serde_json::to_string(command).unwrap();
            writeln!(self.commands, "{line}").unwrap();
        }

        fn news(&self) -> News {
            let line = self.news.recv_timeout(Duration::from_secs(20)).unwrap();
            serde_json::from_str(&line).unwrap()
        }

        fn send(&self, request: &str) -> TcpStream {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let request = request.replace("HOST", &format!("127.0.0.1:{}", self.port));
            stream.write_all(request.as_bytes()).unwrap();
            stream
        }

        fn ask(&self, request: &str) -> String {
            answer(self.send(request))
        }
    }

    /// One whole answer; the listener leaves it to the browser to close.
    fn answer(stream: TcpStream) -> String {
        let mut stream = BufReader::new(stream);
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut text).unwrap(), 0, "cut off: {text}");
        }
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        text + &String::from_utf8(body).unwrap()
    }

    const GOOD: &str = "GET /oauth/callback?code=abc&state=s HTTP/1.1\r\nHost: HOST\r\n\r\n";

    #[test]
    fn strangers_are_refused_and_the_real_one_is_served() {
        let mut helper = Helper::start();
        for (request, status) in [
            ("GET /favicon.ico HTTP/1.1\r\nHost: HOST\r\n\r\n", "404"),
            ("GET /oauth/callback/x?code=1 HTTP/1.1\r\nHost: HOST\r\n\r\n", "404"),
            ("POST /oauth/callback?code=1 HTTP/1.1\r\nHost: HOST\r\n\r\n", "405"),
            ("GET /oauth/callback?code=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n", "400"),
            ("GET /oauth/callback?code=1 HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", "400"),
            ("GET /oauth/callback HTTP/1.1\r\nHost: HOST\r\nOrigin: http://evil\r\n\r\n", "400"),
        ] {
            let answer = helper.ask(request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
        }
        // Declares more memory than there is; must not end the process.
        let _held =
            helper.send("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1099511627776\r\n\r\n");
        let browser = helper.send(GOOD);
        let News::Redirected { id, query } = helper.news() else { panic!() };
        assert_eq!(query.expose(), "code=abc&state=s");
        helper.command(&Command::Answer { id, page: Page::SignedIn, hint: None });
        let answer = answer(browser);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        for header in ["no-store", "no-referrer", "default-src 'none'", "Connection: close"] {
            assert!(answer.contains(header), "{header}");
        }
        assert!(answer.contains("You are signed in"));
        assert!(!answer.contains("abc"), "nothing of the address is shown");
    }

    #[test]
    fn connections_that_say_nothing_hold_nobody_up() {
        let mut helper = Helper::start();
        for burst in [3, 9, 1, 14] {
            let _silent: Vec<_> = (0..burst).map(|_| helper.send("")).collect();
            let browser = helper.send(GOOD);
            let News::Redirected { id, .. } = helper.news() else { panic!() };
            helper.command(&Command::Answer { id, page: Page::Stale, hint: None });
            assert!(answer(browser).contains("400 "));
        }
    }

    #[test]
    fn a_second_request_on_a_waiting_connection_holds_nobody_up() {
        let helper = Helper::start();
        let _waiting = helper.send(&(GOOD.to_owned() + "GET /x HTTP/1.1\r\nHost: HOST\r\n\r\n"));
        let News::Redirected { .. } = helper.news() else { panic!() };
        let _browser = helper.send(GOOD);
        let News::Redirected { .. } = helper.news() else { panic!() };
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let mut helper = Helper::start();
        let bind = |ports| Command::Bind {
            ports,
            path: "/oauth/callback".to_owned(),
            host: "127.0.0.1".to_owned(),
        };
        helper.command(&bind(vec![port]));
        assert!(matches!(helper.news(), News::BindFailed(_)));
        helper.command(&bind(vec![port, 0]));
        assert!(matches!(helper.news(), News::Bound(other) if other != port));
    }

    #[test]
    fn a_bad_address_is_not_opened() {
        let mut helper = Helper::start();
        let url = Secret::new("file:///etc/passwd".to_owned());
        helper.command(&Command::Open { url, browser: None });
        assert!(matches!(helper.news(), News::OpenFailed(_)));
    }
}
