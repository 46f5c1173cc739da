//! A scope that is not enough, and how often a browser window opens by itself.

use super::*;

const CHALLENGE: &str = r#"Bearer error="insufficient_scope", scope="mcp:call:postgres""#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x"}}"#;

const RESOURCE: &str =
    r#"{"resource":"https://mcp.example/mcp","authorization_servers":["https://mcp.example"]}"#;
const SERVER: &str = r#"{"issuer":"https://mcp.example","authorization_endpoint":"https://mcp.example/authorize","token_endpoint":"https://mcp.example/token","registration_endpoint":"https://mcp.example/register","code_challenge_methods_supported":["S256"]}"#;

impl World {
    /// This process leads the sign-in, whose documents are exchanges from `first` on.
    fn sign_in_from(&mut self, first: u64, known: bool) -> &mut Self {
        self.answer(first, 200, RESOURCE).answer(first + 1, 200, SERVER);
        let entropy = Box::new([7; 128]);
        self.event(Event::Redirect(RedirectEvent::Bound { port: 4177, entropy }));
        if known { self } else { self.answer(first + 2, 201, r#"{"client_id":"c"}"#) }
    }

    /// The scope that the person was asked for.
    fn asked_scope(&self) -> Option<String> {
        let url = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Tell(Notice::SignIn(url)) => Some(url),
            _ => None,
        })?;
        let url = Url::parse(url).unwrap();
        url.query_pairs().find(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned())
    }

    fn person_comes_back(&mut self) -> &mut Self {
        self.redirected("code=abc")
    }

    fn person_says_no(&mut self) -> &mut Self {
        self.redirected("error=access_denied")
    }

    fn redirected(&mut self, what: &str) -> &mut Self {
        use base64::Engine as _;
        let state = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([7; 32]);
        let query = Secret::new(format!("{what}&state={state}"));
        self.event(Event::Redirect(RedirectEvent::Redirected { id: 1, query }))
    }

    fn refused_for_its_scope(&mut self, exchange: u64) -> &mut Self {
        self.answer_with(exchange, 403, &[("www-authenticate", CHALLENGE)], "")
    }
}

#[test]
fn a_request_waits_for_its_scope_and_nothing_else_does() {
    let mut world = World::signed_in(3600);
    world.line(CALL).refused_for_its_scope(4);
    world.line(LIST);
    let seen = world.seen();
    assert!(seen.iter().any(|line| line.ends_with("at1 tools/list")), "{seen:?}");
    // The list was exchange 6, the sign-in's first document 5.
    world.answer(6, 200, r#"{"id":1,"result":{}}"#).seen();
    world.answer(5, 200, RESOURCE).answer(7, 200, SERVER);
    world.event(Event::Redirect(RedirectEvent::Bound { port: 4177, entropy: Box::new([7; 128]) }));
    assert_eq!(world.asked_scope().as_deref(), Some("mcp:call:postgres"));
    world.person_comes_back().granted("at2").saved(2);
    let seen = world.seen();
    assert!(seen.iter().any(|line| line.ends_with("at2 tools/call")), "{seen:?}");
    // If that is not enough either, nobody is asked for the same once more.
    world.refused_for_its_scope(8).check(&["worked", "host < error 7 -31004"]);
}

#[test]
fn nobody_is_asked_twice_for_what_was_denied() {
    let mut world = World::signed_in(3600);
    world.line(CALL).refused_for_its_scope(4).sign_in_from(5, true).seen();
    world.person_says_no();
    let seen = world.seen();
    assert!(seen.contains(&"host < error 7 -31002".to_owned()), "{seen:?}");
    // What there was goes on being used.
    world.line(LIST).check(&["#7 POST /mcp version=2025-06-18 auth=Bearer at1 tools/list"]);
    world.line(CALL).refused_for_its_scope(8);
    world.check(&[
        "#8 POST /mcp version=2025-06-18 auth=Bearer at1 tools/call",
        "host < error 7 -31004",
    ]);
}

#[test]
fn nobody_is_asked_for_what_was_granted() {
    let mut world = World::oauth();
    let mut stored = access::record(1, "at1", 3600);
    stored.tokens.as_mut().unwrap().scope = Some("mcp:call mcp:call:postgres".to_owned());
    world.line(INITIALIZE).loaded(Some(stored)).answer(1, 200, RESULT).line(INITIALIZED);
    world.answer(2, 202, "").answer(3, 405, "").line(CALL).seen();
    world.refused_for_its_scope(4).check(&["host < error 7 -31004"]);
}

#[test]
fn a_request_for_more_names_the_address_in_time() {
    let mut world = World::signed_in(3600);
    world.line(CALL).refused_for_its_scope(4).sign_in_from(5, true).seen();
    world.pass(Duration::from_secs(21)).check(&["host < error 7 -31002"]);
    // The person may come all the same, and the next call has the scope.
    world.person_comes_back().granted("at2").saved(2).seen();
    world.line(CALL).check(&["#7 POST /mcp version=2025-06-18 auth=Bearer at2 tools/call"]);
}

/// The token is refused while somebody is asked for more: it is renewed, and the page stays good.
#[test]
fn a_renewal_puts_off_the_question_for_more() {
    let mut world = World::signed_in(3600);
    world.line(CALL).refused_for_its_scope(4).sign_in_from(5, true).seen();
    world.alone = false;
    world.line(LIST).answer(7, 401, "").check(&[
        "#7 POST /mcp version=2025-06-18 auth=Bearer at1 tools/list",
        "stop listening",
        "resign open",
        "lock",
    ]);
    world.locked(Some(access::record(1, "at1", 3600))).granted("at2").saved(2);
    let seen = world.seen();
    assert!(seen.iter().any(|line| line.contains("at2 tools/call")), "{seen:?}");
    world.refused_for_its_scope(8);
    assert_eq!(world.seen(), ["lead"]);
}

#[test]
fn a_plain_403_asks_nobody() {
    for challenge in [r#"Bearer error="invalid_token""#, r#"Basic realm="x""#] {
        let mut world = World::signed_in(3600);
        world.line(CALL).seen();
        world.answer_with(4, 403, &[("www-authenticate", challenge)], "");
        world.check(&["host < error 7 -31004"]);
    }
}

#[test]
fn closed_stdin_does_not_wait_for_more_scope() {
    let mut world = World::signed_in(3600);
    world.line(CALL).refused_for_its_scope(4).sign_in_from(5, true).seen();
    world.event(Event::Eof);
    let seen = world.seen();
    assert_eq!(seen.first().map(String::as_str), Some("host < error 7 -31002"), "{seen:?}");
    assert!(seen.contains(&"exit 4".to_owned()), "{seen:?}");
}

#[test]
fn one_window_in_five_minutes() {
    let mut world = World::oauth();
    let windows =
        |world: &mut World| world.seen().iter().filter(|line| *line == "open the browser").count();
    world.line(INITIALIZE).loaded(None).answer(1, 401, "").sign_in_from(2, false);
    assert_eq!(windows(&mut world), 1);
    world.pass(Duration::from_secs(1)).person_says_no();
    // A minute later the host tries again: the address is told, and no window opens.
    world.pass(Duration::from_secs(61)).line(INITIALIZE).answer(5, 401, "").sign_in_from(6, false);
    assert!(world.asked_scope().is_none());
    assert_eq!(windows(&mut world), 0);
    world.person_says_no();
    world
        .pass(Duration::from_secs(236))
        .line(INITIALIZE)
        .answer(9, 401, "")
        .sign_in_from(10, false);
    assert_eq!(windows(&mut world), 1);
    // Whoever takes the time to say no is a person, and may change their mind.
    world.pass(Duration::from_secs(5)).person_says_no();
    // In between it was looked where they were sent.
    world.pass(Duration::from_secs(61)).line(INITIALIZE).answer(14, 401, "");
    world.sign_in_from(15, false);
    assert_eq!(windows(&mut world), 1);
}

#[test]
fn a_crash_loop_opens_one_window() {
    let at = 1_000_000;
    let claim = |window_at| {
        Some(Claim::Failed {
            reason: "time-out".to_owned(),
            at: at - 61,
            window_at: Some(window_at),
            passing: false,
        })
    };
    for (window_at, windows) in [(at - 299, 0), (at - 300, 1), (at + 9, 1)] {
        let mut world = World::oauth();
        world.alone = false;
        world.line(INITIALIZE).loaded(None).answer(1, 401, "");
        world.event(Event::Store(StoreEvent::Leading(None, claim(window_at))));
        world.sign_in_from(2, false);
        let told = world.effects.iter().any(|e| matches!(e, Effect::Tell(Notice::SignIn(_))));
        assert!(told, "the address is told in any case");
        let seen = world.seen();
        let opened = seen.iter().filter(|line| *line == "open the browser").count();
        assert_eq!(opened, windows, "{window_at}: {seen:?}");
    }
}
