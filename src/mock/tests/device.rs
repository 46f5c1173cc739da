//! Device codes (RFC 8628).

use std::time::Duration;

use serde_json::Value;

use super::client::{Answer, get, post};
use super::login::{assert_refused, ping, planned, refresh, register, text, token};
use crate::mock::{Consent, Device, Gateway};

fn with_devices(consent: Consent) -> (Gateway, String) {
    let gateway = planned(|plan| {
        plan.consent = consent;
        plan.device = Some(Device::default());
    });
    let client_id = register(&gateway);
    (gateway, client_id)
}

fn begin(gateway: &Gateway, client_id: &str) -> Value {
    let answer = post(&format!("{}/oauth/device_authorization", gateway.base_url()))
        .form(&[("client_id", client_id), ("resource", &gateway.http_url("acme"))])
        .send();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

fn poll(gateway: &Gateway, client_id: &str, codes: &Value) -> Answer {
    let pairs = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client_id),
        ("device_code", codes["device_code"].as_str().unwrap()),
    ];
    token(gateway, &pairs)
}

/// Types the code, and decides on the page that follows.
fn decide(gateway: &Gateway, codes: &Value, decision: &str) -> Answer {
    let web = gateway.web_url();
    // Typed as people do: other case, no dash.
    let typed = codes["user_code"].as_str().unwrap().to_lowercase().replace('-', " ");
    let location = post(&format!("{web}/device")).form(&[("user_code", &typed)]).send();
    let consent = format!("{web}{}", location.header("location").unwrap());
    let handoff = consent.split_once('=').unwrap().1.to_owned();
    let signed_in =
        post(&format!("{web}/signin")).form(&[("handoff", &handoff), ("user", "ada")]).send();
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = get(&consent).header("Cookie", &cookie).send().body;
    assert!(page.contains(codes["user_code"].as_str().unwrap()), "{page}");
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let decided = post(&format!("{web}/oauth/consent"))
        .header("Cookie", &cookie)
        .form(&[("handoff", &handoff), ("csrf", csrf), ("org", "acme"), ("decision", decision)])
        .send();
    get(decided.header("location").unwrap()).send()
}

#[test]
fn a_device_waits_until_somebody_approves() {
    let (gateway, client_id) = with_devices(Consent::Ask);
    let codes = begin(&gateway, &client_id);
    let prefilled = get(codes["verification_uri_complete"].as_str().unwrap()).send();
    assert!(prefilled.body.contains(codes["user_code"].as_str().unwrap()));
    let poll = || poll(&gateway, &client_id, &codes);
    assert_refused(&poll(), 400, "authorization_pending");
    gateway.advance(Duration::from_secs(1));
    assert_refused(&poll(), 400, "slow_down");
    // Five seconds more from now on: ten in all.
    gateway.advance(Duration::from_secs(6));
    assert_refused(&poll(), 400, "slow_down");
    gateway.advance(Duration::from_secs(15));
    assert_refused(&poll(), 400, "authorization_pending");
    assert!(decide(&gateway, &codes, "approve").body.contains("Access allowed"));
    gateway.advance(Duration::from_secs(15));
    let tokens = poll().json();
    assert_eq!(ping(&gateway.http_url("acme"), &text(&tokens, "access_token")).status, 200);
    let refreshed = refresh(&gateway, &client_id, &text(&tokens, "refresh_token"));
    assert_eq!(refreshed.status, 200);
    gateway.advance(Duration::from_secs(15));
    assert_refused(&poll(), 400, "invalid_grant");
}

#[test]
fn a_device_is_told_of_a_no() {
    let (gateway, client_id) = with_devices(Consent::Ask);
    let codes = begin(&gateway, &client_id);
    assert!(decide(&gateway, &codes, "deny").body.contains("Access denied"));
    assert_refused(&poll(&gateway, &client_id, &codes), 400, "access_denied");
    let (gateway, client_id) = with_devices(Consent::Deny);
    let codes = begin(&gateway, &client_id);
    assert_refused(&poll(&gateway, &client_id, &codes), 400, "access_denied");
}

#[test]
fn device_codes_expire_and_belong_to_a_client() {
    let (gateway, client_id) = with_devices(Consent::Approve);
    let codes = begin(&gateway, &client_id);
    let other = register(&gateway);
    assert_refused(&poll(&gateway, &other, &codes), 400, "invalid_grant");
    gateway.advance(Duration::from_mins(10));
    assert_refused(&poll(&gateway, &client_id, &codes), 400, "expired_token");
    let codes = begin(&gateway, &client_id);
    assert_eq!(poll(&gateway, &client_id, &codes).status, 200);
    let wrong = post(&format!("{}/device", gateway.web_url())).form(&[("user_code", "X")]).send();
    assert_eq!(wrong.status, 400);
}

#[test]
fn devices_are_offered_by_the_plan_only() {
    let (gateway, _) = with_devices(Consent::Ask);
    let metadata = |gateway: &Gateway| {
        get(&format!("{}/.well-known/oauth-authorization-server", gateway.base_url())).send().json()
    };
    let endpoint = format!("{}/oauth/device_authorization", gateway.base_url());
    assert_eq!(metadata(&gateway)["device_authorization_endpoint"], endpoint);
    let without = planned(|_| {});
    assert_eq!(metadata(&without).get("device_authorization_endpoint"), None);
    let endpoint = format!("{}/oauth/device_authorization", without.base_url());
    assert_eq!(post(&endpoint).form(&[]).send().status, 404);
}

#[test]
fn a_device_may_register_for_its_grant_alone() {
    let metadata = serde_json::json!({
        "client_name": "device",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    });
    let register = |gateway: &Gateway| {
        post(&format!("{}/register", gateway.base_url()))
            .body("application/json", &metadata.to_string())
            .send()
    };
    let (gateway, _) = with_devices(Consent::Approve);
    let client_id = text(&register(&gateway).json(), "client_id");
    let codes = begin(&gateway, &client_id);
    assert!(poll(&gateway, &client_id, &codes).json()["refresh_token"].is_string());
    assert_refused(&register(&planned(|_| {})), 400, "invalid_client_metadata");
}

#[test]
fn the_client_of_a_device_can_be_a_document() {
    let gateway = planned(|plan| {
        plan.device = Some(Device::default());
        plan.client_documents = true;
    });
    let (client_id, server) = super::documents::serve(|url| {
        serde_json::json!({"client_id": url, "client_name": "device",
            "redirect_uris": ["http://127.0.0.1/"]})
        .to_string()
    });
    let codes = begin(&gateway, &client_id);
    server.join().unwrap();
    assert_eq!(poll(&gateway, &client_id, &codes).status, 200);
}
