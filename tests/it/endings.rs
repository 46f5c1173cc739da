//! How it ends: closed stdin in every state, signals, refusals, outages.

use std::io::{BufRead, BufReader, PipeWriter, Read, Write, pipe};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::{Auth, Consent, Gateway, Plan};
use serde_json::{Value, json};

use crate::raw;
use crate::support::{Bridge, Home, Person, check_end};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"it","version":"1"}}}"#;

#[test]
fn before_anything_was_said() {
    check_end(&Bridge::start(&Home::new(), &["http://127.0.0.1:9/mcp"]).end(), 0);
}

#[test]
fn while_a_person_is_expected_to_sign_in() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    for url in [gateway.sse_url("acme"), gateway.http_url("acme")] {
        let home = Home::new();
        let mut bridge = Bridge::start_with(&home, Person::Absent, &[&url, "--debug"], &[]);
        bridge.send(INITIALIZE);
        home.wait_for_browser();
        let ended = bridge.end();
        check_end(&ended, 4);
        assert!(ended.stderr.contains("please sign in"), "{}", ended.stderr);
        let answer: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
        assert_eq!(answer["error"]["code"], -31002);
        assert!(answer["error"]["message"].as_str().unwrap().contains("/authorize"));
        // The listener is gone with the bridge.
        let port = ended.stderr.split("localhost%3A").nth(1).unwrap();
        let port: u16 = port.split('%').next().unwrap().parse().unwrap();
        let free = (0..500).any(|_| {
            thread::sleep(Duration::from_millis(2));
            TcpListener::bind(("127.0.0.1", port)).is_ok()
        });
        assert!(free, "port {port} is still taken");
    }
}

#[test]
fn while_the_gateway_is_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for path in ["mcp", "sse"] {
        let url = format!("http://127.0.0.1:{port}/{path}");
        let mut bridge = Bridge::start(&Home::new(), &[&url]);
        bridge.send(INITIALIZE);
        let ended = bridge.end();
        assert!(ended.took.as_secs() < 2, "{:?}", ended.took);
        let answer: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
        assert_eq!(answer["error"]["code"], -31008);
    }
}

/// More waits than the bridge will hold, so that it does not read on; the end is seen all the same.
#[test]
fn while_more_waits_than_can_be_held() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/mcp", silent.local_addr().unwrap().port());
    let mut bridge = Bridge::start(&Home::new(), &[&url]);
    bridge.send(INITIALIZE);
    let large = "x".repeat(42_000_000);
    // The second one is read and waits; a third would not even be read.
    for id in 1..=2 {
        let line =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":{{"p":"{large}"}}}}"#);
        bridge.send(&line);
    }
    let ended = bridge.end();
    assert!(ended.took.as_secs() < 2, "{:?}", ended.took);
}

/// A pipe that nobody reads and into which nothing fits any more.
fn full() -> (std::io::PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // Ends with the reader.
    thread::spawn(move || filler.write_all(&vec![b'x'; 1 << 20]));
    (reader, writer)
}

/// Neither pipe is read, and the gateway answers neither the call nor the farewell.
#[test]
fn with_nobody_who_reads() {
    let origin = raw::serve(|request| match request.json()["method"].as_str() {
        Some("slow") => request.hold(),
        _ if request.method == "DELETE" => request.hold(),
        _ => request.shake_hands(),
    });
    let (home, (_out, stdout), (_err, stderr)) = (Home::new(), full(), full());
    let mut child = home
        .command(Person::Absent)
        .args([&format!("{origin}/mcp"), "--debug"])
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let slow = r#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#;
    stdin.write_all(format!("{INITIALIZE}\n{initialized}\n{slow}\n").as_bytes()).unwrap();
    // Until the call is under way; nothing that the bridge says could be read.
    thread::sleep(Duration::from_millis(500));
    drop(stdin);
    let started = Instant::now();
    child.wait().unwrap();
    assert!(started.elapsed() < Duration::from_millis(1900), "{:?}", started.elapsed());
}

#[test]
fn with_a_wrong_key() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    for url in [gateway.sse_url("acme"), gateway.http_url("acme")] {
        let home = Home::new();
        let args = [url.as_str(), "--header", "X-API-Key:wrong-key-value"];
        let mut bridge = Bridge::start(&home, &args);
        bridge.send(INITIALIZE);
        let answer = bridge.answer(0);
        assert_eq!(answer["error"]["code"], -31003, "{answer}");
        let ended = bridge.end();
        check_end(&ended, 4);
        assert!(ended.stderr.contains("X-API-Key"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("wrong-key-value"));
        assert_eq!(home.browsers(), 0);
    }
}

#[test]
fn with_a_gateway_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for path in ["mcp", "sse"] {
        let url = format!("http://127.0.0.1:{port}/{path}");
        let mut bridge = Bridge::start(&Home::new(), &[&url]);
        bridge.send(INITIALIZE);
        let answer = bridge.answer(0);
        assert_eq!(answer["error"]["code"], -31001, "{answer}");
        assert_eq!(answer["error"]["data"]["bridge"], "apexmcp-bridge");
        let ended = bridge.end();
        check_end(&ended, 5);
        assert!(ended.stderr.contains("cannot be reached"), "{}", ended.stderr);
    }
}

#[test]
fn when_the_person_says_no() {
    let gateway = Gateway::start(Plan { consent: Consent::Deny, ..Plan::default() }).unwrap();
    let home = Home::new();
    let mut bridge = Bridge::start(&home, &[&gateway.http_url("acme")]);
    bridge.send(INITIALIZE);
    let answer = bridge.answer(0);
    assert!(answer["error"]["message"].as_str().unwrap().contains("access_denied"), "{answer}");
    check_end(&bridge.end(), 4);
    assert_eq!(home.browsers(), 1);
}

#[test]
fn with_a_gateway_from_before_the_sign_in() {
    let gateway = Gateway::start(Plan { old_release: true, ..Plan::default() }).unwrap();
    let home = Home::new();
    let mut bridge = Bridge::start(&home, &[&gateway.http_url("acme")]);
    bridge.send(INITIALIZE);
    let answer = bridge.answer(0);
    assert_eq!(answer["error"]["code"], -31002, "{answer}");
    check_end(&bridge.end(), 4);
}

#[test]
fn with_a_wrong_command_line() {
    let home = Home::new();
    let ended = Bridge::start(&home, &["ftp://x"]).end();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    assert!(ended.stdout.is_empty());
}

#[cfg(unix)]
#[test]
fn by_a_signal() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    for (name, status) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
        bridge.handshake("2025-06-18");
        bridge.request(1, "ping", json!({}));
        let pid = bridge.id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args([&format!("-{name}"), &pid]).status().unwrap().success());
        check_end(&bridge.ended(), status);
        assert_eq!(gateway.requests().last().unwrap().method, "DELETE");
    }
}

/// Another child of the host may hold the bridge's stdin open when the host is gone.
#[cfg(unix)]
#[test]
fn when_the_host_is_gone_and_stdin_is_still_open() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    let home = Home::new();
    let bridge = home.command(Person::Absent);
    let mut host = Command::new("sh");
    let script = "exec 3<&0; \"$0\" \"$@\" <&3 3<&- & wait";
    host.args(["-c", script]).arg(bridge.get_program()).arg(gateway.http_url("acme"));
    host.env_clear().envs(bridge.get_envs().filter_map(|(name, value)| Some((name, value?))));
    host.env("APEXMCP_API_KEY", gateway.api_key("acme").unwrap());
    let mut host =
        host.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = host.stdin.take().unwrap();
    let mut stdout = BufReader::new(host.stdout.take().unwrap());
    stdin.write_all(format!("{INITIALIZE}\n").as_bytes()).unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("result"), "{line}");
    host.kill().unwrap();
    host.wait().unwrap();
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        // The last one who could write has ended when this returns.
        stdout.read_to_string(&mut String::new()).ok();
        ended.send(()).ok();
    });
    end.recv_timeout(Duration::from_secs(10)).expect("the bridge goes on without its host");
    assert_eq!(gateway.requests().iter().filter(|entry| entry.method == "DELETE").count(), 1);
    drop(stdin);
}
