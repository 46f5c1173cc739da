//! How much may be under way, and what passes by all the same.

use super::*;
use crate::core::bridge::send::{MAX_IN_FLIGHT, RESERVE};

/// A conversation with as many open calls as there may be; the next exchange is `4 + MAX_IN_FLIGHT`.
fn full() -> (World, u64) {
    let mut world = World::ready_http();
    let mut exchange = 4;
    for id in 0..MAX_IN_FLIGHT {
        world.line(&format!(r#"{{"id":"call-{id}","method":"tools/call"}}"#));
        world.open(exchange);
        exchange += 1;
    }
    world.seen();
    (world, exchange)
}

#[test]
fn open_calls_do_not_hold_up_what_they_wait_for() {
    let (mut world, next) = full();
    let path = "POST /mcp session=s1 version=2025-06-18";
    world.line(LIST).check(&[]);
    world
        .line(r#"{"id":"asked","result":{}}"#)
        .check(&[&format!("#{next} {path} answer \"asked\"")]);
    world
        .line(r#"{"method":"notifications/a"}"#)
        .line(r#"{"method":"notifications/cancelled","params":{"requestId":"call-7"}}"#)
        .line(r#"{"id":"p","method":"ping"}"#);
    world.check(&[
        &format!("#{} {path} notifications/a", next + 1),
        &format!("#{} {path} notifications/cancelled", next + 2),
        &format!("#{} {path} ping", next + 3),
    ]);
    world.answer(next, 202, "").answer(next + 1, 202, "").answer(next + 2, 202, "").check(&[]);
    world.answer(next + 3, 200, r#"{"id":"p","result":{}}"#).check(&[
        r#"host < {"id":"p","result":{}}"#,
        // One call less, so that the request has its place.
        &format!("#{} {path} tools/list", next + 4),
    ]);
}

#[test]
fn a_flood_of_answers_has_a_limit_too() {
    let (mut world, next) = full();
    for n in 0..(2 * RESERVE) {
        world.line(&format!(r#"{{"method":"notifications/{n}"}}"#));
    }
    assert_eq!(world.seen().len(), RESERVE);
    world.answer(next, 202, "");
    let path = "POST /mcp session=s1 version=2025-06-18";
    world.check(&[&format!("#{} {path} notifications/{RESERVE}", next + RESERVE as u64)]);
}

#[test]
fn what_was_sent_at_the_end_may_have_run_and_what_waited_has_not() {
    let (mut world, _) = full();
    world.line(LIST).event(Event::Eof).pass(Duration::from_millis(1200));
    let mut sent = Vec::new();
    for effect in &world.effects {
        let Effect::Fail(Some(id), failure) = effect else { continue };
        let Failure::Closing { sent: was_sent } = **failure else { panic!("{failure:?}") };
        if was_sent {
            sent.push(id.clone());
        } else {
            assert_eq!(*id, Id::Number("1".into()));
        }
    }
    assert_eq!(sent.len(), MAX_IN_FLIGHT);
}

#[test]
fn the_gateways_own_limits_are_told_with_their_wait() {
    for (status, after, wait) in
        [(413, "", None), (429, "70", Some(70)), (503, "20", Some(20)), (503, "Fri, 1 Jan", None)]
    {
        let mut world = World::ready_http();
        world.line(CALL).answer_with(4, status, &[("retry-after", after)], "busy");
        let expected = Failure::Limited { status, reason: Some("busy".to_owned()), wait };
        assert_eq!(world.bridge.outcome(), Some(&expected));
    }
}
