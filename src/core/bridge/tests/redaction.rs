//! A server that repeats what it was given.

use super::access::record;
use super::*;

/// Everything that people and the host are told.
fn told(world: &mut World) -> String {
    let mut text = String::new();
    for effect in std::mem::take(&mut world.effects) {
        match effect {
            Effect::Fail(id, failure) => {
                text.push_str(&crate::report::json_rpc_error(id.as_ref(), &failure));
            }
            Effect::Tell(notice) => text.push_str(&crate::report::line(&notice)),
            _ => {}
        }
    }
    text
}

#[test]
fn configured_values_and_sessions_are_not_repeated() {
    for (status, body) in [
        (403, "the key long-api-key of Bearer long-api-key is not good for secret-1"),
        (400, "the key long-api-key is not good for secret-1"),
        (503, "the key long-api-key is not good for secret-1"),
    ] {
        let mut world = World::http();
        world.config.headers = vec![Header {
            name: "Authorization".to_owned(),
            value: Secret::new("Bearer long-api-key".to_owned()),
        }];
        world.bridge = Bridge::new(&world.config, 42);
        world.line(INITIALIZE);
        world.answer_with(1, 200, &[("mcp-session-id", "secret-1")], RESULT);
        world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "").line(CALL).effects.clear();
        world.answer(4, status, body);
        let told = told(&mut world);
        assert!(told.contains("the key … "), "{told}");
        assert!(!told.contains("long-api-key") && !told.contains("secret-1"), "{told}");
    }
}

#[test]
fn a_token_is_not_repeated() {
    let mut world = World::new(TransportChoice::HttpFirst, AccessMode::OAuth);
    world.line(INITIALIZE).loaded(Some(record(1, "long-token", 3600)));
    world.effects.clear();
    world.answer(1, 403, "long-token may not do this");
    let told = told(&mut world);
    assert!(told.contains("… may not do this"), "{told}");
}

#[test]
fn addresses_are_shown_without_their_query() {
    let mut world = World::ready_http();
    world.line(LIST).effects.clear();
    world.answer_with(4, 302, &[("location", "/login?to=secret#secret")], "");
    let seen = told(&mut world);
    assert!(seen.contains("`https://mcp.example/login`") && !seen.contains("secret"), "{seen}");
    let mut world = World::sse();
    world.line(INITIALIZE).open(1).message(1, "endpoint", "http://[bad?session=secret");
    assert!(!told(&mut world).contains("secret"));
}

#[test]
fn the_session_of_an_endpoint_is_not_repeated() {
    let mut world = World::sse();
    world.line(INITIALIZE).open(1).message(1, "endpoint", "/messages?id=secret-2");
    world.effects.clear();
    world.answer(2, 400, "secret-2 is unknown");
    let told = told(&mut world);
    assert!(told.contains("… is unknown"), "{told}");
}
