//! What the host writes that is no request, although its id can be read.

use super::*;

#[test]
fn each_request_with_an_id_gets_one_error() {
    let mut world = World::ready_http();
    world.line(r#"{"jsonrpc":"2.0","id":5,"method":7}"#).check(&["host < error 5 -32600"]);
    world
        .line(r#"[{"id":3},{"id":4,"method":5},7,{"id":null,"method":"x"}]"#)
        .check(&["host < error 3 -32600", "host < error 4 -32600"]);
    let long = r#"{"jsonrpc":"2.0","id":6,"method":"x","params":{"a":"aaaa"#;
    world.event(Event::LongLine(Bytes::from(long))).check(&["host < error 6 -32600"]);
    world.event(Event::LongLine(Bytes::from(r#"{"id":6,"result":{"#))).check(&[]);
}

#[test]
fn an_open_request_is_not_answered_by_what_has_its_id() {
    let mut world = World::ready_http();
    world.line(LIST).seen();
    world.lines(&[r#"{"id":1}"#, r#"{"id":1,"method":7}"#, r#"[{"id":1}]"#]).check(&[]);
    world.answer(4, 200, r#"{"id":1,"result":{}}"#).check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn a_lone_surrogate_passes() {
    let line = r#"{"\ud800":1,"id":"\uD800","method":"a\ud800"}"#;
    let mut world = World::ready_http();
    world.line(line);
    let Some(Effect::Http(_, request)) = world.effects.first() else { panic!() };
    assert_eq!(request.body.as_deref(), Some(line.as_bytes()));
    let answer = r#"{"\ud800":1,"id":"\ud800","result":{}}"#;
    world.effects.clear();
    world.answer(4, 200, answer).check(&[&format!("host < {answer}")]);
}
