//! What a server up to 2025-11-25 tells, for a host of 2026-07-28.

use super::modern_host::{call, ready};
use super::*;

#[test]
fn subscriptions_become_those_of_a_session() {
    let mut world = ready();
    let filter = r#""notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["u:1"]},"#;
    world.line(&ask(1, "subscriptions/listen", filter));
    let subscribe = world.posted();
    assert_eq!(subscribe.1["method"], "resources/subscribe");
    assert_eq!(subscribe.1["params"], json!({ "uri": "u:1" }));
    world.give(&subscribe, &json!({}));
    let tag = json!({ "io.modelcontextprotocol/subscriptionId": 1 });
    let expected = json!({
        "notifications": { "toolsListChanged": true, "resourceSubscriptions": ["u:1"] },
        "_meta": tag,
    });
    let acknowledged = world.read();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"], expected);
    // What comes on the stream of a call is told to the subscription.
    world.line(&call(2, 7, ""));
    let post = world.posted();
    world.open(post.0);
    world.say(post.0, &json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }));
    assert_eq!(world.read()["params"], json!({ "_meta": tag }));
    let prompts = json!({ "jsonrpc": "2.0", "method": "notifications/prompts/list_changed" });
    world.say(post.0, &prompts).nothing();
    let updated = json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated",
                          "params": { "uri": "u:1" } });
    world.say(post.0, &updated);
    assert_eq!(world.read()["params"], json!({ "uri": "u:1", "_meta": tag }));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    world.line(cancel);
    assert_eq!(world.posted().1["method"], "resources/unsubscribe");
    world.say(post.0, &updated).nothing();
}

#[test]
fn a_log_level_is_told_before_the_call_and_messages_need_one() {
    let mut world = ready();
    let log = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                      "params": { "level": "warning", "data": "d" } });
    world.line(&call(1, 7, ""));
    let silent = world.posted();
    world.open(silent.0).say(silent.0, &log).nothing();
    let loud = call(2, 8, "").replace(
        r#""progressToken""#,
        r#""io.modelcontextprotocol/logLevel":"info","progressToken""#,
    );
    world.line(&loud);
    let level = world.posted();
    assert_eq!(level.1["method"], "logging/setLevel");
    assert_eq!(level.1["params"], json!({ "level": "info" }));
    world.give(&level, &json!({}));
    let post = world.posted();
    assert_eq!(post.1["method"], "tools/call");
    world.open(post.0).say(post.0, &log);
    assert_eq!(world.read(), log);
    let mut less = log;
    less["params"]["level"] = json!("debug");
    world.say(post.0, &less).nothing();
    // The same level is told once.
    world.give(&post, &json!({}));
    world.read();
    world.line(&loud);
    assert_eq!(world.posted().1["method"], "tools/call");
    // A server that has no log is told none.
    let mut world = ready_with(json!({ "protocolVersion": "2025-11-25", "capabilities": {} }));
    world.line(&loud);
    assert_eq!(world.posted().1["method"], "tools/call");
}

/// A session with a server that introduces itself so.
fn ready_with(introduction: Value) -> World {
    let mut world = World::with_protocol(Protocol::Legacy);
    world.line(&ask(0, "server/discover", ""));
    let initialize = world.posted();
    world.give(&initialize, &introduction);
    let (posts, _) = world.look();
    world.answer(posts[0].0, 202, "").answer(posts[0].0 + 1, 405, "");
    world.look();
    world
}

#[test]
fn a_subscription_is_to_what_the_server_declares() {
    let mut world = ready_with(json!({
        "protocolVersion": "2025-11-25",
        "capabilities": { "tools": {}, "resources": {}, "prompts": { "listChanged": true } },
    }));
    let filter = r#""notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":false,"resourceSubscriptions":["u:1"]},"#;
    world.line(&ask(1, "subscriptions/listen", filter));
    let agreed = world.read();
    assert_eq!(agreed["params"]["notifications"], json!({ "promptsListChanged": true }));
}

#[test]
fn a_subscription_stands_when_the_server_has_agreed_and_not_before() {
    let mut world = ready();
    let filter =
        r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["u:1","u:2"]},"#;
    world.line(&ask(1, "subscriptions/listen", filter));
    let (posts, lines) = world.look();
    assert_eq!((posts.len(), lines.len()), (2, 0));
    // What comes before is for nobody.
    world.open(posts[0].0);
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    world.say(posts[0].0, &changed).nothing();
    world.say(posts[0].0, &json!({ "jsonrpc": "2.0", "id": posts[0].1["id"], "result": {} }));
    world.nothing();
    let no = json!({ "jsonrpc": "2.0", "id": posts[1].1["id"],
                     "error": { "code": -32602, "message": "no such thing" } });
    world.answer(posts[1].0, 200, &no.to_string());
    let expected = json!({ "toolsListChanged": true, "resourceSubscriptions": ["u:1"] });
    assert_eq!(world.read()["params"]["notifications"], expected);
    // One that is over before the server has agreed is taken back then.
    let filter = r#""notifications":{"resourceSubscriptions":["u:3"]},"#;
    world.line(&ask(2, "subscriptions/listen", filter));
    let subscribe = world.posted();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
    world.line(cancel).nothing();
    world.give(&subscribe, &json!({}));
    let back = world.posted().1;
    assert_eq!(
        (&back["method"], &back["params"]["uri"]),
        (&json!("resources/unsubscribe"), &json!("u:3"))
    );
}

#[test]
fn there_are_not_more_subscriptions_than_anybody_needs() {
    let mut world = ready();
    let filter = r#""notifications":{"toolsListChanged":true},"#;
    for id in 1..=64 {
        world.line(&ask(id, "subscriptions/listen", filter));
        assert_eq!(world.read()["method"], "notifications/subscriptions/acknowledged");
    }
    world.line(&ask(65, "subscriptions/listen", filter));
    assert_eq!(world.read()["error"]["code"], -32602);
    // An id that is in use is nobody else's.
    world.line(&ask(64, "tools/list", ""));
    assert_eq!(world.read()["error"]["code"], -32600);
    // All of them end with the host.
    world.event(Event::Eof);
    let (_, lines) = world.look();
    assert_eq!(lines.len(), 128, "each is cancelled, and has its answer");
    let many: Vec<_> = (0..1001).map(|n| format!("u:{n}")).collect();
    let mut world = ready();
    let filter = format!(r#""notifications":{{"resourceSubscriptions":{}}},"#, json!(many));
    world.line(&ask(1, "subscriptions/listen", &filter));
    assert_eq!(world.read()["error"]["code"], -32602);
}

#[test]
fn what_only_sessions_have_is_unknown() {
    let mut world = ready();
    for method in ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"] {
        world.line(&ask(1, method, ""));
        assert_eq!(world.read()["error"]["code"], -32601, "{method}");
    }
}
