//! Where a client finds the authorization server, and what it may use there.

use super::client::get;
use super::login::{authorization_url, code, exchange, parameter, ping, planned, register, text};
use crate::mock::{Bearer, Discovery, Gateway, StepUp};

fn status(gateway: &Gateway, path: &str) -> u16 {
    get(&format!("{}{path}", gateway.base_url())).send().status
}

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

#[test]
fn the_plan_says_which_documents_there_are() {
    for (discovery, oauth, openid) in [
        (Discovery::OAuth, 200, 404),
        (Discovery::OpenId, 404, 200),
        (Discovery::Both, 200, 200),
        (Discovery::None, 404, 404),
    ] {
        let gateway = planned(|plan| plan.discovery = discovery);
        let found = (status(&gateway, OAUTH), status(&gateway, OPENID));
        assert_eq!(found, (oauth, openid), "{discovery:?}");
        // 405: there is something, and it wants a POST.
        let fallback = if discovery == Discovery::None { 405 } else { 404 };
        assert_eq!(status(&gateway, "/token"), fallback, "{discovery:?}");
    }
}

#[test]
fn an_issuer_with_a_path_has_nothing_at_the_root() {
    let gateway = planned(|plan| {
        plan.discovery = Discovery::Both;
        plan.issuer_path = "/tenant/one".into();
    });
    let issuer = format!("{}/tenant/one", gateway.base_url());
    assert_eq!((status(&gateway, OAUTH), status(&gateway, OPENID)), (404, 404));
    for path in [
        format!("{OAUTH}/tenant/one"),
        format!("{OPENID}/tenant/one"),
        format!("/tenant/one{OPENID}"),
    ] {
        let document = get(&format!("{}{path}", gateway.base_url())).send().json();
        assert_eq!(document["issuer"], issuer, "{path}");
    }
    let resource = get(&format!("{}/.well-known/oauth-protected-resource", gateway.base_url()));
    assert_eq!(resource.send().json()["authorization_servers"][0], issuer);
    let client_id = register(&gateway);
    let location = get(&authorization_url(&gateway, &client_id, |_| {})).send().location();
    assert_eq!(parameter(&location, "iss"), Some(issuer));
    let tokens = exchange(&gateway, &client_id, &parameter(&location, "code").unwrap());
    let bearer = text(&tokens.json(), "access_token");
    assert_eq!(ping(&gateway.http_url("acme"), &bearer).status, 200);
    for wrong in ["tenant", "/", "/a/", "/{a}"] {
        let plan = crate::mock::Plan { issuer_path: wrong.into(), ..Default::default() };
        assert!(Gateway::start(plan).is_err(), "{wrong}");
    }
}

#[test]
fn a_server_of_2025_03_26_has_no_resource_metadata() {
    let gateway = planned(|plan| plan.resource_metadata = false);
    assert_eq!(status(&gateway, "/.well-known/oauth-protected-resource"), 404);
    let answer = get(&gateway.sse_url("acme")).send();
    assert_eq!(answer.header("www-authenticate"), Some("Bearer scope=\"mcp:call\""));
    let bare = planned(|plan| {
        plan.resource_metadata = false;
        plan.challenge_scope = None;
    });
    let answer = get(&bare.sse_url("acme")).send();
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn metadata_can_keep_quiet_about_pkce_and_name_other_servers() {
    let dead = "http://127.0.0.1:1";
    let gateway = planned(|plan| {
        plan.pkce_announced = false;
        plan.other_authorization_servers = vec![dead.into()];
    });
    let document = get(&format!("{}{OAUTH}", gateway.base_url())).send().json();
    assert_eq!(document.get("code_challenge_methods_supported"), None);
    let resource = get(&format!("{}/.well-known/oauth-protected-resource", gateway.base_url()));
    let servers = resource.send().json()["authorization_servers"].clone();
    assert_eq!(servers, serde_json::json!([dead, gateway.issuer()]));
}

#[test]
fn id_tokens_open_what_the_plan_says() {
    for (bearer, by_access, by_id) in
        [(Bearer::AccessToken, 200, 401), (Bearer::Either, 200, 200), (Bearer::IdToken, 401, 200)]
    {
        let gateway = planned(|plan| plan.bearer = bearer);
        let client_id = register(&gateway);
        let url = authorization_url(&gateway, &client_id, |it| {
            it.push(("scope", "openid mcp:call".into()));
            it.push(("nonce", "n0nce".into()));
        });
        let code = parameter(&get(&url).send().location(), "code").unwrap();
        let tokens = exchange(&gateway, &client_id, &code).json();
        let ping = |member: &str| ping(&gateway.http_url("acme"), &text(&tokens, member)).status;
        assert_eq!((ping("access_token"), ping("id_token")), (by_access, by_id), "{bearer:?}");
        let id_token = text(&tokens, "id_token");
        assert!(gateway.issued_secrets().contains(&id_token));
        let payload = id_token.split('.').nth(1).unwrap();
        let claims = crate::mock::keys::from_base64url(payload).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((&claims["aud"], &claims["nonce"]), (&client_id.into(), &"n0nce".into()));
    }
    let gateway = planned(|_| {});
    let (client_id, code) = code(&gateway);
    assert_eq!(exchange(&gateway, &client_id, &code).json().get("id_token"), None);
}

#[test]
fn a_step_up_asks_for_what_is_missing_or_for_everything() {
    for (step_up, scope) in
        [(StepUp::Needed, "mcp:call:postgres"), (StepUp::Union, "mcp:call:demo mcp:call:postgres")]
    {
        let gateway = planned(|plan| {
            plan.step_up = step_up;
            plan.challenge_scope = Some("mcp:call:demo".into());
        });
        let answer = get(&gateway.sse_url("acme")).send();
        assert!(answer.header("www-authenticate").unwrap().ends_with("scope=\"mcp:call:demo\""));
        let client_id = register(&gateway);
        let url = authorization_url(&gateway, &client_id, |it| {
            it.push(("scope", "mcp:call:demo".into()));
        });
        let code = parameter(&get(&url).send().location(), "code").unwrap();
        let bearer = text(&exchange(&gateway, &client_id, &code).json(), "access_token");
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_postgres_orders","arguments":{"sql":"select * from orders"}}}"#;
        let answer =
            super::client::post(&gateway.http_url("acme")).bearer(&bearer).rpc(message).send();
        assert_eq!(answer.status, 403);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""));
        assert!(challenge.ends_with(&format!("scope=\"{scope}\"")), "{challenge}");
    }
}
