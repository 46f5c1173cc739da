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
    let claim = Claim::Failed { reason: "denied".to_owned(), at, window_at: None, passing: false };
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

fn failed(at: u64, window_at: Option<u64>, passing: bool) -> Claim {
    Claim::Failed { reason: "HTTP 503".to_owned(), at, window_at, passing }
}

#[test]
fn a_document_that_cannot_be_had_just_now_is_asked_for_again_and_the_others_wait() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Leading(None, None))).seen();
    for (exchange, wait) in [(2, 1300), (3, 2300)] {
        world.answer(exchange, 503, "").check(&["stop listening"]);
        world.pass(Duration::from_millis(wait)).check(&["lead"]);
        world.event(Event::Store(StoreEvent::Leading(None, None))).seen();
    }
    // Before the host is answered without knowing: what is wrong has to be told.
    world.answer(4, 503, "");
    let told = world.effects.iter().any(|effect| matches!(effect, Effect::Fail(..)));
    assert!(told, "{:?}", world.effects);
    let claim = world.effects.iter().find_map(|effect| match effect {
        Effect::Store(StoreCommand::Resign(claim)) => claim.clone(),
        _ => None,
    });
    assert!(matches!(claim, Some(Claim::Failed { passing: true, .. })), "{claim:?}");
}

#[test]
fn a_moments_trouble_of_the_leader_costs_the_others_a_moment() {
    let mut world = claiming();
    let claim = failed(world.now.unix, None, true);
    world.event(Event::Store(StoreEvent::Leading(None, Some(claim.clone()))));
    world.check(&["resign failed", "host < error 0 -31002"]);
    world.pass(Duration::from_secs(4)).line(INITIALIZE).answer(2, 401, "").seen();
    world.event(Event::Store(StoreEvent::Leading(None, Some(claim))));
    assert!(world.seen().iter().any(|line| line.contains("oauth-protected-resource")));
}

#[test]
fn a_failure_of_the_future_is_none() {
    let mut world = claiming();
    let claim = failed(world.now.unix + 86_400, None, false);
    world.event(Event::Store(StoreEvent::Leading(None, Some(claim))));
    assert!(world.seen().iter().any(|line| line.contains("oauth-protected-resource")));
}

#[test]
fn a_leader_that_does_not_go_on_is_not_waited_for_without_end() {
    let mut world = claiming();
    let claim = open_claim();
    let mut waited = Duration::ZERO;
    while world.bridge.access.has_login() && waited < Duration::from_secs(900) {
        world.event(Event::Store(StoreEvent::Following(None, Some(claim.clone()))));
        world.pass(Duration::from_secs(5));
        waited += Duration::from_secs(5);
    }
    let limit = Duration::from_secs(300)..Duration::from_secs(420);
    assert!(limit.contains(&waited), "{waited:?}");
    let told = world.effects.iter().any(
        |effect| matches!(effect, Effect::Tell(notice) if crate::report::line(notice).contains("end the other copies")),
    );
    assert!(told, "{:?}", world.effects);
}

/// The gateway refuses what the sign-in brought, and a follower is the last to say so.
#[test]
fn a_follower_remembers_the_window_that_was_opened_for_it() {
    let mut world = claiming();
    let Claim::Open(mut open) = open_claim() else { panic!() };
    let opened = world.now.unix;
    open.window_at = Some(opened);
    world.event(Event::Store(StoreEvent::Following(None, Some(Claim::Open(open)))));
    world.pass(Duration::from_secs(1));
    let stored = Some(record(1, "at1", 3600));
    world.event(Event::Store(StoreEvent::Following(stored, None))).answer(2, 401, "");
    let claim = world.effects.iter().find_map(|effect| match effect {
        Effect::Store(StoreCommand::Claim(claim)) => claim.clone(),
        _ => None,
    });
    let Some(Claim::Failed { window_at, .. }) = claim else { panic!("{claim:?}") };
    assert_eq!(window_at, Some(opened));
}

#[test]
fn when_a_sibling_renews_the_last_window_is_remembered() {
    let mut world = claiming();
    let stored = Some(record(1, "at1", 3600));
    let claim = failed(world.now.unix, Some(world.now.unix), false);
    world.event(Event::Store(StoreEvent::Leading(stored, Some(claim))));
    assert_eq!(world.seen().first().unwrap(), "resign failed");
}

#[test]
fn a_listener_that_ends_is_replaced_while_its_page_is_open() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Leading(None, Some(open_claim())))).seen();
    for _ in 0..2 {
        world.event(Event::Redirect(RedirectEvent::Bound { port: 9, entropy: Box::new([1; 128]) }));
        world.event(Event::Redirect(RedirectEvent::Gone)).check(&["listen"]);
    }
    world.event(Event::Redirect(RedirectEvent::Bound { port: 9, entropy: Box::new([1; 128]) }));
    world.event(Event::Redirect(RedirectEvent::Gone));
    assert_eq!(world.seen().last().unwrap(), "host < error 0 -31002");
}

#[test]
fn signing_in_again_does_not_end_with_a_siblings_renewal() {
    let mut world = World::oauth();
    world.config.caller = Caller::Person { again: true };
    world.bridge = Bridge::new(&world.config, 42);
    world.alone = false;
    world.line(INITIALIZE).loaded(Some(record(1, "at1", 3600))).answer(1, 401, "").seen();
    let renewed = Some(record(2, "at2", 3600));
    world.event(Event::Store(StoreEvent::Leading(renewed, None)));
    assert!(world.seen().iter().any(|line| line.contains("oauth-protected-resource")));
}

/// Its tokens may be refused, and whoever says so first need not have seen the window.
#[test]
fn the_last_window_counts_until_the_gateway_takes_the_tokens() {
    let mut world = claiming();
    world.event(Event::Store(StoreEvent::Leading(None, Some(open_claim())))).seen();
    world.event(Event::Redirect(RedirectEvent::Bound { port: 9, entropy: Box::new([1; 128]) }));
    let url = Url::parse(&world.bridge.access.sign_in_url().unwrap()).unwrap();
    let state = url.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let query = Secret::new(format!("code=x&state={state}"));
    world.event(Event::Redirect(RedirectEvent::Redirected { id: 1, query }));
    world.granted("at1").seen();
    world.saved(1);
    let seen = world.seen();
    assert!(seen.contains(&"resign failed".to_owned()), "{seen:?}");
    world.answer(2, 200, RESULT);
    assert_eq!(world.seen().last().unwrap(), "worked");

    let window_at = |claim| match claim {
        Claim::Failed { window_at, .. } => window_at,
        _ => None,
    };
    assert_eq!(window_at(failed(9, None, false).after(Some(Claim::window(7)))), Some(7));
    assert_eq!(window_at(failed(9, Some(8), false).after(Some(Claim::window(7)))), Some(8));
    assert_eq!(window_at(failed(9, None, false).after(Some(open_claim()))), Some(1_000_000));
}
