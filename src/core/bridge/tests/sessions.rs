//! A session that is lost, and the new one that is begun behind the host's back.

use super::*;

const AGAIN: &str =
    r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;

/// `LIST` with another id.
fn list(id: u64) -> String {
    LIST.replace("\"id\":1", &format!("\"id\":{id}"))
}

/// A conversation over Streamable HTTP whose session is gone; exchange 5 is the new `initialize`.
fn lost_http() -> World {
    let mut world = World::ready_http();
    world.line(LIST).answer(4, 404, "").seen();
    world
}

#[test]
fn a_call_that_crosses_the_end_of_the_stream_is_made_in_the_new_session() {
    let mut world = World::ready_sse();
    world.line(LIST).back(1, HttpEvent::Ended);
    world.check(&["#4 POST /messages?id=1 version=2025-06-18 tools/list", "tell: reconnecting"]);
    world.answer(4, 404, "").check(&[]);
    world.pass(Duration::from_secs(4)).check(&["#5 GET /sse version=2025-06-18"]);
    world.open(5).message(5, "endpoint", "/messages?id=2");
    world.check(&["#6 POST /messages?id=2 initialize"]);
    world.answer(6, 202, "").message(5, "message", AGAIN);
    world.check(&["#7 POST /messages?id=2 version=2025-06-18 notifications/initialized"]);
    world.answer(7, 202, "").check(&["#8 POST /messages?id=2 version=2025-06-18 tools/list"]);
}

#[test]
fn calls_that_learn_of_the_loss_together_wait_for_one_new_session() {
    let mut world = World::ready_http();
    world.lines(&[LIST, &list(2)]).seen();
    world.answer(4, 404, "").answer(5, 404, "").check(&["#6 POST /mcp initialize"]);
    world.answer_with(6, 200, &[("mcp-session-id", "s2")], AGAIN).seen();
    world.answer(7, 202, "").check(&[
        "#8 POST /mcp session=s2 version=2025-06-18 tools/list",
        "#9 POST /mcp session=s2 version=2025-06-18 tools/list",
    ]);
}

#[test]
fn a_new_session_that_is_refused_is_asked_for_once_a_message() {
    let refusal = r#"{"id":"apexmcp-bridge-000000000000002a-1","error":{"code":-1,"message":""}}"#;
    for (status, body, code) in [(500, "", -31005), (200, refusal, -31005)] {
        let mut world = lost_http();
        world.line(&list(2)).answer(5, status, body);
        let first = format!("host < error 1 {code}");
        let second = format!("host < error 2 {code}");
        let seen = world.seen();
        assert!(seen.contains(&first) && seen.contains(&second), "{seen:?}");
        world.pass(Duration::from_secs(600)).check(&[]);
        world.line(&list(3)).check(&["#6 POST /mcp initialize"]);
        let answer = AGAIN.replace("2a-1", "2a-2");
        world.answer(6, 200, &answer).answer(7, 202, "").seen();
        world.answer(8, 200, r#"{"id":3,"result":{}}"#);
        world.check(&[r#"host < {"id":3,"result":{}}"#]);
    }
}

#[test]
fn a_new_session_that_never_comes_is_given_up_in_time() {
    let mut world = lost_http();
    world.pass(Duration::from_secs(16)).check(&[
        "abort #5",
        "new connections",
        "host < error 1 -31007",
    ]);
    world.line(&list(2)).check(&["#6 POST /mcp initialize"]);
}

#[test]
fn an_answer_to_a_handshake_that_was_given_up_changes_nothing() {
    let mut world = World::ready_sse();
    world.back(1, HttpEvent::Ended).pass(Duration::from_secs(4));
    world.open(4).message(4, "endpoint", "/messages?id=2").seen();
    // The new `initialize` is #5; its stream ends before it is answered.
    world.back(4, HttpEvent::Ended).check(&["abort #5", "tell: reconnecting"]);
    world.answer(5, 404, "").pass(Duration::from_secs(9)).check(&["#6 GET /sse"]);
    world.open(6).message(6, "endpoint", "/messages?id=3");
    world.check(&["#7 POST /messages?id=3 initialize"]);
}

/// A conversation in which the gateway has asked the host something in the course of a call.
fn asked(sse: bool) -> World {
    let question = r#"{"jsonrpc":"2.0","id":7,"method":"elicitation/create"}"#;
    let mut world = if sse { World::ready_sse() } else { World::ready_http() };
    world.line(CALL);
    if sse {
        world.answer(4, 202, "").message(1, "message", question);
    } else {
        world.open(4).message(4, "message", question);
    }
    world.seen();
    world
}

#[test]
fn an_answer_goes_to_the_session_that_has_asked_and_to_no_other() {
    let answer = r#"{"jsonrpc":"2.0","id":7,"result":{"action":"accept"}}"#;
    let withdrawn = r#"host < {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"the session is gone"}}"#;
    let mut world = asked(false);
    world.line(answer).check(&["#5 POST /mcp session=s1 version=2025-06-18 answer 7"]);
    // The session is gone before the host has answered, or while its answer is on its way.
    let mut world = asked(false);
    world.line(&list(2)).answer(5, 404, "");
    assert!(world.seen().contains(&withdrawn.to_owned()));
    let begun =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.answer_with(6, 200, &[("mcp-session-id", "s2")], begun).answer(7, 202, "").seen();
    world.line(answer).check(&[]);
    // The new session asks under the same id.
    world.message(4, "message", r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#).seen();
    world.line(answer).check(&["#9 POST /mcp session=s2 version=2025-06-18 answer 7"]);
    let mut world = asked(false);
    world.line(answer).answer(5, 404, "").seen();
    world.answer_with(6, 200, &[("mcp-session-id", "s2")], begun).answer(7, 202, "");
    assert!(!world.seen().iter().any(|line| line.contains("answer 7")));
    // The gateway itself has taken its question back.
    let mut world = asked(true);
    let taken_back = r#"{"method":"notifications/cancelled","params":{"requestId":7}}"#;
    world.message(1, "message", taken_back).check(&[&format!("host < {taken_back}")]);
    world.back(1, HttpEvent::Ended);
    assert!(!world.seen().contains(&withdrawn.to_owned()));
    let mut world = asked(true);
    world.back(1, HttpEvent::Ended).line(answer).pass(Duration::from_secs(4));
    let seen = world.seen();
    assert!(seen.contains(&withdrawn.to_owned()), "{seen:?}");
    assert!(!seen.iter().any(|line| line.contains("answer 7")), "{seen:?}");
}
