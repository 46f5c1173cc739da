//! `initialize` while nobody has signed in yet.

use super::access::record;
use super::*;

const UNKNOWN: &str = r#"host < {"jsonrpc":"2.0","id":0,"result":{"capabilities":"#;

/// A host that waits for a person; exchange 2 asks for the first document of the sign-in.
fn signing_in() -> World {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None);
    world.answer_with(1, 401, &[("www-authenticate", "Bearer")], "").seen();
    world
}

/// The rest of a sign-in whose first document is asked for by exchange 2.
fn sign_in(world: &mut World) {
    let documents = [
        r#"{"resource":"https://mcp.example/mcp","authorization_servers":["https://mcp.example"]}"#,
        r#"{"issuer":"https://mcp.example","authorization_endpoint":"https://mcp.example/a",
            "token_endpoint":"https://mcp.example/t","registration_endpoint":"https://mcp.example/r",
            "code_challenge_methods_supported":["S256"]}"#,
    ];
    world.answer(2, 200, documents[0]).answer(3, 200, documents[1]);
    world.event(Event::Redirect(RedirectEvent::Bound { port: 9, entropy: Box::new([7; 128]) }));
    world.answer(4, 201, r#"{"client_id":"c"}"#);
    let state = world.sign_in_parameter("state");
    let query = Secret::new(format!("code=x&state={state}"));
    world.event(Event::Redirect(RedirectEvent::Redirected { id: 1, query }));
    world.granted("at1").saved(1);
}

impl World {
    fn sign_in_parameter(&self, name: &str) -> String {
        let url = Url::parse(&self.bridge.access.sign_in_url().unwrap()).unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    }
}

#[test]
fn a_sign_in_that_is_quick_is_not_noticed() {
    let mut world = signing_in();
    world.pass(Duration::from_secs(3)).check(&[]);
    sign_in(&mut world);
    let seen = world.seen();
    assert_eq!(seen.last().unwrap(), "#5 POST /mcp auth=Bearer at1 initialize", "{seen:?}");
    world.answer(5, 200, RESULT);
    assert!(world.seen().contains(&format!("host < {RESULT}")));
}

#[test]
fn a_host_that_waits_for_a_person_is_answered_in_time_and_told_of_the_truth_later() {
    let mut world = signing_in();
    world.pass(Duration::from_secs(5));
    let seen = world.seen();
    assert!(seen.len() == 1 && seen[0].starts_with(UNKNOWN), "{seen:?}");
    assert!(seen[0].contains(r#""protocolVersion":"2025-06-18""#), "{seen:?}");
    world.line(INITIALIZED).line(LIST).check(&[]);
    sign_in(&mut world);
    let seen = world.seen();
    assert_eq!(seen.last().unwrap(), "#5 POST /mcp auth=Bearer at1 initialize", "{seen:?}");
    let answer =
        r#"{"id":"apexmcp-bridge-000000000000002a-1","result":{"protocolVersion":"2025-06-18"}}"#;
    world.answer(5, 200, answer);
    assert!(world.seen()[2].ends_with("notifications/initialized"));
    let changed = |what| {
        format!(r#"host < {{"jsonrpc":"2.0","method":"notifications/{what}/list_changed"}}"#)
    };
    world.answer(6, 202, "").check(&[
        &changed("tools"),
        &changed("prompts"),
        &changed("resources"),
        "#7 GET /mcp version=2025-06-18 auth=Bearer at1",
        "#8 POST /mcp version=2025-06-18 auth=Bearer at1 tools/list",
    ]);
}

#[test]
fn a_request_learns_in_time_that_somebody_must_sign_in() {
    let mut world = signing_in();
    world.pass(Duration::from_secs(5)).line(INITIALIZED).line(LIST).seen();
    world.pass(Duration::from_secs(19)).check(&[]);
    world.pass(Duration::from_secs(2)).check(&["host < error 1 -31002"]);
    // The sign-in goes on, and the next request is served.
    sign_in(&mut world);
    let seen = world.seen();
    assert_eq!(seen.last().unwrap(), "#5 POST /mcp auth=Bearer at1 initialize", "{seen:?}");
}

#[test]
fn a_server_that_was_met_before_is_described_as_it_was() {
    let known = r#"{"requested":"2025-06-18","result":{"protocolVersion":"2025-03-26","capabilities":{"tools":{"listChanged":true}}}}"#;
    for (remembered, expected) in [
        (
            known.to_owned(),
            r#"host < {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-03-26","#,
        ),
        // It was asked for another version, or the file is no use.
        (known.replace("2025-06-18", "2024-11-05"), UNKNOWN),
        ("{".to_owned(), UNKNOWN),
    ] {
        let mut world = signing_in();
        world.event(Event::Store(StoreEvent::Recalled(Some(remembered.into()))));
        world.pass(Duration::from_secs(5));
        let seen = world.seen();
        assert!(seen[0].starts_with(expected), "{seen:?}");
    }
}

#[test]
fn what_a_server_says_is_remembered_when_it_is_new() {
    let remembered =
        r#"{"requested":"2025-06-18","result":{"protocolVersion":"2025-06-18"}}"#.to_owned();
    for (before, writes) in [(None, true), (Some(Bytes::from(remembered)), false)] {
        let mut world = World::oauth();
        world.line(INITIALIZE).event(Event::Store(StoreEvent::Recalled(before)));
        world.loaded(Some(record(1, "at1", 3600))).seen();
        world.answer(1, 200, RESULT);
        assert_eq!(world.seen().contains(&"remember".to_owned()), writes);
    }
}

#[test]
fn a_key_needs_no_memory() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 200, RESULT).pass(Duration::from_secs(60));
    assert!(!world.seen().contains(&"remember".to_owned()));
}

/// It is the first message, and nobody knows yet that somebody has to sign in.
#[test]
fn a_ping_is_answered_whoever_is_expected() {
    let mut world = World::oauth();
    world.line(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#).loaded(None).answer(1, 401, "");
    let seen = world.seen();
    let pong = r#"host < {"jsonrpc":"2.0","id":5,"result":{}}"#.to_owned();
    assert!(seen.contains(&pong), "{seen:?}");
    world.pass(Duration::from_secs(30));
    assert!(!world.seen().iter().any(|line| line.contains("host <")));
}
