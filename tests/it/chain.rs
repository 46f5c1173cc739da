//! One token chain, many processes: whatever happens to them, a refresh token is presented once,
//! nobody is signed out, and no browser opens again.

use std::process::Command;
use std::thread;
use std::time::Duration;

use apexmcp_bridge::mock::{Consent, Gateway, Plan};
use serde_json::json;

use super::support::{Bridge, Home, Person, check_end};

/// As many as a host has been seen to start.
const COPIES: usize = 5;

fn gateway(life: Duration) -> Gateway {
    let plan = Plan { consent: Consent::Approve, access_token_lifetime: life, ..Plan::default() };
    Gateway::start(plan).unwrap()
}

fn start(home: &Home, url: &str) -> Bridge {
    Bridge::start_with(home, Person::Present, &[url, "--debug"], &[])
}

/// All copies, each past its handshake.
fn copies(home: &Home, url: &str) -> Vec<Bridge> {
    let mut copies: Vec<_> = (0..COPIES).map(|_| start(home, url)).collect();
    for copy in &mut copies {
        let answer = copy.handshake("2025-06-18");
        assert!(answer["result"].is_object(), "{answer}");
    }
    copies
}

/// Every copy asks at once, and every one gets its answer.
fn ask(copies: &mut [Bridge], id: u64) {
    for copy in copies.iter_mut() {
        let params = json!({ "name": "echo", "arguments": { "text": id.to_string() } });
        let message =
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        copy.send(&message.to_string());
    }
    for copy in copies.iter_mut() {
        let answer = copy.answer(id);
        assert_eq!(answer["result"]["content"][0]["text"], id.to_string(), "{answer}");
    }
}

/// What the gateway has seen: how often the most presented refresh token came, and how many came.
fn presented(gateway: &Gateway) -> (usize, usize) {
    let all = gateway.refresh_tokens();
    let most = all.iter().map(|token| token.presented.len()).max().unwrap_or_default();
    let used = all.iter().filter(|token| !token.presented.is_empty()).count();
    (most, used)
}

fn end(copies: Vec<Bridge>) {
    for copy in copies {
        check_end(&copy.end(), 0);
    }
}

fn signal(copies: &[Bridge], name: &str) {
    for copy in copies {
        let pid = copy.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

#[test]
fn a_refused_token_is_renewed_once_for_all_copies() {
    let gateway = gateway(Duration::from_secs(3600));
    for url in [gateway.http_url("acme"), gateway.sse_url("acme")] {
        let home = Home::new();
        let mut copies = copies(&home, &url);
        let before = presented(&gateway).1;
        for round in 1..=3 {
            gateway.expire_access_tokens();
            ask(&mut copies, round);
        }
        assert_eq!(presented(&gateway), (1, before + 3));
        assert_eq!((home.browsers(), gateway.refresh_reuses()), (1, 0));
        end(copies);
    }
}

#[test]
fn an_expired_token_is_renewed_once_for_all_copies() {
    let gateway = gateway(Duration::from_secs(2));
    let home = Home::new();
    let mut copies = copies(&home, &gateway.http_url("acme"));
    for round in 1..=6 {
        ask(&mut copies, round);
        // The one way to let a real process see its token expire.
        thread::sleep(Duration::from_millis(900));
    }
    let (most, used) = presented(&gateway);
    assert_eq!(most, 1);
    assert!((2..=6).contains(&used), "{used}");
    assert_eq!((home.browsers(), gateway.refresh_reuses()), (1, 0));
    end(copies);
}

#[test]
fn copies_that_were_stopped_share_one_renewal_when_they_go_on() {
    let gateway = gateway(Duration::from_secs(3600));
    let home = Home::new();
    let mut copies = copies(&home, &gateway.http_url("acme"));
    signal(&copies, "-STOP");
    gateway.expire_access_tokens();
    signal(&copies, "-CONT");
    ask(&mut copies, 1);
    assert_eq!(presented(&gateway), (1, 1));
    assert_eq!(home.browsers(), 1);
    end(copies);
}

/// The copy that renews is killed at moments that are spread over the whole renewal; the server
/// lets a token whose answer was lost succeed once more, as it should.
#[test]
fn a_renewal_that_is_killed_at_any_moment_signs_nobody_out() {
    let gateway = gateway(Duration::from_secs(3600));
    gateway.order("token.rt_grace=60,last-only").unwrap();
    gateway.order("token.latency=20").unwrap();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut others = vec![start(&home, &url), start(&home, &url)];
    for other in &mut others {
        other.handshake("2025-06-18");
    }
    for step in 0..14 {
        let mut leader = start(&home, &url);
        leader.handshake("2025-06-18");
        gateway.expire_access_tokens();
        leader.send(
            r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}"#,
        );
        thread::sleep(Duration::from_millis(4 * step));
        leader.kill();
        ask(&mut others, 1 + step);
    }
    let (most, used) = presented(&gateway);
    assert!(most <= 2, "the one repeat that is documented: {most}");
    assert!(used <= 28, "{used}");
    assert_eq!((home.browsers(), gateway.refresh_reuses()), (1, 0));
    end(others);
}

/// The server has rotated the token, and the copy that waits for the answer is killed.
#[test]
fn a_copy_that_is_killed_after_the_rotation_leaves_word_for_the_next() {
    let gateway = gateway(Duration::from_secs(3600));
    gateway.order("token.rt_grace=60").unwrap();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut leader = start(&home, &url);
    leader.handshake("2025-06-18");
    let mut other = start(&home, &url);
    other.handshake("2025-06-18");
    // Nothing else is on its way any more.
    for bridge in [&mut leader, &mut other] {
        bridge.call(7, "echo", json!({ "text": "x" }));
    }
    gateway.order("token.rotate_then_die#1").unwrap();
    gateway.expire_access_tokens();
    leader.send(
        r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}"#,
    );
    let rotated = || gateway.refresh_tokens().iter().any(|token| token.used);
    let waited = (0..2000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        rotated()
    });
    assert!(waited, "nothing was rotated");
    leader.kill();
    ask(std::slice::from_mut(&mut other), 1);
    assert_eq!((presented(&gateway), home.browsers()), ((2, 1), 1));
    check_end(&other.end(), 0);
}

/// The answer is lost on the way, and the token is sent once more.
#[test]
fn a_lost_answer_costs_one_repeat() {
    let gateway = gateway(Duration::from_secs(3600));
    let home = Home::new();
    let mut copies = copies(&home, &gateway.http_url("acme"));
    gateway.order("token.rt_grace=60").unwrap();
    gateway.order("token.reset_after_rotate#1").unwrap();
    gateway.expire_access_tokens();
    ask(&mut copies, 1);
    assert_eq!(presented(&gateway), (2, 1));
    assert_eq!(home.browsers(), 1);
    end(copies);
}

/// Without that mercy the tokens in the lost answer are gone: one repeat, one sign-in, a reason.
#[test]
fn a_strict_server_costs_one_repeat_and_one_sign_in() {
    let gateway = gateway(Duration::from_secs(3600));
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut bridge = start(&home, &url);
    bridge.handshake("2025-06-18");
    gateway.order("token.reset_after_rotate#1").unwrap();
    gateway.expire_access_tokens();
    let answer = bridge.call(1, "echo", json!({ "text": "x" }));
    assert!(answer["result"].is_object(), "{answer}");
    assert_eq!((presented(&gateway).0, home.browsers()), (2, 2));
    let ended = bridge.end();
    check_end(&ended, 0);
    assert!(ended.stderr.contains("an earlier renewal was lost"), "{}", ended.stderr);
}

/// An outage of the token endpoint takes nobody's tokens away.
#[test]
fn outages_of_the_token_endpoint_delete_nothing() {
    let gateway = gateway(Duration::from_secs(3600));
    let home = Home::new();
    let url = gateway.http_url("acme");
    for fault in
        ["token.http_503#1-2", "token.status=403#1", "token.status=429#1-2", "token.html200#1"]
    {
        let mut bridge = start(&home, &url);
        bridge.handshake("2025-06-18");
        gateway.clear_faults();
        gateway.order(fault).unwrap();
        gateway.expire_access_tokens();
        let answer = bridge.call(1, "echo", json!({ "text": "x" }));
        assert_eq!(answer["error"]["code"], -31002, "{fault}: {answer}");
        // A moment later all is well; what waits for the pause is only this test.
        let recovered = (2..40).any(|id| {
            thread::sleep(Duration::from_millis(250));
            bridge.call(id, "echo", json!({ "text": "x" }))["result"].is_object()
        });
        assert!(recovered, "{fault}");
        check_end(&bridge.end(), 0);
    }
    assert_eq!((home.browsers(), gateway.refresh_reuses()), (1, 0));
}
