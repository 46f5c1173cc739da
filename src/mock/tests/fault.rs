//! Ordered faults.

use std::time::Duration;

use super::client::{get, post};
use super::login::{approving, assert_refused, login, ping, refresh};
use crate::mock::Fault;

#[test]
fn token_requests_can_be_refused() {
    let gateway = approving();
    let login = login(&gateway);
    gateway.refuse_token_requests(2, 503);
    let statuses: Vec<_> =
        (0..3).map(|_| refresh(&gateway, &login.client_id, &login.refresh_token).status).collect();
    assert_eq!(statuses, [503, 503, 200]);
}

#[test]
fn a_rotated_token_can_get_lost() {
    let gateway = approving();
    let login = login(&gateway);
    gateway.inject(Fault::TokenResetAfterRotate, 1);
    let lost = post(&format!("{}/oauth/token", gateway.base_url()))
        .form(&[
            ("grant_type", "refresh_token"),
            ("client_id", &login.client_id),
            ("refresh_token", &login.refresh_token),
        ])
        .open();
    assert!(lost.is_none());
    let answer = refresh(&gateway, &login.client_id, &login.refresh_token);
    assert_refused(&answer, 400, "invalid_grant");
    assert_eq!(gateway.refresh_reuses(), 1);
}

#[test]
fn posts_and_streams_can_fail() {
    let gateway = approving();
    let token = login(&gateway).access_token;
    gateway.inject(Fault::PostStatus(502), 1);
    gateway.inject(Fault::SseStatus(429), 1);
    assert_eq!(ping(&gateway.http_url("acme"), &token).status, 502);
    assert_eq!(ping(&gateway.http_url("acme"), &token).status, 200);
    let open = || get(&gateway.sse_url("acme")).bearer(&token).open().unwrap().status;
    assert_eq!((open(), open()), (429, 200));
}

#[test]
fn latency_is_used_up() {
    let gateway = approving();
    gateway.inject(Fault::Latency(Duration::from_millis(1)), 1);
    let url = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
    assert_eq!((get(&url).send().status, get(&url).send().status), (200, 200));
}
