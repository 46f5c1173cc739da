//! The listener itself: one path, GET only, and strangers cost nothing.
//!
//! `tiny_http` allocates whatever `Content-Length` an unread request declares when the request is
//! dropped, which can end the process. So a request with a body is never dropped here; it is left
//! to the end of this short-lived process.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tiny_http::{Method, Request, Server};

use super::{Command, News, Page, browser, page};
use crate::secret::Secret;

/// A longer query is no redirect.
const MAX_QUERY: usize = 8 << 10;
/// How many redirects may wait for their answer.
const MAX_WAITING: usize = 32;

/// Serves until `commands` ends.
pub(super) fn serve(commands: impl BufRead, news: impl Write + Send + 'static) {
    let shared = Arc::new(Shared {
        news: Mutex::new(Box::new(news)),
        waiting: Mutex::new(Waiting::default()),
    });
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
                    respond(request, status, &page::render(page, hint.as_deref()));
                }
            }
            Err(_) => break,
        }
    }
}

struct Shared {
    news: Mutex<Box<dyn Write + Send>>,
    waiting: Mutex<Waiting>,
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
            let Ok(server) = Server::from_listener(listener, None) else { continue };
            let hosts = [host, "127.0.0.1", "localhost", "[::1]"];
            let door = Door {
                path: path.to_owned(),
                hosts: hosts.iter().map(|host| format!("{host}:{port}")).collect(),
            };
            let shared = Arc::clone(shared);
            thread::spawn(move || {
                for request in server.incoming_requests() {
                    door.receive(request, &shared);
                }
            });
        }
        return shared.tell(&News::Bound(port));
    }
    shared.tell(&News::BindFailed(failure));
}

/// What is let in.
struct Door {
    path: String,
    hosts: Vec<String>,
}

impl Door {
    fn receive(&self, request: Request, shared: &Shared) {
        if request.body_length().unwrap_or(0) > 0 {
            std::mem::forget(request);
            return;
        }
        if let Some(status) = self.refuse(&request) {
            respond(request, status, "");
            return;
        }
        let query = request.url().split_once('?').map(|(_, query)| query.to_owned());
        match shared.keep(request) {
            Ok(id) => {
                let query = Secret::new(query.unwrap_or_default());
                shared.tell(&News::Redirected { id, query });
            }
            Err(request) => respond(request, "503 Service Unavailable", ""),
        }
    }

    fn refuse(&self, request: &Request) -> Option<&'static str> {
        let mut named = request.headers().iter().filter(|header| header.field.equiv("Host"));
        let host = named.next().map(|header| header.value.as_str());
        // A page that has another name point to this machine is not answered.
        let known =
            host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)));
        if !known || named.next().is_some() {
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
    use std::io::{BufReader, PipeReader, PipeWriter, Read};
    use std::net::TcpStream;

    use super::*;

    struct Helper {
        commands: PipeWriter,
        news: BufReader<PipeReader>,
        port: u16,
    }

    impl Helper {
        fn start() -> Self {
            let (input, commands) = std::io::pipe().unwrap();
            let (news, output) = std::io::pipe().unwrap();
            thread::spawn(move || serve(BufReader::new(input), output));
            let mut helper = Self { commands, news: BufReader::new(news), port: 0 };
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

        fn news(&mut self) -> News {
            let mut line = String::new();
            self.news.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap()
        }

        fn send(&self, request: &str) -> TcpStream {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
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
