//! TLS with an authority of the user's own, a proxy on the way, and certificates that are wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use apexmcp_bridge::mock::{Auth, Consent, Gateway, Plan};
use serde_json::{Value, json};

use super::support::{Bridge, Ended, Home, Person, check_end};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"it","version":"1"}}}"#;

fn secure() -> (Gateway, Home, String) {
    let plan = Plan { tls: true, consent: Consent::Approve, ..Plan::default() };
    let gateway = Gateway::start(plan).unwrap();
    let home = Home::new();
    let ca = home.path().join("ca.pem");
    std::fs::write(&ca, gateway.ca_certificate().unwrap()).unwrap();
    (gateway, home, ca.to_str().unwrap().to_owned())
}

fn refused(home: &Home, args: &[&str], env: &[(&str, &str)]) -> (Value, Ended) {
    let mut bridge = Bridge::start_with(home, Person::Absent, args, env);
    bridge.send(INITIALIZE);
    let answer = bridge.answer(0);
    assert!(answer["error"].is_object(), "{answer}");
    (answer, bridge.end())
}

#[test]
fn an_authority_that_the_user_names_is_trusted() {
    let (gateway, home, ca) = secure();
    let key = gateway.api_key("acme").unwrap();
    for url in [gateway.http_url("acme"), gateway.sse_url("acme")] {
        for (args, env) in [
            (vec![url.as_str(), "--ca-cert", &ca], vec![]),
            (vec![url.as_str()], vec![("NODE_EXTRA_CA_CERTS", ca.as_str())]),
            (vec![url.as_str()], vec![("SSL_CERT_FILE", ca.as_str())]),
        ] {
            let env: Vec<_> = env.into_iter().chain([("APEXMCP_API_KEY", key)]).collect();
            let mut bridge = Bridge::start_with(&home, Person::Absent, &args, &env);
            assert!(bridge.handshake("2025-06-18")["result"].is_object());
            let answer = bridge.call(1, "echo", json!({ "text": "x" }));
            assert!(answer["result"].is_object(), "{answer}");
            check_end(&bridge.end(), 0);
        }
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_and_the_hint_says_what_to_do() {
    let (gateway, home, _) = secure();
    let (answer, ended) = refused(&home, &[&gateway.http_url("acme")], &[]);
    assert_eq!(answer["error"]["code"], -31001, "{answer}");
    let hint = answer["error"]["data"]["hint"].as_str().unwrap();
    assert!(hint.contains("--ca-cert"), "{answer}");
    check_end(&ended, 5);
}

#[test]
fn certificates_that_are_wrong_are_refused_whoever_signed_them() {
    for (fault, word) in [("net.tls_expired", "expired"), ("net.tls_wrong_name", "name")] {
        let (gateway, home, ca) = secure();
        gateway.order(fault).unwrap();
        let url = gateway.http_url("acme");
        let (answer, ended) = refused(&home, &[&url, "--ca-cert", &ca], &[]);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{fault}: {message}");
        check_end(&ended, 5);
    }
}

#[test]
fn a_whole_sign_in_over_tls() {
    let (gateway, home, ca) = secure();
    // The browser of the test trusts the same authority.
    let env = [("CURL_CA_BUNDLE", ca.as_str())];
    let args = [&gateway.http_url("acme"), "--ca-cert", &ca];
    let mut bridge = Bridge::start_with(&home, Person::Present, &args, &env);
    let answer = bridge.handshake("2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-mock-gateway", "{answer}");
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 1);
}

/// A proxy that passes everything to one gateway, whatever name was asked for.
fn proxy(gateway: &Gateway) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let target = gateway.base_url().trim_start_matches("http://").to_owned();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    thread::spawn(move || {
        for client in listener.incoming().take(20).flatten() {
            seen.fetch_add(1, Ordering::Relaxed);
            let target = target.clone();
            thread::spawn(move || pass_on(client, &target));
        }
    });
    (address, count)
}

/// Takes the absolute form of the first request apart (RFC 9112 §3.2.2), and copies the rest.
fn pass_on(mut client: TcpStream, target: &str) {
    let mut server = TcpStream::connect(target).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
    }
    let text = String::from_utf8(head).unwrap();
    let text = text
        .replace("http://gateway.test", "")
        .replace("host: gateway.test", &format!("host: {target}"))
        .replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(text.as_bytes()).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
    std::io::copy(&mut server, &mut client).ok();
    client.shutdown(std::net::Shutdown::Both).ok();
}

#[test]
fn a_proxy_of_the_environment_is_used_and_can_be_switched_off() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    let (address, count) = proxy(&gateway);
    let home = Home::new();
    let args = ["http://gateway.test/mcp/acme", "--allow-http"];
    let env = [("http_proxy", address.as_str())];
    let mut bridge = Bridge::start_with(&home, Person::Absent, &args, &env);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
    assert!(0 < count.load(Ordering::Relaxed));
    // Neither this machine nor what NO_PROXY names is asked for through it.
    let before = count.load(Ordering::Relaxed);
    let mut bridge = Bridge::start_with(&home, Person::Absent, &[&gateway.http_url("acme")], &env);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
    let no_proxy = [("http_proxy", address.as_str()), ("no_proxy", "gateway.test")];
    for (more, env) in [(&["--no-proxy"][..], &env[..]), (&[], &no_proxy[..])] {
        let (answer, _) = refused(&home, &[&args[..], more].concat(), env);
        assert_eq!(answer["error"]["code"], -31001, "{answer}");
    }
    assert_eq!(count.load(Ordering::Relaxed), before);
}

/// A SOCKS5 proxy (RFC 1928) without authentication, which knows one machine by every name; the
/// names that it was asked for are kept.
fn socks(port: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("socks5h://{}", listener.local_addr().unwrap());
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    thread::spawn(move || {
        for client in listener.incoming().take(20).flatten() {
            let seen = Arc::clone(&seen);
            thread::spawn(move || tunnel(client, port, &seen));
        }
    });
    (address, names)
}

fn tunnel(mut client: TcpStream, port: u16, seen: &Mutex<Vec<String>>) {
    let mut input = client.try_clone().unwrap();
    let mut read = |n: usize| {
        let mut bytes = vec![0; n];
        input.read_exact(&mut bytes).unwrap();
        bytes
    };
    let methods = read(2)[1];
    read(usize::from(methods));
    client.write_all(&[5, 0]).unwrap();
    // Connect, to a name.
    assert_eq!(read(4), [5, 1, 0, 3]);
    let length = read(1)[0];
    seen.lock().unwrap().push(String::from_utf8(read(usize::from(length))).unwrap());
    read(2);
    let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
    std::io::copy(&mut &server, &mut client).ok();
    client.shutdown(std::net::Shutdown::Both).ok();
}

#[test]
fn a_socks_proxy_is_given_the_name() {
    // Free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://gateway.test:{port}");
    let plan = Plan {
        auth: Auth::None,
        gateway_address: ([127, 0, 0, 1], port).into(),
        public_gateway_url: Some(url.clone()),
        ..Plan::default()
    };
    let _gateway = Gateway::start(plan).unwrap();
    let (address, names) = socks(port);
    let args = [&format!("{url}/mcp/acme"), "--allow-http"];
    let env = [("ALL_PROXY", address.as_str())];
    let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &args, &env);
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["result"].is_object(), "{answer}");
    check_end(&bridge.end(), 0);
    let names = names.lock().unwrap();
    assert!(!names.is_empty() && names.iter().all(|name| name == "gateway.test"), "{names:?}");
}

#[test]
fn ipv4_is_all_that_is_used_if_the_user_wants_that() {
    let address = "[::1]:0".parse().unwrap();
    let plan = Plan { auth: Auth::None, gateway_address: address, ..Plan::default() };
    let Ok(gateway) = Gateway::start(plan) else {
        // Past the harness, which would swallow it: a check that was not made says so.
        std::io::stderr().write_all(b"skipped: this machine has no IPv6\n").unwrap();
        return;
    };
    let port = gateway.base_url().rsplit(':').next().unwrap();
    let url = format!("http://[::1]:{port}/mcp/acme");
    let home = Home::new();
    let mut bridge = Bridge::start_with(&home, Person::Absent, &[&url], &[]);
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["result"].is_object(), "{answer}");
    check_end(&bridge.end(), 0);
    let (answer, ended) = refused(&home, &[&url, "--ipv4"], &[]);
    assert_eq!(answer["error"]["code"], -31001, "{answer}");
    check_end(&ended, 5);
}
