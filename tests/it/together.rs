//! Several copies of the bridge, as hosts start them, and people who take their time.

use apexmcp_bridge::mock::{Consent, Gateway, Plan};
use serde_json::json;

use super::support::{Bridge, Home, Person, check_end};

fn gateway() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

fn registrations(gateway: &Gateway) -> usize {
    gateway.requests().iter().filter(|seen| seen.path == "/register").count()
}

#[test]
fn copies_started_together_open_one_window() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut copies: Vec<_> =
        (0..4).map(|_| Bridge::start_with(&home, Person::Slow, &[&url], &[])).collect();
    for copy in &mut copies {
        let answer = copy.handshake("2025-06-18");
        assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-mock-gateway", "{answer}");
        let answer = copy.call(1, "echo", json!({ "text": "hello" }));
        assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer}");
    }
    for copy in copies {
        check_end(&copy.end(), 0);
    }
    assert_eq!((home.browsers(), registrations(&gateway)), (1, 1));
}

/// One copy meets a moment's trouble; neither it nor the others fail for that.
#[test]
fn a_moments_trouble_of_the_server_fails_no_copy() {
    for fault in ["http.status=503@prm#1", "http.status=503@asm#1", "http.status=503@register#1"] {
        let gateway = gateway();
        gateway.order(fault).unwrap();
        let home = Home::new();
        let url = gateway.http_url("acme");
        let mut copies: Vec<_> =
            (0..5).map(|_| Bridge::start_with(&home, Person::Present, &[&url], &[])).collect();
        for copy in &mut copies {
            let answer = copy.handshake("2025-06-18");
            assert!(answer["result"].is_object(), "{fault}: {answer}");
            let answer = copy.call(1, "echo", json!({ "text": "hello" }));
            assert_eq!(answer["result"]["content"][0]["text"], "hello", "{fault}: {answer}");
        }
        for copy in copies {
            check_end(&copy.end(), 0);
        }
        assert_eq!(home.browsers(), 1);
    }
}

/// The person has signed in, and the token endpoint cannot just now.
#[test]
fn a_sign_in_is_not_lost_to_one_503() {
    let gateway = gateway();
    gateway.order("token.http_503#1").unwrap();
    let home = Home::new();
    let mut bridge = Bridge::start(&home, &[&gateway.http_url("acme")]);
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["result"].is_object(), "{answer}");
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 1);
    assert!(home.page().contains("You are signed in"), "{}", home.page());
}

#[test]
fn a_sign_in_outlives_the_copy_that_began_it() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut first = Bridge::start_with(&home, Person::Absent, &[&url], &[]);
    first.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#);
    home.wait_for_browser();
    first.kill();
    let mut second = Bridge::start_with(&home, Person::Absent, &[&url], &[]);
    second.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#);
    // The host is answered although nobody has signed in.
    let answer = second.answer(0);
    assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-bridge", "{answer}");
    second.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    // Now somebody finishes what was begun in the window of the first copy.
    home.finish_sign_in();
    let changed = second.next();
    assert_eq!(changed["method"], "notifications/tools/list_changed", "{changed}");
    let answer = second.call(1, "echo", json!({ "text": "hello" }));
    assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer}");
    check_end(&second.end(), 0);
    assert_eq!((home.browsers(), registrations(&gateway)), (1, 1));
    assert!(home.page().contains("You are signed in"), "{}", home.page());
}

#[test]
fn a_server_that_was_met_before_is_introduced_as_it_was() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut first = Bridge::start(&home, &[&url]);
    first.handshake("2025-06-18");
    check_end(&first.end(), 0);
    // Everything is revoked; the next sign-in waits for a person.
    gateway.expire_access_tokens();
    gateway.revoke_refresh_tokens();
    let mut second = Bridge::start_with(&home, Person::Absent, &[&url], &[]);
    let answer = second.handshake("2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-mock-gateway", "{answer}");
    let waiting = second.request(1, "tools/list", json!({}));
    assert_eq!(waiting["error"]["code"], -31002, "{waiting}");
    let message = waiting["error"]["message"].as_str().unwrap();
    assert!(message.contains("/authorize?"), "{message}");
    check_end(&second.end(), 4);
}
