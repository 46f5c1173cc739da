//! What is sent again, what is not, and when.

use super::*;

const PATH: &str = "POST /mcp session=s1 version=2025-06-18";
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/note"}"#;

fn request(id: u64, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)
}

fn sends(world: &mut World, what: &str) -> usize {
    world.seen().iter().filter(|line| line.ends_with(what)).count()
}

#[test]
fn what_asks_is_asked_again_once_and_what_does_is_not() {
    for method in ["tools/list", "resources/read", "prompts/get", "ping", "resources/subscribe"] {
        let mut world = World::ready_http();
        world.line(&request(1, method)).refuse(4, Delivery::Unknown);
        world.pass(Duration::from_secs(4));
        world.check(&[&format!("#4 {PATH} {method}"), &format!("#5 {PATH} {method}")]);
        world.refuse(5, Delivery::Unknown).check(&["host < error 1 -31006"]);
    }
    for method in ["tools/call", "tasks/cancel", "vendor/method"] {
        let mut world = World::ready_http();
        world.line(&request(1, method)).refuse(4, Delivery::Unknown);
        world.check(&[&format!("#4 {PATH} {method}"), "host < error 1 -31006"]);
        world.pass(Duration::from_mins(10)).check(&[]);
    }
}

#[test]
fn an_empty_stream_is_an_answer_that_was_lost() {
    let mut world = World::ready_http();
    world.line(LIST).open(4).back(4, HttpEvent::Ended).pass(Duration::from_secs(4));
    world.check(&[&format!("#4 {PATH} tools/list"), &format!("#5 {PATH} tools/list")]);
    world.answer(5, 200, r#"{"id":1,"result":{}}"#).check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn what_was_not_delivered_is_sent_when_the_gateway_is_back() {
    let mut world = World::ready_http();
    world.lines(&[CALL, NOTE, r#"{"id":"x","result":{}}"#]).seen();
    for exchange in [4, 5, 6] {
        world.refuse(exchange, Delivery::NotDelivered);
    }
    // In the old order, together, and told once.
    world.check(&["tell: reconnecting"]);
    world.pass(Duration::from_secs(4)).check(&[
        &format!("#7 {PATH} tools/call"),
        &format!("#8 {PATH} notifications/note"),
        &format!("#9 {PATH} answer \"x\""),
    ]);
    world.answer(7, 200, r#"{"id":1,"result":{}}"#).check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn an_outage_of_streamable_http_is_told_within_fifteen_seconds() {
    let mut world = World::ready_http();
    world.line(CALL);
    let (mut exchange, mut second) = (4, 0);
    loop {
        for line in world.seen() {
            if line.ends_with("tools/call") {
                world.refuse(exchange, Delivery::NotDelivered);
                exchange += 1;
            }
        }
        if world.seen().contains(&"host < error 1 -31001".to_owned()) {
            break;
        }
        second += 1;
        assert!(second <= 15, "not told");
        world.pass(Duration::from_secs(1));
    }
    assert!((2..12).contains(&(exchange - 4)), "{} tries", exchange - 4);
}

#[test]
fn a_request_during_an_outage_causes_one_try_in_five_seconds() {
    let mut world = World::ready_http();
    world.line(CALL).refuse(4, Delivery::NotDelivered).seen();
    world.line(&request(2, "tools/call"));
    // Both go, because one of them may.
    assert_eq!(sends(&mut world, "tools/call"), 2);
    world.refuse(5, Delivery::NotDelivered).refuse(6, Delivery::NotDelivered).seen();
    world.line(&request(3, "tools/call")).check(&[]);
}

#[test]
fn a_named_wait_is_kept_and_only_a_short_one() {
    for (status, after, wait) in [
        (429, "3", 3),
        (503, "3", 3),
        // The clock of the tests begins at 1 000 000.
        (503, "Mon, 12 Jan 1970 13:46:45 GMT", 5),
    ] {
        let mut world = World::ready_http();
        world.line(CALL).answer_with(4, status, &[("retry-after", after)], "").seen();
        world.pass(Duration::from_millis(wait * 1000 - 1)).check(&[]);
        world.pass(Duration::from_millis(1001)).check(&[&format!("#5 {PATH} tools/call")]);
        world.answer(5, 200, r#"{"id":1,"result":{}}"#);
        assert_eq!(world.seen(), [r#"host < {"id":1,"result":{}}"#]);
    }
    let mut world = World::ready_http();
    world.line(CALL).answer_with(4, 429, &[("retry-after", "16")], "");
    world.check(&[&format!("#4 {PATH} tools/call"), "host < error 1 -31005"]);
}

#[test]
fn a_wait_holds_up_nobody_else() {
    let mut world = World::ready_http();
    world.line(CALL).answer_with(4, 429, &[("retry-after", "9")], "").seen();
    world.line(&request(2, "tools/call")).check(&[&format!("#5 {PATH} tools/call")]);
}

#[test]
fn a_gateway_in_trouble_is_asked_twice_more_and_does_not_run_anything_twice() {
    for status in [429, 502, 503, 504] {
        let mut world = World::ready_http();
        world.line(CALL).answer(4, status, "");
        world.check(&[&format!("#4 {PATH} tools/call"), "host < error 1 -31005"]);
        world.line(LIST).seen();
        for exchange in [5, 6] {
            world.answer(exchange, status, "").pass(Duration::from_secs(10));
            world.check(&["tell: reconnecting", &format!("#{} {PATH} tools/list", exchange + 1)]);
        }
        world.answer(7, status, "").check(&["host < error 1 -31005"]);
    }
}

#[test]
fn a_handshake_waits_for_a_gateway_in_trouble_and_everything_waits_for_it() {
    for (status, headers) in [(503, &[("retry-after", "2")][..]), (502, &[])] {
        let mut world = World::http();
        world.lines(&[INITIALIZE, LIST]).answer_with(1, status, headers, "");
        world.check(&["#1 POST /mcp initialize", "tell: reconnecting"]);
        world.pass(Duration::from_secs(4)).check(&["#2 POST /mcp initialize"]);
        world.answer(2, 200, RESULT);
        world.check(&[&format!("host < {RESULT}"), "#3 POST /mcp version=2025-06-18 tools/list"]);
    }
    let mut world = World::http();
    world.line(INITIALIZE).answer_with(1, 503, &[("retry-after", "9")], "");
    world.check(&["#1 POST /mcp initialize", "host < error 0 -31005"]);
}

#[test]
fn a_new_session_is_begun_as_soon_as_the_gateway_lets_it() {
    let mut world = World::ready_http();
    world
        .line(CALL)
        .answer(4, 404, "")
        .check(&[&format!("#4 {PATH} tools/call"), "#5 POST /mcp initialize"]);
    // A rolling deploy: nobody is there, then a proxy says so, and then somebody is.
    world.refuse(5, Delivery::NotDelivered).pass(Duration::from_secs(4));
    world.answer(6, 503, "").pass(Duration::from_secs(9)).seen();
    let again =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.answer_with(7, 200, &[("mcp-session-id", "s2")], again).answer(8, 202, "").seen();
    world.answer(9, 200, r#"{"id":1,"result":{}}"#).check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn over_http_sse_what_asks_is_asked_again_in_the_next_session() {
    let mut world = World::ready_sse();
    world.line(LIST).answer(4, 202, "").line(&request(2, "tools/call")).answer(5, 202, "").seen();
    world.back(1, HttpEvent::Ended).check(&["host < error 2 -31006", "tell: reconnecting"]);
    world.pass(Duration::from_secs(4)).open(6).message(6, "endpoint", "/messages?id=2").seen();
    let again =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.message(6, "message", again).answer(7, 202, "").answer(8, 202, "").seen();
    world.answer(9, 202, "").message(6, "message", r#"{"id":1,"result":{}}"#);
    world.check(&[r#"host < {"id":1,"result":{}}"#]);
}

#[test]
fn a_stream_that_one_503_keeps_away_comes_back() {
    let mut world = World::ready_sse();
    world.back(1, HttpEvent::Ended).pass(Duration::from_secs(4)).seen();
    world.answer_with(4, 503, &[("retry-after", "20")], "").check(&["tell: reconnecting"]);
    world.pass(Duration::from_millis(19_999)).check(&[]);
    world.pass(Duration::from_secs(1)).check(&["#5 GET /sse version=2025-06-18"]);
}

#[test]
fn what_was_answered_after_all_is_not_sent_again() {
    let mut world = World::sse();
    world.line(INITIALIZE).open(1).message(1, "endpoint", "/messages?id=1");
    world.answer_with(2, 503, &[("retry-after", "3")], "").seen();
    // The proxy was wrong: it was taken, and here is the answer.
    world.message(1, "message", RESULT).line(LIST).pass(Duration::from_secs(5));
    world.check(&[
        &format!("host < {RESULT}"),
        "#3 POST /messages?id=1 version=2025-06-18 tools/list",
    ]);
}

#[test]
fn who_waits_behind_a_handshake_in_vain_learns_what_it_waits_for() {
    let mut world = World::ready_http();
    world.line(CALL).answer(4, 404, "").seen();
    let mut exchange = 5;
    for _ in 0..16 {
        world.answer_with(exchange, 503, &[("retry-after", "2")], "deploying");
        exchange += 1;
        world.pass(Duration::from_secs(3));
    }
    let failure = world.bridge.outcome().unwrap().to_string();
    assert!(failure.contains("503: deploying"), "{failure}");
    // It goes on by itself all the same.
    assert_eq!(world.seen().last().unwrap(), &format!("#{exchange} POST /mcp initialize"));
}

#[test]
fn a_request_that_waits_for_the_stream_shortens_the_waits() {
    let mut world = World::ready_sse();
    world.back(1, HttpEvent::Ended).seen();
    // An outage that has lasted for a while.
    for exchange in 4..12 {
        world.pass(Duration::from_secs(60)).answer(exchange, 503, "");
    }
    world.seen();
    world.line(CALL).seen();
    let before = world.bridge.last_exchange;
    world.answer(before, 503, "").pass(Duration::from_secs(6));
    assert!(before < world.bridge.last_exchange, "the next try does not come in time");
    let failed = world.seen().iter().any(|line| line.contains("host < error"));
    assert!(!failed);
    // The stream is back, and the new session is what it waits for.
    let before = world.bridge.last_exchange;
    world.open(before).message(before, "endpoint", "/messages?id=2").seen();
    let before = world.bridge.last_exchange;
    world.answer(before, 503, "").pass(Duration::from_secs(6));
    world
        .check(&["tell: reconnecting", &format!("#{} POST /messages?id=2 initialize", before + 1)]);
}

#[test]
fn what_is_asked_again_is_asked_soon() {
    let mut world = World::ready_http();
    // Waits have grown, because nothing was well for long.
    for _ in 0..8 {
        world.bridge.outage.next_wait(world.now);
    }
    world.line(LIST).refuse(4, Delivery::Unknown).seen();
    world.pass(Duration::from_secs(5)).check(&[&format!("#5 {PATH} tools/list")]);
}

#[test]
fn a_head_that_is_late_is_cancelled_and_may_have_run() {
    for kind in ["tools/call", "tools/list"] {
        let mut world = World::ready_http();
        world.line(&request(1, kind)).seen();
        let cause = "no answer within 5 s".to_owned();
        let kind = FailureKind::TimedOut { seconds: 5 };
        let failure = HttpFailure { cause, delivery: Delivery::Unknown, kind };
        world.back(4, HttpEvent::Failed(failure));
        world.check(&["host < error 1 -31007", &format!("#5 {PATH} notifications/cancelled")]);
    }
}

#[test]
fn a_gateway_of_http_sse_that_is_in_trouble_at_first_is_waited_for() {
    let mut world = World::sse();
    world.line(INITIALIZE).answer(1, 503, "").check(&["#1 GET /sse", "tell: reconnecting"]);
    world.pass(Duration::from_secs(4)).check(&["#2 GET /sse"]);
    world.open(2).message(2, "endpoint", "/messages").check(&["#3 POST /messages initialize"]);
    let mut world = World::sse();
    world.line(INITIALIZE).answer_with(1, 503, &[("retry-after", "9")], "");
    world.check(&["#1 GET /sse", "host < error 0 -31005"]);
    // It is told before the strictest host gives up.
    let mut world = World::sse();
    world.line(INITIALIZE);
    let told = (0..12).find(|_| {
        let seen = world.seen();
        if let Some(get) = seen.iter().find(|line| line.contains("GET")) {
            let exchange = get[1..].split(' ').next().unwrap().parse().unwrap();
            world.answer(exchange, 502, "");
        }
        world.pass(Duration::from_secs(1));
        seen.contains(&"host < error 0 -31005".to_owned())
    });
    assert!(told.is_some_and(|second| (3..=9).contains(&second)), "{told:?}");
}

#[test]
fn nobody_waits_longer_because_somebody_else_begins_to_wait_anew() {
    let mut world = World::ready_sse();
    world.line(LIST).back(1, HttpEvent::Ended).line(&request(2, "tools/call"));
    let mut told = None;
    for second in 0..20 {
        for line in world.seen() {
            if line.contains("GET") {
                let exchange = line[1..].split(' ').next().unwrap().parse().unwrap();
                world.refuse(exchange, Delivery::NotDelivered);
            }
            if line == "host < error 2 -31001" {
                told = Some(second);
            }
        }
        if second == 8 {
            // The list, which was under way until now, is to be asked for again.
            world.refuse(4, Delivery::Unknown);
        }
        world.pass(Duration::from_secs(1));
    }
    assert!(told.is_some_and(|second| second <= 16), "{told:?}");
}

#[test]
fn waits_begin_anew_after_a_healthy_minute() {
    let waits = |healthy: u64| {
        let mut outage = Outage::new(Backoff::new(7));
        let at = |seconds| Moment { uptime: Duration::from_secs(seconds), unix: 0 };
        let longest = (0..12).map(|_| outage.next_wait(at(0))).max().unwrap();
        outage.over(at(0));
        (longest, outage.next_wait(at(healthy)))
    };
    let (longest, next) = waits(60);
    assert!(Duration::from_secs(20) < longest, "{longest:?}");
    assert!(next <= Duration::from_secs(3), "{next:?}");
    // Half a minute is no health: with this seed it goes on where it was.
    assert!(Duration::from_secs(3) < waits(30).1);
}
