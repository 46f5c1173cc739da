//! Ordered faults.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, get, post};
use super::login::{
    approving, assert_refused, authorization_url, login, parameter, ping, refresh, register,
};
use crate::mock::{Fault, Gateway};

#[test]
fn token_requests_can_be_refused() {
    let gateway = approving();
    let login = login(&gateway);
    let refresh = || refresh(&gateway, &login.client_id, &login.refresh_token);
    gateway.refuse_token_requests(2, 503);
    assert_eq!((refresh().status, refresh().status), (503, 503));
    for (error, status) in [("invalid_client", 401), ("slow_down", 400)] {
        gateway.inject(Fault::TokenError(error.into()), 1);
        assert_refused(&refresh(), status, error);
    }
    gateway.inject(Fault::TokenHtml, 1);
    let page = refresh();
    assert_eq!((page.status, page.body.starts_with("<h1>")), (200, true));
    // None of these has used up the token.
    assert_eq!(refresh().status, 200);
}

#[test]
fn token_responses_can_be_changed() {
    let gateway = approving();
    let login = login(&gateway);
    gateway.inject(Fault::TokenMember("refresh_token".into(), Value::Null), 1);
    gateway.inject(Fault::TokenMember("expires_in".into(), json!("soon")), 1);
    let tokens = refresh(&gateway, &login.client_id, &login.refresh_token).json();
    assert_eq!((&tokens["expires_in"], tokens.get("refresh_token")), (&json!("soon"), None));
    assert!(tokens["access_token"].is_string());
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
    let ping = || ping(&gateway.http_url("acme"), &token);
    gateway.inject(Fault::PostStatus(502), 1);
    gateway.inject(Fault::SseStatus(429), 1);
    gateway.inject(Fault::PostRedirect("http://127.0.0.1:1/".into()), 1);
    assert_eq!(ping().status, 502);
    let redirect = ping();
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("http://127.0.0.1:1/")));
    assert_eq!(ping().status, 200);
    let open = || get(&gateway.sse_url("acme")).bearer(&token).open().unwrap().status;
    assert_eq!((open(), open()), (429, 200));
}

#[test]
fn access_can_be_refused() {
    let gateway = approving();
    let token = login(&gateway).access_token;
    let with = |fault: Fault| {
        gateway.inject(fault, 1);
        ping(&gateway.http_url("acme"), &token)
    };
    let challenge = |answer: &Answer| answer.header("www-authenticate").map(str::to_owned);
    let answer = with(Fault::Unauthorized);
    assert_eq!(answer.status, 401);
    assert!(challenge(&answer).unwrap().contains("error=\"invalid_token\""));
    let answer = with(Fault::UnauthorizedWithoutChallenge);
    assert_eq!((answer.status, challenge(&answer)), (401, None));
    let answer = with(Fault::Forbidden);
    assert_eq!((answer.status, challenge(&answer)), (403, None));
    let answer = with(Fault::InsufficientScope("mcp:call:crm".into()));
    assert_eq!(answer.status, 403);
    assert!(challenge(&answer).unwrap().ends_with("scope=\"mcp:call:crm\""));
    for (seconds, header) in [(Some(7), Some("7")), (None, None)] {
        let answer = with(Fault::RateLimit(seconds));
        assert_eq!((answer.status, answer.header("retry-after")), (429, header));
    }
    assert_eq!(ping(&gateway.http_url("acme"), &token).status, 200);
}

#[test]
fn metadata_can_be_missing_or_wrong() {
    let gateway = approving();
    let document = |name: &str| get(&format!("{}/.well-known/{name}", gateway.base_url())).send();
    gateway.inject(Fault::ResourceMetadataStatus(404), 1);
    gateway.inject(Fault::ServerMetadataStatus(500), 1);
    gateway.inject(Fault::ResourceMetadata("resource".into(), json!("http://x")), 1);
    gateway.inject(Fault::ServerMetadata("issuer".into(), json!("http://x")), 1);
    let pkce = "code_challenge_methods_supported";
    gateway.inject(Fault::ServerMetadata(pkce.into(), Value::Null), 1);
    assert_eq!(document("oauth-protected-resource").status, 404);
    assert_eq!(document("oauth-authorization-server").status, 500);
    assert_eq!(document("oauth-protected-resource").json()["resource"], "http://x");
    let server = document("oauth-authorization-server").json();
    assert_eq!((&server["issuer"], server.get(pkce)), (&json!("http://x"), None));
    assert_eq!(document("oauth-authorization-server").json()["issuer"], gateway.base_url());
    gateway.inject(Fault::RegisterStatus(429), 1);
    let register = || {
        post(&format!("{}/register", gateway.base_url()))
            .body("application/json", r#"{"redirect_uris":["http://127.0.0.1/"]}"#)
            .send()
            .status
    };
    assert_eq!((register(), register()), (429, 201));
}

#[test]
fn authorization_responses_can_be_wrong() {
    fn response(gateway: &Gateway, client_id: &str, fault: Fault, name: &str) -> Option<String> {
        gateway.inject(fault, 1);
        let url = authorization_url(gateway, client_id, |_| {});
        parameter(&get(&url).send().location(), name)
    }
    let gateway = approving();
    let client_id = register(&gateway);
    let response = |fault, name: &str| response(&gateway, &client_id, fault, name);
    assert_eq!(response(Fault::AuthorizeState(None), "state"), None);
    let wrong = Some("wrong".to_owned());
    assert_eq!(response(Fault::AuthorizeState(wrong.clone()), "state"), wrong);
    assert_eq!(response(Fault::AuthorizeIss(None), "iss"), None);
    assert_eq!(response(Fault::AuthorizeIss(wrong.clone()), "iss"), wrong);
    let error = Fault::AuthorizeError("server_error".into());
    assert_eq!(response(error, "error").as_deref(), Some("server_error"));
}

#[test]
fn latency_is_used_up() {
    let gateway = approving();
    gateway.inject(Fault::Latency(Duration::from_millis(1)), 1);
    let url = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
    assert_eq!((get(&url).send().status, get(&url).send().status), (200, 200));
}
