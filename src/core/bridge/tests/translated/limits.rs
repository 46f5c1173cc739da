//! What a host up to 2025-11-25 is told of a server of 2026-07-28, and how far that goes.

use super::legacy_host::{CALL, HELLO, REFUSAL, question, ready, server};
use super::*;

/// The answer to this `initialize` of a server that introduces itself so, and what was asked.
fn introduced(hello: &str, introduction: &Value) -> (World, Value, Value) {
    let mut world = World::http();
    world.line(hello).answer(1, 400, REFUSAL);
    let discover = world.look().0.pop().unwrap();
    world.give(&discover, introduction);
    let answer = world.read();
    (world, discover.1, answer)
}

#[test]
fn a_version_that_nobody_knows_is_answered_with_the_newest() {
    for (asked, given) in
        [("2024-11-05", "2024-11-05"), ("2025-11-25", "2025-11-25"), ("2027-01-01", "2025-11-25")]
    {
        let (_, _, answer) = introduced(&HELLO.replace("2025-06-18", asked), &server());
        assert_eq!(answer["result"]["protocolVersion"], given);
    }
    // Tasks of the older kind are not offered to the server.
    let hello = HELLO.replace(r#""sampling":{}"#, r#""sampling":{},"tasks":{}"#);
    let (_, discover, _) = introduced(&hello, &server());
    let offered = &discover["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(offered, &json!({ "elicitation": {}, "sampling": {} }));
}

#[test]
fn a_server_that_offers_what_was_asked_for_is_asked_once_more() {
    let mut world = World::http();
    world.line(HELLO).answer(1, 400, REFUSAL);
    for tries in 1..=2 {
        let discover = world.look().0.pop().unwrap();
        assert_eq!(discover.1["method"], "server/discover", "{tries}");
        let mut refusal: Value = serde_json::from_str(REFUSAL).unwrap();
        refusal["id"] = discover.1["id"].clone();
        world.answer(discover.0, 400, &refusal.to_string());
    }
    assert_eq!(world.read()["error"]["code"], -32022);
}

#[test]
fn a_result_reads_as_one_of_before() {
    let (mut world, ..) = ready();
    world.line(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    let list = world.posted();
    let info = json!({ "name": "s", "version": "2" });
    world.give(
        &list,
        &json!({
            "resultType": "complete", "tools": [], "ttlMs": 5, "cacheScope": "public", "x": 1.5,
            "_meta": { "io.modelcontextprotocol/serverInfo": info, "y": 2 },
        }),
    );
    assert_eq!(world.read()["result"], json!({ "tools": [], "x": 1.5, "_meta": { "y": 2 } }));
    // What is no list has no such words of its own.
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &json!({ "content": [], "ttlMs": 5 }));
    assert_eq!(world.read()["result"], json!({ "content": [], "ttlMs": 5 }));
}

#[test]
fn what_a_server_may_ask_for() {
    let many: serde_json::Map<_, _> = (0..33)
        .map(|n| (n.to_string(), json!({ "method": "elicitation/create", "params": {} })))
        .collect();
    for nonsense in [
        json!({ "resultType": "input_required" }),
        json!({ "resultType": "input_required", "inputRequests": {} }),
        json!({ "resultType": "input_required", "inputRequests": many }),
        json!({ "resultType": "input_required", "inputRequests": { "k": { "method": "ping" } } }),
    ] {
        let (mut world, ..) = ready();
        world.line(CALL);
        let call = world.posted();
        world.give(&call, &nonsense);
        assert_eq!(world.read()["error"]["code"], -31005, "{nonsense}");
    }
}

#[test]
fn an_id_that_is_in_use_is_refused_while_the_host_is_asked_too() {
    let (mut world, ..) = ready();
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &question("sampling/createMessage", json!({})));
    let asked = world.read();
    world.line(CALL);
    let refused = world.read();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1), &json!(-32600)));
    world.line(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": {} }).to_string());
    assert_eq!(world.posted().1["method"], "tools/call");
}

#[test]
fn subscriptions_to_resources_have_an_end() {
    let subscribe = |id: usize| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"resources/subscribe","params":{{"uri":"u:{id}"}}}}"#
        )
    };
    let (mut world, ..) = ready();
    for id in 1..=1000 {
        world.line(&subscribe(id));
        let (_, lines) = world.look();
        assert!(lines.is_empty(), "{id}");
    }
    world.line(&subscribe(1001));
    assert_eq!(world.read()["error"]["code"], -32602);
    // And a server that has none is not asked for one.
    let mut none = server();
    none["capabilities"]["resources"] = json!({});
    let (mut world, ..) = introduced(HELLO, &none);
    world.line(&subscribe(1));
    assert_eq!(world.read()["error"]["code"], -32601);
}

#[test]
fn after_a_sign_in_it_is_decided_again_what_the_server_speaks() {
    let mut world = World::new(TransportChoice::HttpFirst, AccessMode::OAuth);
    world.line(HELLO).event(Event::Store(StoreEvent::Loaded(None, None)));
    world.look();
    world.answer(1, 400, REFUSAL);
    let discover = world.posted();
    assert_eq!(discover.1["method"], "server/discover");
    world.answer(discover.0, 401, "");
    assert!(world.bridge.access.has_login());
    // The host's own words wait for that, and no translator's.
    assert!(world.bridge.eras.translator.is_none());
    assert!(world.bridge.queue.iter().all(|waiting| waiting.bytes == HELLO));
}
