//! Credentials: refused, renewed, expired.

use super::*;
use crate::core::event::GrantId;

pub(super) fn record(generation: u64, access: &str, expires_in: u64) -> Box<Record> {
    Box::new(Record {
        version: 1,
        generation,
        server: "https://mcp.example/mcp".to_owned(),
        issuer: "https://mcp.example".to_owned(),
        token_endpoint: "https://mcp.example/token".to_owned(),
        revocation_endpoint: None,
        pending_since: None,
        client: Registration {
            id: "c".to_owned(),
            secret: None,
            auth_method: None,
            redirect_uri: "http://127.0.0.1:4177/oauth/callback".to_owned(),
            secret_expires_at: None,
            key: None,
        },
        resource: None,
        tokens: Some(Tokens {
            access: Secret::new(access.to_owned()),
            refresh: Some(Secret::new("rt".to_owned())),
            scope: None,
            obtained_at: 1_000_000,
            expires_at: Some(1_000_000 + expires_in),
        }),
    })
}

impl World {
    pub(super) fn oauth() -> Self {
        Self::new(TransportChoice::HttpFirst, AccessMode::OAuth)
    }

    /// With a stored sign-in, past the handshake; three exchanges are used.
    pub(super) fn signed_in(expires_in: u64) -> Self {
        let mut world = Self::oauth();
        world.line(INITIALIZE).loaded(Some(record(1, "at1", expires_in)));
        world.answer(1, 200, RESULT).line(INITIALIZED).answer(2, 202, "").answer(3, 405, "");
        world.seen();
        world
    }

    pub(super) fn loaded(&mut self, record: Option<Box<Record>>) -> &mut Self {
        self.event(Event::Store(StoreEvent::Loaded(record, None)))
    }

    /// The lock is there, and so is the note that a refresh token is about to be sent.
    pub(super) fn locked(&mut self, record: Option<Box<Record>>) -> &mut Self {
        self.event(Event::Store(StoreEvent::Locked(record)));
        let marked = self.effects.iter().find_map(|effect| match effect {
            Effect::Store(StoreCommand::Save(record)) if record.pending_since.is_some() => {
                Some(record.generation)
            }
            _ => None,
        });
        match marked {
            Some(generation) => self.saved(generation),
            None => self,
        }
    }

    pub(super) fn saved(&mut self, generation: u64) -> &mut Self {
        self.event(Event::Store(StoreEvent::Saved { generation, warning: None }))
    }

    pub(super) fn granted(&mut self, access: &str) -> &mut Self {
        self.event(Event::Granted(
            self.bridge.access.last_grant(),
            Box::new(Ok(Granted {
                access: Secret::new(access.to_owned()),
                refresh: Some(Secret::new("rt2".to_owned())),
                expires_in: Some(3600),
                scope: None,
                id_token: None,
            })),
        ))
    }

    fn grant_refused(&mut self, failure: GrantFailure) -> &mut Self {
        self.event(Event::Granted(self.bridge.access.last_grant(), Box::new(Err(failure))))
    }
}

const POST: &str = "POST /mcp version=2025-06-18 auth=Bearer";

#[test]
fn a_refused_key_is_told_and_opens_no_browser() {
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 401, "").event(Event::Eof).check(&[
        "#1 POST /mcp initialize",
        "host < error 0 -31003",
        "exit 4",
    ]);
    let mut world = World::sse();
    world.line(INITIALIZE).answer(1, 401, "").event(Event::Eof).check(&[
        "#1 GET /sse",
        "host < error 0 -31003",
        "exit 4",
    ]);
}

#[test]
fn a_refused_key_holds_nothing_up() {
    let mut world = World::http();
    world.lines(&[INITIALIZE, INITIALIZED, LIST]).answer(1, 401, "").answer(2, 401, "");
    world.answer(3, 401, "").answer(4, 401, "");
    let seen = world.seen();
    assert!(seen.contains(&"host < error 1 -31003".to_owned()), "{seen:?}");
}

#[test]
fn a_stored_sign_in_is_used_without_a_question() {
    let mut world = World::oauth();
    world.line(INITIALIZE).check(&["load"]);
    world.loaded(Some(record(1, "at1", 3600))).check(&["#1 POST /mcp auth=Bearer at1 initialize"]);
}

#[test]
fn without_one_the_gateway_is_asked_first() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None).check(&["load", "#1 POST /mcp initialize"]);
    world
        .answer_with(1, 401, &[("www-authenticate", "Bearer")], "")
        .check(&["#2 GET /.well-known/oauth-protected-resource/mcp version=2025-11-25"]);
}

#[test]
fn a_refused_token_is_renewed_and_the_request_sent_again() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").check(&[&format!("#4 {POST} at1 tools/list"), "lock"]);
    world.locked(Some(record(1, "at1", 3600))).check(&["mark", "grant"]);
    world.granted("at2").check(&["save 2"]);
    // Not before it is stored.
    world.saved(2).check(&["unlock", &format!("#5 {POST} at2 tools/list")]);
}

#[test]
fn many_refused_requests_make_one_refresh() {
    let mut world = World::signed_in(3600);
    for id in 1..=20 {
        world.line(&LIST.replace("\"id\":1", &format!("\"id\":{id}")));
    }
    world.seen();
    for exchange in 4..24 {
        world.answer(exchange, 401, "");
    }
    world.check(&["lock"]);
    world.locked(Some(record(1, "at1", 3600))).granted("at2").saved(2);
    let seen = world.seen();
    assert_eq!(seen.iter().filter(|line| line.ends_with("at2 tools/list")).count(), 20);
    assert_eq!(seen.iter().filter(|line| *line == "grant").count(), 1);
}

#[test]
fn a_late_401_of_the_old_token_starts_nothing() {
    let mut world = World::signed_in(3600);
    world.line(LIST).line(&LIST.replace("\"id\":1", "\"id\":2")).answer(4, 401, "");
    world.locked(Some(record(1, "at1", 3600))).granted("at2").saved(2).seen();
    world.answer(5, 401, "").check(&[&format!("#7 {POST} at2 tools/list")]);
}

#[test]
fn what_a_sibling_has_renewed_is_used() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").seen();
    world
        .locked(Some(record(5, "sibling", 3600)))
        .check(&["unlock", &format!("#5 {POST} sibling tools/list")]);
}

#[test]
fn a_token_that_is_refused_after_two_renewals_leads_to_a_sign_in() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").locked(Some(record(1, "at1", 3600)));
    world.granted("at2").saved(2).seen();
    // A gateway in trouble may have lost this one too.
    world.answer(5, 401, "").check(&["lock"]).locked(Some(record(2, "at2", 3600)));
    world.granted("at3").saved(3).seen();
    world
        .answer(6, 401, "")
        .check(&["#7 GET /.well-known/oauth-protected-resource/mcp version=2025-11-25"]);
}

#[test]
fn a_token_that_was_used_is_renewed_as_often_as_it_is_refused() {
    let mut world = World::signed_in(3600);
    for generation in 1..6 {
        let exchange = 2 + 2 * generation;
        world.line(LIST).answer(exchange, 401, "");
        world.locked(Some(record(generation, "at", 3600)));
        world.granted("at").saved(generation + 1).answer(exchange + 1, 200, RESULT);
        assert!(!world.seen().iter().any(|line| line.contains("well-known")));
    }
}

#[test]
fn a_renewed_token_that_nobody_could_use_is_renewed_again_and_opens_no_browser() {
    // Refused because the gateway came back with other keys, and because it had expired.
    for (life, wait) in [(3600, 61), (20, 21)] {
        let mut world = World::signed_in(3600);
        world.line(LIST).answer(4, 401, "").locked(Some(record(1, "at1", 3600)));
        let refresh = Some(Secret::new("rt2".to_owned()));
        let access = Secret::new("at2".to_owned());
        let expires_in = Some(life);
        let granted = Granted { access, refresh, expires_in, scope: None, id_token: None };
        world
            .event(Event::Granted(world.bridge.access.last_grant(), Box::new(Ok(granted))))
            .saved(2);
        world.seen();
        // It is asked whether it is there meanwhile.
        world.pass(Duration::from_secs(wait)).seen();
        world.answer(5, 401, "");
        assert_eq!(world.seen().first().unwrap(), "lock");
    }
}

#[test]
fn tokens_are_renewed_before_they_expire_also_while_nobody_asks() {
    let mut world = World::signed_in(3600);
    world.pass(Duration::from_secs(3600 * 7 / 10 - 1)).check(&[]);
    world.pass(Duration::from_secs(3600 * 2 / 10 + 2)).check(&["lock"]);
    // What is asked for meanwhile goes out with the old token, which is still good.
    world.line(LIST).check(&[&format!("#4 {POST} at1 tools/list")]);
    world.locked(Some(record(1, "at1", 3600))).granted("at2").saved(2);
    world.check(&["mark", "grant", "save 2", "unlock"]);
}

#[test]
fn an_expired_token_is_renewed_before_it_is_used() {
    let mut world = World::oauth();
    world.now.unix += 3595;
    world.line(INITIALIZE).loaded(Some(record(1, "at1", 3600))).check(&["load", "lock"]);
}

#[test]
fn tokens_that_are_born_expired_are_tried_once_each() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").locked(Some(record(1, "at1", 3600))).seen();
    world.event(Event::Granted(
        world.bridge.access.last_grant(),
        Box::new(Ok(Granted {
            access: Secret::new("at2".to_owned()),
            refresh: Some(Secret::new("rt2".to_owned())),
            expires_in: Some(0),
            scope: None,
            id_token: None,
        })),
    ));
    world.saved(2).check(&["save 2", "unlock", &format!("#5 {POST} at2 tools/list")]);
}

#[test]
fn an_hour_asleep_makes_one_refresh() {
    let mut world = World::signed_in(3600);
    // The monotonic clock has slept too.
    world.now.unix += 7200;
    // Nothing goes out on the connections of before, the refresh token least of all.
    world.line(LIST).line(&LIST.replace("\"id\":1", "\"id\":2"));
    world.check(&["new connections", "lock"]);
}

#[test]
fn an_outage_of_the_token_endpoint_keeps_the_tokens_and_opens_no_browser() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").locked(Some(record(1, "at1", 3600))).seen();
    let trouble = |wait| GrantFailure::Transient { cause: "HTTP 503".to_owned(), wait };
    world.grant_refused(trouble(None)).check(&["grant"]);
    world.grant_refused(trouble(Some(Duration::from_secs(50))));
    world.check(&["unlock", "host < error 1 -31002"]);
    // Not before the server wants to be asked again.
    world.pass(Duration::from_secs(49)).line(&LIST.replace("\"id\":1", "\"id\":3"));
    // Unless a sibling has had more luck.
    world.check(&["load"]).loaded(Some(record(1, "at1", 3600))).check(&["host < error 3 -31002"]);
    world.pass(Duration::from_secs(5)).line(&LIST.replace("\"id\":1", "\"id\":2"));
    let seen = world.seen();
    assert!(seen.iter().all(|line| !line.contains("well-known")), "{seen:?}");
}

#[test]
fn closed_stdin_ends_an_open_sign_in() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None).answer(1, 401, "").seen();
    world.event(Event::Eof).check(&["host < error 0 -31002", "stop listening", "exit 4"]);
}

#[test]
fn after_a_failed_sign_in_requests_fail_at_once_for_a_minute() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None).answer(1, 401, "").seen();
    let none = r#"{"authorization_servers":[]}"#;
    world.answer(2, 200, none).check(&["stop listening", "resign failed", "host < error 0 -31002"]);
    world.line(INITIALIZE).check(&["host < error 0 -31002"]);
    // Nor has anybody signed in elsewhere.
    world.pass(Duration::from_secs(1)).line(INITIALIZE).check(&["load"]);
    world.loaded(None).check(&["host < error 0 -31002"]);
    world.pass(Duration::from_secs(60)).line(INITIALIZE).check(&["#3 POST /mcp initialize"]);
    let _ = &world.config;
}

/// The person was told to sign in from a terminal.
#[test]
fn a_sign_in_elsewhere_ends_the_wait_at_once() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None).answer(1, 401, "");
    world.answer(2, 200, r#"{"authorization_servers":[]}"#).pass(Duration::from_secs(5)).seen();
    world.line(INITIALIZE).check(&["load"]);
    world.loaded(Some(record(1, "at1", 3600)));
    world.check(&["#3 POST /mcp auth=Bearer at1 initialize"]);
}

#[test]
fn tokens_that_the_gateway_refuses_are_not_tried_in_turn() {
    let mut world = World::oauth();
    world.alone = false;
    world.line(INITIALIZE).loaded(None).answer(1, 401, "");
    world.event(Event::Store(StoreEvent::Following(None, None)));
    world.pass(Duration::from_secs(1));
    let fresh = Some(record(1, "at1", 3600));
    world.event(Event::Store(StoreEvent::Following(fresh, None))).answer(2, 401, "").seen();
    world.pass(Duration::from_secs(5)).line(INITIALIZE).check(&["host < error 0 -31002"]);
}

#[test]
fn a_403_speaks_of_access_in_whatever_words() {
    let mut world = World::signed_in(3600);
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"not for you"}}"#;
    world.line(LIST).seen();
    world.answer(4, 403, body);
    let failure = world.effects.iter().find_map(|effect| match effect {
        Effect::Fail(_, failure) => Some(failure.to_string()),
        _ => None,
    });
    assert_eq!(failure.unwrap(), "the gateway does not allow this with HTTP 403: not for you");
}

#[test]
fn what_a_sibling_has_renewed_may_have_expired_too() {
    let mut world = World::signed_in(3600);
    // The machine has slept for hours after the sibling's renewal.
    world.now.unix += 20_000;
    world.line(LIST).check(&["new connections", "lock"]);
    let siblings = Some(record(2, "at2", 3600));
    world.locked(siblings.clone()).check(&["unlock", "lock"]);
    world.locked(siblings).check(&["mark", "grant"]);
}

#[test]
fn what_a_sibling_has_renewed_and_the_gateway_refuses_is_renewed() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").seen();
    world.locked(Some(record(2, "at2", 3600))).seen();
    world.answer(5, 401, "").check(&["lock"]);
}

#[test]
fn what_somebody_has_deleted_is_over() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").seen();
    world.locked(None);
    assert_eq!(world.seen().first().unwrap(), "unlock");
    assert!(!world.bridge.is_signed_in());
}

#[test]
fn a_ping_is_answered_while_somebody_signs_in() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(None).answer(1, 401, "").seen();
    world.line(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    world.check(&[r#"host < {"jsonrpc":"2.0","id":"p","result":{}}"#]);
}

#[test]
fn an_answer_to_a_token_request_that_was_given_up_is_for_nobody() {
    let mut world = World::signed_in(3600);
    world.line(LIST).answer(4, 401, "").locked(Some(record(1, "at1", 3600))).seen();
    let dead = GrantFailure::Refused { error: "invalid_grant".to_owned(), description: None };
    world.event(Event::Granted(GrantId(0), Box::new(Err(dead)))).check(&[]);
    world.granted("at2").check(&["save 2"]);
}

#[test]
fn a_token_that_was_renewed_in_good_time_is_renewed_when_it_is_refused() {
    let mut world = World::signed_in(100);
    world.pass(Duration::from_secs(91)).locked(Some(record(1, "at1", 100)));
    world.granted("at2").saved(2).seen();
    world.line(LIST).answer(4, 401, "");
    assert_eq!(world.seen().last().unwrap(), "lock");
}
