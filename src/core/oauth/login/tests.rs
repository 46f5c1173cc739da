use super::*;
use crate::core::event::{Delivery, FailureKind};
use crate::core::oauth::grant::{GrantFailure, GrantKind, Granted};

mod known;
mod ways;

const SERVER: &str = "https://mcp.example/mcp/acme/sse";
const RESOURCE: &str = r#"{"resource":"https://mcp.example/mcp/acme/sse","authorization_servers":["https://mcp.example"],"scopes_supported":["mcp:call"]}"#;
const METADATA: &str = r#"{"issuer":"https://mcp.example","authorization_endpoint":"https://mcp.example/authorize?x=1","token_endpoint":"https://mcp.example/token","registration_endpoint":"https://mcp.example/register","code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true}"#;
const CLIENT: &str = r#"{"client_id":"c1"}"#;

fn options() -> LoginOptions {
    LoginOptions {
        preferred_port: 4177,
        redirect_host: "127.0.0.1".to_owned(),
        ..LoginOptions::default()
    }
}

fn start() -> Start {
    Start {
        goal: Goal::Tokens,
        server: Url::parse(SERVER).unwrap(),
        server_text: SERVER.to_owned(),
        options: options(),
        challenge: Some(Challenge {
            resource_metadata: Some("https://mcp.example/prm".to_owned()),
            ..Challenge::default()
        }),
        known: None,
        scope: None,
        window: true,
    }
}

fn document(status: u16, body: &str) -> Input {
    Input::Fetched(Ok((status, Bytes::from(body.to_owned()))))
}

fn bound() -> Input {
    let mut entropy = Box::new([7; 128]);
    entropy[64..].fill(9);
    Input::Bound(4177, entropy)
}

fn redirected(query: &str) -> Input {
    Input::Redirected(1, Secret::new(query.to_owned()))
}

fn state() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([7; 32])
}

fn good() -> Input {
    redirected(&format!("code=abc&state={}&iss=https%3A%2F%2Fmcp.example", state()))
}

fn tokens() -> Input {
    Input::Granted(Box::new(Ok(Granted {
        access: Secret::new("at".to_owned()),
        refresh: Some(Secret::new("rt".to_owned())),
        expires_in: Some(3600),
        scope: None,
        id_token: None,
    })))
}

fn render(step: &Step) -> String {
    match step {
        Step::Fetch(url) => format!("fetch {url}"),
        Step::Register(url, body) => {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            format!("register {url} {} {}", body["redirect_uris"], body["scope"])
        }
        Step::Form(url, authorization, form) => {
            let basic = if authorization.is_some() { " basic" } else { "" };
            format!("form {url}{basic} {}", form.expose())
        }
        Step::Redirect(RedirectCommand::Bind { ports, .. }) => format!("bind {ports:?}"),
        Step::Redirect(RedirectCommand::Open(url)) => format!("open {}", url.path()),
        Step::Redirect(RedirectCommand::Answer { id, page }) => format!("answer {id} {page:?}"),
        Step::Redirect(RedirectCommand::Close) => "close".to_owned(),
        Step::Grant(grant) => match &grant.kind {
            GrantKind::Code { code, .. } => {
                format!("grant {} {}", code.expose(), grant.token_endpoint)
            }
            GrantKind::Refresh { .. } => "refresh".to_owned(),
            GrantKind::Device { code } => {
                format!("poll {} after {} s", code.expose(), grant.wait.as_secs())
            }
            GrantKind::Client { scope } => {
                let method = grant.client.auth_method.as_deref().unwrap_or_default();
                format!("grant {scope:?} to {} by {method}", grant.client.id)
            }
        },
        Step::Claim(Some(Claim::Device { .. })) => "claim for a device".to_owned(),
        Step::Claim(Some(_)) => "claim".to_owned(),
        Step::Claim(None) => "claim is over".to_owned(),
        Step::Save(_) => "save".to_owned(),
        Step::Tell(Notice::SignIn(_)) => "tell the address".to_owned(),
        Step::Tell(notice) => format!("tell {notice:?}"),
        Step::Done(record) => format!("done {}", record.generation),
    }
}

/// Runs a script; returns what was asked for and how it ended.
fn run(start: Start, inputs: Vec<Input>) -> (Vec<Step>, Result<Login, SignInFailure>) {
    let mut steps = Vec::new();
    let mut login = Login::new(start, &mut steps);
    for input in inputs {
        match login.handle(input, Moment::default(), &mut steps) {
            Ok(next) => login = next,
            Err(failure) => return (steps, Err(failure)),
        }
        if matches!(steps.last(), Some(Step::Claim(Some(Claim::Open(_))))) {
            login = login.handle(Input::Claimed, Moment::default(), &mut steps).unwrap();
        }
    }
    (steps, Ok(login))
}

fn check(start: Start, inputs: Vec<Input>, expected: &[&str]) {
    let (steps, result) = run(start, inputs);
    let mut seen: Vec<_> = steps.iter().map(render).collect();
    if let Err(failure) = result {
        seen.push(format!("error: {failure}"));
    }
    assert_eq!(seen, expected);
}

fn up_to_browser() -> Vec<Input> {
    vec![document(200, RESOURCE), document(200, METADATA), bound(), document(201, CLIENT)]
}

const UP_TO_BROWSER: [&str; 7] = [
    "fetch https://mcp.example/prm",
    "fetch https://mcp.example/.well-known/oauth-authorization-server",
    "bind [4177, 0]",
    "register https://mcp.example/register [\"http://127.0.0.1:4177/oauth/callback\"] \"mcp:call\"",
    "claim",
    "tell the address",
    "open /authorize",
];

/// The steps up to the browser, then these.
fn check_after(inputs: Vec<Input>, expected: &[&str]) {
    let all: Vec<_> = UP_TO_BROWSER.iter().chain(expected).copied().collect();
    check(start(), up_to_browser().into_iter().chain(inputs).collect(), &all);
}

#[test]
fn the_whole_way() {
    check_after(
        vec![good(), tokens(), Input::Saved(1)],
        &[
            "claim is over",
            "grant abc https://mcp.example/token",
            "save",
            "answer 1 SignedIn",
            "close",
            "tell SignedIn",
            "done 1",
        ],
    );
}

#[test]
fn the_authorization_request() {
    let (steps, _) = run(start(), up_to_browser());
    let Some(Step::Redirect(RedirectCommand::Open(url))) = steps.last() else { panic!() };
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let value = |name: &str| {
        let mut found = query.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice");
        value
    };
    assert_eq!(value("x"), Some("1"), "the endpoint's own query stays");
    assert_eq!(value("response_type"), Some("code"));
    assert_eq!(value("client_id"), Some("c1"));
    assert_eq!(value("redirect_uri"), Some("http://127.0.0.1:4177/oauth/callback"));
    assert_eq!(value("scope"), Some("mcp:call"));
    assert_eq!(value("resource"), Some("https://mcp.example/mcp/acme/sse"));
    assert_eq!(value("code_challenge_method"), Some("S256"));
    assert_eq!(value("code_challenge").unwrap().len(), 43);
    assert_eq!(value("state"), Some(state().as_str()));
}

#[test]
fn strangers_do_not_end_the_sign_in() {
    check_after(
        vec![
            redirected("code=evil&state=wrong"),
            redirected("error=access_denied"),
            redirected(""),
            good(),
            redirected("code=late&state=wrong"),
        ],
        &[
            "answer 1 Stale",
            "answer 1 Stale",
            "answer 1 Stale",
            "claim is over",
            "grant abc https://mcp.example/token",
            "answer 1 Stale",
        ],
    );
}

#[test]
fn an_answer_of_another_issuer_is_refused_unseen() {
    let error = "error: the answer to the sign-in comes from another issuer, expected `iss` to be `https://mcp.example` (RFC 9207 §2.4)";
    let page = "answer 1 Failed(\"the answer to the sign-in comes from another issuer, expected `iss` to be `https://mcp.example` (RFC 9207 §2.4)\")";
    let query = format!("error=<script>&error_description=evil&state={}&iss=https://evil", state());
    check_after(vec![redirected(&query)], &[page, error]);
}

#[test]
fn an_advertised_issuer_must_be_there() {
    let (_, result) = run(
        start(),
        up_to_browser()
            .into_iter()
            .chain([redirected(&format!("code=abc&state={}", state()))])
            .collect(),
    );
    assert!(matches!(result, Err(SignInFailure::ServerMisbehaved { .. })));
}

#[test]
fn a_person_may_say_no() {
    let query = format!("error=access_denied&state={}&iss=https://mcp.example", state());
    check_after(
        vec![redirected(&query)],
        &[
            "answer 1 Denied",
            "error: the authorization server refused the sign-in: `access_denied`",
        ],
    );
}

#[test]
fn a_code_that_buys_nothing() {
    let no = GrantFailure::Refused { error: "invalid_grant".to_owned(), description: None };
    let text = "the authorization server refused the token request: `invalid_grant`";
    check_after(
        vec![good(), Input::Granted(Box::new(Err(no)))],
        &[
            "claim is over",
            "grant abc https://mcp.example/token",
            &format!("answer 1 Failed({text:?})"),
            &format!("error: {text}"),
        ],
    );
}

#[test]
fn documents_are_looked_for_in_order() {
    check(
        start(),
        vec![
            document(404, ""),
            document(200, "<html>"),
            document(200, RESOURCE),
            document(404, ""),
        ],
        &[
            "fetch https://mcp.example/prm",
            "fetch https://mcp.example/.well-known/oauth-protected-resource/mcp/acme/sse",
            "fetch https://mcp.example/.well-known/oauth-protected-resource",
            "fetch https://mcp.example/.well-known/oauth-authorization-server",
            "fetch https://mcp.example/.well-known/openid-configuration",
        ],
    );
}

#[test]
fn an_outage_is_no_answer() {
    let failure = HttpFailure {
        cause: "connection refused".to_owned(),
        delivery: Delivery::NotDelivered,
        kind: FailureKind::Network,
    };
    for input in [document(503, ""), document(429, ""), Input::Fetched(Err(failure))] {
        let (steps, result) = run(start(), vec![input]);
        assert!(matches!(result, Err(SignInFailure::Transient { .. })), "{result:?}");
        assert_eq!(steps.len(), 1);
    }
}

#[test]
fn a_server_from_before_the_metadata() {
    let mut old = start();
    old.challenge = None;
    let inputs =
        vec![document(404, ""), document(404, ""), document(404, ""), document(404, ""), bound()];
    let (steps, _) = run(old, inputs);
    let seen: Vec<_> = steps.iter().map(render).collect();
    assert_eq!(
        seen.last().unwrap(),
        "register https://mcp.example/register [\"http://127.0.0.1:4177/oauth/callback\"] null"
    );
}

#[test]
fn a_server_from_before_any_sign_in() {
    let documents =
        || vec![document(404, ""), document(404, ""), document(404, ""), document(404, "")];
    for (challenge, lacks) in [
        (None, "has no `WWW-Authenticate: Bearer`"),
        (Some(Challenge::default()), "names no metadata"),
    ] {
        let old = Start { challenge, ..start() };
        let mut inputs = documents();
        inputs.extend([bound(), document(404, r#"{"error":"not_found"}"#)]);
        let (_, result) = run(old, inputs);
        let text = result.unwrap_err().to_string();
        assert!(text.starts_with(&format!("the 401 of `{SERVER}` {lacks}, and")), "{text}");
    }
    // Who announces a registration has one.
    let inputs = vec![document(200, RESOURCE), document(200, METADATA), bound(), document(404, "")];
    let (_, result) = run(start(), inputs);
    assert!(matches!(result, Err(SignInFailure::ServerMisbehaved { .. })));
}

#[test]
fn a_page_that_is_not_there_is_not_waited_for() {
    let looked = |answer: Input| {
        let (mut steps, login) = run(start(), up_to_browser());
        let mut login = login.unwrap();
        let at = login.deadline().unwrap();
        assert_eq!(at, Duration::from_secs(2));
        let now = Moment { uptime: at, ..Moment::default() };
        assert!(login.look(now, &mut steps));
        let Some(Step::Fetch(url)) = steps.last() else { panic!() };
        assert!(url.as_str().contains("response_type=code"), "what the browser asks for: {url}");
        assert_eq!(login.deadline(), Some(Duration::from_secs(300)), "once");
        login.handle(answer, now, &mut steps)
    };
    let gone = looked(document(404, "<h1>Not found</h1>")).unwrap_err();
    let text = "the sign-in page `https://mcp.example/authorize` is not there: HTTP 404";
    assert_eq!(gone.to_string(), text);
    for other in [document(200, "<h1>Sign in</h1>"), document(403, ""), document(503, "")] {
        assert!(looked(other).unwrap().invitation().is_some());
    }
    // Not the page is unknown, but we are; the person may have to say so.
    assert!(looked(document(404, r#"{"error":"invalid_client"}"#)).is_ok());
}

#[test]
fn a_foreign_issuer_in_the_metadata_is_refused() {
    let evil = METADATA
        .replace("\"issuer\":\"https://mcp.example\"", "\"issuer\":\"https://evil.example\"");
    let (_, result) = run(start(), vec![document(200, RESOURCE), document(200, &evil)]);
    assert!(matches!(result, Err(SignInFailure::ServerMisbehaved { .. })));
}

#[test]
fn nobody_comes() {
    let (_, login) = run(start(), up_to_browser());
    let mut login = login.unwrap();
    let end = Moment { uptime: Duration::from_secs(300), ..Moment::default() };
    assert!(!login.look(end, &mut Vec::new()));
    assert!(
        matches!(login.timed_out(), SignInFailure::TimedOut { url, .. } if url.contains("/authorize"))
    );
}

#[test]
fn no_debug_output_holds_a_secret() {
    let (steps, login) = run(start(), up_to_browser().into_iter().chain([good()]).collect());
    let text = format!("{:?} {login:?}", steps.last().unwrap());
    for secret in ["abc", state().as_str()] {
        assert!(!text.contains(&format!("\"{secret}\"")), "{secret} in {text}");
    }
}
