//! Faults of MCP endpoints and their streams.

use serde_json::Value;

use super::client::{Answer, Stream, get, post};
use super::raw::{Ended, authority, clock, send};
use crate::mock::{Answers, Gateway, Plan};

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}"#;

const ANNOUNCE: &str =
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"announce","arguments":{}}}"#;

fn with(faults: &[&str], answers: Answers) -> Gateway {
    let gateway = Gateway::start(Plan { answers, ..Plan::default() }).unwrap();
    for fault in faults {
        gateway.order(fault).unwrap();
    }
    gateway
}

fn listen(url: &str) -> super::client::Request {
    get(url).header("Accept", "text/event-stream")
}

fn key(gateway: &Gateway) -> &str {
    gateway.api_key("acme").unwrap()
}

fn call(gateway: &Gateway) -> Answer {
    post(&gateway.http_url("acme")).header("X-API-Key", key(gateway)).rpc(CALL).send()
}

/// Streamable HTTP: a session, and what it answers to a call.
fn session(gateway: &Gateway) -> impl Fn(super::client::Request) -> super::client::Request + use<> {
    let key = key(gateway).to_owned();
    let url = gateway.http_url("acme");
    let answer = post(&url).header("X-API-Key", &key).rpc(INITIALIZE).send();
    let id = answer.header("mcp-session-id").unwrap().to_owned();
    move |request| {
        request
            .header("X-API-Key", &key)
            .header("Mcp-Session-Id", &id)
            .header("MCP-Protocol-Version", "2025-11-25")
    }
}

/// HTTP+SSE: an open stream, and the endpoint that it names.
fn open(gateway: &Gateway) -> (Stream, String) {
    let mut stream =
        get(&gateway.sse_url("acme")).header("X-API-Key", key(gateway)).open().unwrap();
    let (_, data) = stream.event().unwrap();
    (stream, format!("{}{data}", gateway.base_url()))
}

fn send_call(gateway: &Gateway, endpoint: &str) -> u16 {
    let request = post(endpoint).header("X-API-Key", key(gateway));
    request.body("application/json", CALL).send().status
}

/// The stream of HTTP+SSE as bytes.
fn stream_bytes(fault: &str) -> super::raw::Raw {
    let gateway = with(&[fault], Answers::Json);
    let head = format!(
        "GET /mcp/acme/sse HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\n\r\n",
        authority(&gateway),
        key(&gateway)
    );
    send(&gateway, head.as_bytes())
}

#[test]
fn requests_can_be_refused() {
    for (fault, status, header) in [
        ("mcp.401_always#1", 401, Some("error=\"invalid_token\"")),
        ("mcp.401_bare#1", 401, None),
        ("mcp.403#1", 403, None),
        ("mcp.403_scope=mcp:call:crm#1", 403, Some("scope=\"mcp:call:crm\"")),
        ("mcp.429#1", 429, None),
        ("mcp.post_status=502#1", 502, None),
        ("mcp.post_redirect=https://elsewhere.example/#1", 307, None),
    ] {
        let gateway = with(&[fault], Answers::Json);
        let answer = call(&gateway);
        assert_eq!(answer.status, status, "{fault}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.is_some(), header.is_some(), "{fault}");
        assert!(header.is_none_or(|it| challenge.unwrap().contains(it)), "{fault}");
        assert_eq!((call(&gateway).status, gateway.calls("echo")), (200, 1), "{fault}");
    }
    let gateway = with(&["mcp.429=3#1"], Answers::Json);
    assert_eq!(call(&gateway).header("retry-after"), Some("3"));
    let gateway = with(&["mcp.401_after=2"], Answers::Json);
    let statuses: Vec<_> = (0..4).map(|_| call(&gateway).status).collect();
    assert_eq!(statuses, [200, 200, 401, 401]);
    let gateway = with(&["mcp.sse_status=503#1"], Answers::Json);
    let open = || get(&gateway.sse_url("acme")).header("X-API-Key", key(&gateway)).open().unwrap();
    assert_eq!((open().status, open().status), (503, 200));
}

#[test]
fn sessions_can_be_forgotten() {
    let gateway = with(&[], Answers::Json);
    let session = session(&gateway);
    gateway.order("mcp.session_forget#1").unwrap();
    let status = || session(post(&gateway.http_url("acme"))).rpc(CALL).send().status;
    assert_eq!((status(), status()), (404, 404));
}

#[test]
fn a_gateway_can_restart() {
    let gateway = with(&[], Answers::Json);
    let (mut stream, endpoint) = open(&gateway);
    let session = session(&gateway);
    gateway.order("mcp.restart=0.3#1").unwrap();
    assert!(post(&endpoint).header("X-API-Key", key(&gateway)).rpc(CALL).open().is_none());
    assert_eq!(stream.event(), None);
    let began = clock();
    let connect = || std::net::TcpStream::connect(authority(&gateway));
    assert!(connect().is_err());
    // The pages are another program.
    assert_eq!(get(&format!("{}/device", gateway.web_url())).send().status, 200);
    while connect().is_err() {
        assert!(clock().saturating_sub(began).as_secs() < 10);
        std::thread::yield_now();
    }
    assert_eq!(send_call(&gateway, &endpoint), 404);
    assert_eq!(session(post(&gateway.http_url("acme"))).rpc(CALL).send().status, 404);
    assert_eq!(call(&gateway).status, 200);
}

#[test]
fn streams_can_end_early() {
    let dropped = stream_bytes("mcp.drop_stream=100");
    assert!(dropped.text().contains("event: endpoint"));
    assert!(!dropped.text().ends_with("0\r\n\r\n") && dropped.ended != Ended::Silent);
    let flapped = stream_bytes("mcp.flap=100");
    assert!(flapped.text().contains("event: endpoint"));
    assert!(flapped.text().ends_with("0\r\n\r\n"));
    let at_once = stream_bytes("mcp.drop_stream");
    assert_ne!(at_once.ended, Ended::Silent);
}

#[test]
fn streams_can_look_odd() {
    let text = |fault: &str| stream_bytes(fault).text();
    assert!(text("mcp.retry_field=1234").contains("retry: 1234\n\n"));
    let named = text("mcp.endpoint=https://evil.example/");
    assert!(named.contains("data: https://evil.example/\n"));
    assert!(text("mcp.sse_bom").contains("\r\n\u{feff}"));
    assert!(text("mcp.sse_eol=cr").contains("event: endpoint\rdata: /mcp/acme/messages?"));
    assert!(text("mcp.sse_eol=crlf").contains("event: endpoint\r\ndata: /mcp/acme/messages?"));
    assert!(text("mcp.sse_chunk=1").contains("\r\n1\r\ne\r\n1\r\nv\r\n1\r\ne\r\n"));
    assert!(text("mcp.event_ids=on").contains("id: 0-0\n"));
}

#[test]
fn streams_can_be_silent_or_loud() {
    let text = |fault: &str| stream_bytes(fault).text();
    let beats = |fault: &str| text(fault).matches(": heartbeat").count();
    assert!(2 <= beats("mcp.heartbeat=0.1"));
    let gateway = with(&["mcp.heartbeat=off"], Answers::Json);
    drop(open(&gateway));
    assert!(20 <= text("mcp.notify_flood=1000").matches("notifications/message").count());
}

#[test]
fn answers_can_look_odd_on_a_stream() {
    let events = |fault: &str| {
        let gateway = with(&[fault], Answers::Json);
        let (mut stream, endpoint) = open(&gateway);
        send_call(&gateway, &endpoint);
        move || stream.event().unwrap().1
    };
    let pretty = events("mcp.answer=pretty")();
    assert!(pretty.contains("\n  \"id\": 1"), "{pretty}");
    let mut twice = events("mcp.answer=twice");
    assert_eq!(twice(), twice());
    let mut unknown = events("mcp.answer=unknown_id");
    assert!(unknown().contains("nobody-asked"));
    assert!(unknown().contains("hello"));
    let both = events("mcp.answer=two_in_one")();
    let lines: Vec<Value> = both.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(
        (&lines[0]["method"], &lines[1]["id"]),
        (&"notifications/message".into(), &1.into())
    );
    let asked = events("mcp.server_request=roots/list")();
    assert!(asked.contains("\"method\":\"roots/list\""), "{asked}");
}

#[test]
fn answers_can_look_odd_as_json() {
    let body = |fault: &str| {
        let gateway = with(&[fault], Answers::Json);
        call(&gateway).body
    };
    for (fault, end) in
        [("mcp.answer=pretty", "\n"), ("mcp.answer=crlf", "\r\n"), ("mcp.answer=cr", "\r")]
    {
        let body = body(fault);
        assert!(body.starts_with(&format!("{{{end}  \"")), "{fault}: {body}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["id"], 1);
    }
    assert!(1 << 20 < body("mcp.big_result=1").len());
    let failed: Value = serde_json::from_str(&body("mcp.tool_error")).unwrap();
    assert_eq!(failed["result"]["isError"], true);
    assert!(failed["result"]["content"][0]["text"].as_str().unwrap().contains('\u{1b}'));
    assert!(body("mcp.tool_error=\\e[0m oh").contains("\\u001b[0m oh"));
}

#[test]
fn accepted_can_come_late_or_after_the_answer() {
    for (fault, endpoint_first) in [("mcp.202_slow=200", false), ("mcp.answer=before_202", true)] {
        let gateway = with(&[fault], Answers::Json);
        let (mut stream, endpoint) = open(&gateway);
        let began = clock();
        assert_eq!(send_call(&gateway, &endpoint), 202);
        let took = clock().saturating_sub(began).as_millis();
        assert!(endpoint_first || 200 <= took, "{fault}: {took}");
        assert!(stream.event().unwrap().1.contains("hello"));
    }
    let gateway = with(&["mcp.answer=never"], Answers::Json);
    let (_stream, endpoint) = open(&gateway);
    assert_eq!(send_call(&gateway, &endpoint), 202);
    while gateway.calls("echo") == 0 {
        std::thread::yield_now();
    }
}

/// The stream that answers a call by Streamable HTTP, as name, id and data of its events.
fn answer_lines(gateway: &Gateway, stream: &mut Stream) -> Vec<String> {
    assert_eq!(gateway.open_streams(), 1);
    std::iter::from_fn(|| stream.line()).filter(|it| !it.is_empty()).collect()
}

#[test]
fn a_stream_can_begin_with_an_event_without_data() {
    let gateway = with(&["mcp.priming"], Answers::Sse);
    let mut stream = post(&gateway.http_url("acme"))
        .header("X-API-Key", key(&gateway))
        .rpc(CALL)
        .open()
        .unwrap();
    let lines: Vec<_> =
        std::iter::from_fn(|| stream.line()).filter(|it| !it.is_empty()).take(3).collect();
    assert_eq!(lines, ["id: 0-0", "data:", "event: message"]);
}

#[test]
fn a_client_can_be_made_to_come_back_for_its_answer() {
    let slow = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"seconds":0.3}}}"#;
    let gateway = with(&[], Answers::Sse);
    let session = session(&gateway);
    gateway.order("mcp.polling=50").unwrap();
    gateway.order("mcp.retry_field=10@http").unwrap();
    let url = gateway.http_url("acme");
    let mut stream = session(post(&url)).rpc(slow).open().unwrap();
    let lines = answer_lines(&gateway, &mut stream);
    assert_eq!(lines[0], "retry: 10");
    let id = lines[1].strip_prefix("id: ").unwrap();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let resume = || session(listen(&url)).header("Last-Event-ID", id).open().unwrap();
    let answer = resume().message();
    assert_eq!(answer["id"], 1);
    // Once more: it is kept, and then there is nothing to wait for.
    let mut again = resume();
    assert_eq!(again.message(), answer);
    let began = clock();
    while gateway.open_streams() != 0 {
        assert!(clock().saturating_sub(began).as_secs() < 5, "the stream does not end");
        std::thread::yield_now();
    }
    // Another session learns nothing of it.
    let other = self::session(&gateway);
    let mut foreign = other(listen(&url)).header("Last-Event-ID", id).open().unwrap();
    other(post(&url)).rpc(ANNOUNCE).send();
    assert_eq!(foreign.message()["method"], "notifications/tools/list_changed");
    assert_eq!(gateway.calls("slow"), 1);
}

#[test]
fn a_cut_stream_resumes_where_it_was_cut() {
    let gateway = with(&["mcp.event_ids=on"], Answers::Json);
    let session = session(&gateway);
    let url = gateway.http_url("acme");
    let mut stream = session(listen(&url)).open().unwrap();
    session(post(&url)).rpc(ANNOUNCE).send();
    let lines: Vec<_> =
        std::iter::from_fn(|| stream.line()).filter(|it| it.starts_with("id: ")).take(2).collect();
    gateway.drop_streams();
    while stream.event().is_some() {}
    session(post(&url)).rpc(ANNOUNCE).send();
    let resume = || {
        let id = lines[0].strip_prefix("id: ").unwrap();
        session(listen(&url)).header("Last-Event-ID", id).open().unwrap()
    };
    let mut resumed = resume();
    let methods: Vec<_> = (0..3).map(|_| resumed.message()["method"].clone()).collect();
    assert_eq!(methods[0], "notifications/message");
    assert_eq!(methods[1], "notifications/tools/list_changed");
    drop(resumed);
    gateway.order("mcp.resume=off").unwrap();
    let mut fresh = resume();
    session(post(&url)).rpc(ANNOUNCE).send();
    assert_eq!(fresh.message()["method"], "notifications/tools/list_changed");
}
