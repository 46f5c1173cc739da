//! The two transports, and the choice between them.

use super::*;

#[test]
fn the_handshake_over_streamable_http() {
    let mut world = World::http();
    // Everything in one write: it must still go out in order.
    world.lines(&[INITIALIZE, INITIALIZED, LIST]).check(&["#1 POST /mcp initialize"]);
    world.answer_with(1, 200, &[("mcp-session-id", "s1")], RESULT).check(&[
        &format!("host < {RESULT}"),
        "#2 POST /mcp session=s1 version=2025-06-18 notifications/initialized",
    ]);
    world.answer(2, 202, "").check(&[
        "#3 GET /mcp session=s1 version=2025-06-18",
        "#4 POST /mcp session=s1 version=2025-06-18 tools/list",
    ]);
}

#[test]
fn a_server_that_never_acknowledges_does_not_hold_everything_up() {
    let mut world = World::http();
    world.lines(&[INITIALIZE, INITIALIZED, LIST]).answer(1, 200, RESULT).seen();
    world.pass(Duration::from_secs(9)).check(&[]);
    world
        .pass(Duration::from_secs(2))
        .check(&["#3 GET /mcp version=2025-06-18", "#4 POST /mcp version=2025-06-18 tools/list"]);
}

#[test]
fn a_ping_during_the_handshake_is_answered() {
    let mut world = World::http();
    world.lines(&[INITIALIZE, LIST]).open(1).seen();
    world.message(1, "message", r#"{"id":"p","method":"ping"}"#);
    world
        .line(r#"{"id":"p","result":{}}"#)
        .check(&[r#"host < {"id":"p","method":"ping"}"#, r#"#2 POST /mcp answer "p""#]);
}

#[test]
fn an_answer_on_a_stream() {
    let mut world = World::ready_http();
    world.line(LIST).open(4).seen();
    world.message(4, "message", "").message(4, "ping", "x").message(4, "message", "not json");
    world.message(4, "message", r#"{"method":"notifications/progress"}"#);
    world.message(4, "message", "{\"id\":1,\n\"result\":{}}");
    world.check(&[
        r#"host < {"method":"notifications/progress"}"#,
        r#"host < {"id":1, "result":{}}"#,
    ]);
    world.back(4, HttpEvent::Ended).check(&[]);
}

#[test]
fn a_request_without_an_answer_gets_an_error() {
    let end = |event: fn(&mut World)| {
        let mut world = World::ready_http();
        world.line(CALL).seen();
        event(&mut world);
        world.seen()
    };
    let stream = |world: &mut World| {
        world.open(4).back(4, HttpEvent::Ended);
    };
    assert_eq!(end(stream), ["host < error 1 -31006"]);
    let lost = |world: &mut World| {
        world.refuse(4, Delivery::Unknown);
    };
    assert_eq!(end(lost), ["host < error 1 -31006"]);
    let unreachable = |world: &mut World| {
        world.refuse(4, Delivery::NotDelivered);
    };
    assert_eq!(end(unreachable), ["tell: reconnecting"]);
    for (status, body) in [
        (202, ""),
        (200, "<html>"),
        (200, "{\"id\":1,"),
        (200, r#"{"id":7,"result":{}}"#),
        (500, ""),
        (302, ""),
        (413, ""),
    ] {
        let mut world = World::ready_http();
        world.line(LIST).seen();
        world.answer(4, status, body).check(&["host < error 1 -31005"]);
    }
}

#[test]
fn an_error_status_with_an_answer_is_an_answer() {
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
    for status in [400, 500] {
        let mut world = World::ready_http();
        world.line(LIST).seen();
        world.answer(4, status, body).check(&[&format!("host < {body}")]);
    }
    let mut world = World::ready_http();
    world.line(LIST).seen();
    let foreign = body.replace("\"id\":1", "\"id\":2");
    world.answer(4, 400, &foreign).check(&["host < error 1 -31005"]);
}

#[test]
fn a_refused_initialize_may_be_tried_again() {
    let mut world = World::http();
    let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no"}}"#;
    world.line(INITIALIZE).answer(1, 400, error).line(INITIALIZE).check(&[
        "#1 POST /mcp initialize",
        &format!("host < {error}"),
        "#2 POST /mcp initialize",
    ]);
}

#[test]
fn requests_without_a_handshake_pass() {
    World::http().line(LIST).check(&["#1 POST /mcp tools/list"]);
}

#[test]
fn a_forgotten_session_is_begun_again() {
    let mut world = World::ready_http();
    world.line(LIST).seen();
    world.answer(4, 404, "").check(&["#5 POST /mcp initialize"]);
    let answer =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world
        .answer_with(5, 200, &[("mcp-session-id", "s2")], answer)
        .check(&["#6 POST /mcp session=s2 version=2025-06-18 notifications/initialized"]);
    world.answer(6, 202, "").check(&["#7 POST /mcp session=s2 version=2025-06-18 tools/list"]);
    world.answer(7, 200, r#"{"id":1,"result":{}}"#).check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn a_server_that_forgets_every_session_is_given_up() {
    let mut world = World::ready_http();
    world.line(LIST).seen();
    let mut exchange = 4;
    for round in 1..20 {
        world.answer(exchange, 404, "");
        let seen = world.seen();
        if seen.iter().any(|line| line.starts_with("host < error 1")) {
            return;
        }
        let answer = format!(
            r#"{{"id":"apexmcp-bridge-000000000000002a-{round}","result":{{"protocolVersion":"2025-06-18"}}}}"#
        );
        world.answer_with(exchange + 1, 200, &[("mcp-session-id", "again")], &answer);
        world.answer(exchange + 2, 202, "");
        world.seen();
        exchange += 3;
    }
    panic!("the loop has no end");
}

#[test]
fn the_handshake_over_http_sse() {
    let mut world = World::sse();
    world.lines(&[INITIALIZE, INITIALIZED, LIST]).check(&["#1 GET /sse"]);
    world.open(1).message(1, "other", "x").check(&[]);
    world.message(1, "endpoint", "/messages?id=1").check(&["#2 POST /messages?id=1 initialize"]);
    // The answer may be there before the POST is acknowledged.
    world.message(1, "message", RESULT).check(&[
        &format!("host < {RESULT}"),
        "#3 POST /messages?id=1 version=2025-06-18 notifications/initialized",
    ]);
    world
        .answer(2, 202, "Accepted")
        .answer(3, 202, "Accepted")
        .check(&["#4 POST /messages?id=1 version=2025-06-18 tools/list"]);
    world.answer(4, 200, "").message(1, "message", r#"{"id":1,"result":{}}"#);
    world.check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn an_endpoint_elsewhere_gets_nothing() {
    let mut world = World::sse();
    world.line(INITIALIZE).open(1).seen();
    world
        .message(1, "endpoint", "https://evil.example/messages")
        .check(&["abort #1", "host < error 0 -31005"]);
}

#[test]
fn a_lost_stream_costs_what_was_under_way_and_comes_back() {
    let mut world = World::ready_sse();
    world.line(CALL).answer(4, 202, "").seen();
    world.back(1, HttpEvent::Ended).check(&["host < error 1 -31006", "tell: reconnecting"]);
    world.pass(Duration::from_secs(4)).check(&["#5 GET /sse version=2025-06-18"]);
    world.line(&LIST.replace("\"id\":1", "\"id\":2")).check(&[]);
    world
        .open(5)
        .message(5, "endpoint", "/messages?id=2")
        .check(&["#6 POST /messages?id=2 initialize"]);
    let answer =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world
        .answer(6, 202, "")
        .message(5, "message", answer)
        .check(&["#7 POST /messages?id=2 version=2025-06-18 notifications/initialized"]);
    world.answer(7, 202, "").check(&["#8 POST /messages?id=2 version=2025-06-18 tools/list"]);
}

#[test]
fn an_outage_is_waited_for_and_told_in_time() {
    let mut world = World::ready_sse();
    world.back(1, HttpEvent::Ended).line(CALL);
    // Whoever asks causes one try at once.
    world.check(&["tell: reconnecting", "#4 GET /sse version=2025-06-18"]);
    world.refuse(4, Delivery::NotDelivered);
    let mut exchange = 5;
    let mut failed_at = None;
    for second in 0..120 {
        world.pass(Duration::from_secs(1));
        for line in world.seen() {
            if line.contains("GET /sse") {
                world.refuse(exchange, Delivery::NotDelivered);
                exchange += 1;
            } else if line.starts_with("host < error 1") {
                failed_at.get_or_insert(second);
            }
        }
        world.seen();
    }
    assert!(failed_at.is_some_and(|second| second <= 16), "{failed_at:?}");
    // Tries go on, ever more slowly, and never stop.
    assert!((4..40).contains(&(exchange - 4)), "{} tries in two minutes", exchange - 4);
}

#[test]
fn an_unreachable_gateway_is_told_at_once_and_tried_again_on_demand() {
    let mut world = World::sse();
    world.line(INITIALIZE).seen();
    world.refuse(1, Delivery::NotDelivered).check(&["host < error 0 -31001"]);
    world.pass(Duration::from_secs(600)).check(&[]);
    world.line(INITIALIZE).check(&["#2 GET /sse"]);
    world
        .refuse(2, Delivery::NotDelivered)
        .event(Event::Eof)
        .check(&["host < error 0 -31001", "exit 5"]);
}

#[test]
fn an_old_server_behind_a_new_url() {
    for status in [400, 404, 405, 406, 415] {
        let mut world = World::http();
        world
            .line(INITIALIZE)
            .answer(1, status, "")
            .check(&["#1 POST /mcp initialize", "#2 GET /mcp"]);
        world.open(2).message(2, "endpoint", "/m").check(&["#3 POST /m initialize"]);
    }
}

#[test]
fn a_new_server_behind_an_old_url() {
    for status in [400, 404, 405] {
        let mut world = World::sse();
        world
            .line(INITIALIZE)
            .answer(1, status, "")
            .check(&["#1 GET /sse", "#2 POST /sse initialize"]);
    }
    let mut world = World::sse();
    world.line(INITIALIZE).answer_with(1, 200, &[("content-type", "text/html")], "<html>");
    world.check(&["#1 GET /sse", "#2 POST /sse initialize"]);
}

#[test]
fn a_silent_stream_is_another_transport_or_a_proxy() {
    let mut world = World::sse();
    world.line(INITIALIZE).open(1).seen();
    world.pass(Duration::from_secs(16)).check(&["abort #1", "#2 POST /sse initialize"]);
}

#[test]
fn load_and_credentials_say_nothing_about_the_transport() {
    for (status, code) in [(403, -31004), (500, -31005), (501, -31005)] {
        let mut world = World::http();
        world.line(INITIALIZE).seen();
        world.answer(1, status, "").check(&[&format!("host < error 0 {code}")]);
    }
}

#[test]
fn the_first_evidence_is_told_when_neither_transport_works() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 404, "no such organisation").answer(2, 404, "");
    let failure = world.bridge.outcome().unwrap().to_string();
    assert!(failure.contains("no such organisation"), "{failure}");
    world.seen();
    // The next try begins at the beginning.
    world.line(INITIALIZE).check(&["#3 POST /mcp initialize"]);
    for status in [404, 405] {
        let mut world = World::sse();
        world.line(INITIALIZE).answer(1, 404, "no such organisation").answer(2, status, "");
        let failure = world.bridge.outcome().unwrap().to_string();
        assert!(failure.contains("404: no such organisation"), "{failure}");
        world.seen();
        world.line(INITIALIZE).check(&["#3 GET /sse"]);
    }
}

#[test]
fn a_demanded_transport_is_not_left() {
    let mut world = World::new(TransportChoice::HttpOnly, AccessMode::Static);
    world
        .line(INITIALIZE)
        .answer(1, 405, "")
        .check(&["#1 POST /mcp initialize", "host < error 0 -31005"]);
}

#[test]
fn the_standalone_stream_is_not_hammered() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 200, RESULT).line(INITIALIZED).answer(2, 202, "");
    world.seen();
    let mut exchange = 3;
    for _ in 0..600 {
        world.open(exchange).back(exchange, HttpEvent::Ended).pass(Duration::from_secs(1));
        exchange += world.seen().iter().filter(|line| line.contains(" GET ")).count() as u64;
    }
    assert!((8..120).contains(&exchange), "{exchange} streams in ten minutes");
}
