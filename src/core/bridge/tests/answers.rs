//! Which answers count, and what is understood although it is odd.

use super::*;

#[test]
fn an_answer_counts_only_where_its_request_went() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 200, RESULT).line(INITIALIZED).answer(2, 202, "");
    world.open(3).line(LIST).line(&LIST.replace(":1", ":2")).open(4).open(5).seen();
    let answer = r#"{"id":1,"result":{}}"#;
    world.message(5, "message", answer).message(3, "message", answer).check(&[]);
    world.message(5, "message", &format!("[{answer},{{\"id\":2,\"result\":{{}}}}]"));
    world.check(&[r#"host < {"id":2,"result":{}}"#]);
    world.message(4, "message", answer).check(&[&format!("host < {answer}")]);
}

#[test]
fn on_the_shared_stream_every_answer_counts() {
    let mut world = World::ready_sse();
    let answer = r#"{"id":1,"result":{}}"#;
    world.line(LIST).seen();
    world.message(1, "message", answer).check(&[&format!("host < {answer}")]);
}

#[test]
fn a_byte_order_mark_is_no_reason_to_refuse() {
    let answer = r#"{"id":1,"result":{}}"#;
    for status in [200, 400] {
        let mut world = World::ready_http();
        world.line(LIST).seen();
        world.answer(4, status, &format!("\u{feff}{answer}"));
        world.check(&[&format!("host < {answer}")]);
    }
}

#[test]
fn a_batch_can_hold_the_end_of_the_handshake() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 200, &RESULT.replace("2025-06-18", "2025-03-26")).seen();
    world.line(&format!("[{INITIALIZED},{LIST}]"));
    world.check(&["#2 POST /mcp notifications/initialized"]);
    world.answer(2, 202, "").check(&["#3 GET /mcp", "#4 POST /mcp tools/list"]);
}

#[test]
fn an_endpoint_is_found_from_where_the_stream_came() {
    let mut world = World::sse();
    world.line(INITIALIZE).seen();
    let url = Url::parse("https://mcp.example/v2/sse").unwrap();
    world.back(1, HttpEvent::Opened(Head { url: Some(url), ..head(200, &[]) }));
    world.message(1, "endpoint", "messages?x=1").check(&["#2 POST /v2/messages?x=1 initialize"]);
}

#[test]
fn a_cancelled_request_gets_no_answer() {
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let mut world = World::ready_http();
    world.line(LIST).line(cancel).seen();
    world.answer(4, 200, r#"{"id":1,"result":{}}"#).answer(5, 202, "").check(&[]);
    // Before it was sent, nobody else needs to know.
    let mut world = World::http();
    world.lines(&[INITIALIZE, LIST, cancel]).seen();
    world.answer(1, 200, RESULT).check(&[&format!("host < {RESULT}")]);
}

#[test]
fn an_answer_that_is_spoiled_is_answered_in_its_place() {
    let spoiled = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\0\"}}";
    let mut world = World::ready_http();
    world.line(CALL).open(4).line(&LIST.replace("\"id\":1", "\"id\":2")).open(5).seen();
    world.message(5, "message", spoiled).check(&[]);
    world.message(4, "message", spoiled).check(&["host < error 1 -31005"]);
    let mut world = World::ready_sse();
    world.line(CALL).answer(4, 202, "").seen();
    world.message(1, "message", spoiled).check(&["host < error 1 -31005"]);
    world.message(1, "message", r#"{"id":1,"result":{}}"#).check(&[]);
}

#[test]
fn two_messages_in_one_event_are_two_lines() {
    let mut world = World::ready_sse();
    world.line(CALL).answer(4, 202, "").seen();
    world.message(1, "message", "{\"method\":\"n\"}\n{\"id\":1,\"result\":{}}");
    world.check(&[r#"host < {"method":"n"}"#, r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn a_batch_from_the_gateway_is_split_where_there_are_none() {
    let mut world = World::ready_http();
    world.line(LIST).seen();
    world.answer(4, 200, r#"[{"method":"n"},{"id":1,"result":{}},{"id":7,"result":{}}]"#);
    world.check(&[r#"host < {"method":"n"}"#, r#"host < {"id":1,"result":{}}"#]);
}
