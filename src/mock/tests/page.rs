//! Sign-in and consent.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::client::{Answer, get, post};
use super::login::{
    REDIRECT_URI, authorization_url, exchange, parameter, ping, register, text, token,
};
use crate::mock::{Fault, Gateway, HandoffSecret, MachineClient, Plan};

/// A browser in front of the consent page.
struct Browser {
    gateway: Gateway,
    client_id: String,
    handoff: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    fn at_consent() -> Self {
        let gateway = Gateway::start(Plan::default()).unwrap();
        let client_id = register(&gateway);
        let location = get(&authorization_url(&gateway, &client_id, |_| {})).send().location();
        assert!(location.as_str().starts_with(&format!("{}/oauth/consent?", gateway.web_url())));
        let handoff = parameter(&location, "handoff").unwrap();
        let page = get(location.as_str()).send();
        assert!(page.body.contains("action=\"/signin\""), "{}", page.body);
        let answer = post(&format!("{}/signin", gateway.web_url()))
            .form(&[("user", "<ada>"), ("handoff", &handoff)])
            .send();
        assert_eq!(answer.status, 303);
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let page = get(location.as_str()).header("Cookie", &cookie).send();
        assert_page(&page);
        let csrf = between(&page.body, "name=\"csrf\" value=\"", "\"").to_owned();
        Self { gateway, client_id, handoff, cookie, csrf }
    }

    fn decide(&self, decision: &str) -> Answer {
        self.post(&[
            ("decision", decision),
            ("org", "acme"),
            ("handoff", &self.handoff),
            ("csrf", &self.csrf),
        ])
    }

    fn post(&self, pairs: &[(&str, &str)]) -> Answer {
        post(&format!("{}/oauth/consent", self.gateway.web_url()))
            .header("Cookie", &self.cookie)
            .header("Origin", self.gateway.web_url())
            .form(pairs)
            .send()
    }
}

#[test]
fn a_token_is_for_the_organisation_that_is_active() {
    let browser = Browser::at_consent();
    let csrf = ("csrf", browser.csrf.as_str());
    let handoff = ("handoff", browser.handoff.as_str());
    let switch = post(&format!("{}/switch", browser.gateway.web_url()))
        .header("Cookie", &browser.cookie)
        .form(&[csrf, ("org", "globex")])
        .send();
    assert_eq!(switch.status, 303);
    let consent =
        format!("{}/oauth/consent?handoff={}", browser.gateway.web_url(), browser.handoff);
    let page = get(&consent).header("Cookie", &browser.cookie).send();
    assert!(page.body.contains("This client asks for acme"), "{}", page.body);
    let back = browser.post(&[("decision", "approve"), ("org", "globex"), handoff, csrf]);
    let code = parameter(&get(back.location().as_str()).send().location(), "code").unwrap();
    let tokens = exchange(&browser.gateway, &browser.client_id, &code).json();
    let status = |org| ping(&browser.gateway.http_url(org), &text(&tokens, "access_token")).status;
    assert_eq!((status("globex"), status("acme")), (200, 403));
    // With the role that the user has there; machines have none.
    assert!(page.body.contains(">admin<"), "{}", page.body);
    assert_eq!(claims(&text(&tokens, "access_token"))["role"], "admin");
    let machine = MachineClient::mock("acme");
    let machine = token(
        &browser.gateway,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", &machine.client_id),
            ("client_secret", &machine.client_secret),
        ],
    );
    assert_eq!(claims(&text(&machine.json(), "access_token")).get("role"), None);
    // The page offers the way back.
    let page = browser.post(&[("switch", "acme"), handoff, csrf]);
    assert!(page.status == 200 && !page.body.contains("This client asks for"), "{}", page.body);
}

/// What a token says.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn gateway_and_web_need_the_same_secret() {
    let secret = |it: &str| Some(HandoffSecret::new(it).unwrap());
    let gateway = Gateway::start(Plan {
        handoff_secret: secret("a-secret-of-32-or-more-characters"),
        web_handoff_secret: secret("another-one-of-32-characters-too!"),
        ..Plan::default()
    });
    let gateway = gateway.unwrap();
    let client_id = register(&gateway);
    let location = get(&authorization_url(&gateway, &client_id, |_| {})).send().location();
    let page = get(location.as_str()).send();
    assert_eq!(page.status, 400);
    assert!(page.body.contains("Handoff invalid"), "{}", page.body);
}

fn assert_page(page: &Answer) {
    assert_eq!(page.status, 200);
    assert!(page.body.contains("a &lt;b&gt;test&lt;&#x2f;b&gt; client"), "{}", page.body);
    assert!(page.body.contains("acme") && page.body.contains("mcp:call"));
    assert!(page.body.contains("&lt;ada&gt;") && !page.body.contains("<ada>"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
    assert!(policy.contains("form-action 'self' http://127.0.0.1:"));
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

#[test]
fn approval_ends_in_a_code() {
    let browser = Browser::at_consent();
    let back = browser.decide("approve").location();
    assert!(
        back.as_str().starts_with(&format!("{}/authorize/complete?", browser.gateway.base_url()))
    );
    let location = get(back.as_str()).send().location();
    assert!(location.as_str().starts_with(REDIRECT_URI));
    assert_eq!(parameter(&location, "state").as_deref(), Some("st&te"));
    let code = parameter(&location, "code").unwrap();
    assert_eq!(exchange(&browser.gateway, &browser.client_id, &code).status, 200);
    // The decision counts once.
    assert_eq!(get(back.as_str()).send().status, 400);
}

#[test]
fn denial_ends_in_an_error() {
    let browser = Browser::at_consent();
    for decision in ["deny", "anything"] {
        let browser = if decision == "deny" { &browser } else { &Browser::at_consent() };
        let location = get(browser.decide(decision).location().as_str()).send().location();
        assert_eq!(parameter(&location, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&location, "state").as_deref(), Some("st&te"));
        assert_eq!(parameter(&location, "code"), None);
    }
}

#[test]
fn decisions_need_the_page() {
    let browser = Browser::at_consent();
    let approve = ("decision", "approve");
    let handoff = ("handoff", browser.handoff.as_str());
    let csrf = ("csrf", browser.csrf.as_str());
    // Which organisation the page has shown belongs to the decision.
    assert_eq!(browser.post(&[approve, handoff, csrf]).status, 200);
    assert_eq!(browser.post(&[approve, handoff, csrf, ("org", "globex")]).status, 200);
    assert_eq!(browser.post(&[approve, handoff]).status, 403);
    assert_eq!(browser.post(&[approve, handoff, ("csrf", "guess")]).status, 403);
    assert_eq!(browser.post(&[approve, ("csrf", &browser.csrf)]).status, 400);
    let foreign = post(&format!("{}/oauth/consent", browser.gateway.web_url()))
        .header("Cookie", &browser.cookie)
        .header("Origin", "http://evil.example")
        .form(&[approve, handoff, ("csrf", &browser.csrf)])
        .send();
    assert_eq!(foreign.status, 403);
    // Without its cookie it is nobody's browser.
    let nobody = post(&format!("{}/oauth/consent", browser.gateway.web_url()))
        .form(&[approve, handoff, ("csrf", &browser.csrf)])
        .send();
    assert!(nobody.status == 200 && nobody.body.contains("action=\"/signin\""));
}

#[test]
fn changed_or_late_handoffs_are_refused() {
    let browser = Browser::at_consent();
    let consent = |handoff: &str| {
        get(&format!("{}/oauth/consent?handoff={handoff}", browser.gateway.web_url()))
            .header("Cookie", &browser.cookie)
            .send()
            .status
    };
    let complete = |decision: &str| {
        get(&format!("{}/authorize/complete?decision={decision}", browser.gateway.base_url()))
            .send()
            .status
    };
    let (payload, tag) = browser.handoff.split_once('.').unwrap();
    let flipped = if payload.ends_with('A') { "B" } else { "A" };
    let changed = format!("{}{flipped}.{tag}", &payload[..payload.len() - 1]);
    assert_eq!(consent(&browser.handoff), 200);
    assert_eq!(consent(&changed), 400);
    assert_eq!(consent(payload), 400);
    assert_eq!(consent(""), 400);
    // A hand-off is no decision, although the same key has signed it.
    assert_eq!(complete(&browser.handoff), 400);
    let decision = parameter(&browser.decide("approve").location(), "decision").unwrap();
    browser.gateway.advance(Duration::from_mins(10));
    assert_eq!(consent(&browser.handoff), 400);
    assert_eq!(complete(&decision), 400);
}

#[test]
fn one_can_sign_in_as_somebody_else() {
    let browser = Browser::at_consent();
    let answer = post(&format!("{}/signout", browser.gateway.web_url()))
        .header("Cookie", &browser.cookie)
        .form(&[("handoff", &browser.handoff)])
        .send();
    assert_eq!(answer.status, 303);
    assert!(browser.decide("approve").body.contains("action=\"/signin\""));
}

#[test]
fn a_cookie_of_https_is_of_this_host_and_no_other() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let public_web_url = Some("https://app.example.com".to_owned());
    let plan = Plan { web_address: address, public_web_url, ..Plan::default() };
    let _gateway = Gateway::start(plan).unwrap();
    let answer = post(&format!("http://{address}/signin")).form(&[("user", "ada")]).send();
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-apexmcp_mock_session="), "{cookie}");
    for attribute in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
        assert!(cookie.split("; ").any(|it| it == attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[test]
fn secrets_can_differ_and_cookies_get_lost() {
    let browser = Browser::at_consent();
    browser.gateway.inject(Fault::HandoffInvalid, 1);
    let back = browser.decide("approve").location();
    let page = get(back.as_str()).send();
    assert_eq!(page.status, 400);
    assert!(page.body.contains("Handoff invalid"), "{}", page.body);
    browser.gateway.inject(Fault::CookieLost, 1);
    let sign_in = || {
        let form = [("user", "ada"), ("handoff", browser.handoff.as_str())];
        post(&format!("{}/signin", browser.gateway.web_url())).form(&form).send()
    };
    let (lost, kept) = (sign_in(), sign_in());
    assert_eq!((lost.status, lost.header("set-cookie")), (303, None));
    assert!(kept.header("set-cookie").is_some());
}
