//! The authorization server.

use std::time::Duration;

use base64::Engine as _;

use super::client::{get, post};
use super::login::{
    REDIRECT_URI, VERIFIER, approving, assert_refused, authorization_url, code, exchange, login,
    parameter, ping, refresh, register, text, token,
};
use crate::mock::{Auth, Consent, Credential, Gateway, MachineClient, Plan, fingerprint};

#[test]
fn challenges_name_the_metadata_of_their_endpoint() {
    let gateway = approving();
    let base = gateway.base_url();
    for url in [gateway.sse_url("acme"), gateway.http_url("acme")] {
        let answer = get(&url).send();
        let path = url.strip_prefix(base).unwrap();
        let metadata = format!("{base}/.well-known/oauth-protected-resource{path}");
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header("www-authenticate").unwrap(),
            format!("Bearer resource_metadata=\"{metadata}\", scope=\"mcp:call\"")
        );
        let document = get(&metadata).send().json();
        assert_eq!(document["resource"], url);
        assert_eq!(document["authorization_servers"][0], base);
    }
    let root = get(&format!("{base}/.well-known/oauth-protected-resource")).send().json();
    assert_eq!(root["resource"], base);
    let other = format!("{base}/.well-known/oauth-protected-resource/mcp/nobody/sse");
    assert_eq!(get(&other).send().status, 404);
}

#[test]
fn a_login_ends_in_a_token_for_one_organisation() {
    let gateway = approving();
    let login = login(&gateway);
    assert_eq!(ping(&gateway.http_url("acme"), &login.access_token).status, 200);
    assert_eq!(ping(&gateway.http_url("globex"), &login.access_token).status, 403);
    for secret in [&login.access_token, &login.refresh_token] {
        assert!(gateway.issued_secrets().contains(secret));
        assert!(!format!("{:?}", gateway.requests()).contains(secret.as_str()));
    }
}

#[test]
fn codes_need_their_verifier() {
    let gateway = approving();
    let (client_id, code) = code(&gateway);
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("client_id", &client_id),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
    ];
    assert_refused(&token(&gateway, &pairs), 400, "invalid_request");
    let wrong = VERIFIER.to_uppercase();
    pairs.push(("code_verifier", &wrong));
    assert_refused(&token(&gateway, &pairs), 400, "invalid_grant");
    // The wrong attempt has used it up.
    assert_refused(&exchange(&gateway, &client_id, &code), 400, "invalid_grant");
}

#[test]
fn codes_work_once_and_their_replay_revokes() {
    let gateway = approving();
    let (client_id, code) = code(&gateway);
    let tokens = exchange(&gateway, &client_id, &code).json();
    assert_refused(&exchange(&gateway, &client_id, &code), 400, "invalid_grant");
    let refresh_token = text(&tokens, "refresh_token");
    assert_refused(&refresh(&gateway, &client_id, &refresh_token), 400, "invalid_grant");
}

#[test]
fn codes_expire_and_belong_to_a_client_and_a_redirect_uri() {
    let gateway = approving();
    let (client_id, late) = code(&gateway);
    gateway.advance(Duration::from_mins(10));
    assert_refused(&exchange(&gateway, &client_id, &late), 400, "invalid_grant");
    let (_, stolen) = code(&gateway);
    assert_refused(&exchange(&gateway, &client_id, &stolen), 400, "invalid_grant");
    let (client_id, code) = code(&gateway);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id.as_str()),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:7778/callback"),
        ("code_verifier", VERIFIER),
    ];
    assert_refused(&token(&gateway, &pairs), 400, "invalid_grant");
}

#[test]
fn refresh_tokens_rotate_and_reuse_revokes_the_family() {
    let gateway = approving();
    let first = login(&gateway);
    let second = refresh(&gateway, &first.client_id, &first.refresh_token).json();
    let second = text(&second, "refresh_token");
    assert_ne!(second, first.refresh_token);
    assert_eq!(gateway.refresh_reuses(), 0);
    let reused = refresh(&gateway, &first.client_id, &first.refresh_token);
    assert_refused(&reused, 400, "invalid_grant");
    assert_eq!(gateway.refresh_reuses(), 1);
    // The good one went with it; that of another login did not.
    assert_refused(&refresh(&gateway, &first.client_id, &second), 400, "invalid_grant");
    let other = login(&gateway);
    assert_eq!(refresh(&gateway, &other.client_id, &other.refresh_token).status, 200);
    let log = gateway.requests();
    let entry = log.iter().find(|it| it.refresh_token.is_some()).unwrap();
    assert_eq!(entry.refresh_token, Some(fingerprint(&first.refresh_token)));
    assert_eq!(entry.grant_type.as_deref(), Some("refresh_token"));
}

#[test]
fn refresh_tokens_end() {
    let gateway = approving();
    let idle = login(&gateway);
    gateway.advance(Duration::from_hours(30 * 24));
    let answer = refresh(&gateway, &idle.client_id, &idle.refresh_token);
    assert_refused(&answer, 400, "invalid_grant");
    let revoked = login(&gateway);
    gateway.revoke_refresh_tokens();
    let answer = refresh(&gateway, &revoked.client_id, &revoked.refresh_token);
    assert_refused(&answer, 400, "invalid_grant");
    let handed_in = login(&gateway);
    let answer = post(&format!("{}/oauth/revoke", gateway.base_url()))
        .form(&[("token", &handed_in.refresh_token), ("client_id", &handed_in.client_id)])
        .send();
    assert_eq!(answer.status, 200);
    let answer = refresh(&gateway, &handed_in.client_id, &handed_in.refresh_token);
    assert_refused(&answer, 400, "invalid_grant");
    let forgotten = login(&gateway);
    gateway.forget_clients();
    let answer = refresh(&gateway, &forgotten.client_id, &forgotten.refresh_token);
    assert_refused(&answer, 401, "invalid_client");
}

#[test]
fn a_refused_refresh_does_not_use_up_the_token() {
    let gateway = approving();
    let login = login(&gateway);
    let with = |name: &str, value: &str| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", login.client_id.as_str()),
            ("refresh_token", &login.refresh_token),
            (name, value),
        ];
        token(&gateway, &pairs)
    };
    assert_refused(&with("scope", "mcp:call mcp:call:other"), 400, "invalid_scope");
    assert_refused(&with("resource", &gateway.http_url("globex")), 400, "invalid_target");
    assert_eq!(with("resource", &gateway.sse_url("acme")).status, 200);
}

#[test]
fn access_tokens_expire() {
    let gateway = approving();
    let url = gateway.http_url("acme");
    let first = login(&gateway);
    gateway.advance(Duration::from_hours(1));
    let answer = ping(&url, &first.access_token);
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let fresh =
        text(&refresh(&gateway, &first.client_id, &first.refresh_token).json(), "access_token");
    assert_eq!(ping(&url, &fresh).status, 200);
    gateway.expire_access_tokens();
    assert_eq!(ping(&url, &fresh).status, 401);
    assert_eq!(ping(&url, &login(&gateway).access_token).status, 200);
    assert_eq!(ping(&url, "not.a.token").status, 401);
}

#[test]
fn bad_clients_and_redirect_uris_get_a_page() {
    let gateway = approving();
    let client_id = register(&gateway);
    let unknown = authorization_url(&gateway, "nobody", |_| {});
    let elsewhere = authorization_url(&gateway, &client_id, |it| {
        it[2].1 = "http://127.0.0.1:7777/other".into();
    });
    let twice = authorization_url(&gateway, &client_id, |it| it.push(("state", "b".into())));
    for url in [unknown, elsewhere, twice] {
        let answer = get(&url).send();
        assert_eq!((answer.status, answer.header("location")), (400, None));
        assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    }
}

#[test]
fn other_bad_requests_are_redirected() {
    let gateway = approving();
    let client_id = register(&gateway);
    let cases = [
        (0, "token", "unsupported_response_type"),
        (4, "short", "invalid_request"),
        (5, "plain", "invalid_request"),
        (6, "http://127.0.0.1:1/mcp/acme", "invalid_target"),
    ];
    for (at, value, error) in cases {
        let url = authorization_url(&gateway, &client_id, |it| it[at].1 = value.into());
        let location = get(&url).send().location();
        assert!(location.as_str().starts_with(REDIRECT_URI));
        assert_eq!(parameter(&location, "error").as_deref(), Some(error));
        assert_eq!(parameter(&location, "state").as_deref(), Some("st&te"));
        assert_eq!(parameter(&location, "iss").as_deref(), Some(gateway.base_url()));
    }
    let url = authorization_url(&gateway, &client_id, |it| it.push(("scope", "all".into())));
    let location = get(&url).send().location();
    assert_eq!(parameter(&location, "error").as_deref(), Some("invalid_scope"));
}

#[test]
fn loopback_redirects_may_change_their_port_only() {
    let gateway = approving();
    let client_id = register(&gateway);
    let to = |uri: &str| {
        let url = authorization_url(&gateway, &client_id, |it| it[2].1 = uri.into());
        get(&url).send().status
    };
    assert_eq!(to("http://127.0.0.1:1/callback"), 303);
    assert_eq!(to("http://localhost:7777/callback"), 400);
    assert_eq!(to("http://127.0.0.1:7777/callback/"), 400);
    assert_eq!(to("http://127.0.0.1:7777@evil.example/callback"), 400);
}

#[test]
fn registration_refuses_bad_redirect_uris() {
    let gateway = approving();
    let register = |uri: &str| {
        post(&format!("{}/register", gateway.base_url()))
            .body("application/json", &serde_json::json!({"redirect_uris": [uri]}).to_string())
            .send()
    };
    for good in ["https://app.example/cb", "http://localhost:1/", "http://[::1]:9/cb"] {
        assert_eq!(register(good).status, 201, "{good}");
    }
    for bad in ["http://app.example/cb", "javascript:alert(1)", "https://app.example/#x", "cb", ""]
    {
        assert_refused(&register(bad), 400, "invalid_redirect_uri");
    }
}

#[test]
fn machines_log_in_with_a_secret() {
    let gateway = approving();
    let MachineClient { client_id, client_secret, .. } = MachineClient::mock("acme");
    let grant = ("grant_type", "client_credentials");
    let (id, secret) =
        (("client_id", client_id.as_str()), ("client_secret", client_secret.as_str()));
    let tokens = token(&gateway, &[grant, id, secret]).json();
    assert_eq!(tokens["refresh_token"], serde_json::Value::Null);
    assert_eq!(ping(&gateway.http_url("acme"), &text(&tokens, "access_token")).status, 200);
    assert_eq!(gateway.requests()[0].credential, Credential::ClientSecret);
    let wrong = token(&gateway, &[grant, id, ("client_secret", "wrong")]);
    assert_refused(&wrong, 401, "invalid_client");
    // `mock:mock` in Base64 would not do; id and secret do.
    let basic =
        base64::engine::general_purpose::STANDARD.encode(format!("{client_id}:{client_secret}"));
    let answer = post(&format!("{}/oauth/token", gateway.base_url()))
        .header("Authorization", &format!("Basic {basic}"))
        .form(&[grant])
        .send();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn keys_open_their_organisation() {
    let gateway = approving();
    let ping = |url: &str, key: &str| {
        post(url)
            .header("X-API-Key", key)
            .rpc(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
            .send()
            .status
    };
    let key = gateway.api_key("acme").unwrap();
    assert_eq!(key.len(), "apx_live_sk_".len() + 32);
    assert_eq!(ping(&gateway.http_url("acme"), key), 200);
    assert_eq!(ping(&gateway.http_url("globex"), key), 403);
    assert_eq!(ping(&gateway.http_url("acme"), "apx_live_sk_wrong"), 401);
    assert_eq!(gateway.requests()[0].credential, Credential::ApiKey);
    assert_eq!(gateway.requests()[0].header("x-api-key"), Some(fingerprint(key).as_str()));
}

#[test]
fn an_old_release_knows_only_machines() {
    let gateway = Gateway::start(Plan { old_release: true, ..Plan::default() }).unwrap();
    let answer = get(&gateway.sse_url("acme")).send();
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, None));
    for path in ["/authorize", "/.well-known/oauth-authorization-server"] {
        assert_eq!(get(&format!("{}{path}", gateway.base_url())).send().status, 404);
    }
    let MachineClient { client_id, client_secret, .. } = MachineClient::mock("acme");
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id.as_str()),
        ("client_secret", &client_secret),
    ];
    assert_eq!(token(&gateway, &pairs).status, 200);
}

#[test]
fn without_auth_everybody_is_admitted() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    assert_eq!(ping(&gateway.http_url("acme"), "").status, 200);
    assert_eq!(ping(&gateway.http_url("nobody"), "").status, 404);
    let metadata = format!("{}/.well-known/oauth-protected-resource", gateway.base_url());
    assert_eq!(get(&metadata).send().status, 404);
}

#[test]
fn a_denying_gateway_says_so() {
    let gateway = Gateway::start(Plan { consent: Consent::Deny, ..Plan::default() }).unwrap();
    let client_id = register(&gateway);
    let location = get(&authorization_url(&gateway, &client_id, |_| {})).send().location();
    assert_eq!(parameter(&location, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&location, "code"), None);
}

#[test]
fn a_token_covers_the_connectors_of_its_scope() {
    let gateway = approving();
    let MachineClient { client_id, client_secret, .. } = MachineClient::mock("acme");
    let status = |scope: &str, tool: &str| {
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_secret", &client_secret),
            ("scope", scope),
        ];
        let bearer = text(&token(&gateway, &pairs).json(), "access_token");
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"sql":"select * from orders","text":"x"}}}}}}"#
        );
        let answer = post(&gateway.http_url("acme")).bearer(&bearer).rpc(&message).send();
        (answer.status, answer.header("www-authenticate").map(str::to_owned))
    };
    let orders = "query_postgres_orders";
    assert_eq!(status("mcp:call", orders), (200, None));
    assert_eq!(status("mcp:call:crm mcp:call:postgres", orders), (200, None));
    assert_eq!(status("mcp:call:demo", "echo"), (200, None));
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp/acme", gateway.base_url());
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", resource_metadata=\"{metadata}\", \
         scope=\"mcp:call:postgres\""
    );
    let ran = gateway.calls(orders);
    assert_eq!(status("mcp:call:demo", orders), (403, Some(challenge)));
    assert_eq!(gateway.calls(orders), ran);
}

/// RFC 7515 appendix A.4, with what a client can fetch and nothing else.
#[test]
fn access_tokens_are_signed_with_the_published_key() {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let gateway = approving();
    let access_token = login(&gateway).access_token;
    let base = gateway.base_url();
    let metadata = get(&format!("{base}/.well-known/oauth-authorization-server")).send().json();
    let key = get(metadata["jwks_uri"].as_str().unwrap()).send().json()["keys"][0].clone();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let (signed, signature) = access_token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let public = decode(key["x"].as_str().unwrap());
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
        .verify(signed.as_bytes(), &decode(signature))
        .unwrap();
    let json = |part: &str| serde_json::from_slice::<serde_json::Value>(&decode(part)).unwrap();
    let (header, claims) = (json(header), json(claims));
    assert_eq!((&header["alg"], &header["kid"]), (&key["alg"], &key["kid"]));
    assert_eq!((&claims["iss"], &claims["org"]), (&base.into(), &"acme".into()));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    // Another signature is nobody's.
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    assert_eq!(ping(&gateway.http_url("acme"), &forged).status, 401);
}
