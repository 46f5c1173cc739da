//! Several processes that need a sign-in at the same time.

use super::access::record;
use super::*;

/// A process that was told to sign in, and asks whether it is the one to do it.
fn claiming() -> World {
    let mut world = World::oauth();
    world.alone = false;
    world.line(INITIALIZE).loaded(None);
    world.answer_with(1, 401, &[("www-authenticate", "Bearer")], "");
    assert_eq!(world.seen().last().unwrap(), "lead");
    world
}

fn open_claim() -> Claim {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Leading(None, None)));
    world.answer(2, 404, "").answer(3, 404, "").answer(4, 404, "").answer(5, 404, "");
    world.event(Event::Redirect(RedirectEvent::Bound { port: 9, entropy: Box::new([7; 128]) }));
    world.answer(6, 201, r#"{"client_id":"c"}"#);
    let claim = world.effects.iter().find_map(|effect| match effect {
        Effect::Store(StoreCommand::Claim(claim)) => claim.clone(),
        _ => None,
    });
    let order: Vec<_> = world.seen();
    let at = |what: &str| order.iter().position(|line| line == what);
    assert!(at("claim open") < at("open the browser"), "{order:?}");
    claim.unwrap()
}

#[test]
fn a_follower_opens_nothing_and_takes_what_the_leader_gets() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Following(None, None))).check(&[]);
    world.pass(Duration::from_secs(2)).check(&["lead"]);
    world.event(Event::Store(StoreEvent::Following(None, Some(open_claim())))).check(&[]);
    assert!(world.bridge.access.sign_in_url().unwrap().contains("state="));
    world.pass(Duration::from_secs(1)).check(&["lead"]);
    let stored = Some(record(1, "at1", 3600));
    world
        .event(Event::Store(StoreEvent::Following(stored, None)))
        .check(&["#2 POST /mcp auth=Bearer at1 initialize"]);
}

#[test]
fn a_follower_finishes_what_a_dead_leader_began() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Following(None, None)));
    world.pass(Duration::from_secs(1)).seen();
    world.event(Event::Store(StoreEvent::Leading(None, Some(open_claim())))).seen();
    world.event(Event::Redirect(RedirectEvent::Bound { port: 9, entropy: Box::new([1; 128]) }));
    let seen = world.seen();
    assert!(!seen.contains(&"open the browser".to_owned()), "{seen:?}");
    let url = Url::parse(&world.bridge.access.sign_in_url().unwrap()).unwrap();
    let state = url.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let query = Secret::new(format!("code=x&state={state}"));
    world.event(Event::Redirect(RedirectEvent::Redirected { id: 1, query }));
    world.check(&["claim", "grant"]);
    world.granted("at1").saved(1);
    assert_eq!(world.seen().last().unwrap(), "#2 POST /mcp auth=Bearer at1 initialize");
}

#[test]
fn a_window_whose_port_is_lost_is_opened_anew() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Leading(None, Some(open_claim())))).seen();
    world.event(Event::Redirect(RedirectEvent::BindFailed("taken".to_owned())));
    let seen = world.seen();
    assert!(seen.iter().any(|line| line.contains("oauth-protected-resource")), "{seen:?}");
}

#[test]
fn a_window_that_nobody_waits_for_any_more_is_opened_anew() {
    let mut world = claiming();
    let claim = open_claim();
    world.set(Duration::from_secs(301));
    world.event(Event::Store(StoreEvent::Leading(None, Some(claim))));
    assert!(world.seen().iter().any(|line| line.contains("oauth-protected-resource")));
}

#[test]
fn followers_share_the_leaders_failure_and_open_no_window_after_it() {
    let mut world = claiming();
    let at = world.now.unix - 3;
    let claim = Claim::Failed { reason: "denied".to_owned(), at, window_at: None };
    world.event(Event::Store(StoreEvent::Leading(None, Some(claim.clone()))));
    world.check(&["resign failed", "host < error 0 -31002"]);
    // An old failure is forgotten.
    let mut world = World::oauth();
    world.alone = false;
    world.set(Duration::from_secs(11));
    world.line(INITIALIZE).loaded(None).answer(1, 401, "");
    world.event(Event::Store(StoreEvent::Leading(None, Some(claim))));
    assert!(world.seen().iter().any(|line| line.contains("oauth-protected-resource")));
}

#[test]
fn a_leader_that_finds_tokens_lets_go() {
    let mut world = claiming();
    let stored = Some(record(1, "at1", 3600));
    world
        .event(Event::Store(StoreEvent::Leading(stored, None)))
        .check(&["resign", "#2 POST /mcp auth=Bearer at1 initialize"]);
}

#[test]
fn closed_stdin_ends_a_follower() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Following(None, None)));
    world.event(Event::Eof).check(&["host < error 0 -31002", "stop listening", "exit 4"]);
}
