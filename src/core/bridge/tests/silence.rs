//! Gateways that say nothing: whether they are there, and how long they are waited for.

use super::*;
use crate::config::Ping;

const PATH: &str = "POST /mcp session=s1 version=2025-06-18";
const CANCELLED: &str = "notifications/cancelled";

impl World {
    fn beat(&mut self, exchange: u64) -> &mut Self {
        self.back(exchange, HttpEvent::Beat)
    }

    pub(super) fn with(ping: Ping, request_limit: Option<Duration>, sse: bool) -> Self {
        let mut world = if sse { Self::sse() } else { Self::http() };
        world.config.liveness.ping = ping;
        world.config.liveness.request_limit = request_limit;
        world.bridge = Bridge::new(&world.config, 42);
        if sse {
            world.line(INITIALIZE).open(1).message(1, "endpoint", "/messages?id=1");
            world.answer(2, 202, "").message(1, "message", RESULT);
            world.line(INITIALIZED).answer(3, 202, "");
        } else {
            world.line(INITIALIZE).answer_with(1, 200, &[("mcp-session-id", "s1")], RESULT);
            world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "");
        }
        world.seen();
        world
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The answer to the first question of the bridge's own.
fn pong(number: u64) -> String {
    format!(r#"{{"id":"apexmcp-bridge-000000000000002a-{number}","result":{{}}}}"#)
}

#[test]
fn a_gateway_that_is_silent_while_something_is_due_is_asked() {
    let mut world = World::ready_http();
    world.pass(Duration::from_hours(1)).check(&[]);
    world.line(CALL).check(&[&format!("#4 {PATH} tools/call")]);
    world.pass(seconds(59)).check(&[]);
    world.pass(seconds(2)).check(&[&format!("#5 {PATH} ping")]);
    // It is there; the call goes on, and is asked about a minute later.
    world.answer(5, 200, &pong(1)).check(&[]);
    world.pass(seconds(59)).check(&[]);
    world.pass(seconds(2)).check(&[&format!("#6 {PATH} ping")]);
    world.answer(6, 200, &pong(2));
    world.answer(4, 200, r#"{"id":1,"result":{}}"#).check(&[r#"host < {"id":1,"result":{}}"#]);
    world.pass(Duration::from_hours(1)).check(&[]);
}

#[test]
fn a_gateway_that_does_not_answer_has_lost_what_was_under_way() {
    let mut world = World::ready_http();
    world.line(CALL).open(4).line(&LIST.replace("\"id\":1", "\"id\":2")).seen();
    world.pass(seconds(61)).check(&[&format!("#6 {PATH} ping")]);
    world.pass(seconds(28)).check(&[]);
    world.pass(seconds(1)).check(&[
        "new connections",
        "abort #4",
        "host < error 1 -31006",
        "abort #5",
        "abort #6",
    ]);
    // What only asks is asked again.
    world.pass(seconds(4)).check(&[&format!("#7 {PATH} tools/list")]);
}

#[test]
fn over_http_sse_the_answer_must_come_on_the_stream() {
    let mut world = World::ready_sse();
    world.line(CALL).answer(4, 202, "").seen();
    world.pass(seconds(61)).check(&["#5 POST /messages?id=1 version=2025-06-18 ping"]);
    world.answer(5, 202, "").message(1, "message", &pong(1)).pass(seconds(59)).check(&[]);
    world.pass(seconds(2)).check(&["#6 POST /messages?id=1 version=2025-06-18 ping"]);
    // Taken, but the stream is dead.
    world.answer(6, 202, "").pass(seconds(30));
    world.check(&["new connections", "abort #1", "host < error 1 -31006", "tell: reconnecting"]);
    world.pass(seconds(4)).check(&["#7 GET /sse version=2025-06-18"]);
}

#[test]
fn a_stream_with_heartbeats_is_missed_when_they_stop() {
    let mut world = World::ready_sse();
    for _ in 0..20 {
        world.beat(1).pass(seconds(30)).check(&[]);
    }
    world.pass(seconds(31)).check(&["#4 POST /messages?id=1 version=2025-06-18 ping"]);
    world.pass(seconds(30)).check(&[
        "new connections",
        "abort #1",
        "abort #4",
        "tell: reconnecting",
    ]);
    // Of a response stream the gateway itself knows nothing: others are answered.
    let mut world = World::ready_http();
    world.line(CALL).open(4).beat(4).seen();
    for round in 0..3 {
        world.pass(seconds(39)).line(&LIST.replace("\"id\":1", &format!("\"id\":{}", round + 2)));
        world.answer(5 + round, 200, &format!(r#"{{"id":{},"result":{{}}}}"#, round + 2));
    }
    let seen = world.seen();
    assert!(seen.contains(&"abort #4".to_owned()), "{seen:?}");
    assert!(seen.contains(&"host < error 1 -31006".to_owned()), "{seen:?}");
}

#[test]
fn a_standalone_stream_without_its_heartbeats_is_opened_anew() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 200, RESULT).line(INITIALIZED).answer(2, 202, "").open(3);
    world.beat(3).seen();
    world.pass(seconds(125)).check(&["abort #3", "#4 GET /mcp version=2025-06-18"]);
}

#[test]
fn a_machine_that_slept_asks_at_once() {
    let mut world = World::ready_http();
    world.line(CALL).pass(seconds(5)).seen();
    world.now.unix += 3600;
    world.event(Event::Tick).check(&["new connections", &format!("#5 {PATH} ping")]);
    world.event(Event::Tick).check(&[]);
}

#[test]
fn pings_come_as_often_as_the_user_wants() {
    for sse in [false, true] {
        let mut world = World::with(Ping::Every(seconds(30)), None, sse);
        world.pass(seconds(59));
        assert_eq!(world.seen().len(), 1, "the first one");
        let mut world = World::with(Ping::Never, None, sse);
        world.line(CALL).open(4).pass(Duration::from_hours(10));
        assert_eq!(world.seen().len(), 1, "the call");
    }
    // A refusal is an answer; the session that it misses is begun again.
    let mut world = World::with(Ping::Every(seconds(30)), None, false);
    world.pass(seconds(30)).check(&[&format!("#4 {PATH} ping")]);
    world.answer(4, 500, "").check(&[]);
    world.pass(seconds(30)).check(&[&format!("#5 {PATH} ping")]);
    world.answer(5, 404, "").check(&["#6 POST /mcp initialize"]);
}

#[test]
fn a_call_of_a_session_that_is_gone_is_waited_for_while_it_is_heard_of() {
    let open = || {
        let mut world = World::ready_http();
        world.line(CALL).open(4).line(&CALL.replace("\"id\":1", "\"id\":2")).answer(5, 404, "");
        world.seen();
        world
    };
    let mut world = open();
    world.pass(seconds(15));
    assert!(world.seen().contains(&"host < error 1 -31006".to_owned()));
    let mut world = open();
    world.pass(seconds(10)).message(4, "message", r#"{"method":"n"}"#);
    world.pass(seconds(10)).message(4, "message", r#"{"id":1,"result":{}}"#);
    let seen = world.seen();
    assert!(seen.contains(&r#"host < {"id":1,"result":{}}"#.to_owned()), "{seen:?}");
    assert!(!seen.contains(&"host < error 1 -31006".to_owned()), "{seen:?}");
}

#[test]
fn a_request_without_an_answer_is_cancelled_in_the_end() {
    let world = || World::with(Ping::Never, Some(seconds(100)), false);
    let mut waited = world();
    waited.line(CALL).open(4).pass(seconds(99)).line(LIST).seen();
    waited.pass(seconds(1));
    waited.check(&["host < error 1 -31007", &format!("#5 {PATH} {CANCELLED}")]);
    // A late answer is dropped.
    waited.message(4, "message", r#"{"id":1,"result":{}}"#).check(&[]);
    // `initialize` cannot be cancelled.
    let mut world = World::http();
    world.config.liveness.request_limit = Some(seconds(100));
    world.bridge = Bridge::new(&world.config, 42);
    world.line(INITIALIZE).seen();
    world.pass(seconds(100)).check(&["host < error 0 -31007", "abort #1"]);
    world.line(INITIALIZE).check(&["#2 POST /mcp initialize"]);
}

#[test]
fn progress_keeps_a_call_alive_but_not_for_ever() {
    let call = r#"{"id":1,"method":"tools/call","params":{"_meta":{"progressToken":"p"}}}"#;
    let news = |token: &str| {
        format!(r#"{{"method":"notifications/progress","params":{{"progressToken":"{token}"}}}}"#)
    };
    for (token, alive) in [("p", true), ("q", false)] {
        let mut world = World::with(Ping::Never, Some(seconds(100)), true);
        world.line(call).answer(4, 202, "");
        for _ in 0..5 {
            world.pass(seconds(60)).message(1, "message", &news(token));
        }
        let failed = world.seen().contains(&"host < error 1 -31007".to_owned());
        assert_eq!(failed, !alive, "{token}");
    }
    // Over Streamable HTTP it comes with the call.
    let mut world = World::with(Ping::Never, Some(seconds(100)), false);
    world.line(CALL).open(4);
    let minutes = (0..1441).find(|_| {
        world.pass(seconds(60)).message(4, "message", &news("x"));
        world.seen().contains(&"host < error 1 -31007".to_owned())
    });
    assert_eq!(minutes, Some(1439), "a day");
}

#[test]
fn a_message_that_nobody_takes_is_lost_with_its_silent_gateway() {
    let mut world = World::ready_sse();
    // The POST is never answered, nor is the ping.
    world.line(CALL).pass(Duration::from_secs(120));
    let seen = world.seen();
    assert!(seen.contains(&"host < error 1 -31006".to_owned()), "{seen:?}");
    assert!(seen.iter().any(|line| line.starts_with("abort #4")), "{seen:?}");
}

#[test]
fn questions_that_nobody_answers_do_not_pile_up() {
    for ping in [Ping::WhenSilent, Ping::Every(seconds(30))] {
        let mut world = World::with(ping, None, false);
        for id in 1..=300 {
            world.line(&CALL.replace("\"id\":1", &format!("\"id\":{id}"))).pass(seconds(120));
        }
        let seen = world.seen();
        let lost = seen.iter().filter(|line| line.ends_with("-31006")).count();
        assert!(300 <= lost + 1, "{lost} calls were told");
        assert!(world.bridge.exchanges.len() < 8, "{} are open", world.bridge.exchanges.len());
    }
}

#[test]
fn over_http_sse_a_post_of_a_stream_that_is_gone_is_waited_for_and_not_for_long() {
    let mut world = World::with(Ping::Never, None, true);
    world.line(CALL).back(1, HttpEvent::Ended).pass(seconds(4)).seen();
    world.open(5).message(5, "endpoint", "/messages?id=2").message(5, "message", &pong(1));
    world.pass(seconds(10)).seen();
    world.pass(seconds(1)).check(&["abort #4", "host < error 1 -31006"]);
}

#[test]
fn silence_means_nothing_while_the_host_does_not_read() {
    let mut world = World::ready_http();
    world.line(CALL).open(4).beat(4).seen();
    world.bridge.set_hearing(false, world.now);
    world.pass(Duration::from_mins(10)).check(&[]);
    world.bridge.set_hearing(true, world.now);
    world.pass(seconds(1)).message(4, "message", r#"{"id":1,"result":{}}"#);
    world.check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn a_large_event_on_a_slow_line_is_no_silence() {
    let mut world = World::ready_sse();
    world.beat(1).line(CALL).answer(4, 202, "").seen();
    for _ in 0..30 {
        world.back(1, HttpEvent::Part).pass(seconds(10)).check(&[]);
    }
    world.message(1, "message", r#"{"id":1,"result":{}}"#);
    world.check(&[r#"host < {"id":1,"result":{}}"#]);
}
