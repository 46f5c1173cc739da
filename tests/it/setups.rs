//! Gateways that are set up wrong: each of these failures says which it is, and who can mend it, in
//! the JSON-RPC error and on stderr.

use std::process::Command;

use apexmcp_bridge::mock::{Gateway, HandoffSecret, MachineClient, Plan};
use serde_json::{Value, json};

use super::support::{Bridge, Ended, Home, Person, check_end};

/// What a request gets, and how the bridge ended.
fn fail(home: &Home, gateway: &Gateway, args: &[&str]) -> (Value, Ended) {
    let url = gateway.sse_url("acme");
    let args: Vec<&str> = std::iter::once(url.as_str()).chain(args.iter().copied()).collect();
    let mut bridge = Bridge::start_with(home, Person::Present, &args, &[]);
    let answer = bridge.handshake("2025-06-18");
    assert_eq!(answer["error"]["code"], -31002, "{answer}");
    let ended = bridge.end();
    check_end(&ended, 4);
    (answer["error"].clone(), ended)
}

/// Both say this, and stderr says it once.
fn check_words((error, ended): &(Value, Ended), message: &str, hint: &[&str]) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (said, advice) = (text(&error["message"]), text(&error["data"]["hint"]));
    assert!(said.contains(message), "{said}");
    for part in hint {
        assert!(advice.contains(part), "{part}: {advice}");
    }
    let line = format!("error: {said}; hint: {advice}");
    let lines = ended.stderr.lines().filter(|it| *it == line).count();
    assert_eq!(lines, 1, "{line}\n{}", ended.stderr);
}

/// What the window that was opened last shows to somebody with a name, who signs in and keeps cookies.
fn signed_in_page(home: &Home) -> String {
    let jar = home.path().join("cookies");
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .args(["-sSL", "--max-time", "20", "--cookie-jar"])
            .arg(&jar)
            .arg("--cookie")
            .arg(&jar)
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let log = std::fs::read_to_string(home.path().join("browsers")).unwrap();
    let opened = log.lines().next().unwrap();
    let consent = curl(&["-o", "/dev/null", "-w", "%{url_effective}", opened]);
    let consent = url::Url::parse(&consent).unwrap();
    let handoff = consent.query_pairs().find(|(name, _)| name == "handoff").unwrap().1.into_owned();
    let handoff = format!("handoff={handoff}");
    let sign_in = consent.join("/signin").unwrap();
    curl(&["--data-urlencode", &handoff, "-d", "user=ada", sign_in.as_str()])
}

#[test]
fn a_401_without_a_challenge_by_a_gateway_that_is_too_old() {
    let gateway = Gateway::start(Plan { old_release: true, ..Plan::default() }).unwrap();
    let home = Home::new();
    let failure = fail(&home, &gateway, &[]);
    let message =
        format!("the 401 of `{}` has no `WWW-Authenticate: Bearer`", gateway.sse_url("acme"));
    check_words(&failure, &message, &["release is older", "operator", "API key"]);
    assert_eq!(home.browsers(), 0);
    // What the hint offers.
    let MachineClient { client_id, client_secret, .. } = MachineClient::mock("acme");
    let client = json!({ "client_id": client_id, "client_secret": client_secret }).to_string();
    let (url, token) = (gateway.sse_url("acme"), format!("{}/oauth/token", gateway.base_url()));
    let args = ["--client-credentials", "--token-endpoint", &token];
    let args = [&[url.as_str()], &args[..], &["--static-oauth-client-info", &client]].concat();
    let mut bridge = Bridge::start(&home, &args);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
}

#[test]
fn an_authorization_endpoint_that_is_not_there() {
    let old = Plan { old_release: true, ..Plan::default() };
    let configured = ["--static-oauth-client-info", r#"{"client_id":"own"}"#];
    // A release that knows client credentials only, and a proxy that does not let the page through.
    let none: &[&str] = &[];
    for (plan, order, args) in [
        (old, None, configured.as_slice()),
        (Plan::default(), Some("http.status=404@authorize"), none),
    ] {
        let gateway = Gateway::start(plan).unwrap();
        if let Some(order) = order {
            gateway.order(order).unwrap();
        }
        let failure = fail(&Home::new(), &gateway, args);
        let message = format!("`{}/authorize` is not there: HTTP 404", gateway.base_url());
        check_words(&failure, &message, &["client credentials only", "operator", "API key"]);
    }
}

#[test]
fn a_hand_off_with_two_secrets() {
    let web_handoff_secret = HandoffSecret::new(&"x".repeat(32)).ok();
    let gateway = Gateway::start(Plan { web_handoff_secret, ..Plan::default() }).unwrap();
    let home = Home::new();
    let failure = fail(&home, &gateway, &["--auth-timeout", "3"]);
    let hint = ["`handoff invalid`", "OAUTH_HANDOFF_SECRET", "operator"];
    check_words(&failure, "nobody finished the sign-in within 3 s", &hint);
    assert!(home.page().contains("Handoff invalid"), "{}", home.page());
}

#[test]
fn a_cookie_that_is_lost_between_two_hosts() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    gateway.order("page.cookie_lost").unwrap();
    let home = Home::new();
    let failure = fail(&home, &gateway, &["--auth-timeout", "3"]);
    let hint = ["again and again", "cookie", "PUBLIC_WEB_BASE_URL", "AUTH_TRUST_HOST", "operator"];
    check_words(&failure, "nobody finished the sign-in within 3 s", &hint);
    for _ in 0..2 {
        let page = signed_in_page(&home);
        assert!(page.contains("<h1>Sign in</h1>"), "{page}");
    }
}
