//! What a gateway may do without the bridge getting stuck, or losing tokens over it.

use super::access::record;
use super::*;

/// `LIST` with another id.
fn list(id: u64) -> String {
    LIST.replace("\"id\":1", &format!("\"id\":{id}"))
}

#[test]
fn streams_that_stay_open_after_the_answer_do_not_use_up_the_connections() {
    let mut world = World::ready_http();
    for id in 1..=1000_u64 {
        let exchange = id + 3;
        world.line(&list(id)).open(exchange);
        let answer = format!(r#"{{"id":{id},"result":{{}}}}"#);
        world.message(exchange, "message", &answer);
        let seen = world.seen();
        assert!(seen.contains(&format!("host < {answer}")), "{id}: {seen:?}");
    }
    assert!(world.bridge.exchanges.len() < 40);
    world.pass(Duration::from_secs(3)).seen();
    assert!(world.bridge.exchanges.is_empty());
}

#[test]
fn a_late_notification_on_an_answered_stream_still_passes() {
    let mut world = World::ready_http();
    world.line(LIST).open(4).message(4, "message", r#"{"id":1,"result":{}}"#).seen();
    world.pass(Duration::from_secs(1)).message(4, "message", r#"{"method":"n"}"#);
    world.check(&[r#"host < {"method":"n"}"#]);
    world.pass(Duration::from_secs(2)).check(&["abort #4"]);
}

#[test]
fn an_answered_stream_does_not_hold_up_the_end() {
    let mut world = World::ready_http();
    world.line(LIST).open(4).message(4, "message", r#"{"id":1,"result":{}}"#).seen();
    world.event(Event::Eof);
    assert!(world.seen().iter().any(|line| line.contains("DELETE")));
}

#[test]
fn an_event_whose_name_is_empty_is_a_message() {
    let mut world = World::ready_http();
    world.line(LIST).open(4).message(4, "", r#"{"id":1,"result":{}}"#);
    assert!(world.seen().contains(&r#"host < {"id":1,"result":{}}"#.to_owned()));
}

#[test]
fn tokens_that_are_on_their_way_are_stored_before_the_end() {
    for signal in [false, true] {
        let mut world = World::signed_in(100);
        world.pass(Duration::from_secs(91)).check(&["lock"]);
        world.locked(Some(record(1, "at1", 100))).check(&["mark", "grant"]);
        world.event(if signal { Event::Signal(15) } else { Event::Eof }).check(&[]);
        world.granted("at2").check(&["save 2"]);
        world.saved(2);
        let status = if signal { 143 } else { 0 };
        world.check(&["unlock", &format!("exit {status}")]);
    }
}

#[test]
fn the_end_does_not_wait_for_ever_for_tokens() {
    for event in [Event::Signal(15), Event::Eof] {
        let mut world = World::signed_in(100);
        world.pass(Duration::from_secs(91)).locked(Some(record(1, "at1", 100))).seen();
        world.event(event).pass(Duration::from_secs(2));
        assert!(world.seen().iter().any(|line| line.starts_with("exit")));
    }
}

#[test]
fn a_stream_that_takes_no_token_costs_one_renewal_and_no_sign_in() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(Some(record(1, "at1", 3600)));
    world.answer(1, 200, RESULT).line(INITIALIZED).answer(2, 202, "").seen();
    world.answer(3, 401, "").check(&["lock"]);
    world.locked(Some(record(1, "at1", 3600))).granted("at2").saved(2);
    assert!(world.seen().last().unwrap().starts_with("#4 GET"));
    world.answer(4, 401, "").check(&[]);
    world.pass(Duration::from_secs(600)).line(LIST);
    let seen = world.seen();
    assert!(seen.len() == 1 && seen[0].ends_with("at2 tools/list"), "{seen:?}");
}

#[test]
fn a_token_that_is_refused_while_it_is_renewed_is_not_sent_again() {
    let mut world = World::signed_in(100);
    world.pass(Duration::from_secs(91)).locked(Some(record(1, "at1", 100)));
    world.line(LIST).seen();
    world.answer(4, 401, "").check(&[]);
    world.granted("at2").saved(2);
    assert!(world.seen().last().unwrap().ends_with("at2 tools/list"));
}

#[test]
fn a_gateway_that_answers_with_404_is_heard() {
    let answer = r#"{"id":1,"error":{"code":-32601,"message":"no"}}"#;
    let mut world = World::ready_http();
    world.line(LIST).seen();
    world.answer(4, 404, answer).check(&[&format!("host < {answer}")]);
}

#[test]
fn a_call_is_sent_once_more_in_a_new_session_and_not_twice() {
    let mut world = World::ready_http();
    world.line(LIST).answer(4, 404, "").seen();
    let again =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.answer_with(5, 200, &[("mcp-session-id", "s2")], again).answer(6, 202, "").seen();
    world.answer(7, 404, "");
    assert!(world.seen().contains(&"host < error 1 -31005".to_owned()));
}

#[test]
fn tokens_that_live_for_seconds_are_not_renewed_while_nobody_asks() {
    let mut world = World::signed_in(2);
    world.pass(Duration::from_secs(600)).check(&[]);
    world.line(LIST).check(&["lock"]);
}

#[test]
fn closed_stdin_before_the_challenge_names_the_sign_in() {
    let mut world = World::oauth();
    world.line(INITIALIZE).event(Event::Eof).loaded(None);
    world.answer_with(1, 401, &[("www-authenticate", "Bearer")], "");
    let seen = world.seen();
    assert!(seen.contains(&"host < error 0 -31002".to_owned()), "{seen:?}");
    assert!(seen.contains(&"exit 4".to_owned()), "{seen:?}");
}

#[test]
fn the_newest_refusal_counts_once_the_gateway_was_reached() {
    let mut world = World::ready_sse();
    world.back(1, HttpEvent::Ended).line(LIST).pass(Duration::from_secs(4)).seen();
    world.answer(4, 401, "");
    assert!(world.seen().contains(&"host < error 1 -31003".to_owned()));
}

#[test]
fn a_hang_up_that_was_seen_late_leaves_less_time() {
    let mut world = World::ready_http();
    world.line(LIST).event(Event::HungUp(Duration::from_millis(800)));
    world.seen();
    world.pass(Duration::from_millis(700));
    assert_eq!(world.seen().last().unwrap(), "exit 1");
}

#[test]
fn a_job_that_ends_while_somebody_should_sign_in_has_failed() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None).answer(1, 401, "").pass(Duration::from_secs(5)).seen();
    world.event(Event::Eof);
    assert_eq!(world.seen().last().unwrap(), "exit 4");
}
