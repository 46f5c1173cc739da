//! The Streamable HTTP transport.

use super::client::{Answer, Request, get, post, request};
use crate::mock::{Answers, Gateway, Plan};

struct Client {
    gateway: Gateway,
    url: String,
}

impl Client {
    fn new(plan: Plan) -> Self {
        let gateway = Gateway::start(plan).unwrap();
        let url = gateway.http_url("acme");
        Self { gateway, url }
    }

    fn with_key(&self, request: Request) -> Request {
        request.header("X-API-Key", self.gateway.api_key("acme").unwrap())
    }

    fn post(&self, message: &str) -> Request {
        self.with_key(post(&self.url)).rpc(message)
    }

    fn initialize(&self, version: &str) -> Answer {
        let answer = self
            .post(&format!(
                r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}"}}}}"#
            ))
            .send();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }

    /// A session, as the headers that later requests carry.
    fn session(&self, version: &'static str) -> impl Fn(Request) -> Request + use<> {
        let id = self.initialize(version).header("mcp-session-id").unwrap().to_owned();
        move |request| request.header("Mcp-Session-Id", &id).header("MCP-Protocol-Version", version)
    }
}

fn call(tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{{"progressToken":"p"}}}}}}"#
    )
}

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn versions_are_negotiated() {
    let client = Client::new(Plan::default());
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2030-01-01", "2025-11-25"),
    ] {
        assert_eq!(client.initialize(asked).json()["result"]["protocolVersion"], agreed);
    }
}

#[test]
fn sessions_end() {
    let client = Client::new(Plan::default());
    let session = client.session("2025-06-18");
    assert_eq!(session(client.post(PING)).send().status, 200);
    let delete = || session(client.with_key(request("DELETE", &client.url))).send().status;
    assert_eq!(delete(), 204);
    assert_eq!(session(client.post(PING)).send().status, 404);
    assert_eq!(delete(), 404);
    let session = client.session("2025-06-18");
    client.gateway.forget_sessions();
    assert_eq!(session(client.post(PING)).send().status, 404);
    let log = client.gateway.requests();
    assert!(log.iter().any(|it| it.method == "DELETE" && it.status == Some(204)));
}

#[test]
fn a_first_request_needs_no_session() {
    let client = Client::new(Plan::default());
    let answer = client.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).send();
    assert_eq!(answer.json()["result"]["tools"][0]["name"], "query_postgres_orders");
    let answer = client.post(r#"{"jsonrpc":"2.0","id":"a","method":"nothing"}"#).send();
    assert_eq!(answer.json()["error"]["code"], -32601);
    let client = Client::new(Plan { sessions: false, ..Plan::default() });
    assert_eq!(client.initialize("2025-06-18").header("mcp-session-id"), None);
}

#[test]
fn later_requests_name_the_version() {
    let client = Client::new(Plan::default());
    let id = client.initialize("2025-06-18").header("mcp-session-id").unwrap().to_owned();
    let send = |version: Option<&str>| {
        let post = client.post(PING).header("Mcp-Session-Id", &id);
        let post = match version {
            Some(version) => post.header("MCP-Protocol-Version", version),
            None => post,
        };
        post.send().status
    };
    assert_eq!(send(Some("2025-06-18")), 200);
    for wrong in [None, Some("2025-03-26"), Some("nonsense")] {
        assert_eq!(send(wrong), 400, "{wrong:?}");
    }
    // 2025-03-26 did not know the header.
    let id = client.initialize("2025-03-26").header("mcp-session-id").unwrap().to_owned();
    assert_eq!(client.post(PING).header("Mcp-Session-Id", &id).send().status, 200);
}

#[test]
fn media_types_are_checked() {
    let client = Client::new(Plan::default());
    let send = |accept: &str, content_type: &str| {
        client.with_key(post(&client.url)).header("Accept", accept).body(content_type, PING).send()
    };
    let both = "application/json, text/event-stream";
    assert_eq!(send("application/json", "application/json").status, 406);
    assert_eq!(send("text/event-stream", "application/json").status, 406);
    assert_eq!(send(both, "text/plain").status, 415);
    assert_eq!(
        send("Text/Event-Stream;q=1,APPLICATION/JSON", "application/json; charset=utf-8").status,
        200
    );
    assert_eq!(send("*/*", "application/json").status, 200);
}

#[test]
fn bad_messages_are_400() {
    let client = Client::new(Plan::default());
    for (message, code) in [
        ("{", -32700),
        ("{}", -32600),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
    ] {
        let answer = client.post(message).send();
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(code)));
    }
}

#[test]
fn notifications_and_responses_are_accepted() {
    let client = Client::new(Plan::default());
    for message in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"nobody asked","result":{}}"#,
    ] {
        let answer = client.post(message).send();
        assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    }
}

#[test]
fn batches_are_of_one_version_only() {
    let client = Client::new(Plan::default());
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let answer = client.session("2025-03-26")(client.post(batch)).send();
    assert_eq!(
        answer.body,
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]"#
    );
    assert_eq!(client.session("2025-06-18")(client.post(batch)).send().status, 400);
}

#[test]
fn talking_tools_are_answered_by_a_stream() {
    let client = Client::new(Plan::default());
    let session = client.session("2025-06-18");
    let mut stream =
        session(client.post(&call("ask", r#"{"what":"elicitation"}"#))).open().unwrap();
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    let question = stream.message();
    assert_eq!(question["method"], "elicitation/create");
    let response =
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"decline"}}}}"#, question["id"]);
    assert_eq!(session(client.post(&response)).send().status, 202);
    assert!(stream.message()["result"]["content"][0]["text"].as_str().unwrap().contains("decline"));
    // The stream of a request ends with its answer.
    assert_eq!(stream.event(), None);
}

#[test]
fn a_plan_can_ask_for_streams() {
    let client = Client::new(Plan { answers: Answers::Sse, ..Plan::default() });
    let mut stream = client.post(PING).open().unwrap();
    assert_eq!(stream.message()["result"], serde_json::json!({}));
}

#[test]
fn announcements_go_to_the_standalone_stream() {
    let client = Client::new(Plan::default());
    assert_eq!(
        client.with_key(get(&client.url)).header("Accept", "text/event-stream").send().status,
        405
    );
    let session = client.session("2025-11-25");
    let listen = session(client.with_key(get(&client.url)).header("Accept", "text/event-stream"));
    let mut stream = listen.open().unwrap();
    assert_eq!(stream.status, 200);
    assert_eq!(session(client.post(&call("announce", "{}"))).send().status, 200);
    assert_eq!(stream.message()["method"], "notifications/tools/list_changed");
    // The stream ends with the session.
    assert_eq!(stream.message()["method"], "notifications/message");
    session(client.with_key(request("DELETE", &client.url))).send();
    assert_eq!(stream.event(), None);
}

#[test]
fn tools_fail_politely() {
    let client = Client::new(Plan::default());
    let answer = client.post(&call("query_postgres_orders", r#"{"sql":"drop"}"#)).send().json();
    assert_eq!(answer["result"]["isError"], true);
    let answer = client.post(&call("nothing", "{}")).send().json();
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(client.gateway.calls("query_postgres_orders"), 1);
    assert_eq!(client.gateway.calls("nothing"), 0);
}

#[test]
fn the_conformance_suite_finds_what_it_looks_for() {
    let usual = Client::new(Plan::default());
    let extra = Client::new(Plan { conformance: true, ..Plan::default() });
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert!(!usual.post(list).send().body.contains("test_simple_text"));
    assert!(extra.post(list).send().body.contains("test_simple_text"));
    let simple = call("test_simple_text", "{}");
    assert!(usual.post(&simple).send().json()["error"].is_object());
    let answer = extra.post(&simple).send().json();
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("simple text"));
    let read = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"test://template/7/data"}}"#;
    let text = extra.post(read).send().json()["result"]["contents"][0]["text"].clone();
    assert!(text.as_str().unwrap().contains("\"id\":\"7\""));
    assert!(
        extra.initialize("2025-11-25").json()["result"]["capabilities"]["completions"].is_object()
    );
    let session = extra.session("2025-11-25");
    let mut stream = session(extra.post(&call("test_reconnection", "{}"))).open().unwrap();
    let lines: Vec<_> = std::iter::from_fn(|| stream.line()).collect();
    assert_eq!(lines[..2], ["retry: 100", ""], "{lines:?}");
    let id = lines[2].strip_prefix("id: ").unwrap();
    assert!(!lines.concat().contains("jsonrpc"), "{lines:?}");
    let back = extra.with_key(get(&extra.url)).header("Accept", "text/event-stream");
    let mut rest = session(back.header("Last-Event-ID", id)).open().unwrap();
    assert_eq!(rest.message()["id"], 1);
}
