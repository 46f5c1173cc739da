//! Faults of discovery, authorization and registration.

use serde_json::{Value, json};

use super::client::{Answer, get, post};
use super::documents::serve;
use super::login::{
    REDIRECT_URI, approving, assert_refused, authorization_url, exchange, parameter, ping, planned,
    register, text,
};
use super::raw::{Ended, clock, fetch};
use crate::mock::{Consent, Gateway};

const PRM: &str = "/.well-known/oauth-protected-resource";
const ASM: &str = "/.well-known/oauth-authorization-server";

/// The document with this fault, once.
fn document(fault: &str, path: &str) -> Answer {
    let gateway = approving();
    gateway.order(&format!("{fault}#1")).unwrap();
    let fetch = || get(&format!("{}{path}", gateway.base_url())).send();
    let answer = fetch();
    assert_eq!(fetch().status, 200);
    answer
}

#[test]
fn documents_can_be_missing() {
    assert_eq!(document("disc.prm_404", PRM).status, 404);
    assert_eq!(document("disc.prm_status=503", PRM).status, 503);
    assert_eq!(document("disc.asm_status=500", ASM).status, 500);
    let moved = document("disc.prm_redirect=https://elsewhere.example/,302", PRM);
    assert_eq!((moved.status, moved.header("location")), (302, Some("https://elsewhere.example/")));
    assert_eq!(document("disc.prm_redirect=https://elsewhere.example/@asm", PRM).status, 200);
}

#[test]
fn documents_can_lie() {
    let evil = "https://evil.example";
    let member = |fault: &str, path: &str, member: &str| {
        document(fault, path).json().get(member).cloned().unwrap_or(Value::Null)
    };
    assert_eq!(member("disc.prm_resource=https://evil.example", PRM, "resource"), evil);
    let servers =
        member("disc.prm_as=https://a.example,https://b.example", PRM, "authorization_servers");
    assert_eq!(servers, json!(["https://a.example", "https://b.example"]));
    assert_eq!(member("disc.prm_as=", PRM, "authorization_servers"), json!([]));
    assert_eq!(member("disc.asm_issuer=https://evil.example", ASM, "issuer"), evil);
    let endpoint = member(
        "disc.asm_endpoint.authorization=https://evil.example",
        ASM,
        "authorization_endpoint",
    );
    assert_eq!(endpoint, evil);
    assert_eq!(member("disc.asm_endpoint.token=https://evil.example", ASM, "token_endpoint"), evil);
    let pkce = "code_challenge_methods_supported";
    assert_eq!(member("disc.asm_no_s256", ASM, pkce), json!(["plain"]));
    assert_eq!(member("disc.asm_pkce_absent", ASM, pkce), Value::Null);
    let iss = "authorization_response_iss_parameter_supported";
    assert_eq!(member("disc.asm_iss_supported=false", ASM, iss), false);
    assert_eq!(member("prm.resource_name=x", PRM, "resource_name"), "x");
    assert_eq!(member("asm.jwks_uri", ASM, "jwks_uri"), Value::Null);
}

#[test]
fn json_can_be_odd() {
    let odd = |fault: &str| {
        let gateway = approving();
        gateway.order(fault).unwrap();
        fetch(&gateway, ASM)
    };
    let deep = odd("disc.json_deep=2000").text();
    assert!(deep.contains(&"[".repeat(2000)) && deep.contains(&"]".repeat(2000)));
    let twice = odd("disc.json_dup");
    let name = twice.text().split('"').nth(1).unwrap().to_owned();
    assert_eq!(twice.text().matches(&format!("\"{name}\":")).count(), 2);
    assert!(serde_json::from_slice::<Value>(twice.body()).is_ok());
    assert!(std::str::from_utf8(odd("disc.json_invalid_utf8").body()).is_err());
}

#[test]
fn challenges_can_be_anything() {
    let challenge = |fault: &str| {
        let gateway = approving();
        gateway.order(fault).unwrap();
        let answer = get(&gateway.sse_url("acme")).send();
        assert_eq!(answer.status, 401);
        answer.header("www-authenticate").map(str::to_owned)
    };
    assert_eq!(challenge("disc.challenge_none"), None);
    let raw = challenge("disc.challenge=Basic realm=\"a, b\", bearer x=y");
    assert_eq!(raw.as_deref(), Some("Basic realm=\"a, b\", bearer x=y"));
}

/// The authorization response with this fault.
fn authorized(fault: &str) -> (Gateway, String, url::Url) {
    let gateway = approving();
    let client_id = register(&gateway);
    gateway.order(fault).unwrap();
    let location = get(&authorization_url(&gateway, &client_id, |_| {})).send().location();
    (gateway, client_id, location)
}

#[test]
fn authorization_responses_can_be_forged() {
    let value = |fault: &str, name: &str| parameter(&authorized(fault).2, name);
    assert_eq!(value("as.error=server_error", "error").as_deref(), Some("server_error"));
    assert_eq!(value("as.state=drop", "state"), None);
    assert_eq!(value("as.state=wrong", "state").as_deref(), Some("wrong"));
    assert_eq!(value("as.iss=missing", "iss"), None);
    assert_eq!(value("as.iss=wrong", "iss").as_deref(), Some("https://wrong.example"));
    let (gateway, client_id, location) = authorized("as.code_reuse");
    let answer = exchange(&gateway, &client_id, &parameter(&location, "code").unwrap());
    assert_refused(&answer, 400, "invalid_grant");
    let (gateway, client_id, location) = authorized("as.login_account=globex");
    let tokens = exchange(&gateway, &client_id, &parameter(&location, "code").unwrap()).json();
    let bearer = text(&tokens, "access_token");
    assert_eq!(ping(&gateway.http_url("acme"), &bearer).status, 403);
    assert_eq!(ping(&gateway.http_url("globex"), &bearer).status, 200);
}

#[test]
fn consent_can_be_ordered() {
    let asking = || planned(|plan| plan.consent = Consent::Ask);
    let decided = |fault: &str| {
        let gateway = asking();
        gateway.order(fault).unwrap();
        let client_id = register(&gateway);
        get(&authorization_url(&gateway, &client_id, |_| {})).send().location()
    };
    assert!(parameter(&decided("as.consent=approve"), "code").is_some());
    let denied = decided("as.consent=deny");
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    let began = clock();
    assert_eq!(decided("as.consent=slow=100").path(), "/oauth/consent");
    assert!(100 <= (clock().saturating_sub(began)).as_millis());
    let gateway = asking();
    gateway.order("as.consent=hang").unwrap();
    let client_id = register(&gateway);
    let url = authorization_url(&gateway, &client_id, |_| {});
    let path = url.strip_prefix(gateway.base_url()).unwrap();
    assert_eq!(fetch(&gateway, path).ended, Ended::Silent);
}

#[test]
fn a_redirect_uri_can_be_asked_for_twice() {
    let gateway = approving();
    gateway.order("as.consent=twice").unwrap();
    let client_id = register(&gateway);
    // The first of the two is the mock's own.
    let (callback, first) = serve(|_| "hello".into());
    let callback = callback.replace("client.json", "callback");
    let url = authorization_url(&gateway, &client_id, |it| it[2].1 = callback.clone());
    let second = get(&url).send().location();
    assert!(first.join().unwrap().starts_with("GET /callback?code="));
    assert!(second.as_str().starts_with(&callback));
}

#[test]
fn registration_can_go_wrong() {
    let try_with = |fault: &str| {
        let gateway = approving();
        gateway.order(fault).unwrap();
        let answer = post(&format!("{}/register", gateway.base_url()))
            .body("application/json", &json!({"redirect_uris": [REDIRECT_URI]}).to_string())
            .send();
        (gateway, answer)
    };
    let (gateway, answer) = try_with("as.dcr=off");
    assert_eq!(answer.status, 404);
    let metadata = get(&format!("{}{ASM}", gateway.base_url())).send().json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    assert_eq!(try_with("as.dcr=429").1.status, 429);
    assert_eq!(try_with("as.dcr_status=500").1.status, 500);
    let (gateway, answer) = try_with("as.dcr=forget");
    let client_id = text(&answer.json(), "client_id");
    assert_eq!(get(&authorization_url(&gateway, &client_id, |_| {})).send().status, 400);
    let (_, answer) = try_with("as.dcr=rewrite_redirects");
    assert_ne!(answer.json()["redirect_uris"][0], REDIRECT_URI);
    let (_, answer) = try_with("client.client_secret=hush");
    assert_eq!(answer.json()["client_secret"], "hush");
}
