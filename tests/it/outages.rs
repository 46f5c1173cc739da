//! Gateways that go away and come back: every request gets one answer, and nothing runs twice.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::{Answers, Auth, Gateway, Plan};
use serde_json::{Value, json};

use crate::raw;
use crate::support::{Bridge, Home, PATIENCE, check_end};

fn gateway(answers: Answers) -> Gateway {
    Gateway::start(Plan { auth: Auth::None, answers, ..Plan::default() }).unwrap()
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// How often a message of this method has arrived.
fn seen(gateway: &Gateway, method: &str) -> usize {
    let requests = gateway.requests();
    let messages = requests.iter().flat_map(|request| &request.messages);
    messages.filter(|message| message.method.as_deref() == Some(method)).count()
}

fn send_call(bridge: &mut Bridge, id: u64, tool: &str, arguments: &Value) {
    let params = json!({ "name": tool, "arguments": arguments });
    let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
    bridge.send(&call.to_string());
}

/// Every request has one answer.
fn check(bridge: Bridge, requests: u64) {
    let ended = bridge.end();
    check_end(&ended, 0);
    for id in 0..=requests {
        let is_answer = |line: &&String| {
            let message: Value = serde_json::from_str(line).unwrap();
            message["id"] == id && message.get("method").is_none()
        };
        assert_eq!(ended.stdout.iter().filter(is_answer).count(), 1, "{id}: {}", ended.stderr);
    }
}

#[test]
fn a_restart_costs_the_calls_under_way_and_nothing_else() {
    for (answers, url) in [
        (Answers::Json, Gateway::http_url as fn(&Gateway, &str) -> String),
        (Answers::Sse, Gateway::http_url),
        (Answers::Sse, Gateway::sse_url),
    ] {
        let gateway = gateway(answers);
        let mut bridge = Bridge::start(&Home::new(), &[&url(&gateway, "acme")]);
        bridge.handshake("2025-06-18");
        bridge.request(1, "logging/setLevel", json!({ "level": "debug" }));
        bridge.request(2, "resources/subscribe", json!({ "uri": "a:1" }));
        send_call(&mut bridge, 3, "slow", &json!({ "seconds": 20 }));
        wait_for("the call does not run", || gateway.calls("slow") == 1);
        gateway.restart(Duration::from_millis(500));
        let lost = bridge.answer(3);
        assert_eq!(lost["error"]["code"], -31006, "{lost}");
        assert_eq!(lost["error"]["data"]["delivery"], "unknown");
        let echo = bridge.call(4, "echo", json!({ "text": "back" }));
        assert_eq!(echo["result"]["content"][0]["text"], "back", "{echo}");
        assert_eq!((gateway.calls("slow"), gateway.calls("echo")), (1, 1));
        for method in ["initialize", "notifications/initialized", "logging/setLevel"] {
            assert_eq!(seen(&gateway, method), 2, "{method}");
        }
        assert_eq!(seen(&gateway, "resources/subscribe"), 2);
        check(bridge, 4);
    }
}

#[test]
fn an_answer_is_read_on_where_its_stream_was_cut() {
    let gateway = gateway(Answers::Sse);
    gateway.order("mcp.event_ids=on").unwrap();
    gateway.order("mcp.priming").unwrap();
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    bridge.handshake("2025-11-25");
    send_call(&mut bridge, 1, "slow", &json!({ "seconds": 0.5 }));
    wait_for("the call does not run", || gateway.calls("slow") == 1);
    gateway.drop_streams();
    let answer = bridge.answer(1);
    assert_eq!(answer["result"]["content"][0]["text"], "waited 0.5 s", "{answer}");
    assert_eq!(gateway.calls("slow"), 1);
    let requests = gateway.requests();
    assert!(requests.iter().any(|seen| seen.header("last-event-id").is_some()));
    check(bridge, 1);
}

#[test]
fn a_server_that_polls_gets_its_time() {
    let gateway = gateway(Answers::Sse);
    for order in ["mcp.event_ids=on", "mcp.priming", "mcp.retry_field=300", "mcp.polling=50"] {
        gateway.order(order).unwrap();
    }
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    bridge.handshake("2025-11-25");
    let answer = bridge.call(1, "slow", json!({ "seconds": 0.2 }));
    assert_eq!(answer["result"]["content"][0]["text"], "waited 0.2 s", "{answer}");
    let requests = gateway.requests();
    let polls: Vec<_> =
        requests.iter().filter(|seen| seen.header("last-event-id").is_some()).collect();
    let posts = requests.iter().filter(|seen| seen.rpc_method() == Some("tools/call"));
    let posted = posts.map(|seen| seen.at).next().unwrap();
    assert!(!polls.is_empty());
    assert!(Duration::from_millis(300) <= polls.last().unwrap().at.saturating_sub(posted));
    check(bridge, 1);
}

#[test]
fn without_an_event_id_a_question_is_asked_again_and_a_call_is_not() {
    let gateway = gateway(Answers::Sse);
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    bridge.handshake("2025-06-18");
    send_call(&mut bridge, 1, "slow", &json!({ "seconds": 20 }));
    wait_for("the call does not run", || gateway.calls("slow") == 1);
    gateway.drop_streams();
    assert_eq!(bridge.answer(1)["error"]["code"], -31006);
    gateway.order("net.reset@http#1").unwrap();
    let tools = bridge.request(2, "tools/list", json!({}));
    assert!(tools["result"]["tools"].is_array(), "{tools}");
    assert_eq!(gateway.calls("slow"), 1);
    check(bridge, 2);
}

#[test]
fn a_gateway_that_asks_for_time_gets_it() {
    for (url, route) in
        [(Gateway::http_url as fn(&Gateway, &str) -> String, "http"), (Gateway::sse_url, "post")]
    {
        for after in ["1", "date+1"] {
            let gateway = gateway(Answers::Json);
            let mut bridge = Bridge::start(&Home::new(), &[&url(&gateway, "acme")]);
            bridge.handshake("2025-06-18");
            bridge.request(1, "tools/list", json!({}));
            gateway.order(&format!("http.retry_after={after}@{route}#1")).unwrap();
            let answer = bridge.call(2, "echo", json!({ "text": "later" }));
            assert_eq!(answer["result"]["content"][0]["text"], "later", "{answer}");
            assert_eq!(gateway.calls("echo"), 1);
            check(bridge, 2);
        }
    }
}

#[test]
fn a_stream_that_is_refused_for_a_moment_comes_back() {
    let gateway = gateway(Answers::Json);
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.sse_url("acme")]);
    bridge.handshake("2025-06-18");
    bridge.request(1, "tools/list", json!({}));
    gateway.order("mcp.sse_status=503#1-2").unwrap();
    gateway.drop_streams();
    // What is sent before the loss is noticed is lost with the stream.
    let streams = || gateway.requests().iter().filter(|seen| seen.method == "GET").count();
    wait_for("the stream is not missed", || 2 <= streams());
    let answer = bridge.call(2, "echo", json!({ "text": "x" }));
    assert_eq!(answer["result"]["content"][0]["text"], "x", "{answer}");
    check(bridge, 2);
}

#[test]
fn what_the_server_says_of_itself_comes_after_a_drop_too() {
    let gateway = gateway(Answers::Json);
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    bridge.handshake("2025-06-18");
    wait_for("no standalone stream", || gateway.open_streams() == 1);
    gateway.drop_streams();
    wait_for("the stream stays open", || gateway.open_streams() == 0);
    wait_for("no new standalone stream", || gateway.open_streams() == 1);
    send_call(&mut bridge, 1, "announce", &json!({}));
    let told = (0..2).any(|_| bridge.next()["method"] == "notifications/tools/list_changed");
    assert!(told);
    drop(bridge);
}

#[test]
fn a_call_that_takes_too_long_is_cancelled() {
    for url in [Gateway::http_url as fn(&Gateway, &str) -> String, Gateway::sse_url] {
        let gateway = gateway(Answers::Sse);
        let limit = ["--request-timeout", "1"];
        let mut bridge =
            Bridge::start(&Home::new(), &[&[&*url(&gateway, "acme")], &limit[..]].concat());
        bridge.handshake("2025-06-18");
        let answer = bridge.call(1, "slow", json!({ "seconds": 20 }));
        assert_eq!(answer["error"]["code"], -31007, "{answer}");
        wait_for("not cancelled", || seen(&gateway, "notifications/cancelled") == 1);
        let answer = bridge.call(2, "echo", json!({ "text": "x" }));
        assert_eq!(answer["result"]["content"][0]["text"], "x", "{answer}");
        check(bridge, 2);
    }
}

#[test]
fn pings_of_our_own_are_not_seen_by_the_host() {
    for url in [Gateway::http_url as fn(&Gateway, &str) -> String, Gateway::sse_url] {
        let gateway = gateway(Answers::Sse);
        let mut bridge = Bridge::start(
            &Home::new(),
            &[&url(&gateway, "acme"), "--keep-alive", "--ping-interval", "1"],
        );
        bridge.handshake("2025-06-18");
        wait_for("no ping", || 2 <= seen(&gateway, "ping"));
        let ended = bridge.end();
        check_end(&ended, 0);
        assert_eq!(ended.stdout.len(), 1, "{:?}", ended.stdout);
    }
}

/// What came last on the raw server, by method and message.
type Seen = Arc<Mutex<Vec<String>>>;

#[test]
fn a_stream_that_the_server_wants_closed_is_not_opened_until_it_is_needed() {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let origin = raw::serve(move |request| {
        let streams = {
            let mut log = log.lock().unwrap();
            log.push(request.method.clone());
            log.iter().filter(|method| *method == "GET").count()
        };
        match (&*request.method, streams) {
            ("GET", 1) => {
                request.stream();
                request.write(b"event: endpoint\ndata: /m\n\n");
                let result = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2024-11-05","capabilities":{}}}"#;
                request.write(format!("data: {result}\n\n").as_bytes());
                thread::sleep(Duration::from_millis(300));
                request.connection.shutdown(std::net::Shutdown::Both).ok();
            }
            // No body, and so no stream, whatever the type says.
            ("GET", _) => {
                request
                    .write(b"HTTP/1.1 204 No Content\r\ncontent-type: text/event-stream\r\n\r\n");
            }
            _ => request.reply(202, "", b""),
        }
    });
    let mut bridge = Bridge::start(&Home::new(), &[&format!("{origin}/sse"), "--header", "a:b"]);
    assert!(bridge.handshake("2024-11-05")["result"].is_object());
    let streams = || seen.lock().unwrap().iter().filter(|method| *method == "GET").count();
    wait_for("the stream is not opened again", || streams() == 2);
    thread::sleep(Duration::from_secs(4));
    assert_eq!(streams(), 2);
    // The host gets an answer all the same, and causes one more try.
    let answer = bridge.request(1, "tools/list", json!({}));
    assert_eq!(answer["error"]["code"], -31005, "{answer}");
    assert_eq!(streams(), 3);
    check_end(&bridge.end(), 1);
}
