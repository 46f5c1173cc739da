//! A sign-in that was imported: without its token endpoint.

use super::access::record;
use super::*;

const RESOURCE: &str =
    r#"{"resource":"https://mcp.example/mcp","authorization_servers":["https://mcp.example"]}"#;
const SERVER: &str = r#"{"issuer":"https://mcp.example","authorization_endpoint":"https://mcp.example/a","token_endpoint":"https://mcp.example/t","code_challenge_methods_supported":["S256"]}"#;
const OTHER: &str =
    r#"{"resource":"https://mcp.example/mcp","authorization_servers":["https://evil.example"]}"#;
const OTHER_SERVER: &str = r#"{"issuer":"https://evil.example","authorization_endpoint":"https://evil.example/a","token_endpoint":"https://evil.example/t","code_challenge_methods_supported":["S256"]}"#;
const SEARCH: [&str; 2] = [
    "GET /.well-known/oauth-protected-resource/mcp version=2025-11-25",
    "GET /.well-known/oauth-authorization-server version=2025-11-25",
];

fn imported() -> Box<Record> {
    let mut record = record(1, "at1", 3600);
    record.token_endpoint.clear();
    record
}

#[test]
fn a_live_access_token_is_used_as_it_is() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(Some(imported()));
    world.check(&["load", "#1 POST /mcp auth=Bearer at1 initialize"]);
}

#[test]
fn an_expired_one_is_renewed_where_its_issuer_says() {
    let mut world = World::oauth();
    world.now.unix += 3600;
    world.line(INITIALIZE).loaded(Some(imported()));
    world.check(&["load", &format!("#1 {}", SEARCH[0])]);
    world.answer(1, 200, RESOURCE).check(&[&format!("#2 {}", SEARCH[1])]);
    world.answer(2, 200, SERVER).check(&["lock"]);
    world.locked(Some(imported())).granted("at2").check(&["mark", "grant", "save 2"]);
    world.saved(2).check(&["unlock", "#3 POST /mcp auth=Bearer at2 initialize"]);
}

#[test]
fn a_refused_one_of_another_issuer_leads_to_a_sign_in() {
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(Some(imported())).answer(1, 401, "").answer(2, 200, OTHER).seen();
    world.answer(3, 200, OTHER_SERVER).locked(Some(imported())).check(&["lock", "save 2"]);
    world.saved(2).check(&["unlock", &format!("#4 {}", SEARCH[0])]);
    // It goes on as every sign-in: with the listener for a browser.
    world.answer(4, 200, OTHER).answer(5, 200, OTHER_SERVER);
    assert!(world.seen().iter().any(|line| line.starts_with("listen")));
}

#[test]
fn an_outage_of_the_metadata_opens_no_browser() {
    let mut world = World::oauth();
    world.now.unix += 3600;
    world.line(INITIALIZE).loaded(Some(imported())).answer(1, 503, "").seen();
    world.event(Event::Http(ExchangeId(1), HttpEvent::Ended)).check(&[]);
    // While the token is still good, nobody notices.
    let mut world = World::oauth();
    world.line(INITIALIZE).loaded(Some(imported())).answer(1, 200, RESULT).seen();
    world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "").seen();
    world.pass(Duration::from_secs(3600 * 9 / 10)).check(&[&format!("#4 {}", SEARCH[0])]);
    world.answer(4, 503, "").line(LIST);
    assert!(world.seen().iter().any(|line| line.ends_with("at1 tools/list")));
}
