//! MCP 2026-07-28.

use serde_json::{Value, json};

use super::client::{Answer, Request, Stream, get, post, request};
use crate::mock::{Answers, Eras, Gateway, Plan};

pub(crate) struct Client {
    pub(crate) gateway: Gateway,
    url: String,
}

impl Client {
    pub(crate) fn new(eras: Eras) -> Self {
        Self::with(Plan { eras, ..Plan::default() })
    }

    pub(crate) fn with(plan: Plan) -> Self {
        let gateway = Gateway::start(plan).unwrap();
        let url = gateway.http_url("acme");
        Self { gateway, url }
    }

    fn with_key(&self, request: Request) -> Request {
        request.header("X-API-Key", self.gateway.api_key("acme").unwrap())
    }

    /// A body as it is, and the headers of any client.
    pub(crate) fn raw(&self, body: &str) -> Request {
        self.with_key(post(&self.url)).rpc(body)
    }

    /// A request as it should be, but for the header about its parameters.
    pub(crate) fn request(&self, id: i64, method: &str, params: &Value) -> Request {
        let mut params = params.clone();
        let meta = params.as_object_mut().unwrap().entry("_meta").or_insert_with(|| json!({}));
        for (name, value) in [
            ("protocolVersion", json!("2026-07-28")),
            ("clientInfo", json!({"name": "test", "version": "1"})),
            ("clientCapabilities", json!({"sampling": {}, "elicitation": {}, "roots": {}})),
        ] {
            let name = format!("io.modelcontextprotocol/{name}");
            meta.as_object_mut().unwrap().entry(name).or_insert(value);
        }
        let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let request = self.raw(&body.to_string()).header("MCP-Protocol-Version", "2026-07-28");
        let request = request.header("Mcp-Method", method);
        match name {
            Some(name) => request.header("Mcp-Name", &name),
            None => request,
        }
    }

    pub(crate) fn call(&self, id: i64, tool: &str, arguments: &Value) -> Request {
        self.request(id, "tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    pub(crate) fn listen(&self, id: i64, filter: &Value) -> Stream {
        let listen = self.request(id, "subscriptions/listen", &json!({"notifications": filter}));
        listen.open().unwrap()
    }
}

pub(crate) fn code(answer: &Answer) -> (u16, i64) {
    (answer.status, answer.json()["error"]["code"].as_i64().unwrap_or_default())
}

fn meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;

#[test]
fn a_gateway_says_what_it_speaks() {
    let both = json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]);
    for (eras, versions) in [(Eras::Dual, both), (Eras::Modern, json!(["2026-07-28"]))] {
        let answer = Client::new(eras).request(1, "server/discover", &json!({})).send();
        assert_eq!((answer.status, answer.header("mcp-session-id")), (200, None));
        let result = &answer.json()["result"];
        assert_eq!(result["supportedVersions"], versions);
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
        assert_eq!(result["resultType"], "complete");
        assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(300_000), &json!("private")));
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(server["name"], "apexmcp-mock-gateway");
    }
}

#[test]
fn the_frame_of_a_request_is_checked() {
    let client = Client::new(Eras::Dual);
    let send = |header: Option<&str>, meta: Option<Value>| {
        let mut params = json!({});
        if let Some(meta) = meta {
            params["_meta"] = meta;
        }
        let body = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": params});
        let request = client.raw(&body.to_string()).header("Mcp-Method", "tools/list");
        match header {
            Some(version) => request.header("MCP-Protocol-Version", version).send(),
            None => request.send(),
        }
    };
    let now = || Some(meta("2026-07-28"));
    assert_eq!(send(Some("2026-07-28"), now()).status, 200);
    assert_eq!(code(&send(None, now())), (400, -32020));
    assert_eq!(code(&send(Some("2025-11-25"), now())), (400, -32020));
    assert_eq!(code(&send(Some("2026-07-28"), None)), (400, -32602));
    for lacking in ["protocolVersion", "clientCapabilities"] {
        let mut meta = meta("2026-07-28");
        meta.as_object_mut().unwrap().remove(&format!("io.modelcontextprotocol/{lacking}"));
        assert_eq!(code(&send(Some("2026-07-28"), Some(meta))), (400, -32602), "{lacking}");
    }
    let answer = send(Some("2030-01-01"), Some(meta("2030-01-01")));
    assert_eq!(code(&answer), (400, -32022));
    let error = &answer.json()["error"];
    assert_eq!(error["data"]["requested"], "2030-01-01");
    assert_eq!(error["data"]["supported"][0], "2026-07-28");
    assert_eq!(answer.json()["id"], "a");
}

#[test]
fn headers_say_what_the_body_says() {
    let client = Client::new(Eras::Modern);
    let send = |headers: &[(&str, &str)], arguments: Value| {
        let params = json!({"name": "ship", "arguments": arguments, "_meta": meta("2026-07-28")});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = client.raw(&body.to_string()).header("MCP-Protocol-Version", "2026-07-28");
        let request = headers.iter().fold(request, |it, (name, value)| it.header(name, value));
        let answer = request.send();
        assert!(answer.status == 200 || code(&answer) == (400, -32020), "{}", answer.body);
        answer.status == 200
    };
    let (method, name) = (("Mcp-Method", "tools/call"), ("Mcp-Name", "ship"));
    let at = |value: &'static str| ("Mcp-Param-Warehouse", value);
    let hall = || json!({"warehouse": "Hall 1"});
    assert!(send(&[method, name, at("Hall 1")], hall()));
    assert!(send(&[method, ("mcp-name", "  ship "), at("\tHall 1 ")], hall()));
    assert!(send(&[method, ("Mcp-Name", "=?base64?c2hpcA==?="), at("Hall 1")], hall()));
    for headers in [
        &[name, at("Hall 1")][..],
        &[method, at("Hall 1")],
        &[method, name],
        &[("Mcp-Method", "TOOLS/CALL"), name, at("Hall 1")],
        &[method, ("Mcp-Name", "Ship"), at("Hall 1")],
        &[method, name, at("Hall 2")],
        &[method, name, at("Hall 1"), at("Hall 1")],
        &[method, name, at("=?base64?SGFsbCAx?= ?=")],
        &[method, name, at("=?base64?SGFsbA?=")],
        &[method, name, at("Hall\u{e9}")],
    ] {
        assert!(!send(headers, hall()), "{headers:?}");
    }
    // Any text can be carried, and what only looks coded is taken as it is.
    assert!(send(&[method, name, at("=?base64?SGFsbGU=?=")], json!({"warehouse": "Halle"})));
    assert!(send(&[method, name, at("=?base64?5bGx?=")], json!({"warehouse": "山"})));
    assert!(send(&[method, name, at("=?base64?SGFs")], json!({"warehouse": "=?base64?SGFs"})));
}

#[test]
fn every_annotated_argument_has_its_header() {
    let client = Client::new(Eras::Modern);
    let send = |headers: &[(&str, &str)], rest: Value| {
        let mut arguments = json!({"warehouse": "x"});
        arguments.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let request = client.call(1, "ship", &arguments).header("Mcp-Param-Warehouse", "x");
        let request = headers.iter().fold(request, |it, (name, value)| it.header(name, value));
        let answer = request.send();
        assert!(answer.status == 200 || code(&answer) == (400, -32020), "{}", answer.body);
        answer.status == 200
    };
    let everything = json!({"order": 7, "express": true, "address": {"country": "NL"}});
    let headers =
        [("Mcp-Param-Order", "7"), ("mcp-param-express", "true"), ("Mcp-Param-Country", "NL")];
    assert!(send(&headers, everything.clone()));
    assert!(!send(&headers[..2], everything.clone()));
    assert!(!send(&headers[1..], everything));
    // Integers are compared as numbers; what is null or absent has no header; others are ignored.
    assert!(send(&[("Mcp-Param-Order", "7.0")], json!({"order": 7})));
    assert!(send(&[], json!({"order": null})));
    assert!(!send(&[("Mcp-Param-Order", "7")], json!({})));
    assert!(!send(&[("Mcp-Param-Express", "True")], json!({"express": true})));
    assert!(send(&[("Mcp-Param-Colour", "red")], json!({"Colour": "blue"})));
}

#[test]
fn what_this_revision_gave_up_is_not_found() {
    let client = Client::new(Eras::Dual);
    for method in
        ["initialize", "ping", "logging/setLevel", "resources/subscribe", "nothing/at_all"]
    {
        assert_eq!(code(&client.request(1, method, &json!({})).send()), (404, -32601), "{method}");
    }
    let gone = client.request(1, "resources/read", &json!({"uri": "apex://nothing"})).send();
    assert_eq!(
        (code(&gone).1, &gone.json()["error"]["data"]),
        (-32602, &json!({"uri": "apex://nothing"}))
    );
}

#[test]
fn a_modern_gateway_turns_older_clients_away() {
    let client = Client::new(Eras::Modern);
    let answer = client.raw(INITIALIZE).send();
    assert_eq!(code(&answer), (400, -32020));
    assert_eq!(answer.json()["error"]["data"]["supported"], json!(["2026-07-28"]));
    let stream = |url: &str| client.with_key(get(url)).header("Accept", "text/event-stream").send();
    assert_eq!(stream(&client.url).status, 405);
    assert_eq!(stream(&client.gateway.sse_url("acme")).status, 405);
    assert_eq!(client.with_key(request("DELETE", &client.url)).send().status, 405);
    assert_eq!(get(&client.url).send().status, 401);
    // Nor does it take answers or batches; a session id it does not even look at.
    let with_version = |body: &str| client.raw(body).header("MCP-Protocol-Version", "2026-07-28");
    let response = with_version(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).send();
    assert_eq!((code(&response), response.json().get("id")), ((400, -32600), None));
    assert_eq!(code(&with_version(&format!("[{INITIALIZE}]")).send()), (400, -32600));
    let list = client.request(1, "tools/list", &json!({})).header("Mcp-Session-Id", "unknown");
    assert_eq!(list.send().status, 200);
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/of_an_extension"}"#;
    assert_eq!(with_version(notification).send().status, 202);
}

#[test]
fn a_legacy_gateway_turns_newer_clients_away() {
    let client = Client::new(Eras::Legacy);
    let answer = client.request(1, "server/discover", &json!({})).send();
    // Nothing that could pass for an answer of 2026-07-28.
    assert_eq!(code(&answer), (400, -32600));
    let bare = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#;
    assert_eq!(code(&client.raw(bare).send()), (200, -32601));
}

#[test]
fn a_dual_gateway_serves_both_at_once() {
    let client = Client::new(Eras::Dual);
    let answer = client.raw(INITIALIZE).send();
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-06-18");
    let session = answer.header("mcp-session-id").unwrap().to_owned();
    // A client may name the newest revision that it knows, and still begin in the old way.
    let answer = client.raw(INITIALIZE).header("MCP-Protocol-Version", "2026-07-28").send();
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-06-18");
    let ping = || {
        client
            .raw(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
            .header("Mcp-Session-Id", &session)
            .header("MCP-Protocol-Version", "2025-06-18")
            .send()
    };
    assert_eq!(ping().json()["result"], json!({}));
    assert_eq!(
        client.request(2, "tools/list", &json!({})).send().json()["result"]["resultType"],
        "complete"
    );
    assert_eq!(ping().json()["result"], json!({}));
}

#[test]
fn results_stay_as_they_are_written() {
    let client = Client::new(Eras::Modern);
    let body = client.call(1, "echo", &json!({"text": "é"})).send().body;
    assert!(body.contains(r#""content":[{"type":"text","text":"é"}]"#), "{body}");
    assert!(body.contains(r#""resultType":"complete""#), "{body}");
    // A model is to see what is wrong with its arguments (SEP-1303).
    let answer = client.call(1, "query_postgres_orders", &json!({})).send().json();
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(code(&client.call(1, "nothing", &json!({})).send()).1, -32602);
}

/// The first round of a question, which a client can answer.
fn asked(client: &Client, what: &str) -> (Value, String) {
    let result = client.call(1, "ask", &json!({"what": what})).send().json()["result"].clone();
    assert_eq!(result["resultType"], "input_required", "{result}");
    let state = result["requestState"].as_str().unwrap().to_owned();
    (result["inputRequests"].clone(), state)
}

fn again(client: &Client, what: &str, answers: &Value, state: Option<&str>) -> Answer {
    let mut params = json!({"name": "ask", "arguments": {"what": what}});
    params["inputResponses"] = answers.clone();
    if let Some(state) = state {
        params["requestState"] = state.into();
    }
    client.request(2, "tools/call", &params).send()
}

#[test]
fn questions_are_answered_by_coming_back() {
    let client = Client::new(Eras::Dual);
    for (what, method) in [
        ("sampling", "sampling/createMessage"),
        ("elicitation", "elicitation/create"),
        ("roots", "roots/list"),
    ] {
        let (questions, state) = asked(&client, what);
        assert_eq!(questions[what]["method"], method);
        let answers = json!({what: {"said": what}, "unasked": {}});
        let answer = again(&client, what, &answers, Some(&state)).json();
        assert_eq!(answer["result"]["resultType"], "complete");
        let expected = json!({"result": {"said": what}}).to_string();
        assert_eq!(answer["result"]["content"][0]["text"], expected);
        // Who forgets to answer is asked again.
        let answer = again(&client, what, &json!({}), Some(&state)).json();
        assert_eq!(answer["result"]["resultType"], "input_required");
    }
    assert_eq!(client.gateway.calls("ask"), 9);
}

#[test]
fn a_request_state_is_for_one_request_and_not_for_ever() {
    let client = Client::new(Eras::Modern);
    let (_, state) = asked(&client, "roots");
    let answers = json!({"roots": {"roots": []}, "sampling": {}});
    let refused = |what: &str, answers: &Value, state: Option<&str>| {
        code(&again(&client, what, answers, state)).1 == -32602
    };
    assert!(refused("roots", &answers, None));
    assert!(refused("roots", &answers, Some(&format!("{state}x"))));
    assert!(refused("roots", &answers, Some("")));
    assert!(refused("sampling", &answers, Some(&state)));
    assert!(refused("roots", &Value::Null, Some(&state)));
    assert!(refused("roots", &json!({"roots": 5}), Some(&state)));
    assert!(!refused("roots", &answers, Some(&state)));
    client.gateway.advance(std::time::Duration::from_mins(11));
    assert!(refused("roots", &answers, Some(&state)));
}

#[test]
fn nobody_is_asked_what_they_cannot_answer() {
    let client = Client::new(Eras::Modern);
    let ask = |capabilities: Value| {
        let meta = json!({"io.modelcontextprotocol/clientCapabilities": capabilities});
        let arguments = json!({"what": "elicitation"});
        let params = json!({"name": "ask", "arguments": arguments, "_meta": meta});
        client.request(1, "tools/call", &params).send()
    };
    for able in [json!({"elicitation": {}}), json!({"elicitation": {"form": {}, "url": {}}})] {
        assert_eq!(ask(able).json()["result"]["resultType"], "input_required");
    }
    for unable in [json!({}), json!({"sampling": {}}), json!({"elicitation": {"url": {}}})] {
        let answer = ask(unable);
        assert_eq!(code(&answer), (400, -32021));
        let data = answer.json()["error"]["data"].clone();
        assert_eq!(data, json!({"requiredCapabilities": {"elicitation": {}}}));
    }
}

#[test]
fn a_refusal_has_its_status_where_answers_are_streams() {
    let plan = Plan { eras: Eras::Modern, answers: Answers::Sse, ..Plan::default() };
    let client = Client::with(plan);
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"name": "ask", "arguments": {"what": "roots"}, "_meta": meta});
    assert_eq!(code(&client.request(1, "tools/call", &params).send()), (400, -32021));
    assert_eq!(code(&client.request(1, "ping", &json!({})).send()), (404, -32601));
    let mut stream = client.request(1, "tools/list", &json!({})).open().unwrap();
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    assert_eq!(stream.message()["result"]["resultType"], "complete");
    assert_eq!(stream.event(), None);
}

#[test]
fn progress_and_log_go_by_the_stream_of_their_request() {
    let client = Client::new(Eras::Modern);
    let meta = json!({"progressToken": "p"});
    let params = json!({"name": "progress", "arguments": {"steps": 2}, "_meta": meta});
    let mut stream = client.request(1, "tools/call", &params).open().unwrap();
    for step in 1..=2 {
        assert_eq!(stream.message()["params"]["progress"], step);
    }
    assert_eq!(stream.message()["id"], 1);
    let announce = |level: Option<&str>| {
        let mut params = json!({"name": "announce", "arguments": {}, "_meta": {}});
        if let Some(level) = level {
            params["_meta"]["io.modelcontextprotocol/logLevel"] = level.into();
        }
        client.request(2, "tools/call", &params)
    };
    let _listener = client.listen(9, &json!({"toolsListChanged": true}));
    assert!(!announce(None).send().body.contains("notifications/message"));
    assert!(!announce(Some("warning")).send().body.contains("notifications/message"));
    let mut stream = announce(Some("info")).open().unwrap();
    assert_eq!(stream.message()["method"], "notifications/message");
    assert_eq!(stream.message()["id"], 2);
    assert_eq!(code(&announce(Some("loud")).send()), (400, -32602));
}
