//! Tokens that came without their token endpoint: it is found first, and it must be their issuer's.

use serde_json::{Value, json};

use super::*;
use crate::config::LoginOptions;
use crate::core::event::{Delivery, FailureKind};
use crate::core::oauth::login::Goal;

pub(super) fn imported() -> Box<Record> {
    let mut record = record(1, "rt1");
    record.token_endpoint.clear();
    record
}

pub(super) fn start(known: Box<Record>) -> Start {
    Start {
        goal: Goal::Server,
        server: Url::parse(&known.server).unwrap(),
        server_text: known.server.clone(),
        options: LoginOptions::default(),
        challenge: None,
        known: Some(known),
        scope: None,
        window: true,
    }
}

/// What a gateway answers whose authorization server is `issuer`.
pub(super) fn document(url: &Url, issuer: &str) -> Input {
    let resource = json!({ "resource": "https://mcp.example/sse",
        "authorization_servers": [issuer] });
    let server = json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/found"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    answer(if url.path().contains("protected-resource") { resource } else { server })
}

fn answer(document: Value) -> Input {
    Input::Fetched(Ok((200, document.to_string().into())))
}

/// Runs a renewal against a gateway whose authorization server is `issuer`; then come `inputs`.
fn check_imported(issuer: &str, inputs: Vec<Input>, expected: &[&str]) -> Option<Outcome> {
    let now = Moment { unix: 1000, ..Moment::default() };
    let mut steps = Vec::new();
    let mut refresh = Refresh::search(imported(), start(imported()), Terms::default(), &mut steps);
    while let Some(Step::Fetch(url)) = steps.last() {
        let input = document(url, issuer);
        refresh = refresh.handle(input, now, &mut steps);
    }
    for input in inputs {
        refresh = refresh.handle(input, now, &mut steps);
    }
    render(steps, expected)
}

#[test]
fn the_token_endpoint_is_found_before_the_first_renewal() {
    let inputs =
        vec![Input::Locked(Some(imported())), marked(), granted(Some("rt2")), Input::Saved(2)];
    let expected = [
        "fetch /.well-known/oauth-protected-resource/sse",
        "fetch /.well-known/oauth-authorization-server",
        "lock",
        "mark",
        "grant rt1",
        "save 2 Some(\"rt2\")",
        "unlock",
        "tokens 2",
    ];
    let outcome = check_imported("https://mcp.example", inputs, &expected);
    let Some(Outcome::Tokens(record)) = outcome else { panic!() };
    assert_eq!(record.token_endpoint, "https://mcp.example/found");
    assert_eq!(record.resource.as_deref(), Some("https://mcp.example/sse"));
    assert_eq!(record.revocation_endpoint.as_deref(), Some("https://mcp.example/revoke"));
}

const SEARCH: [&str; 3] = [
    "fetch /.well-known/oauth-protected-resource/sse",
    "fetch /.well-known/oauth-authorization-server",
    "lock",
];

#[test]
fn the_tokens_of_another_issuer_are_never_sent() {
    let inputs = vec![Input::Locked(Some(imported())), granted(None), Input::Saved(2)];
    let expected = [&SEARCH[..], &["save 2 None", "unlock", "sign in"]].concat();
    let outcome = check_imported("https://evil.example", inputs, &expected);
    let Some(Outcome::SignIn(Some(record))) = outcome else { panic!() };
    assert_eq!((record.token_endpoint.as_str(), record.tokens.as_ref()), ("", None));
    assert_eq!(record.client.id, "client");
    // Where nothing can be stored it is the same.
    let expected = [&SEARCH[..], &["unlock", "sign in"]].concat();
    check_imported("https://evil.example", vec![Input::Locked(None)], &expected);
}

#[test]
fn what_a_sibling_has_done_meanwhile_counts() {
    // It has renewed them,
    let newer = vec![Input::Locked(Some(record(2, "rt2")))];
    let expected = [&SEARCH[..], &["unlock", "adopted 2"]].concat();
    check_imported("https://mcp.example", newer, &expected);
    // given them up,
    let mut gone = imported();
    gone.generation = 2;
    gone.tokens = None;
    let expected = [&SEARCH[..], &["unlock", "sign in"]].concat();
    check_imported("https://mcp.example", vec![Input::Locked(Some(gone))], &expected);
    // or completed them and been told to come back later.
    let same =
        vec![Input::Locked(Some(record(1, "rt1"))), marked(), granted(None), Input::Saved(2)];
    let expected =
        [&SEARCH[..], &["mark", "grant rt1", "save 2 Some(\"rt1\")", "unlock", "tokens 2"]]
            .concat();
    let outcome = check_imported("https://mcp.example", same, &expected);
    let Some(Outcome::Tokens(record)) = outcome else { panic!() };
    assert_eq!(record.token_endpoint, "https://mcp.example/token");
}

#[test]
fn a_configured_client_is_one_as_the_server_wants_it() {
    let client = ConfiguredClient {
        id: "client".to_owned(),
        secret: Some(Secret::new("s".to_owned())),
        auth_method: None,
        key: None,
    };
    let mut start = start(imported());
    start.options.client = Some(client.clone());
    let terms = Terms { client: Some(client), ..Terms::default() };
    let mut steps = Vec::new();
    let mut refresh = Refresh::search(imported(), start, terms, &mut steps);
    while let Some(Step::Fetch(url)) = steps.last() {
        let input = document(url, "https://mcp.example");
        refresh = refresh.handle(input, Moment::default(), &mut steps);
    }
    for input in [Input::Locked(Some(imported())), marked()] {
        refresh = refresh.handle(input, Moment::default(), &mut steps);
    }
    assert!(refresh.expects_tokens());
    let Some(Step::Grant(grant)) = steps.last() else { panic!() };
    assert_eq!(grant.client.auth_method.as_deref(), Some("client_secret_post"));
    assert_eq!(grant.client.secret.as_ref().unwrap().expose(), "s");
    // It is stored nowhere.
    let Some(Step::Save(marked)) = steps.iter().rev().nth(1) else { panic!() };
    assert_eq!(marked.client.secret, None);
}

#[test]
fn the_issuer_is_not_passed_over_because_it_is_away() {
    let servers = ["https://other.example", "https://mcp.example/"];
    let resource = || {
        answer(json!({ "resource": "https://mcp.example/sse", "authorization_servers": servers }))
    };
    let begin = |steps: &mut Vec<Step>| {
        let refresh = Refresh::search(imported(), start(imported()), Terms::default(), steps);
        refresh.handle(resource(), Moment::default(), steps)
    };
    let mut steps = Vec::new();
    let refresh = begin(&mut steps);
    let Some(Step::Fetch(url)) = steps.last() else { panic!() };
    assert_eq!(url.host_str(), Some("mcp.example"));
    let away = HttpFailure {
        cause: "connection refused".to_owned(),
        delivery: Delivery::NotDelivered,
        kind: FailureKind::Network,
    };
    drop(refresh.handle(Input::Fetched(Err(away)), Moment::default(), &mut steps));
    render(steps, &[SEARCH[0], SEARCH[1], "later"]);
}

#[test]
fn a_search_that_fails_keeps_the_tokens() {
    let document = "/.well-known/oauth-protected-resource/sse";
    for status in [503, 429] {
        let mut steps = Vec::new();
        let refresh = Refresh::search(imported(), start(imported()), Terms::default(), &mut steps);
        let outage = Input::Fetched(Ok((status, "<html>".into())));
        let refresh = refresh.handle(outage, Moment::default(), &mut steps);
        assert!(!refresh.expects_tokens());
        render(steps, &[&format!("fetch {document}"), "later"]);
    }
}
