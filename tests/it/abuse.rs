//! Whatever a gateway or the way to it does to a call: one answer, at most one run, a bounded
//! amount of memory, and the next call works.

use std::thread;

use apexmcp_bridge::mock::{Answers, Auth, Gateway, Plan};
use serde_json::{Value, json};

use crate::raw;
use crate::support::{Bridge, Home, check_end};

/// What the bridge may hold: the budget of one direction, and as much again on its way through.
const MOST: u64 = 220 << 10;

const ORDERS: [&str; 40] = [
    "net.latency=300@post#1",
    "net.slicer=1@post#1",
    "net.limit_data=20@post#1",
    "net.reset@post#1",
    "net.reset_after=40@post#1",
    "net.fin@post#1",
    "net.refuse#1",
    "net.slow_close=500@post#1",
    "net.h2_goaway@post#1",
    "http.status=500@post#1",
    "http.status=502@post#1",
    "http.status=503@post#1",
    "http.status=418@post#1",
    "http.retry_after=1@post#1",
    "http.retry_after=date+2@post#1",
    "http.redirect=http://127.0.0.1:9/@post#1",
    "http.redirect_loop@post#1",
    "http.gzip_bomb=300@post#1",
    "http.big_headers=4@post#1",
    "http.wrong_content_type=text/html@post#1",
    "http.chunked_garbage@post#1",
    "http.dup_content_length@post#1",
    "http.set_cookie@post#1",
    "mcp.post_status=413@post#1",
    "mcp.post_status=504@post#1",
    "mcp.session_forget#1",
    "mcp.answer=before_202#1",
    "mcp.answer=twice#1",
    "mcp.answer=pretty#1",
    "mcp.answer=two_in_one#1",
    "mcp.answer=crlf#1",
    "mcp.answer=cr#1",
    "mcp.big_result=8#1",
    "mcp.server_request=ping#1",
    "mcp.403#1",
    "mcp.429=1#1",
    "disc.json_deep=5000@post#1",
    "disc.json_dup@post#1",
    "disc.json_invalid_utf8@post#1",
    "http.endless_body@post#1",
];

/// The most that a process has held, in kilobytes.
fn most_held(bridge: &Bridge) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bridge.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn answers(seen: &[String], id: u64) -> usize {
    let is_answer = |line: &&String| {
        let message: Value = serde_json::from_str(line).unwrap();
        message["id"] == id && message.get("method").is_none()
    };
    seen.iter().filter(is_answer).count()
}

/// One bridge, and one call for each of the orders.
fn endure(answers_as: Answers, url: fn(&Gateway, &str) -> String, orders: &[&str]) {
    let plan = Plan { auth: Auth::None, answers: answers_as, ..Plan::default() };
    let gateway = Gateway::start(plan).unwrap();
    let mut bridge = Bridge::start(&Home::new(), &[&url(&gateway, "acme")]);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    let mut last = 0;
    for order in orders {
        gateway.order(order).unwrap();
        let before = gateway.calls("progress");
        let steps = json!({ "steps": 1, "delay_ms": 1 });
        let answer = bridge.call(last + 1, "progress", steps);
        let code = answer["error"]["code"].as_i64().unwrap_or(-31000);
        assert!(
            answer["result"].is_object() || (-31099..-31000).contains(&code),
            "{order}: {answer}"
        );
        let ran = gateway.calls("progress") - before;
        assert!(ran <= 1, "{order}: it ran {ran} times");
        gateway.clear_faults();
        // The session may have to be begun again, and the stream of HTTP+SSE opened.
        let again = bridge.call(last + 2, "echo", json!({ "text": order }));
        assert_eq!(again["result"]["content"][0]["text"], **order, "{order}: {again}");
        last += 2;
    }
    let held = most_held(&bridge);
    assert!(held.is_none_or(|held| held < MOST), "{held:?} KiB");
    let ended = bridge.end();
    check_end(&ended, 0);
    for id in 0..=last {
        assert_eq!(answers(&ended.stdout, id), 1, "{id}");
    }
}

/// How the URL of an organisation's endpoint is told.
type Address = fn(&Gateway, &str) -> String;

#[test]
fn one_answer_whatever_is_done_to_a_call() {
    let ways: [(Answers, Address); 3] = [
        (Answers::Json, Gateway::http_url),
        (Answers::Sse, Gateway::http_url),
        (Answers::Sse, Gateway::sse_url),
    ];
    thread::scope(|scope| {
        for (answers_as, url) in ways {
            for orders in ORDERS.chunks(ORDERS.len().div_ceil(3)) {
                scope.spawn(move || endure(answers_as, url, orders));
            }
        }
    });
}

#[test]
fn the_largest_messages_pass_both_ways() {
    const LARGE: usize = 64 << 20;
    let origin = raw::serve(|request| {
        let message = request.json();
        if message["method"] != "tools/call" {
            return request.shake_hands();
        }
        let size = message["params"]["arguments"]["text"].as_str().unwrap().len();
        let text = "y".repeat(size);
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"text":"{text}"}}}}"#, message["id"]);
        request.reply(200, "content-type: application/json\r\n", body.as_bytes());
    });
    let mut bridge = Bridge::start(&Home::new(), &[&format!("{origin}/mcp"), "--header", "a:b"]);
    bridge.handshake("2025-06-18");
    for (id, size) in [(1, 16 << 20), (2, LARGE)] {
        let answer = bridge.call(id, "echo", json!({ "text": "x".repeat(size) }));
        assert_eq!(answer["result"]["text"].as_str().map(str::len), Some(size));
    }
    let held = most_held(&bridge);
    assert!(held.is_none_or(|held| held < MOST), "{held:?} KiB");
    // What is larger than that is told, and costs nothing else.
    let answer = bridge.call(3, "echo", json!({ "text": "x".repeat(LARGE + (2 << 20)) }));
    assert_eq!(answer["error"]["code"], -32600, "{}", &answer.to_string()[..200]);
    let answer = bridge.call(4, "echo", json!({ "text": "x" }));
    assert_eq!(answer["result"]["text"], "y");
    check_end(&bridge.end(), 0);
}

#[test]
fn a_stream_of_another_kind_of_lines_is_read() {
    for order in ["mcp.sse_eol=cr", "mcp.sse_eol=crlf", "mcp.sse_bom", "mcp.sse_chunk=1"] {
        for (answers_as, url) in [
            (Answers::Sse, Gateway::http_url as fn(&Gateway, &str) -> String),
            (Answers::Sse, Gateway::sse_url),
        ] {
            let plan = Plan { auth: Auth::None, answers: answers_as, ..Plan::default() };
            let gateway = Gateway::start(plan).unwrap();
            gateway.order(order).unwrap();
            let mut bridge = Bridge::start(&Home::new(), &[&url(&gateway, "acme")]);
            assert!(bridge.handshake("2025-06-18")["result"].is_object(), "{order}");
            let answer = bridge.call(1, "echo", json!({ "text": "Zoë 😀" }));
            assert_eq!(answer["result"]["content"][0]["text"], "Zoë 😀", "{order}: {answer}");
            check_end(&bridge.end(), 0);
        }
    }
}
