use std::io::{BufReader, PipeWriter, Read};

use super::*;

fn scene() -> Scene {
    Scene { server: "mcp.example".to_owned(), terminal: false }
}

struct Helper {
    commands: PipeWriter,
    news: mpsc::Receiver<String>,
    port: u16,
}

impl Helper {
    fn start() -> Self {
        Self::start_at("127.0.0.1")
    }

    fn start_at(host: &str) -> Self {
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
            host: host.to_owned(),
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
    helper.command(&Command::Answer { id, page: Page::SignedIn, hint: None, scene: scene() });
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
        helper.command(&Command::Answer { id, page: Page::Stale, hint: None, scene: scene() });
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

#[test]
fn a_browser_is_sent_on() {
    let mut helper = Helper::start();
    let stream = helper.send("GET /oauth/callback?code=1 HTTP/1.1\r\nHost: HOST\r\n\r\n");
    let News::Redirected { id, .. } = helper.news() else { panic!() };
    let hint = Some("https://own.example/done".to_owned());
    helper.command(&Command::Answer { id, page: Page::Onward, hint, scene: scene() });
    let text = answer(stream);
    assert!(text.starts_with("HTTP/1.1 303 "), "{text}");
    assert!(text.contains("\r\nLocation: https://own.example/done\r\n"), "{text}");
}

#[test]
fn the_other_loopback_is_listened_on_where_it_is_named() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        let text = b"skipped: this machine has no IPv6\n";
        Write::write_all(&mut std::io::stderr(), text).unwrap();
        return;
    }
    let helper = Helper::start_at("[::1]");
    let mut stream = TcpStream::connect((Ipv6Addr::LOCALHOST, helper.port)).unwrap();
    let request =
        format!("GET /oauth/callback?x=1 HTTP/1.1\r\nHost: [::1]:{}\r\n\r\n", helper.port);
    stream.write_all(request.as_bytes()).unwrap();
    assert!(matches!(helper.news(), News::Redirected { .. }));
}

#[cfg(unix)]
#[test]
fn a_browser_that_ends_badly_is_told() {
    let mut helper = Helper::start();
    let url = Secret::new("https://as.example/".to_owned());
    helper.command(&Command::Open { url, browser: Some("false".to_owned()) });
    let News::OpenFailed(reason) = helper.news() else { panic!() };
    assert!(reason.contains("`false`"), "{reason}");
}
