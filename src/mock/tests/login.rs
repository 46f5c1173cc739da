//! What a client does to get tokens, step by step, so that tests can do one step wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use url::Url;

use super::client::{Answer, get, post};
use crate::mock::{Consent, Gateway, Plan};

pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";
pub(crate) const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0123";

/// A gateway that approves everything.
pub(crate) fn approving() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

/// A gateway that approves everything, with another plan.
pub(crate) fn planned(change: impl FnOnce(&mut Plan)) -> Gateway {
    let mut plan = Plan { consent: Consent::Approve, ..Plan::default() };
    change(&mut plan);
    Gateway::start(plan).unwrap()
}

pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()))
}

pub(crate) fn register(gateway: &Gateway) -> String {
    let metadata = serde_json::json!({
        "client_name": "a <b>test</b> client",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    });
    let answer = post(&format!("{}/register", gateway.base_url()))
        .body("application/json", &metadata.to_string())
        .send();
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["client_id"].as_str().unwrap().to_owned()
}

/// An authorization request, after `change`.
pub(crate) fn authorization_url(
    gateway: &Gateway,
    client_id: &str,
    change: impl Fn(&mut Vec<(&'static str, String)>),
) -> String {
    let mut pairs = vec![
        ("response_type", "code".to_owned()),
        ("client_id", client_id.to_owned()),
        ("redirect_uri", REDIRECT_URI.to_owned()),
        ("state", "st&te".to_owned()),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256".to_owned()),
        ("resource", gateway.sse_url("acme")),
    ];
    change(&mut pairs);
    Url::parse_with_params(&format!("{}/authorize", gateway.base_url()), pairs).unwrap().into()
}

/// The value of a query parameter.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(it, _)| it == name).map(|(_, value)| value.into_owned())
}

/// A code for a fresh client.
pub(crate) fn code(gateway: &Gateway) -> (String, String) {
    let client_id = register(gateway);
    let location = get(&authorization_url(gateway, &client_id, |_| {})).send().location();
    assert_eq!(parameter(&location, "state").as_deref(), Some("st&te"));
    assert_eq!(parameter(&location, "iss").as_deref(), Some(gateway.base_url()));
    let code = parameter(&location, "code").unwrap();
    (client_id, code)
}

pub(crate) fn token(gateway: &Gateway, pairs: &[(&str, &str)]) -> Answer {
    post(&format!("{}/oauth/token", gateway.base_url())).form(pairs).send()
}

pub(crate) fn exchange(gateway: &Gateway, client_id: &str, code: &str) -> Answer {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    token(gateway, &pairs)
}

pub(crate) fn refresh(gateway: &Gateway, client_id: &str, refresh_token: &str) -> Answer {
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("refresh_token", refresh_token),
    ];
    token(gateway, &pairs)
}

/// What a fresh client gets from the gateway.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) client_id: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

pub(crate) fn login(gateway: &Gateway) -> Login {
    let (client_id, code) = code(gateway);
    let answer = exchange(gateway, &client_id, &code);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    Login {
        client_id,
        access_token: text(&tokens, "access_token"),
        refresh_token: text(&tokens, "refresh_token"),
    }
}

pub(crate) fn text(json: &Value, member: &str) -> String {
    json[member].as_str().unwrap_or_else(|| panic!("no {member}: {json}")).to_owned()
}

/// Asserts an OAuth error.
pub(crate) fn assert_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// The status of a `ping` with this token.
pub(crate) fn ping(url: &str, token: &str) -> Answer {
    post(url).bearer(token).rpc(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).send()
}
