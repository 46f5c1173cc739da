//! Steering from outside.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, Request, get, post, request};
use super::login::{approving, login, ping, refresh, text};
use crate::mock::{ClientOrigin, Credential, Gateway, fingerprint};

fn owner(gateway: &Gateway, request: Request) -> Answer {
    request.bearer(gateway.control_token()).send()
}

fn at(gateway: &Gateway, path: &str) -> String {
    format!("{}/{path}", gateway.control_url())
}

#[test]
fn only_the_owner_steers() {
    let gateway = approving();
    let url = at(&gateway, "faults");
    assert_eq!(get(&url).send().status, 401);
    assert_eq!(get(&url).bearer("wrong").send().status, 401);
    let with = |name: &str, value: &str| {
        get(&url).bearer(gateway.control_token()).header(name, value).send().status
    };
    assert_eq!(with("Accept", "*/*"), 200);
    assert_eq!(with("Host", "evil.example"), 403);
    assert_eq!(with("Origin", "https://evil.example"), 403);
    assert!(gateway.requests().is_empty());
}

#[test]
fn faults_can_be_ordered_while_it_runs() {
    let gateway = approving();
    let url = at(&gateway, "faults");
    let order = |body: &str| owner(&gateway, post(&url).body("text/plain", body)).status;
    let metadata = || {
        get(&format!("{}/.well-known/oauth-protected-resource", gateway.base_url())).send().status
    };
    assert_eq!(order("disc.prm_404#1\n\nnonsense"), 400);
    assert_eq!(metadata(), 200);
    assert_eq!(order("disc.prm_404#1\ndisc.prm_status=500#1-2\n"), 200);
    assert_eq!((metadata(), metadata()), (404, 500));
    assert_eq!(order(r#"["net.fin@token"]"#), 200);
    let list = owner(&gateway, get(&url)).json();
    assert_eq!(list[0], json!({"fault": "disc.prm_404#1", "seen": 1, "struck": 1}));
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert_eq!(owner(&gateway, request("DELETE", &url)).status, 204);
    assert_eq!(owner(&gateway, get(&url)).json(), json!([]));
}

#[test]
fn the_clock_and_the_state_can_be_changed() {
    let gateway = approving();
    let url = at(&gateway, "clock");
    let now = |answer: Answer| answer.json()["now"].as_f64().unwrap();
    let before = now(owner(&gateway, get(&url)));
    let body = r#"{"advance": 3600.5}"#;
    let after = now(owner(&gateway, post(&url).body("application/json", body)));
    assert!((3600.0..3700.0).contains(&(after - before)));
    for wrong in ["", r#"{"advance": -1}"#, r#"{"advance": 4e8}"#, r#"{"advance": 1e300}"#] {
        let answer = owner(&gateway, post(&url).body("application/json", wrong));
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let first = login(&gateway);
    let act =
        |word: &str| owner(&gateway, post(&at(&gateway, "act")).body("text/plain", word)).status;
    let url = gateway.http_url("acme");
    assert_eq!(ping(&url, &first.access_token).status, 200);
    assert_eq!(act("expire_access_tokens"), 204);
    assert_eq!(ping(&url, &first.access_token).status, 401);
    assert_eq!(act(r#"["revoke_refresh_tokens", "forget_sessions", "drop_streams"]"#), 204);
    let again = || text(&refresh(&gateway, &first.client_id, &first.refresh_token).json(), "error");
    assert_eq!(again(), "invalid_grant");
    assert_eq!(act("forget_clients"), 204);
    assert_eq!(again(), "invalid_client");
    assert_eq!(act("dance"), 400);
}

#[test]
fn the_log_is_lines_of_json_without_secrets() {
    let gateway = approving();
    let login = login(&gateway);
    let log = owner(&gateway, get(&at(&gateway, "log")));
    assert_eq!(log.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> =
        log.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths: Vec<_> = lines.iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/register", "/authorize", "/oauth/token"]);
    assert_eq!(lines[2]["credential"], json!(Credential::None));
    assert_eq!(lines[2]["client_id"], login.client_id);
    for secret in gateway.issued_secrets() {
        assert!(!log.body.contains(&secret));
    }
    let rest = owner(&gateway, get(&at(&gateway, "log?skip=2"))).body;
    assert_eq!(rest.lines().count(), 1);
}

#[test]
fn the_live_view_hears_of_requests_as_they_come() {
    let gateway = approving();
    // The page tells nothing, and is for this machine only; what it asks for needs the token.
    let page = get(&at(&gateway, "live")).send();
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("script-src 'sha256-") && policy.contains("frame-ancestors 'none'"));
    assert!(page.status == 200 && !page.body.contains(gateway.control_token()));
    assert!(!page.body.contains("{{"), "{}", page.body);
    let foreign = get(&at(&gateway, "live")).header("Host", "evil.example").send();
    assert_eq!(foreign.status, 403);
    for path in ["watch?since=0", "about"] {
        assert_eq!(get(&at(&gateway, path)).send().status, 401);
    }
    assert_eq!(gateway.live_url(), format!("{}#{}", at(&gateway, "live"), gateway.control_token()));
    let about = owner(&gateway, get(&at(&gateway, "about"))).json();
    assert_eq!(about["endpoints"]["acme"]["sse"], gateway.sse_url("acme"));
    assert!(about["faults"].as_array().unwrap().iter().any(|it| it["name"] == "net.reset"));

    let watch = |since: Option<u64>| {
        let since = since.map(|it| format!("?since={it}")).unwrap_or_default();
        owner(&gateway, get(&at(&gateway, &format!("watch{since}")))).json()
    };
    let told = |news: &Value| -> Vec<(u64, String, Value)> {
        let requests = news["news"]["requests"].as_array().unwrap().iter();
        requests
            .map(|it| (it["number"].as_u64().unwrap(), text(it, "path"), it["status"].clone()))
            .collect()
    };
    assert_eq!(told(&watch(None)), []);
    let login = login(&gateway);
    let news = watch(None);
    assert_eq!(told(&news).len(), 3);
    assert_eq!(news["news"]["requests"][1]["answer"][0][0], "location");
    let shown = news.to_string();
    assert!(gateway.issued_secrets().iter().all(|it| !shown.contains(it)), "{shown}");
    // It waits for what is new, and is told nothing else.
    let revision = news["news"]["revision"].as_u64().unwrap();
    let url = gateway.http_url("acme");
    let news = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| watch(Some(revision)));
        ping(&url, &login.access_token);
        waiting.join().unwrap()
    });
    assert_eq!(told(&news), [(3, "/mcp/acme".to_owned(), json!(200))]);
    assert_eq!(news["news"]["requests"][0]["caller"], "auto-approve");
    // A page that was open when the mock was started anew hears of it at once.
    assert!(watch(Some(1 << 40))["news"]["revision"].as_u64().unwrap() < 1 << 40);
}

#[test]
fn a_refresh_token_has_a_lineage() {
    let gateway = approving();
    let first = login(&gateway);
    let second = refresh(&gateway, &first.client_id, &first.refresh_token).json();
    let second = text(&second, "refresh_token");
    gateway.advance(Duration::from_secs(10));
    refresh(&gateway, &first.client_id, &first.refresh_token);
    let other = login(&gateway);
    let tokens = gateway.refresh_tokens();
    let [a, b, c] = tokens.as_slice() else { panic!("{tokens:?}") };
    assert_eq!((&a.token, &a.parent), (&fingerprint(&first.refresh_token), &None));
    assert_eq!((&b.token, &b.parent), (&fingerprint(&second), &Some(a.token.clone())));
    assert_eq!((a.presented.len(), b.presented.len(), c.presented.len()), (2, 0, 0));
    assert!(Duration::from_secs(10) <= a.presented[1].saturating_sub(a.presented[0]));
    assert_eq!((a.used, b.used, a.revoked, b.revoked, c.revoked), (true, false, true, true, false));
    assert_eq!((a.chain == b.chain, a.chain == c.chain), (true, false));
    assert_eq!((&c.client_id, c.org.as_str()), (&other.client_id, "acme"));
    let told = owner(&gateway, get(&at(&gateway, "tokens"))).json();
    assert_eq!(told[1]["parent"], a.token);
    assert_eq!(told[0]["presented"].as_array().unwrap().len(), 2);
}

#[test]
fn clients_and_calls_are_evidence() {
    let gateway = approving();
    let login = login(&gateway);
    gateway.forget_clients();
    let clients = gateway.clients();
    assert_eq!((clients.len(), &clients[0].client_id), (1, &login.client_id));
    assert_eq!(
        (clients[0].origin, clients[0].authentication),
        (ClientOrigin::Registration, "none")
    );
    let call = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}"#;
    for _ in 0..2 {
        post(&gateway.http_url("acme")).bearer(&login.access_token).rpc(call).send();
    }
    let runs = gateway.tool_runs();
    assert_eq!((runs.len(), gateway.calls("echo"), gateway.calls("slow")), (2, 2, 0));
    assert_eq!((runs[0].id.as_str(), runs[0].tool.as_str()), ("\"x\"", "echo"));
    assert_eq!((runs[0].org.as_str(), &runs[0].session), ("acme", &None));
    assert_eq!(runs[0].arguments, fingerprint(r#"{"text":"hello"}"#));
    let told = owner(&gateway, get(&at(&gateway, "calls"))).json();
    assert_eq!(told[1]["tool"], "echo");
    let told = owner(&gateway, get(&at(&gateway, "clients"))).json();
    assert_eq!(told[0]["origin"], "registration");
}
