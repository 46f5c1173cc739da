//! Flags of mcp-remote that change the conversation itself.

use std::sync::{Arc, Mutex};

use apexmcp_bridge::mock::{Auth, Consent, Gateway, Plan};
use serde_json::{Value, json};

use super::raw::{Request, serve};
use super::support::{Bridge, Home, Person, check_end};

/// A bridge in front of a server that answers calls like this, after the handshake.
fn with(call: impl Fn(&mut Request) + Clone + Send + 'static, flags: &[&str]) -> (Bridge, Home) {
    let origin = serve(move |request| {
        if request.json()["method"] == "tools/call" {
            call(request);
        } else {
            request.shake_hands();
        }
    });
    let home = Home::new();
    let url = format!("{origin}/mcp");
    let args: Vec<_> = [url.as_str()].into_iter().chain(flags.iter().copied()).collect();
    let mut bridge = Bridge::start_with(&home, Person::Absent, &args, &[]);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    (bridge, home)
}

#[test]
fn an_answer_that_does_not_begin_or_does_not_go_on_has_a_limit() {
    let silent = |request: &mut Request| request.hold();
    let stalls = |request: &mut Request| {
        request.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
        request.write(b"content-length: 100\r\n\r\n{\"jsonrpc\"");
        request.hold();
    };
    let stream_stalls = |request: &mut Request| {
        request.stream();
        request.write(b": hello\n\n");
        request.hold();
    };
    let cases = [
        with(silent, &["--headers-timeout", "0.3"]),
        with(stalls, &["--body-timeout", "0.3"]),
        with(stream_stalls, &["--body-timeout=0.3"]),
    ];
    for (number, (mut bridge, _home)) in cases.into_iter().enumerate() {
        let answer = bridge.call(1, "echo", json!({}));
        assert!(answer["error"]["code"].is_number(), "{number}: {answer}");
        bridge.end();
    }
}

/// What a server that sets a cookie gets back with each message.
fn cookies(flags: &[&str]) -> Vec<String> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let origin = serve(move |request| {
        let message = request.json();
        let cookie = request.headers.iter().filter(|line| line.starts_with("cookie:"));
        log.lock().unwrap().extend(cookie.map(|line| line["cookie:".len()..].trim().to_owned()));
        if message["method"] == "initialize" {
            let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {} });
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
            let headers = "content-type: application/json\r\nSet-Cookie: AWSALB=a/b=; Path=/; \
                           Max-Age=60\r\n";
            request.reply(200, headers, answer.to_string().as_bytes());
        } else {
            request.shake_hands();
        }
    });
    let home = Home::new();
    let url = format!("{origin}/mcp");
    let args: Vec<_> = [url.as_str()].into_iter().chain(flags.iter().copied()).collect();
    let mut bridge = Bridge::start_with(&home, Person::Absent, &args, &[]);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    let ended = bridge.end();
    check_end(&ended, 0);
    assert!(!ended.stderr.contains("a/b="), "{}", ended.stderr);
    seen.lock().unwrap().clone()
}

#[test]
fn the_cookies_of_a_load_balancer_are_sent_back() {
    let sent = cookies(&["--debug"]);
    assert!(!sent.is_empty() && sent.iter().all(|cookie| cookie == "AWSALB=a/b="), "{sent:?}");
    assert!(cookies(&["--disable-cookies"]).is_empty());
    let mine = cookies(&["--header", "Cookie: mine=1"]);
    assert!(mine.iter().all(|cookie| cookie == "mine=1") && 1 < mine.len(), "{mine:?}");
}

#[test]
fn a_tool_that_is_ignored_is_neither_listed_nor_called() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    let home = Home::new();
    for url in [gateway.http_url("acme"), gateway.sse_url("acme")] {
        let args = [&url, "--ignore-tool", "ECH*", "--ignore-tool=slow"];
        let mut bridge = Bridge::start_with(&home, Person::Absent, &args, &[]);
        assert!(bridge.handshake("2025-06-18")["result"].is_object());
        bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        let list = bridge.answer(1);
        let names: Vec<_> = list["result"]["tools"].as_array().unwrap().iter().collect();
        let has = |name: &str| names.iter().any(|tool| tool["name"] == name);
        assert!(has("query_postgres_orders") && !has("echo") && !has("slow"), "{list}");
        let answer = bridge.call(2, "echo", json!({ "text": "x" }));
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("`echo`"), "{answer}");
        let answer: Value = bridge.call(
            3,
            "query_postgres_orders",
            json!({ "sql": "SELECT * FROM orders LIMIT 1" }),
        );
        assert!(answer["result"].is_object(), "{answer}");
        check_end(&bridge.end(), 0);
    }
    assert_eq!(gateway.calls("echo"), 0);
}

#[test]
fn configured_headers_stay_at_home() {
    let plan = Plan { consent: Consent::Approve, ..Plan::default() };
    let gateway = Gateway::start(plan).unwrap();
    let home = Home::new();
    for url in [gateway.http_url("acme"), gateway.sse_url("acme")] {
        let args = [&url, "--header", "X-Tenant: acme"];
        let mut bridge = Bridge::start_with(&home, Person::Present, &args, &[]);
        assert!(bridge.handshake("2025-06-18")["result"].is_object());
        gateway.expire_access_tokens();
        let answer = bridge.call(1, "echo", json!({ "text": "x" }));
        assert!(answer["result"].is_object(), "{answer}");
        check_end(&bridge.end(), 0);
    }
    // Metadata, registration, sign-in and both kinds of token requests were among them.
    let seen = gateway.requests();
    assert_eq!(seen.iter().filter(|it| it.path.ends_with("/token")).count(), 4);
    for request in seen {
        let is_endpoint = request.path.starts_with("/mcp/");
        assert_eq!(request.header("x-tenant").is_some(), is_endpoint, "{request:?}");
    }
}
