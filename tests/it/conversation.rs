//! Whole conversations with the mock gateway.

use std::time::Duration;

use apexmcp_bridge::mock::{Answers, Auth, Consent, Gateway, LoggedRequest, Plan};
use serde_json::{Value, json};

use crate::support::{Bridge, Home, check_end};

fn gateway() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

fn urls(gateway: &Gateway) -> [String; 2] {
    [gateway.sse_url("acme"), gateway.http_url("acme")]
}

/// The main job: the handshake, the list, a result, what a server has to say, what it asks.
pub fn converse(bridge: &mut Bridge) {
    let initialize = bridge.handshake("2025-06-18");
    assert_eq!(initialize["result"]["protocolVersion"], "2025-06-18", "{initialize}");
    let tools = bridge.request(1, "tools/list", json!({}));
    assert_eq!(tools["result"]["tools"][0]["name"], "query_postgres_orders");
    let rows =
        bridge.call(2, "query_postgres_orders", json!({ "sql": "select * from orders limit 2" }));
    let rows: Value =
        serde_json::from_str(rows["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let text = "Grüße \u{2028} \u{1f980} \\ \" \u{0} end";
    let echo = bridge.call(3, "echo", json!({ "text": text }));
    assert_eq!(echo["result"]["content"][0]["text"], text);
    progress(bridge);
    questions(bridge);
    let unknown = bridge.request(7, "no/such", json!({}));
    assert_eq!(unknown["error"]["code"], -32601);
}

fn progress(bridge: &mut Bridge) {
    bridge.send(r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"progress","arguments":{"steps":5},"_meta":{"progressToken":"p"}}}"#);
    for step in 1..=5 {
        let message = bridge.next();
        assert_eq!(message["params"]["progress"], step, "{message}");
    }
    assert_eq!(bridge.next()["id"], 4);
}

fn questions(bridge: &mut Bridge) {
    for (id, what, method) in
        [(5, "sampling", "sampling/createMessage"), (6, "elicitation", "elicitation/create")]
    {
        bridge.send(
            &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "ask", "arguments": { "what": what } } })
            .to_string(),
        );
        let question = bridge.next();
        assert_eq!(question["method"], method);
        bridge.send(
            &json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "said": what } })
                .to_string(),
        );
        let answer = bridge.answer(id);
        assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains(what));
    }
}

#[test]
fn with_an_api_key() {
    let gateway = gateway();
    for url in urls(&gateway) {
        let home = Home::new();
        let header = format!("X-API-Key:{}", gateway.api_key("acme").unwrap());
        let mut bridge = Bridge::start(&home, &[&url, "--header", &header]);
        converse(&mut bridge);
        check_end(&bridge.end(), 0);
        assert_eq!(home.browsers(), 0);
        assert!(!home.state().exists(), "an API key needs no disk");
    }
}

#[test]
fn with_an_api_key_from_the_environment() {
    let gateway = gateway();
    let key = gateway.api_key("acme").unwrap().to_owned();
    let home = Home::new();
    let person = crate::support::Person::Absent;
    let args: [&str; 1] = [&gateway.http_url("acme")];
    let mut bridge = Bridge::start_with(&home, person, &args, &[("APEXMCP_API_KEY", &key)]);
    assert!(bridge.handshake("2025-11-25")["result"].is_object());
    check_end(&bridge.end(), 0);
}

#[test]
fn without_any_credential() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    for url in urls(&gateway) {
        let mut bridge = Bridge::start(&Home::new(), &[&url]);
        converse(&mut bridge);
        check_end(&bridge.end(), 0);
    }
}

#[test]
fn with_answers_as_streams() {
    let plan = Plan { auth: Auth::None, answers: Answers::Sse, ..Plan::default() };
    let gateway = Gateway::start(plan).unwrap();
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    converse(&mut bridge);
    check_end(&bridge.end(), 0);
}

#[test]
fn with_a_sign_in_that_is_needed_once() {
    let gateway = gateway();
    for url in urls(&gateway) {
        let home = Home::new();
        let mut first = Bridge::start(&home, &[&url]);
        converse(&mut first);
        check_end(&first.end(), 0);
        assert_eq!(home.browsers(), 1);
        assert!(home.page().contains("You are signed in"), "{}", home.page());
        let before = gateway.requests().len();
        let mut second = Bridge::start(&home, &[&url]);
        converse(&mut second);
        check_end(&second.end(), 0);
        assert_eq!(home.browsers(), 1, "the second start is silent");
        let refused =
            gateway.requests()[before..].iter().filter(|seen| seen.status == Some(401)).count();
        assert_eq!(refused, 0, "a warm start asks nothing in vain");
    }
}

#[test]
fn a_warm_start_takes_four_requests() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut first = Bridge::start(&home, &[&url]);
    first.handshake("2025-06-18");
    first.request(1, "tools/list", json!({}));
    check_end(&first.end(), 0);
    let before = gateway.requests().len();
    let mut second = Bridge::start(&home, &[&url]);
    second.handshake("2025-06-18");
    second.request(1, "tools/list", json!({}));
    let seen: Vec<_> =
        gateway.requests()[before..].iter().map(|seen| seen.method.clone()).collect();
    let posts = seen.iter().filter(|method| *method == "POST").count();
    assert!(posts == 3 && seen.len() <= 4, "{seen:?}");
    check_end(&second.end(), 0);
    let last = gateway.requests().last().cloned().unwrap();
    assert_eq!((last.method.as_str(), last.status), ("DELETE", Some(204)));
}

#[test]
fn a_refused_token_is_renewed_once_for_all() {
    let gateway = gateway();
    for url in urls(&gateway) {
        let home = Home::new();
        let mut bridge = Bridge::start(&home, &[&url]);
        bridge.handshake("2025-06-18");
        bridge.request(1, "tools/list", json!({}));
        let before = refreshes(&gateway);
        gateway.expire_access_tokens();
        for id in 10..20 {
            bridge.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" }).to_string());
        }
        for _ in 10..20 {
            let answer = bridge.next();
            assert!(answer["result"].is_object(), "{answer}");
        }
        assert_eq!(refreshes(&gateway) - before, 1);
        check_end(&bridge.end(), 0);
        assert_eq!(home.browsers(), 1);
        // What was renewed is what the next start finds.
        let mut next = Bridge::start(&home, &[&url]);
        assert!(next.handshake("2025-06-18")["result"].is_object());
        check_end(&next.end(), 0);
        assert_eq!(home.browsers(), 1);
    }
    assert_eq!(gateway.refresh_reuses(), 0);
}

fn refreshes(gateway: &Gateway) -> usize {
    let refresh = |seen: &&LoggedRequest| seen.grant_type.as_deref() == Some("refresh_token");
    gateway.requests().iter().filter(refresh).count()
}

#[test]
fn a_revoked_sign_in_is_asked_for_again() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut bridge = Bridge::start(&home, &[&url]);
    bridge.handshake("2025-06-18");
    gateway.expire_access_tokens();
    gateway.revoke_refresh_tokens();
    gateway.forget_clients();
    assert!(bridge.request(1, "tools/list", json!({}))["result"].is_object());
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 2);
}

#[test]
fn a_token_endpoint_that_is_away_costs_no_sign_in() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut bridge = Bridge::start(&home, &[&url]);
    bridge.handshake("2025-06-18");
    gateway.expire_access_tokens();
    gateway.refuse_token_requests(2, 503);
    let answer = bridge.request(1, "tools/list", json!({}));
    assert_eq!(answer["error"]["code"], -31002, "{answer}");
    check_end(&bridge.end(), 4);
    let mut next = Bridge::start(&home, &[&url]);
    assert!(next.handshake("2025-06-18")["result"].is_object());
    check_end(&next.end(), 0);
    assert_eq!(home.browsers(), 1);
}

#[test]
fn a_forgotten_session_is_begun_again() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    for url in urls(&gateway) {
        let mut bridge = Bridge::start(&Home::new(), &[&url]);
        bridge.handshake("2025-06-18");
        bridge.request(1, "tools/list", json!({}));
        gateway.forget_sessions();
        let answer = bridge.call(2, "echo", json!({ "text": "again" }));
        assert_eq!(answer["result"]["content"][0]["text"], "again", "{answer}");
        check_end(&bridge.end(), 0);
    }
    assert_eq!(gateway.calls("echo"), 2, "nothing ran twice");
}

#[test]
fn a_slow_call_holds_nothing_up() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    for url in urls(&gateway) {
        let mut bridge = Bridge::start(&Home::new(), &[&url]);
        bridge.handshake("2025-06-18");
        bridge.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"seconds":60}}}"#);
        assert!(bridge.request(2, "ping", json!({}))["result"].is_object());
        let ended = bridge.end();
        check_end(&ended, 1);
        let last: Value = serde_json::from_str(ended.stdout.last().unwrap()).unwrap();
        assert_eq!((&last["id"], &last["error"]["code"]), (&json!(1), &json!(-31008)));
    }
}

#[test]
fn batches_of_the_one_revision_that_has_them() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    bridge.handshake("2025-03-26");
    bridge.send(
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
    );
    let mut child = bridge;
    let line = child.next_line();
    let answers: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2, "{line}");
    check_end(&child.end(), 0);
}

#[test]
fn large_messages_pass_both_ways() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    for url in urls(&gateway) {
        let mut bridge = Bridge::start(&Home::new(), &[&url]);
        bridge.handshake("2025-06-18");
        let text = "x".repeat(4 << 20);
        let answer = bridge.call(1, "echo", json!({ "text": text }));
        assert_eq!(answer["result"]["content"][0]["text"].as_str().unwrap().len(), text.len());
        check_end(&bridge.end(), 0);
    }
}

#[test]
fn tokens_are_renewed_before_they_expire() {
    let life = Duration::from_secs(4);
    let plan = Plan { consent: Consent::Approve, access_token_lifetime: life, ..Plan::default() };
    let gateway = Gateway::start(plan).unwrap();
    let home = Home::new();
    let mut bridge = Bridge::start(&home, &[&gateway.http_url("acme")]);
    bridge.handshake("2025-06-18");
    for id in 1..20 {
        // Every call finds a good token, whether it was renewed early or on demand.
        let answer = bridge.call(id, "slow", json!({ "seconds": 0.3 }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    check_end(&bridge.end(), 0);
    assert!(1 <= refreshes(&gateway));
    assert_eq!((home.browsers(), gateway.refresh_reuses()), (1, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_sign_in_is_remembered_in_the_home_directory() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    for _ in 0..2 {
        let person = crate::support::Person::Present;
        let unset = [("APEXMCP_BRIDGE_STATE_DIR", "")];
        let mut bridge = Bridge::start_with(&home, person, &[&url], &unset);
        assert!(bridge.handshake("2025-06-18")["result"].is_object());
        check_end(&bridge.end(), 0);
    }
    assert_eq!(home.browsers(), 1);
    assert!(home.path().join(".local/state/apexmcp-bridge").is_dir());
}
