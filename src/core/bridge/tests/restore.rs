//! What a new session is told of the old one, and what the host is told of the new one.

use super::*;

/// A request of the bridge's own with this number, answered with this result.
fn own(number: u64, result: &str) -> String {
    format!(r#"{{"id":"apexmcp-bridge-000000000000002a-{number}","result":{result}}}"#)
}

fn bodies(world: &mut World) -> Vec<String> {
    let effects = std::mem::take(&mut world.effects);
    let body = |effect: &Effect| match effect {
        Effect::Http(_, request) => request.body.clone(),
        _ => None,
    };
    effects.iter().filter_map(body).map(|body| String::from_utf8(body.to_vec()).unwrap()).collect()
}

/// What the server said of itself before.
const SAME: &str = r#"{"protocolVersion":"2025-06-18"}"#;
const LEVEL: &str = r#"{"id":1,"method":"logging/setLevel","params":{"level":"debug"}}"#;

/// A request about a resource.
fn about(id: u64, what: &str, uri: &str) -> String {
    format!(r#"{{"id":{id},"method":"resources/{what}","params":{{"uri":"{uri}"}}}}"#)
}

fn done(id: u64) -> String {
    format!(r#"{{"id":{id},"result":{{}}}}"#)
}

#[test]
fn level_and_subscriptions_outlive_a_session() {
    let mut world = World::ready_http();
    for (exchange, line) in [
        LEVEL.replace("debug", "info"),
        about(2, "subscribe", "a:1"),
        about(3, "subscribe", "a:2"),
        about(4, "subscribe", "a:3"),
        about(5, "unsubscribe", "a:2"),
        LEVEL.replace("\"id\":1", "\"id\":6"),
    ]
    .iter()
    .enumerate()
    {
        let (exchange, id) = (4 + exchange as u64, 1 + exchange as u64);
        world.line(line).answer(exchange, 200, &done(id));
    }
    // The server does not agree to this one.
    world.line(&about(7, "subscribe", "a:4"));
    world.answer(10, 200, r#"{"id":7,"error":{"code":-32602,"message":"no"}}"#);
    world.line(&CALL.replace("\"id\":1", "\"id\":8")).answer(11, 404, "").seen();
    world.answer_with(12, 200, &[("mcp-session-id", "s2")], &own(1, SAME)).effects.clear();
    world.answer(13, 202, "");
    assert_eq!(
        bodies(&mut world),
        [
            r#"{"jsonrpc":"2.0","id":"apexmcp-bridge-000000000000002a-2","method":"logging/setLevel","params":{"level":"debug"}}"#,
            r#"{"jsonrpc":"2.0","id":"apexmcp-bridge-000000000000002a-3","method":"resources/subscribe","params":{"uri":"a:1"}}"#,
            r#"{"jsonrpc":"2.0","id":"apexmcp-bridge-000000000000002a-4","method":"resources/subscribe","params":{"uri":"a:3"}}"#,
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call"}"#,
        ]
    );
    // The host hears nothing of the answers, good or bad, here or there.
    world.answer(14, 200, &own(2, "{}")).answer(15, 500, "").open(16);
    world.message(16, "message", &own(4, "{}")).back(16, HttpEvent::Ended).check(&[]);
    world.answer(17, 200, &done(8)).check(&[&format!("host < {}", done(8))]);
    world.event(Event::Eof).check(&["#18 DELETE /mcp session=s2 version=2025-06-18"]);
}

#[test]
fn over_http_sse_they_outlive_it_too() {
    let mut world = World::ready_sse();
    world.line(&about(1, "subscribe", "a:1")).answer(4, 202, "").message(1, "message", &done(1));
    world.back(1, HttpEvent::Ended).pass(Duration::from_secs(4));
    world.open(5).message(5, "endpoint", "/messages?id=2").seen();
    world.message(5, "message", &own(1, SAME)).answer(6, 202, "").seen();
    world
        .answer(7, 202, "")
        .check(&["#8 POST /messages?id=2 version=2025-06-18 resources/subscribe"]);
    world.answer(8, 202, "").message(5, "message", &own(2, "{}")).check(&[]);
    world.line(LIST).check(&["#9 POST /messages?id=2 version=2025-06-18 tools/list"]);
}

#[test]
fn what_the_server_says_of_itself_is_compared() {
    let told = |world: &mut World| {
        let seen = world.seen();
        let methods = seen.iter().filter_map(|line| line.split("notifications/").nth(1));
        methods.filter(|method| !method.starts_with("init")).map(str::to_owned).collect::<Vec<_>>()
    };
    let result = |version: &str, lists: &str| {
        format!(r#"{{"protocolVersion":"{version}","capabilities":{{{lists}}}}}"#)
    };
    let before = result("2025-06-18", r#""tools":{}"#);
    let after = result("2025-06-18", r#""tools":{},"prompts":{"listChanged":true}"#);
    let older = result("2025-03-26", r#""tools":{}"#);
    for (second, expected) in [
        (&before, &[][..]),
        (&after, &["tools/list_changed\"}", "prompts/list_changed\"}"][..]),
        (&older, &["tools/list_changed\"}"][..]),
    ] {
        let mut world = World::http();
        world.line(INITIALIZE);
        let first = format!(r#"{{"id":0,"result":{before}}}"#);
        world.answer_with(1, 200, &[("mcp-session-id", "s1")], &first);
        world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "");
        world.line(CALL).answer(4, 404, "").answer(5, 200, &own(1, second)).answer(6, 202, "");
        assert_eq!(told(&mut world), expected, "{second}");
    }
}

#[test]
fn a_session_may_be_missed_in_other_words() {
    for (status, body) in [
        (400, "Bad Request: No valid session ID provided"),
        (400, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Session gone"}}"#),
        (404, r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Session not found"}}"#),
        (410, ""),
    ] {
        let mut world = World::ready_http();
        world.line(CALL).answer(4, status, body);
        assert_eq!(world.seen().last().unwrap(), "#5 POST /mcp initialize", "{status} {body}");
        let mut world = World::ready_sse();
        world.line(CALL).answer(4, status, body);
        assert!(world.seen().contains(&"abort #1".to_owned()), "{status} {body}");
    }
    // Something else is wrong with it, or there is no session that could be gone.
    let mut world = World::ready_http();
    world.line(CALL).answer(4, 400, "bad arguments");
    assert_eq!(world.seen().last().unwrap(), "host < error 1 -31005");
    let mut world = World::http();
    world.line(CALL).answer(1, 400, "no session").seen();
    assert!(!world.bridge.phase.is_replay());
}

#[test]
fn sessions_that_are_lost_at_once_are_begun_ever_more_slowly() {
    let mut world = World::ready_http();
    world.line(&LEVEL.replace("\"id\":1", "\"id\":9")).answer(4, 200, &done(9));
    world.line(CALL).answer(5, 404, "");
    let (mut exchange, mut sessions) = (6, 0);
    for _ in 0..600 {
        for line in world.seen() {
            if !line.contains("POST") {
                continue;
            }
            // Every session begins, and is gone with the first message after that.
            if line.ends_with("POST /mcp initialize") {
                sessions += 1;
                let answer = own(sessions, SAME);
                world.answer_with(exchange, 200, &[("mcp-session-id", "s")], &answer);
            } else if line.contains("notifications/initialized") {
                world.answer(exchange, 404, "");
            } else {
                continue;
            }
            exchange += 1;
        }
        world.pass(Duration::from_secs(1));
    }
    assert!((8..60).contains(&sessions), "{sessions} sessions in ten minutes");
}
