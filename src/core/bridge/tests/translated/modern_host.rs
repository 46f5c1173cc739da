//! A host of 2026-07-28, and a server up to 2025-11-25.

use super::*;
use crate::config::{AccessMode, TransportChoice};
use crate::core::event::StoreEvent;

fn introduction() -> Value {
    json!({
        "protocolVersion": "2025-11-25", "serverInfo": { "name": "s", "version": "2" },
        "instructions": "Be kind.",
        "capabilities": {
            "tools": { "listChanged": true }, "resources": { "subscribe": true }, "logging": {},
            "tasks": {},
        },
    })
}

const CALLER: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"h","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"progressToken":PROGRESS}"#;

pub(super) fn call(id: u32, token: u32, more: &str) -> String {
    let meta = CALLER.replace("PROGRESS", &token.to_string());
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t",{more}"_meta":{meta}}}}}"#
    )
}

/// The handshake from the first question on; returns the discover result.
fn shake_hands(world: &mut World) -> Value {
    let initialize = world.posted();
    assert_eq!(initialize.1["method"], "initialize");
    assert_eq!(initialize.1["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(initialize.1["params"]["clientInfo"]["name"], "h");
    let answer = json!({ "jsonrpc": "2.0", "id": initialize.1["id"], "result": introduction() });
    world.answer_with(initialize.0, 200, &[("mcp-session-id", "s1")], &answer.to_string());
    let (posts, mut lines) = world.look();
    assert_eq!(posts[0].1["method"], "notifications/initialized");
    world.answer(posts[0].0, 202, "").answer(posts[0].0 + 1, 405, "");
    lines.pop().unwrap_or_default()
}

pub(super) fn ready() -> World {
    ready_in(World::http())
}

pub(super) fn ready_in(mut world: World) -> World {
    world.line(&ask(0, "server/discover", ""));
    world.posted();
    world.answer(
        world.bridge.last_exchange,
        400,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request"},"id":null}"#,
    );
    shake_hands(&mut world);
    world.look();
    world
}

#[test]
fn a_legacy_server_is_recognised_and_introduced() {
    for (status, answer) in [
        (400, r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request"},"id":null}"#),
        (404, "not found"),
        (405, ""),
        (200, r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"Method not found"}}"#),
        (200, r#"{"jsonrpc":"2.0","id":0,"result":{}}"#),
        // It knows the words of the new revision, and not the revision.
        (
            400,
            r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"m","data":{"supported":["2025-06-18","2025-11-25"],"requested":"2026-07-28"}}}"#,
        ),
        (200, r#"{"jsonrpc":"2.0","id":0,"result":{"supportedVersions":["2025-11-25"]}}"#),
    ] {
        let mut world = World::http();
        world.line(&ask(0, "server/discover", ""));
        world.posted();
        world.answer(1, status, answer);
        let discovered = shake_hands(&mut world);
        let expected = json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0,
            "cacheScope": "private", "instructions": "Be kind.",
            "capabilities": {
                "tools": { "listChanged": true }, "resources": { "subscribe": true }, "logging": {},
            },
            "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "s", "version": "2" } },
        });
        assert_eq!(discovered["id"], 0, "{answer}");
        assert_eq!(discovered["result"], expected);
    }
}

#[test]
fn a_request_without_a_question_does_not_run_before_the_server_is_known() {
    let mut world = World::http();
    world.line(&call(1, 1, ""));
    assert_eq!(world.posted().1["method"], "server/discover");
    world.answer(1, 404, "");
    shake_hands(&mut world);
    // It went out with the session, and without what only its era knows.
    let mut world = ready();
    world.line(&call(1, 1, "")).check(&["#5 POST /mcp session=s1 version=2025-11-25 tools/call"]);
}

#[test]
fn a_call_and_its_answer() {
    let mut world = ready();
    world.line(&call(1, 7, r#""arguments":{"a":1.0},"#));
    let post = world.posted();
    let params = json!({ "name": "t", "arguments": { "a": 1.0 }, "_meta": { "progressToken": 7 } });
    assert_eq!(post.1["params"], params);
    world.give(&post, &json!({ "content": [] }));
    assert_eq!(world.read()["result"], json!({ "content": [], "resultType": "complete" }));
    world.line(&ask(2, "resources/read", r#""uri":"u","#));
    let post = world.posted();
    assert!(post.1["params"].get("_meta").is_none());
    world.give(&post, &json!({ "contents": [] }));
    let expected =
        json!({ "contents": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private" });
    assert_eq!(world.read()["result"], expected);
    // A resource that is not there has another code by now.
    world.line(&ask(3, "resources/read", r#""uri":"u","#));
    let post = world.posted();
    let error = json!({ "jsonrpc": "2.0", "id": 3, "error": { "code": -32002, "message": "m" } });
    world.answer(post.0, 200, &error.to_string());
    assert_eq!(world.read()["error"], json!({ "code": -32602, "message": "m" }));
}

pub(super) fn elicit(id: u32) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "elicitation/create",
            "params": { "message": "Who?" } })
}

#[test]
fn what_the_server_asks_in_a_call_ends_the_request_until_the_host_comes_back() {
    let mut world = ready();
    world.line(&call(1, 7, ""));
    let post = world.posted();
    world.open(post.0).say(post.0, &elicit(40));
    let outcome = world.read();
    assert_eq!(outcome["id"], 1);
    assert_eq!(outcome["result"]["resultType"], "input_required");
    let asked = outcome["result"]["inputRequests"].as_object().unwrap();
    let (name, question) = asked.iter().next().unwrap();
    assert_eq!(
        question,
        &json!({ "method": "elicitation/create", "params": { "message": "Who?" } })
    );
    // Meanwhile nothing is said for that request.
    let progress = |token: u32| json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token } });
    world.say(post.0, &progress(7)).nothing();
    let state = outcome["result"]["requestState"].as_str().unwrap();
    let inputs = format!(
        r#""requestState":"{state}","inputResponses":{{"{name}":{{"action":"decline"}}}},"#
    );
    // Another call cannot use it, and neither can a state that was altered.
    world.line(&call(2, 8, &inputs).replace(r#""name":"t""#, r#""name":"u""#));
    assert_eq!(world.read()["error"]["code"], -32602);
    world.line(&call(2, 8, &inputs.replace(state, &format!("A{state}"))));
    assert_eq!(world.read()["error"]["code"], -32602);
    // The id may be another one, and the token too.
    world.line(&call(2, 8, &inputs));
    let answer = world.posted().1;
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 40, "result": { "action": "decline" } }));
    world.say(post.0, &progress(7));
    assert_eq!(world.read(), progress(8));
    world.line(&call(3, 9, &inputs));
    assert_eq!(world.read()["error"]["code"], -32602, "each state counts once");
    world.say(post.0, &json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [] } }));
    let done = world.read();
    assert_eq!(
        done,
        json!({ "jsonrpc": "2.0", "id": 2, "result": { "content": [], "resultType": "complete" } })
    );
}

#[test]
fn two_questions_and_an_answer_that_is_missing() {
    let mut world = ready();
    world.line(&call(1, 7, ""));
    let post = world.posted();
    world.open(post.0).say(post.0, &elicit(40));
    let first = world.read();
    world.say(post.0, &elicit(41)).nothing();
    let state = |outcome: &Value| outcome["result"]["requestState"].as_str().unwrap().to_owned();
    world.line(&call(1, 7, &format!(r#""requestState":"{}","#, state(&first))));
    // The answer is missing, so the host is asked again, for both.
    let second = world.read();
    let asked = second["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(asked.len(), 2);
    let answers: serde_json::Map<_, _> =
        asked.keys().map(|name| (name.clone(), json!({ "action": "accept" }))).collect();
    let inputs = format!(
        r#""requestState":"{}","inputResponses":{},"#,
        state(&second),
        Value::Object(answers)
    );
    world.line(&call(1, 7, &inputs));
    let (posts, _) = world.look();
    let mut ids: Vec<_> = posts.iter().map(|(_, body)| body["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [40, 41]);
}

#[test]
fn who_cannot_be_asked() {
    let mut world = ready();
    world.line(&call(1, 7, ""));
    let post = world.posted();
    world.open(post.0);
    // Not declared by this request.
    world.say(post.0, &json!({ "jsonrpc": "2.0", "id": 40, "method": "roots/list" }));
    assert_eq!(world.posted().1["error"]["code"], -32601);
    world.say(post.0, &json!({ "jsonrpc": "2.0", "id": 41, "method": "ping" }));
    assert_eq!(world.posted().1, json!({ "jsonrpc": "2.0", "id": 41, "result": {} }));
    // A list cannot ask back, whatever its host offers.
    world.line(&call(2, 8, "").replace("tools/call", "tools/list"));
    let list = world.posted();
    world.open(list.0).say(list.0, &elicit(42));
    assert_eq!(world.posted().1["error"]["code"], -32601);
}

#[test]
fn a_host_that_does_not_come_back() {
    let mut world = ready();
    world.line(&call(1, 7, ""));
    let post = world.posted();
    world.open(post.0).say(post.0, &elicit(40));
    world.read();
    let mut cancelled = Vec::new();
    for _ in 0..31 {
        world.pass(Duration::from_secs(20));
        for post in world.look().0 {
            if post.1["method"] == "ping" {
                world.give(&post, &json!({}));
            } else {
                cancelled.push(post.1);
            }
        }
    }
    assert_eq!(cancelled[0]["method"], "notifications/cancelled", "{cancelled:?}");
    assert_eq!(cancelled[0]["params"]["requestId"], 1);
    // And one that leaves.
    let mut world = ready();
    world.line(&call(1, 7, ""));
    let post = world.posted();
    world.open(post.0).say(post.0, &elicit(40)).event(Event::Eof);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.seen().last().unwrap(), "exit 0");
}

#[test]
fn a_host_that_goes_back_and_one_that_comes_too_late() {
    let mut world = ready();
    // It has only asked what there is.
    world.line(INITIALIZE);
    let initialize = world.posted();
    assert_eq!(initialize.1["method"], "initialize");
    assert_eq!(initialize.1["id"], 0);
    world.answer(initialize.0, 200, RESULT);
    assert_eq!(world.read(), serde_json::from_str::<Value>(RESULT).unwrap());
    let mut world = ready();
    world.line(&ask(1, "tools/list", ""));
    world.posted();
    world.line(INITIALIZE);
    let late = world.read();
    assert_eq!(late["error"]["code"], -32022);
    assert_eq!(late["error"]["data"]["supported"], json!(["2026-07-28"]));
}

#[test]
fn the_older_transport_is_one_of_the_older_era() {
    let mut world = World::sse();
    world.line(&ask(0, "server/discover", "")).open(1).message(1, "endpoint", "/messages?id=1");
    let (posts, _) = world.look();
    assert_eq!(posts[1].1["method"], "initialize");
    let answer = json!({ "jsonrpc": "2.0", "id": posts[1].1["id"], "result": introduction() });
    world.answer(2, 202, "").say(1, &answer);
    let (posts, lines) = world.look();
    assert_eq!(posts[0].1["method"], "notifications/initialized");
    assert_eq!(lines[0]["result"]["supportedVersions"], json!(["2026-07-28"]));
    world.answer(3, 202, "").line(&call(1, 7, ""));
    let post = world.posted();
    // All streams are one, and one call is open: who asks is clear.
    world.answer(post.0, 202, "").say(1, &elicit(40));
    assert_eq!(world.read()["result"]["resultType"], "input_required");
}

#[test]
fn legacy_by_choice_asks_nobody_and_modern_by_choice_gives_no_session() {
    let mut world = World::with_protocol(Protocol::Legacy);
    world.line(&ask(0, "server/discover", ""));
    shake_hands(&mut world);
    let mut world = World::with_protocol(Protocol::Modern);
    world.line(&call(1, 7, ""));
    assert_eq!(world.posted().1["method"], "tools/call");
}

#[test]
fn a_server_that_has_changed_is_spoken_to_as_it_is() {
    let mut world = ready();
    world.bridge.eras.translator = None;
    world.bridge.eras.forget_conversation();
    world.line(&ask(5, "tools/list", ""));
    // It is remembered as a legacy one, and takes no handshake any more.
    let initialize = world.posted();
    assert_eq!(initialize.1["method"], "initialize");
    world.answer(
        initialize.0,
        400,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"no header"}}"#,
    );
    let list = world.posted();
    assert_eq!(list.1, serde_json::from_str::<Value>(&ask(5, "tools/list", "")).unwrap());
}

fn signed_out(url: TransportChoice) -> World {
    let mut world = World::new(url, AccessMode::OAuth);
    world.line(&ask(0, "server/discover", ""));
    world.event(Event::Store(StoreEvent::Loaded(None, None)));
    world.look();
    world
}

#[test]
fn nobody_is_sent_to_a_browser_to_find_out_what_there_is() {
    for transport in [TransportChoice::HttpFirst, TransportChoice::SseFirst] {
        let mut world = signed_out(transport);
        world.answer(1, 401, "");
        let discovered = world.read();
        assert_eq!(discovered["id"], 0, "{transport:?}");
        assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]));
        assert!(!world.bridge.access.has_login());
        // The next request needs somebody.
        world.line(&ask(1, "tools/list", "")).answer(2, 401, "");
        world.answer(3, 401, "");
        assert!(world.bridge.access.has_login(), "{transport:?}");
    }
}
