//! What a server up to 2025-11-25 asks in the middle of a call, of a host of 2026-07-28.

use super::modern_host::{call, elicit, ready, ready_in};
use super::*;
use crate::core::bridge::era::Known;

/// A call of which the server has asked something: its exchange, and what the host was told.
fn asked(world: &mut World, more: &str) -> (u64, Value) {
    world.line(&call(1, 7, more));
    let post = world.posted();
    world.open(post.0).say(post.0, &elicit(40));
    (post.0, world.read())
}

fn state(outcome: &Value) -> String {
    format!(r#""requestState":{},"#, outcome["result"]["requestState"])
}

/// Agreement to everything that was asked.
fn agreed(outcome: &Value) -> String {
    let asked = outcome["result"]["inputRequests"].as_object().unwrap();
    let answers: serde_json::Map<_, _> =
        asked.keys().map(|name| (name.clone(), json!({ "action": "accept" }))).collect();
    format!(r#"{}"inputResponses":{},"#, state(outcome), Value::Object(answers))
}

#[test]
fn a_state_leads_back_to_the_same_call_only() {
    let mut world = ready();
    let (_, outcome) = asked(&mut world, r#""arguments":{"a":1,"b":"\u0041"},"#);
    let back = agreed(&outcome);
    for other in [
        call(2, 8, &back),
        call(2, 8, &format!(r#"{back}"arguments":{{"a":2,"b":"A"}},"#)),
        call(2, 8, &format!(r#"{back}"arguments":{{"a":1,"b":"A"}},"#)).replace("\"t\"", "\"u\""),
        call(2, 8, &format!(r#"{back}"arguments":{{"a":1,"b":"A"}},"#))
            .replace("tools/call", "prompts/get"),
    ] {
        world.line(&other);
        assert_eq!(world.read()["error"]["code"], -32602, "{other}");
    }
    // The same may be written in another way.
    world.line(&call(2, 8, &format!(r#"{back}"arguments":{{ "b":"A", "a":1 }},"#)));
    assert_eq!(world.posted().1["id"], 40);
}

#[test]
fn a_state_of_another_conversation_counts_for_nothing() {
    let mut world = ready();
    let (_, first) = asked(&mut world, "");
    world.bridge.eras.translator = None;
    world.bridge.eras.forget_conversation();
    world.bridge.pending.clear();
    world.bridge.eras.recall(Known::default());
    // Another one comes to the same place.
    let mut world = ready_in(world);
    let (_, second) = asked(&mut world, "");
    world.line(&call(2, 7, &agreed(&first)));
    assert_eq!(world.read()["error"]["code"], -32602);
    world.line(&call(2, 7, &agreed(&second)));
    assert_eq!(world.posted().1["id"], 40);
}

#[test]
fn a_state_is_good_for_ten_minutes() {
    for (seconds, good) in [(590, true), (601, false)] {
        let mut world = ready();
        let (_, outcome) = asked(&mut world, "");
        // Nothing happens in between, as on a machine that sleeps.
        world.now.uptime += Duration::from_secs(seconds);
        world.line(&call(2, 8, &agreed(&outcome)));
        let (posts, lines) = world.look();
        let answered =
            posts.iter().any(|(_, body)| body["id"] == 40 && body.get("result").is_some());
        assert_eq!(answered, good, "{seconds} {lines:?}");
    }
}

#[test]
fn a_call_asks_ten_times_at_most() {
    let mut world = ready();
    let (exchange, mut outcome) = asked(&mut world, "");
    let first = agreed(&outcome);
    for round in 2..=10 {
        world.line(&call(round, 7, &agreed(&outcome)));
        world.posted();
        world.say(exchange, &elicit(40 + round));
        outcome = world.read();
        assert_eq!(outcome["result"]["resultType"], "input_required", "{round}");
        // What led back here before does not any more.
        world.line(&call(99, 7, &first));
        assert_eq!(world.read()["error"]["code"], -32602);
    }
    world.line(&call(11, 7, &agreed(&outcome)));
    world.posted();
    world.say(exchange, &elicit(60));
    let (posts, lines) = world.look();
    assert_eq!((&lines[0]["id"], &lines[0]["error"]["code"]), (&json!(11), &json!(-31005)));
    assert_eq!(posts[0].1["params"]["requestId"], 1, "and the server is told");
}

#[test]
fn a_server_asks_no_more_at_once_than_anybody_answers() {
    let mut world = ready();
    let (exchange, _) = asked(&mut world, "");
    for id in 41..41 + 31 {
        world.say(exchange, &elicit(id)).nothing();
    }
    world.say(exchange, &elicit(99));
    let (_, refused) = world.posted();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(99), &json!(-32601)));
}

#[test]
fn an_id_that_the_host_uses_again_is_another_one_at_the_server() {
    let mut world = ready();
    let (exchange, outcome) = asked(&mut world, "");
    world.line(&call(1, 8, ""));
    let other = world.posted();
    assert_ne!(other.1["id"], 1);
    world.give(&other, &json!({ "content": ["other"] }));
    assert_eq!(world.read()["result"]["content"], json!(["other"]));
    // An answer that comes while the host is away waits for it.
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": ["first"] } });
    world.say(exchange, &answer).nothing();
    world.line(&call(5, 7, &agreed(&outcome)));
    let (_, lines) = world.look();
    assert_eq!((&lines[0]["id"], &lines[0]["result"]["content"]), (&json!(5), &json!(["first"])));
}

#[test]
fn on_a_stream_that_calls_share_one_call_alone_can_be_asked_for() {
    let mut world = World::sse();
    world.line(&ask(0, "server/discover", "")).open(1).message(1, "endpoint", "/messages?id=1");
    let initialize = world.look().0.pop().unwrap().1;
    let introduction = json!({ "protocolVersion": "2024-11-05", "capabilities": {} });
    let answer = json!({ "jsonrpc": "2.0", "id": initialize["id"], "result": introduction });
    world.answer(2, 202, "").say(1, &answer).answer(3, 202, "");
    world.line(&call(1, 7, "")).line(&call(2, 8, ""));
    world.answer(4, 202, "").answer(5, 202, "");
    world.look();
    world.say(1, &elicit(40));
    assert_eq!(world.posted().1["error"]["code"], -32601);
    world.say(1, &json!({ "jsonrpc": "2.0", "id": 2, "result": {} }));
    world.read();
    world.say(1, &elicit(41));
    assert_eq!(world.read()["id"], 1);
}

#[test]
fn so_many_calls_wait_for_their_host_and_no_more() {
    let mut world = ready();
    for id in 1..=65 {
        world.line(&call(id, id, ""));
        let (posts, _) = world.look();
        let at = posts.iter().find(|(_, body)| body["method"] == "tools/call").unwrap().0;
        world.open(at).say(at, &elicit(1000 + id));
        let (posts, lines) = world.look();
        assert_eq!(lines[0]["result"]["resultType"], "input_required", "{id}");
        let gone = posts.iter().map(|(_, body)| body["params"]["requestId"].as_u64());
        let expected = if id == 65 { vec![Some(1)] } else { vec![] };
        assert_eq!(gone.collect::<Vec<_>>(), expected, "the oldest is cancelled");
    }
}

#[test]
fn what_the_server_has_taken_back_is_not_answered() {
    let mut world = ready();
    let (exchange, outcome) = asked(&mut world, "");
    let back = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
                       "params": { "requestId": 40 } });
    world.say(exchange, &back).nothing();
    world.line(&call(2, 7, &agreed(&outcome))).nothing();
    world.say(exchange, &json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    assert_eq!(world.read()["id"], 2);
}

#[test]
fn without_anything_to_sign_with_nobody_is_asked() {
    let mut world = World::http();
    world.bridge = Bridge::new(&world.config, 42);
    let mut world = ready_in(world);
    world.line(&call(1, 7, ""));
    let post = world.posted();
    world.open(post.0).say(post.0, &elicit(40));
    assert_eq!(world.posted().1["error"]["code"], -32601);
    world.line(&able(&call(2, 8, "")));
    let post = world.posted();
    world.answer(post.0, 200, &refusal(2, &json!([address()])).to_string());
    assert_eq!(world.read()["error"]["code"], -32603);
}

/// The server refuses a call until an address is opened.
fn refusal(id: u32, elicitations: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32042, "message": "sign in first",
            "data": { "elicitations": elicitations } } })
}

fn address() -> Value {
    json!({ "mode": "url", "url": "https://a.example/?b", "message": "m", "elicitationId": "e" })
}

/// A call of a host that can open addresses.
fn able(line: &str) -> String {
    line.replace(r#""elicitation":{}"#, r#""elicitation":{"url":{}}"#)
}

#[test]
fn an_address_is_opened_before_the_call_is_made_again() {
    let mut world = ready();
    world.line(&able(&call(1, 7, r#""arguments":{"a":1.0},"#)));
    let first = world.posted();
    world.answer(first.0, 200, &refusal(1, &json!([address()])).to_string());
    let outcome = world.read();
    assert_eq!(outcome["id"], 1);
    let questions = outcome["result"]["inputRequests"].as_object().unwrap();
    // The id of an address is no part of the new revision, and neither is what it would be for.
    let question = json!({ "mode": "url", "url": "https://a.example/?b", "message": "m" });
    let question = json!({ "method": "elicitation/create", "params": question });
    assert_eq!(questions.values().collect::<Vec<_>>(), [&question]);
    // The id is free again, at the server too.
    world.line(&call(1, 9, ""));
    let other = world.posted();
    world.open(other.0);
    let complete = json!({ "jsonrpc": "2.0", "method": "notifications/elicitation/complete",
                           "params": { "elicitationId": "e" } });
    world.say(other.0, &complete).nothing();
    let back = format!(r#"{}"arguments":{{"a":1.0}},"#, agreed(&outcome));
    world.line(&able(&call(2, 8, &back)));
    let again = world.posted();
    let mut params = first.1["params"].clone();
    params["_meta"]["progressToken"] = json!(8);
    assert_eq!((&again.1["id"], &again.1["params"]), (&json!(2), &params));
    world.give(&again, &json!({ "content": [] }));
    assert_eq!(world.read()["id"], 2);
    world.give(&other, &json!({ "content": [] }));
    assert_eq!(world.read()["id"], 1);
    // Each state counts once.
    world.line(&able(&call(3, 8, &back)));
    assert_eq!(world.read()["error"]["code"], -32602);
}

#[test]
fn an_address_that_nobody_opens() {
    // Somebody has said no, or nothing.
    for action in ["decline", "cancel", "accepted"] {
        let mut world = ready();
        world.line(&able(&call(1, 7, "")));
        let first = world.posted();
        world.answer(first.0, 200, &refusal(1, &json!([address()])).to_string());
        let outcome = world.read();
        world.line(&able(&call(2, 8, &agreed(&outcome).replace("accept", action))));
        let answer = world.read();
        assert_eq!(answer["error"]["code"], -32602);
        assert!(answer["error"]["message"].as_str().unwrap().ends_with("sign in first"));
    }
    // The host cannot open any: it is told so as by a server of its own era.
    let mut world = ready();
    world.line(&call(1, 7, ""));
    let first = world.posted();
    world.answer(first.0, 200, &refusal(1, &json!([address()])).to_string());
    let required = json!({ "requiredCapabilities": { "elicitation": { "url": {} } } });
    let expected = json!({ "code": -32021, "message": "sign in first", "data": required });
    assert_eq!(world.read()["error"], expected);
    // A list asks nothing.
    world.line(&able(&call(1, 7, "").replace("tools/call", "tools/list")));
    let list = world.posted();
    world.answer(list.0, 200, &refusal(1, &json!([address()])).to_string());
    assert_eq!(world.read()["error"]["code"], -32603);
    // The server names none.
    for nothing in [json!([]), json!(null), json!([{ "mode": "form" }])] {
        world.line(&able(&call(1, 7, "")));
        let call = world.posted();
        world.answer(call.0, 200, &refusal(1, &nothing).to_string());
        assert_eq!(world.read()["error"], json!({ "code": -32603, "message": "sign in first" }));
    }
}

#[test]
fn a_server_that_wants_an_address_opened_again_and_again() {
    let mut world = ready();
    let mut more = String::new();
    for id in 1..=12 {
        world.line(&able(&call(id, 7, &more)));
        let post = world.posted();
        world.answer(post.0, 200, &refusal(id, &json!([address()])).to_string());
        let outcome = world.read();
        if outcome.get("error").is_some() {
            assert_eq!((id, &outcome["error"]["code"]), (11, &json!(-31005)));
            return;
        }
        more = agreed(&outcome);
    }
    panic!("no end");
}
