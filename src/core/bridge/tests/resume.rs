//! Streams that are cut: before and behind the first event id, by the server and by the network.

use super::*;

const POST: &str = "#4 POST /mcp session=s1 version=2025-06-18 tools/call";
const ANSWER: &str = r#"{"id":1,"result":{}}"#;

impl World {
    /// An event with an id; without data it is a priming event.
    fn event_with_id(&mut self, exchange: u64, id: &str, data: &str) -> &mut Self {
        let (id, data) = (Some(id.to_owned()), Bytes::from(data.to_owned()));
        let event = StreamEvent { name: None, data, id, retry: None };
        self.back(exchange, HttpEvent::Message(event))
    }

    fn retry_field(&mut self, exchange: u64, millis: u64) -> &mut Self {
        let retry = Some(millis);
        let event = StreamEvent { name: None, data: Bytes::new(), id: None, retry };
        self.back(exchange, HttpEvent::Message(event))
    }

    fn broken(&mut self, exchange: u64) -> &mut Self {
        self.refuse(exchange, Delivery::Unknown)
    }
}

fn get(exchange: u64, last: &str) -> String {
    format!("#{exchange} GET /mcp session=s1 version=2025-06-18 last={last}")
}

/// A call whose stream has begun with a priming event.
fn primed() -> World {
    let mut world = World::ready_http();
    world.line(CALL).open(4).event_with_id(4, "e1", "").check(&[POST]);
    world
}

#[test]
fn a_server_that_polls_is_asked_again_after_the_time_it_names() {
    let mut world = primed();
    world.retry_field(4, 500).back(4, HttpEvent::Ended).check(&[]);
    world.pass(Duration::from_millis(499)).check(&[]);
    world.pass(Duration::from_millis(1)).check(&[&get(5, "e1")]);
    // Three times nothing, then the answer; the wait is the same every time.
    for exchange in 5..8 {
        let last = format!("e{exchange}");
        world.open(exchange).event_with_id(exchange, &last, "").back(exchange, HttpEvent::Ended);
        world.pass(Duration::from_millis(500)).check(&[&get(exchange + 1, &last)]);
    }
    world.open(8).event_with_id(8, "e9", ANSWER).check(&[&format!("host < {ANSWER}")]);
    world.back(8, HttpEvent::Ended).pass(Duration::from_mins(10)).check(&[]);
}

#[test]
fn a_poll_without_a_time_comes_ever_more_slowly_and_without_end() {
    let mut world = World::with(crate::config::Ping::Never, None, false);
    world.line(CALL).open(4).event_with_id(4, "e1", "").seen();
    let mut exchange = 4;
    for _ in 0..20 {
        world.back(exchange, HttpEvent::Ended).pass(Duration::from_mins(1));
        exchange += 1;
        world.check(&[&get(exchange, "e1")]);
        world.open(exchange);
    }
    world.event_with_id(exchange, "e2", ANSWER).check(&[&format!("host < {ANSWER}")]);
}

#[test]
fn a_stream_that_breaks_behind_an_id_is_read_on() {
    let mut world = primed();
    world.event_with_id(4, "e2", r#"{"method":"n"}"#).broken(4).pass(Duration::from_secs(4));
    world.check(&[r#"host < {"method":"n"}"#, &get(5, "e2")]);
    // The network is not back yet.
    world.refuse(5, Delivery::NotDelivered).pass(Duration::from_secs(10));
    world.check(&[&get(6, "e2")]);
    world.open(6).event_with_id(6, "e3", ANSWER).check(&[&format!("host < {ANSWER}")]);
}

#[test]
fn an_answer_counts_on_the_resumed_stream_and_not_elsewhere() {
    let mut world = primed();
    world.line(&LIST.replace("\"id\":1", "\"id\":2")).open(5).broken(4).seen();
    world.message(5, "message", ANSWER).check(&[]);
    world.pass(Duration::from_secs(4)).check(&[&get(6, "e1")]);
    world.open(6).message(5, "message", ANSWER).check(&[]);
    world.message(6, "message", ANSWER).check(&[&format!("host < {ANSWER}")]);
}

#[test]
fn what_cannot_be_resumed_in_time_is_told() {
    let mut world = primed();
    world.broken(4);
    let (mut exchange, mut second) = (5, 0);
    let told = loop {
        assert!(second < 60, "never told");
        world.pass(Duration::from_secs(1));
        second += 1;
        let seen = world.seen();
        if seen.contains(&"host < error 1 -31006".to_owned()) {
            break second;
        }
        for _ in seen.iter().filter(|line| line.contains("last=e1")) {
            world.answer(exchange, 503, "");
            exchange += 1;
        }
    };
    assert!((14..=16).contains(&told), "after {told} s");
    assert!((2..10).contains(&(exchange - 5)), "{} tries", exchange - 5);
}

#[test]
fn a_server_that_does_not_know_the_stream_any_more_is_believed() {
    for status in [204, 400, 404, 405, 501] {
        let mut world = primed();
        world.broken(4).pass(Duration::from_secs(4)).seen();
        world.answer(5, status, "").check(&["host < error 1 -31006"]);
    }
    // A question is asked again instead.
    let mut world = World::ready_http();
    world
        .line(LIST)
        .open(4)
        .event_with_id(4, "e1", "")
        .broken(4)
        .pass(Duration::from_secs(4))
        .seen();
    world.answer(5, 405, "").pass(Duration::from_secs(4));
    world.check(&["#6 POST /mcp session=s1 version=2025-06-18 tools/list"]);
}

#[test]
fn the_rest_of_a_stream_ends_with_its_session() {
    let mut world = primed();
    world.line(&LIST.replace("\"id\":1", "\"id\":2")).broken(4).answer(5, 404, "").seen();
    world.pass(Duration::from_secs(4));
    assert!(world.seen().contains(&"host < error 1 -31006".to_owned()));
}

#[test]
fn a_cancelled_call_is_not_read_on() {
    let mut world = primed();
    world.broken(4);
    world.line(r#"{"method":"notifications/cancelled","params":{"requestId":1}}"#);
    world.pass(Duration::from_mins(1));
    world.check(&["#5 POST /mcp session=s1 version=2025-06-18 notifications/cancelled"]);
}

#[test]
fn a_cut_stream_does_not_hold_up_the_end() {
    let mut world = primed();
    world.broken(4).event(Event::Eof).pass(Duration::from_millis(1500));
    let seen = world.seen();
    assert!(seen.contains(&"host < error 1 -31008".to_owned()), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "exit 1");
}

#[test]
fn ids_that_are_no_header_are_no_ids() {
    for id in ["", "a\nb", &"x".repeat(5000)] {
        let mut world = World::ready_http();
        world.line(CALL).open(4).event_with_id(4, "e1", "").event_with_id(4, id, "").seen();
        world.broken(4).check(&["host < error 1 -31006"]);
    }
}

/// A conversation whose standalone stream, exchange 3, is open.
fn listening() -> World {
    let mut world = World::http();
    world.line(INITIALIZE).answer_with(1, 200, &[("mcp-session-id", "s1")], RESULT);
    world.line(INITIALIZED).answer(2, 202, "").open(3).seen();
    world
}

#[test]
fn the_standalone_stream_is_read_on() {
    let mut world = listening();
    world.event_with_id(3, "n1", r#"{"method":"n"}"#).broken(3).pass(Duration::from_secs(4));
    world.check(&[r#"host < {"method":"n"}"#, &get(4, "n1")]);
    world.open(4).retry_field(4, 20_000).back(4, HttpEvent::Ended);
    world.pass(Duration::from_millis(19_999)).check(&[]);
    world.pass(Duration::from_millis(1)).check(&[&get(5, "n1")]);
}

#[test]
fn a_standalone_stream_that_is_primed_and_closed_at_once_is_not_hammered() {
    for retry in [None, Some(0)] {
        let mut world = listening();
        let mut exchange = 3;
        for _ in 0..600 {
            world.event_with_id(exchange, "n", "");
            if let Some(retry) = retry {
                world.retry_field(exchange, retry);
            }
            world.back(exchange, HttpEvent::Ended).pass(Duration::from_secs(1));
            let opened = world.seen().iter().filter(|line| line.contains(" GET ")).count() as u64;
            exchange += opened;
            if 0 < opened {
                world.open(exchange);
            }
        }
        assert!((8..=603).contains(&exchange), "{exchange} streams in ten minutes");
    }
}

#[test]
fn a_server_without_a_standalone_stream_is_asked_once() {
    let mut world = World::ready_http();
    world.line(CALL).answer(4, 404, "").seen();
    let again =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.answer_with(5, 200, &[("mcp-session-id", "s2")], again).answer(6, 202, "");
    world.pass(Duration::from_mins(10));
    assert!(!world.seen().iter().any(|line| line.contains(" GET ")));
}

#[test]
fn a_session_that_only_its_stream_misses_is_begun_again_once() {
    let mut world = listening();
    world.broken(3).pass(Duration::from_secs(4)).seen();
    world.answer(4, 404, "").check(&["#5 POST /mcp initialize"]);
    let again =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.answer_with(5, 200, &[("mcp-session-id", "s2")], again).answer(6, 202, "");
    assert!(world.seen().last().unwrap().starts_with("#7 GET"));
    world.answer(7, 404, "").pass(Duration::from_mins(10)).check(&[]);
}

#[test]
fn a_rest_that_is_asked_for_holds_up_neither_the_end_nor_anything_else() {
    let asked = || {
        let mut world = primed();
        world.broken(4).pass(Duration::from_secs(4)).check(&[&get(5, "e1")]);
        world
    };
    let mut world = asked();
    world.event(Event::Eof).pass(Duration::from_millis(1500));
    let seen = world.seen();
    assert!(seen.contains(&"host < error 1 -31008".to_owned()), "{seen:?}");
    assert!(seen.contains(&"abort #5".to_owned()), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "exit 1");
    let mut world = asked();
    world.line(r#"{"method":"notifications/cancelled","params":{"requestId":1}}"#);
    world
        .check(&["abort #5", "#6 POST /mcp session=s1 version=2025-06-18 notifications/cancelled"]);
}

#[test]
fn a_rest_that_does_not_even_begin_is_told_in_time() {
    let mut world = primed();
    world.broken(4).pass(Duration::from_secs(4)).check(&[&get(5, "e1")]);
    world.pass(Duration::from_secs(10)).check(&[]);
    world.pass(Duration::from_secs(1)).check(&["abort #5", "host < error 1 -31006"]);
}

/// A request whose stream has shown an id, and no more.
fn numbered(request: &str) -> World {
    let mut world = World::ready_http();
    world.line(request).open(4).event_with_id(4, "e1", r#"{"method":"n"}"#).seen();
    world
}

#[test]
fn a_server_that_ignores_the_last_event_id_is_not_waited_for() {
    let mut world = numbered(CALL);
    world.broken(4).pass(Duration::from_secs(4)).check(&[&get(5, "e1")]);
    // Comments and other events say nothing about the call.
    world.open(5).back(5, HttpEvent::Beat).message(5, "ping", "x").pass(Duration::from_secs(10));
    world.check(&[]);
    world.pass(Duration::from_secs(1)).check(&["abort #5", "host < error 1 -31006"]);
    // What only asks is asked again.
    let mut world = numbered(LIST);
    world.broken(4).pass(Duration::from_secs(4)).seen();
    world.open(5).pass(Duration::from_secs(20));
    world.check(&["abort #5", "#6 POST /mcp session=s1 version=2025-06-18 tools/list"]);
    // In this revision nobody closes a stream on purpose before the answer.
    let mut world = numbered(CALL);
    world.back(4, HttpEvent::Ended).pass(Duration::from_secs(4)).check(&[&get(5, "e1")]);
    world.open(5).pass(Duration::from_secs(15)).check(&["abort #5", "host < error 1 -31006"]);
}

#[test]
fn a_server_that_has_shown_that_it_reads_on_is_waited_for() {
    let wait = |world: &mut World, exchange: u64| {
        world.open(exchange).pass(Duration::from_secs(50)).check(&[]);
        world.event_with_id(exchange, "e9", ANSWER).check(&[&format!("host < {ANSWER}")]);
    };
    // By a priming event.
    let mut world = primed();
    world.broken(4).pass(Duration::from_secs(4)).check(&[&get(5, "e1")]);
    wait(&mut world, 5);
    // By how long to wait.
    let mut world = numbered(CALL);
    world.retry_field(4, 100).broken(4).pass(Duration::from_secs(4)).check(&[&get(5, "e1")]);
    wait(&mut world, 5);
    // By something that comes on the stream, and by an answer for all that follow.
    let mut world = numbered(CALL);
    world.broken(4).pass(Duration::from_secs(4)).seen();
    world.open(5).event_with_id(5, "e2", r#"{"method":"n"}"#).seen();
    world.pass(Duration::from_secs(50)).event_with_id(5, "e3", ANSWER).seen();
    world.line(CALL).open(6).event_with_id(6, "f1", r#"{"method":"n"}"#).broken(6);
    world.pass(Duration::from_secs(4)).seen();
    wait(&mut world, 7);
}
