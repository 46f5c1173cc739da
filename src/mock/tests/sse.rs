//! The HTTP+SSE transport.

use super::client::{Answer, Stream, get, post, request};
use super::login::{approving, login};
use crate::mock::{Fault, Gateway, Plan, RunEnding};

/// A client with its stream open.
struct Client {
    gateway: Gateway,
    key: String,
    stream: Stream,
    messages: String,
}

impl Client {
    fn open() -> Self {
        let gateway = Gateway::start(Plan::default()).unwrap();
        let key = gateway.api_key("acme").unwrap().to_owned();
        let mut stream = get(&gateway.sse_url("acme")).header("X-API-Key", &key).open().unwrap();
        assert_eq!(stream.header("content-type"), Some("text/event-stream"));
        let (name, data) = stream.event().unwrap();
        assert_eq!(name, "endpoint");
        assert!(data.starts_with("/mcp/acme/messages?sessionId="));
        let messages = format!("{}{data}", gateway.base_url());
        Self { gateway, key, stream, messages }
    }

    fn send(&self, message: &str) -> Answer {
        post(&self.messages).header("X-API-Key", &self.key).body("application/json", message).send()
    }

    fn call(&self, id: u32, tool: &str, arguments: &str) {
        let answer = self.send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{{"progressToken":7}}}}}}"#
        ));
        assert_eq!((answer.status, answer.body.as_str()), (202, "Accepted"));
    }
}

#[test]
fn a_session_from_handshake_to_call() {
    let mut client = Client::open();
    client.send(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}"#,
    );
    let answer = client.stream.message();
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
    assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-mock-gateway");
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    client.call(1, "query_postgres_orders", r#"{"sql":"select * from orders limit 1"}"#);
    let text = client.stream.message()["result"]["content"][0]["text"].clone();
    assert!(text.as_str().unwrap().contains("Nordlicht"));
    assert_eq!(client.gateway.calls("query_postgres_orders"), 1);
    let methods: Vec<_> =
        client.gateway.requests().iter().map(|it| it.rpc_method().map(str::to_owned)).collect();
    let expected =
        [None, Some("initialize"), Some("notifications/initialized"), Some("tools/call")];
    assert_eq!(methods, expected.map(|it| it.map(str::to_owned)));
}

#[test]
fn texts_and_ids_come_back_byte_for_byte() {
    let mut client = Client::open();
    let message = "{\"jsonrpc\":\"2.0\",\"id\":12345678901234567890123,\n\"method\":\"tools/call\",\
                   \"params\":{\"name\":\"echo\",\"arguments\":{\"text\":\"\\u00e4ä\\/\\ud83d\\ude00\"}}}";
    client.send(message);
    let (_, data) = client.stream.event().unwrap();
    let expected = "{\"jsonrpc\":\"2.0\",\"id\":12345678901234567890123,\"result\":{\"content\":\
                    [{\"type\":\"text\",\"text\":\"\\u00e4ä\\/\\ud83d\\ude00\"}]}}";
    assert_eq!(data, expected);
}

#[test]
fn progress_comes_before_the_result() {
    let mut client = Client::open();
    client.call(1, "progress", r#"{"steps":2}"#);
    for step in 1..=2 {
        let params = client.stream.message()["params"].clone();
        assert_eq!(params, serde_json::json!({"progressToken": 7, "progress": step, "total": 2}));
    }
    assert_eq!(client.stream.message()["id"], 1);
}

#[test]
fn tools_ask_the_client() {
    let mut client = Client::open();
    client.call(1, "ask", r#"{"what":"roots"}"#);
    let question = client.stream.message();
    assert_eq!(question["method"], "roots/list");
    client.send(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"roots":[]}}}}"#, question["id"]));
    let text = client.stream.message()["result"]["content"][0]["text"].clone();
    assert!(text.as_str().unwrap().contains(r#""result":{"roots":[]}"#));
}

#[test]
fn cancelled_calls_stay_unanswered() {
    let mut client = Client::open();
    client.call(1, "slow", r#"{"seconds":1000}"#);
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    client.call(2, "announce", "{}");
    assert_eq!(client.stream.message()["method"], "notifications/tools/list_changed");
    assert_eq!(client.stream.message()["method"], "notifications/message");
    assert_eq!(client.stream.message()["id"], 2);
    let endings: Vec<_> = client.gateway.tool_runs().iter().map(|it| it.ending).collect();
    assert_eq!(endings, [Some(RunEnding::Cancelled), Some(RunEnding::Answered)]);
}

#[test]
fn streams_drop_and_sessions_go_with_them() {
    let mut client = Client::open();
    assert_eq!(client.gateway.open_streams(), 1);
    client.gateway.drop_streams();
    assert_eq!(client.stream.event(), None);
    assert_eq!(client.gateway.open_streams(), 0);
    assert_eq!(client.send(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).status, 404);
}

#[test]
fn a_stopped_gateway_closes_its_streams() {
    let Client { gateway, mut stream, .. } = Client::open();
    drop(gateway);
    assert_eq!(stream.event(), None);
}

#[test]
fn idle_streams_get_comments() {
    let heartbeat = std::time::Duration::from_millis(1);
    let gateway = Gateway::start(Plan { heartbeat, ..Plan::default() }).unwrap();
    let key = gateway.api_key("acme").unwrap();
    let mut stream = get(&gateway.sse_url("acme")).header("X-API-Key", key).open().unwrap();
    stream.event();
    assert_eq!(stream.line().as_deref(), Some(": heartbeat"));
}

#[test]
fn both_directions_need_credentials() {
    let gateway = approving();
    let login = login(&gateway);
    let mut stream = get(&gateway.sse_url("acme")).bearer(&login.access_token).open().unwrap();
    let (_, path) = stream.event().unwrap();
    let messages = format!("{}{path}", gateway.base_url());
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let send = || post(&messages).bearer(&login.access_token).body("application/json", ping).send();
    assert_eq!(send().status, 202);
    gateway.expire_access_tokens();
    let answer = send();
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\"") && challenge.contains("/mcp/acme/sse\""));
}

#[test]
fn the_stream_takes_no_posts() {
    let client = Client::open();
    let post = request("POST", &client.gateway.sse_url("acme")).header("X-API-Key", &client.key);
    assert_eq!(post.send().status, 405);
}

#[test]
fn answers_can_come_twice_or_never() {
    let mut client = Client::open();
    client.gateway.inject(Fault::AnswerLost, 1);
    client.call(1, "echo", r#"{"text":"lost"}"#);
    client.gateway.inject(Fault::AnswerTwice, 1);
    client.call(2, "echo", r#"{"text":"twice"}"#);
    client.gateway.inject(Fault::AnswerBefore202, 1);
    client.call(3, "echo", r#"{"text":"early"}"#);
    let ids: Vec<_> = (0..3).map(|_| client.stream.message()["id"].clone()).collect();
    assert_eq!(ids, [2, 2, 3]);
    assert_eq!(client.gateway.calls("echo"), 3);
}

#[test]
fn sessions_get_lost_and_endpoints_lie() {
    let client = Client::open();
    client.gateway.inject(Fault::SessionLost, 1);
    assert_eq!(client.send(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).status, 404);
    assert_eq!(client.send(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).status, 404);
    client.gateway.inject(Fault::EndpointEvent("http://evil.example/".into()), 1);
    let url = client.gateway.sse_url("acme");
    let mut stream = get(&url).header("X-API-Key", &client.key).open().unwrap();
    assert_eq!(stream.event().unwrap().1, "http://evil.example/");
}
