//! Faults of the token endpoint.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, post};
use super::login::{Login, approving, assert_refused, login, ping, refresh, text};
use super::raw::{Ended, Raw, authority, clock, send};
use crate::mock::Gateway;

/// A gateway with this fault, and what a client got from it before.
fn with(fault: &str) -> (Gateway, Login) {
    let gateway = approving();
    let login = login(&gateway);
    gateway.order(fault).unwrap();
    (gateway, login)
}

/// One refresh with this fault.
fn refreshed(fault: &str) -> Answer {
    let (gateway, login) = with(fault);
    refresh(&gateway, &login.client_id, &login.refresh_token)
}

#[test]
fn token_answers_can_be_odd() {
    let member =
        |fault: &str, name: &str| refreshed(fault).json().get(name).cloned().unwrap_or(Value::Null);
    assert_eq!(member("token.omit=token_type", "token_type"), Value::Null);
    assert_eq!(member("token.expires_in=\"3600\"", "expires_in"), "3600");
    assert_eq!(member("token.expires_in=-1", "expires_in"), -1);
    assert_eq!(member("token.access_token=a b", "access_token"), "a b");
    assert_eq!(member("token.type=mac", "token_type"), "mac");
    assert_eq!(member("answer.scope=all", "scope"), "all");
    let created = refreshed("token.answer_status=201");
    assert_eq!((created.status, created.json()["token_type"].as_str()), (201, Some("Bearer")));
    let page = refreshed("token.html200");
    assert_eq!((page.status, page.body.starts_with('<')), (200, true));
    let form = refreshed("token.form");
    assert_eq!(form.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(form.body.contains("&token_type=Bearer"));
}

#[test]
fn token_requests_can_fail_without_using_anything_up() {
    for (fault, status, error) in [
        ("token.invalid_grant#1", 400, Some("invalid_grant")),
        ("token.invalid_client#1", 401, Some("invalid_client")),
        ("token.error=slow_down#1", 400, Some("slow_down")),
        ("token.error200=invalid_grant#1", 200, Some("invalid_grant")),
        ("token.http_503#1", 503, None),
        ("token.status=418#1", 418, None),
    ] {
        let (gateway, login) = with(fault);
        let refresh = || refresh(&gateway, &login.client_id, &login.refresh_token);
        let answer = refresh();
        assert_eq!(answer.status, status, "{fault}");
        assert_eq!(error.map(|_| text(&answer.json(), "error")).as_deref(), error, "{fault}");
        assert!(refresh().json()["access_token"].is_string(), "{fault}");
        let log = gateway.requests();
        let [.., struck, clean] = log.as_slice() else { panic!("{log:?}") };
        assert_eq!((&struck.faults[..], &clean.faults[..]), (&[fault.to_owned()][..], &[][..]));
    }
    let began = clock();
    assert_eq!(refreshed("token.latency=100").status, 200);
    assert!(100 <= clock().saturating_sub(began).as_millis());
}

#[test]
fn access_tokens_can_be_short_lived() {
    let (gateway, login) = with("token.ttl=5");
    let tokens = refresh(&gateway, &login.client_id, &login.refresh_token).json();
    assert_eq!(tokens["expires_in"], 5);
    let status = || ping(&gateway.http_url("acme"), &text(&tokens, "access_token")).status;
    assert_eq!(status(), 200);
    gateway.advance(Duration::from_secs(5));
    assert_eq!(status(), 401);
}

#[test]
fn rotation_can_be_off() {
    let (gateway, login) = with("token.rotate=off");
    let refresh = || refresh(&gateway, &login.client_id, &login.refresh_token);
    for _ in 0..3 {
        let answer = refresh();
        assert_eq!((answer.status, answer.json().get("refresh_token")), (200, None));
    }
    assert_eq!(gateway.refresh_reuses(), 0);
    gateway.order("token.rotate=on").unwrap();
    assert!(gateway.order("token.rotate=maybe").is_err());
}

#[test]
fn reuse_can_be_ignored() {
    let (gateway, login) = with("token.reuse=ignore");
    let refresh = |token: &str| refresh(&gateway, &login.client_id, token);
    let second = text(&refresh(&login.refresh_token).json(), "refresh_token");
    assert_refused(&refresh(&login.refresh_token), 400, "invalid_grant");
    assert_eq!(gateway.refresh_reuses(), 1);
    assert_eq!(refresh(&second).status, 200);
    assert!("token.reuse=revoke".parse::<crate::mock::FaultOrder>().is_ok());
}

#[test]
fn a_used_token_can_have_grace() {
    let (gateway, login) = with("token.rt_grace=30");
    let refresh = |token: &str| refresh(&gateway, &login.client_id, token);
    let second = text(&refresh(&login.refresh_token).json(), "refresh_token");
    assert_eq!(refresh(&second).status, 200);
    gateway.advance(Duration::from_secs(29));
    assert_eq!((refresh(&login.refresh_token).status, gateway.refresh_reuses()), (200, 0));
    gateway.advance(Duration::from_secs(1));
    assert_refused(&refresh(&login.refresh_token), 400, "invalid_grant");
    assert_eq!(gateway.refresh_reuses(), 1);
}

#[test]
fn grace_can_be_for_the_last_one_only() {
    let (gateway, login) = with("token.rt_grace=30,last-only");
    let refresh = |token: &str| refresh(&gateway, &login.client_id, token);
    assert_eq!(refresh(&login.refresh_token).status, 200);
    let second = text(&refresh(&login.refresh_token).json(), "refresh_token");
    assert_eq!(refresh(&second).status, 200);
    assert_refused(&refresh(&login.refresh_token), 400, "invalid_grant");
}

/// A refresh as bytes, so that its end can be seen.
fn lost(gateway: &Gateway, login: &Login) -> Raw {
    let body = format!(
        "grant_type=refresh_token&client_id={}&refresh_token={}",
        login.client_id, login.refresh_token
    );
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {}\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        authority(gateway),
        body.len()
    );
    send(gateway, (head + &body).as_bytes())
}

#[test]
fn answers_get_lost_after_the_rotation() {
    for (fault, ended) in
        [("token.reset_after_rotate#1", Ended::Reset), ("token.rotate_then_die#1", Ended::Silent)]
    {
        let (gateway, login) = with(fault);
        let raw = lost(&gateway, &login);
        assert_eq!((raw.bytes.len(), raw.ended), (0, ended), "{fault}");
        let tokens = gateway.refresh_tokens();
        assert_eq!((tokens[0].used, tokens.len()), (true, 2), "{fault}");
        let again = refresh(&gateway, &login.client_id, &login.refresh_token);
        assert_refused(&again, 400, "invalid_grant");
    }
}

#[test]
fn everything_can_be_revoked() {
    let answer = refreshed("token.revoke_all");
    assert_refused(&answer, 400, "invalid_grant");
    assert_ne!(answer.json()["error_description"], json!("a test has ordered this error"));
}

#[test]
fn sign_in_pages_can_fail() {
    let (gateway, _) = with("page.cookie_lost#1");
    let sign_in = || {
        post(&format!("{}/signin", gateway.web_url()))
            .form(&[("handoff", "x"), ("user", "ada")])
            .send()
            .header("set-cookie")
            .is_some()
    };
    assert_eq!((sign_in(), sign_in()), (false, true));
    let order: crate::mock::FaultOrder = "page.handoff_invalid".parse().unwrap();
    // It strikes where the gateway takes the decision in: the test is among those of the pages.
    assert_eq!((order.fault, order.route), (crate::mock::Fault::HandoffInvalid, None));
}
