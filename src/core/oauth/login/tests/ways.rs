//! Ways to tokens other than a new registration and a browser here.

use super::*;
use crate::config::{ConfiguredClient, ResourceParameter, Way};

const RICH: &str = r#"{"issuer":"https://mcp.example","authorization_endpoint":"https://mcp.example/authorize","token_endpoint":"https://mcp.example/token","registration_endpoint":"https://mcp.example/register","device_authorization_endpoint":"https://mcp.example/device","code_challenge_methods_supported":["S256"],"client_id_metadata_document_supported":true,"scopes_supported":["mcp:call","offline_access"]}"#;
const CODE: &str = r#"{"device_code":"dc","user_code":"ABCD-EFGH","verification_uri":"https://mcp.example/go","expires_in":600,"interval":3}"#;

fn with(change: impl FnOnce(&mut LoginOptions)) -> Start {
    let mut start = start();
    start.challenge = None;
    change(&mut start.options);
    start
}

fn client(secret: Option<&str>) -> ConfiguredClient {
    ConfiguredClient {
        id: "own".to_owned(),
        secret: secret.map(|secret| Secret::new(secret.to_owned())),
        auth_method: None,
        key: None,
    }
}

fn seen(start: Start, inputs: Vec<Input>) -> Vec<String> {
    let (steps, result) = run(start, inputs);
    let mut seen: Vec<_> = steps.iter().map(render).skip(2).collect();
    if let Err(failure) = result {
        seen.push(format!("error: {failure}"));
    }
    seen
}

fn documents() -> Vec<Input> {
    vec![document(200, RESOURCE), document(200, RICH)]
}

fn refused(error: &str) -> Input {
    let error = error.to_owned();
    Input::Granted(Box::new(Err(GrantFailure::Refused { error, description: None })))
}

#[test]
fn a_client_that_is_configured_is_not_registered_and_has_one_port() {
    let start = with(|options| options.client = Some(client(Some("s"))));
    let mut inputs = documents();
    inputs.extend([bound(), good(), tokens()]);
    let (steps, _) = run(start, inputs);
    let all: Vec<_> = steps.iter().map(render).skip(2).collect();
    assert_eq!(
        all,
        [
            "bind [4177]",
            "claim",
            "tell the address",
            "open /authorize",
            "claim is over",
            "grant abc https://mcp.example/token",
            "save"
        ]
    );
    let Some(Step::Save(record)) = steps.last() else { panic!() };
    assert_eq!((record.client.id.as_str(), &record.client.secret), ("own", &None), "not stored");
    let grant = steps.iter().find_map(|step| match step {
        Step::Grant(grant) => Some(grant),
        _ => None,
    });
    let client = &grant.unwrap().client;
    assert_eq!(client.auth_method.as_deref(), Some("client_secret_basic"));
    assert!(client.secret.is_some());
}

#[test]
fn a_document_is_an_id_where_the_server_knows_such_ids() {
    let url = "https://client.example/client.json";
    let start = || with(|options| options.client_metadata_url = Some(url.to_owned()));
    let mut inputs = documents();
    inputs.push(bound());
    let (steps, _) = run(start(), inputs);
    let Some(Step::Redirect(RedirectCommand::Open(page))) = steps.last() else { panic!() };
    assert!(page.query_pairs().any(|(name, value)| name == "client_id" && value == url), "{page}");
    let inputs = vec![document(200, RESOURCE), document(200, METADATA), bound()];
    assert!(seen(start(), inputs).last().unwrap().starts_with("register"));
}

#[test]
fn a_person_enters_a_code_elsewhere() {
    let start = with(|options| options.way = Way::Device);
    let pending = || refused("authorization_pending");
    let mut inputs = documents();
    inputs.extend([document(201, CLIENT), document(200, CODE)]);
    inputs.extend([pending(), refused("slow_down"), pending(), tokens(), Input::Saved(1)]);
    assert_eq!(
        seen(start, inputs),
        [
            "register https://mcp.example/register [\"http://127.0.0.1:4177/oauth/callback\"] \"mcp:call offline_access\"",
            "form https://mcp.example/device client_id=c1&scope=mcp%3Acall+offline_access&resource=https%3A%2F%2Fmcp.example%2Fmcp%2Facme%2Fsse",
            "claim for a device",
            "tell the address",
            "poll dc after 3 s",
            "poll dc after 3 s",
            "poll dc after 8 s",
            "poll dc after 8 s",
            "save",
            "tell SignedIn",
            "done 1",
        ]
    );
}

#[test]
fn without_a_display_a_code_is_offered_where_there_are_codes() {
    let headless = || with(|options| options.headless = true);
    let mut inputs = documents();
    inputs.push(document(201, CLIENT));
    assert!(seen(headless(), inputs).last().unwrap().starts_with("form "));
    let inputs =
        vec![document(200, RESOURCE), document(200, METADATA), bound(), document(201, CLIENT)];
    let seen = seen(headless(), inputs);
    assert_eq!(&seen[2..], ["claim", "tell the address"], "and no browser is opened");
}

#[test]
fn a_code_that_nobody_enters() {
    let device = || with(|options| options.way = Way::Device);
    let invited = || {
        let mut inputs = documents();
        inputs.extend([document(201, CLIENT), document(200, CODE)]);
        inputs
    };
    for (error, text) in [
        ("expired_token", "error: nobody finished the sign-in within 300 s"),
        (
            "access_denied",
            "error: the authorization server refused the token request: `access_denied`",
        ),
    ] {
        let mut inputs = invited();
        inputs.push(refused(error));
        assert_eq!(seen(device(), inputs).last().unwrap(), text);
    }
    // A server that never says so: the code's own life is the limit.
    let mut steps = Vec::new();
    let mut login = Login::new(device(), &mut steps);
    for input in invited() {
        login = login.handle(input, Moment::default(), &mut steps).unwrap();
    }
    let late = Moment { uptime: Duration::from_secs(601), unix: 601 };
    let end = login.handle(refused("authorization_pending"), late, &mut steps);
    assert!(matches!(end, Err(SignInFailure::TimedOut { .. })));
}

#[test]
fn an_outage_while_a_person_enters_a_code_is_waited_for() {
    let start = with(|options| options.way = Way::Device);
    let down = Input::Granted(Box::new(Err(GrantFailure::Transient {
        cause: "HTTP 503".to_owned(),
        wait: None,
    })));
    let mut inputs = documents();
    inputs.extend([document(201, CLIENT), document(200, CODE), down]);
    assert_eq!(seen(start, inputs).last().unwrap(), "poll dc after 6 s");
}

#[test]
fn a_page_to_enter_a_code_at_must_be_one() {
    for uri in ["javascript:alert(1)", "http://evil.example/", "file:///etc/passwd"] {
        let start = with(|options| options.way = Way::Device);
        let code = CODE.replace("https://mcp.example/go", uri);
        let mut inputs = documents();
        inputs.extend([document(201, CLIENT), document(200, &code)]);
        let last = seen(start, inputs).pop().unwrap();
        assert!(last.starts_with("error: `verification_uri`"), "{last}");
    }
}

#[test]
fn a_machine_has_credentials_of_its_own() {
    let machine = |token_endpoint| {
        with(|options| {
            options.way = Way::Client { token_endpoint };
            options.client = Some(client(Some("s")));
        })
    };
    let mut inputs = documents();
    inputs.extend([tokens(), Input::Saved(1)]);
    assert_eq!(
        seen(machine(None), inputs),
        ["grant Some(\"mcp:call\") to own by client_secret_basic", "save", "done 1"]
    );
    let endpoint = Url::parse("https://idp.example/token").unwrap();
    let (steps, _) = run(machine(Some(endpoint)), vec![tokens(), Input::Saved(1)]);
    let all: Vec<_> = steps.iter().map(render).collect();
    assert_eq!(all, ["grant None to own by client_secret_basic", "save", "done 1"]);
}

#[test]
fn a_secret_goes_where_the_server_takes_it() {
    let method = |offered: &str, client: ConfiguredClient| {
        let metadata = RICH.replace(
            "\"scopes_supported\"",
            &format!("\"token_endpoint_auth_methods_supported\":{offered},\"scopes_supported\""),
        );
        let start = with(|options| {
            options.way = Way::Client { token_endpoint: None };
            options.client = Some(client);
        });
        seen(start, vec![document(200, RESOURCE), document(200, &metadata)]).pop().unwrap()
    };
    let basic_and_post = r#"["client_secret_post","client_secret_basic"]"#;
    assert!(method(basic_and_post, client(Some("s"))).ends_with("client_secret_basic"));
    assert!(method(r#"["client_secret_post"]"#, client(Some("s"))).ends_with("client_secret_post"));
    assert!(method(r#"["none"]"#, client(None)).ends_with("none"));
    let chosen = ConfiguredClient {
        auth_method: Some("client_secret_post".to_owned()),
        ..client(Some("s"))
    };
    assert!(method(r#"["client_secret_basic"]"#, chosen).ends_with("client_secret_post"));
}

#[test]
fn the_user_has_the_last_word_on_the_request() {
    let start = with(|options| {
        options.resource = ResourceParameter::Omitted;
        options.authorize_params =
            vec![("prompt".to_owned(), "login".to_owned()), ("x".to_owned(), "a b".to_owned())];
        options.registration =
            serde_json::from_str(r#"{"scope":"mine","client_name":"N"}"#).unwrap();
    });
    let mut inputs = documents();
    inputs.extend([bound(), document(201, CLIENT)]);
    let (steps, _) = run(start, inputs);
    let body = steps.iter().find_map(|step| match step {
        Step::Register(_, body) => serde_json::from_slice::<serde_json::Value>(body).ok(),
        _ => None,
    });
    let body = body.unwrap();
    assert_eq!((&body["client_name"], &body["scope"]), (&"N".into(), &"mine".into()));
    assert_eq!(body["application_type"], "native");
    let Some(Step::Redirect(RedirectCommand::Open(url))) = steps.last() else { panic!() };
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    let values = |name: &str| {
        query.iter().filter(|(key, _)| key == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(values("scope"), ["mine"]);
    assert_eq!(values("prompt"), ["login"]);
    assert_eq!(values("x"), ["a b"]);
    assert!(values("resource").is_empty());
}

#[test]
fn one_dead_server_of_several_is_passed_over() {
    let two = RESOURCE
        .replace(r#"["https://mcp.example"]"#, r#"["https://dead.example","https://mcp.example"]"#);
    let unreachable = || {
        Input::Fetched(Err(HttpFailure {
            cause: "connection refused".to_owned(),
            delivery: Delivery::NotDelivered,
            kind: FailureKind::Network,
        }))
    };
    for (dead, fetches) in
        [(vec![unreachable()], 0), (vec![document(404, ""), document(404, "")], 1)]
    {
        let start = with(|_| {});
        let mut inputs = vec![document(200, &two)];
        inputs.extend(dead);
        inputs.push(document(200, METADATA));
        let seen = seen(start, inputs);
        assert_eq!(
            seen[fetches],
            "fetch https://mcp.example/.well-known/oauth-authorization-server"
        );
        assert!(seen.last().unwrap().starts_with("bind"), "{seen:?}");
    }
    // An outage is not the end of a server.
    let inputs = vec![document(200, &two), document(503, "")];
    assert!(seen(with(|_| {}), inputs).pop().unwrap().starts_with("error: "));
    // If none will do, the first one's failure is the one to tell.
    let plain =
        METADATA.replace("S256", "plain").replace("https://mcp.example", "https://dead.example");
    let inputs =
        vec![document(200, &two), document(200, &plain), document(404, ""), document(404, "")];
    let last = seen(with(|_| {}), inputs).pop().unwrap();
    assert!(last.contains("dead.example") && last.contains("PKCE"), "{last}");
}

#[test]
fn a_registration_that_is_refused_is_tried_with_less() {
    let refusal = |error: &str| document(400, &format!(r#"{{"error":"{error}"}}"#));
    for (error, uri) in [
        ("invalid_redirect_uri", "http://localhost:4177/oauth/callback"),
        ("invalid_client_metadata", "http://127.0.0.1:4177/oauth/callback"),
    ] {
        let inputs = || {
            let mut inputs = vec![document(200, RESOURCE), document(200, METADATA), bound()];
            inputs.push(refusal(error));
            inputs
        };
        let last = seen(with(|_| {}), inputs()).pop().unwrap();
        assert_eq!(last, format!("register https://mcp.example/register [\"{uri}\"] null"));
        let twice = inputs().into_iter().chain([refusal(error)]).collect();
        let last = seen(with(|_| {}), twice).pop().unwrap();
        assert!(last.starts_with("error: "), "once: {last}");
    }
}

#[test]
fn what_nobody_asked_for_is_left_out_in_the_same_tab() {
    let mut inputs = documents();
    inputs.extend([bound(), document(201, CLIENT)]);
    inputs.push(redirected(&format!("error=invalid_scope&state={}", state())));
    let (steps, login) = run(with(|_| {}), inputs);
    assert!(login.is_ok());
    let Some(Step::Redirect(RedirectCommand::Answer { page: Page::Onward(url), .. })) =
        steps.iter().rev().nth(1)
    else {
        panic!("{steps:?}")
    };
    assert!(url.query_pairs().any(|(name, value)| name == "scope" && value == "mcp:call"));
    assert!(!url.query().unwrap().contains(&state()), "another state");
    // Without any metadata it may be the resource that the server does not know.
    let mut inputs: Vec<_> = (0..4).map(|_| document(404, "")).collect();
    inputs.extend([bound(), document(201, CLIENT)]);
    inputs.push(redirected(&format!("error=invalid_target&state={}", state())));
    let (steps, login) = run(with(|_| {}), inputs);
    assert!(login.is_ok(), "{login:?}");
    let onward = steps.iter().find_map(|step| match step {
        Step::Redirect(RedirectCommand::Answer { page: Page::Onward(url), .. }) => Some(url),
        _ => None,
    });
    assert!(!onward.unwrap().query_pairs().any(|(name, _)| name == "resource"));
}

#[test]
fn the_id_token_takes_the_place_of_the_access_token() {
    // {"exp":5000}
    let id_token = "x.eyJleHAiOjUwMDB9.y";
    let granted = |id_token: Option<&str>| {
        Input::Granted(Box::new(Ok(Granted {
            access: Secret::new("at".to_owned()),
            refresh: None,
            expires_in: Some(60),
            scope: None,
            id_token: id_token.map(|token| Secret::new(token.to_owned())),
        })))
    };
    for (given, access, expires_at) in [(Some(id_token), id_token, 5000), (None, "at", 60)] {
        let start = with(|options| options.use_id_token = true);
        let mut inputs = documents();
        inputs.extend([bound(), document(201, CLIENT), good(), granted(given)]);
        let (steps, _) = run(start, inputs);
        let Some(Step::Save(record)) = steps.last() else { panic!() };
        let tokens = record.tokens.as_ref().unwrap();
        assert_eq!((tokens.access.expose(), tokens.expires_at), (access, Some(expires_at)));
    }
}

#[test]
fn a_page_of_the_users_own_ends_the_sign_in() {
    let start = with(|options| {
        options.success_url = Some(Url::parse("https://own.example/done").unwrap());
    });
    let mut inputs = documents();
    inputs.extend([bound(), document(201, CLIENT), good(), tokens(), Input::Saved(1)]);
    let seen = seen(start, inputs);
    let answer = seen.iter().find(|step| step.starts_with("answer")).unwrap();
    assert!(answer.contains("Onward") && answer.contains("own.example"), "{answer}");
}
