//! The dashboard, by its forms; what it changes is asked of the gateway itself.

use std::time::Duration;

use super::client::{Answer, get, post};
use super::login::{
    authorization_url, challenge, exchange, login, parameter, ping, planned, refresh, text, token,
};
use crate::mock::{ClientOrigin, Gateway, Plan};

/// Somebody who has signed in.
struct Person<'a> {
    gateway: &'a Gateway,
    cookie: String,
    csrf: String,
}

impl<'a> Person<'a> {
    fn named(user: &str, gateway: &'a Gateway) -> Self {
        let answer = post(&format!("{}/signin", gateway.web_url()))
            .form(&[("user", user), ("next", "/keys")])
            .send();
        assert_eq!((answer.status, answer.header("location")), (303, Some("/keys")));
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let person = Self { gateway, cookie, csrf: String::new() };
        let csrf = between(&person.see("/keys").body, "name=\"csrf\" value=\"", "\"").to_owned();
        Self { csrf, ..person }
    }

    fn see(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.gateway.web_url());
        get(&url).header("Cookie", &self.cookie).send()
    }

    /// Sends a form, with the value of `csrf` from the page.
    fn send(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send_raw(path, &[pairs, &[("csrf", &self.csrf)]].concat())
    }

    fn send_raw(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.gateway.web_url());
        post(&url).header("Cookie", &self.cookie).form(pairs).send()
    }

    /// Sends a form that must be accepted, and sees the page after it.
    fn done(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let answer = self.send(path, pairs);
        assert_eq!(answer.status, 303, "{}", answer.body);
        self.see(answer.header("location").unwrap()).body
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}: {text}"));
    rest.split_once(after).unwrap().0
}

fn with_key(gateway: &Gateway, org: &str, key: &str) -> u16 {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    post(&gateway.http_url(org)).header("X-API-Key", key).rpc(ping).send().status
}

#[test]
fn an_api_key_is_shown_once_and_revoked_at_once() {
    let gateway = planned(|_| {});
    let ada = Person::named("ada", &gateway);
    let page = ada.done("/keys", &[("name", "a <b>key</b>")]);
    assert!(page.contains("a &lt;b&gt;key") && !page.contains("<b>key"), "{page}");
    let key = between(&page, "id=\"secret\">", "<").to_owned();
    assert!(key.starts_with("apx_live_sk_") && key.len() == 12 + 32, "{key}");
    assert!(!ada.see("/keys").body.contains(&key));
    assert!(gateway.issued_secrets().contains(&key));
    let status = |org| with_key(&gateway, org, &key);
    assert_eq!((status("acme"), status("globex")), (200, 403));
    let id = between(&ada.see("/keys").body, "name=\"id\" value=\"", "\"").to_owned();
    let page = ada.done("/keys/revoke", &[("id", &id)]);
    assert!(page.contains("Key revoked"), "{page}");
    assert_eq!(status("acme"), 401);
    // The key of the plan is a key like all others, and another one than that.
    let planned_key = gateway.api_key("acme").unwrap();
    assert_eq!(with_key(&gateway, "acme", planned_key), 200);
    assert!(ada.see("/keys").body.contains("last used"));
    ada.done("/keys/revoke", &[("id", "key-1")]);
    assert_eq!(with_key(&gateway, "acme", planned_key), 401);
    assert!(ada.see("/keys").body.contains("No keys."));
    assert_eq!(ada.send("/keys", &[("name", " ")]).status, 400);
}

#[test]
fn clients_are_made_and_deleted_and_all_refresh_tokens_with_them() {
    let gateway = planned(|_| {});
    let first = login(&gateway);
    let ada = Person::named("ada", &gateway);
    assert!(ada.see("/clients/new").body.contains("1 is in force"));
    let page = ada.done("/clients/new", &[("name", "nightly"), ("kind", "machine")]);
    let id = between(&page, "id=\"id\">", "<").to_owned();
    let secret = between(&page, "id=\"secret\">", "<").to_owned();
    assert!(id.starts_with("apx_client_") && secret.starts_with("apx_secret_"));
    assert!(!ada.see("/clients").body.contains(&secret));
    let refreshed = |login: &super::login::Login| {
        let answer = refresh(&gateway, &login.client_id, &login.refresh_token);
        (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refreshed(&first), (400, "invalid_grant".into()));
    // Access tokens are stateless.
    assert_eq!(ping(&gateway.http_url("acme"), &first.access_token).status, 200);
    let machine = || {
        let pairs = [("grant_type", "client_credentials"), ("client_id", id.as_str())];
        token(&gateway, &[&pairs[..], &[("client_secret", &secret)]].concat())
    };
    let access = text(&machine().json(), "access_token");
    assert_eq!(ping(&gateway.http_url("acme"), &access).status, 200);
    assert_eq!(ping(&gateway.http_url("globex"), &access).status, 403);
    // A client that registered itself is in the list, too.
    let second = login(&gateway);
    assert!(ada.see("/clients").body.contains(&second.client_id));
    assert!(ada.see(&format!("/clients/delete?id={id}")).body.contains("1 is in force"));
    assert!(ada.done("/clients/delete", &[("id", &id)]).contains("Client deleted"));
    assert_eq!(
        (machine().status, text(&machine().json(), "error")),
        (401, "invalid_client".into())
    );
    assert_eq!(refreshed(&second), (400, "invalid_grant".into()));
    ada.done("/clients/delete", &[("id", &second.client_id)]);
    assert_eq!(refreshed(&second), (401, "invalid_client".into()));
}

#[test]
fn other_organisations_keep_their_refresh_tokens() {
    let gateway = planned(|_| {});
    let login = login(&gateway);
    let ada = Person::named("ada", &gateway);
    ada.done("/switch", &[("org", "globex"), ("next", "/clients")]);
    ada.done("/clients/new", &[("name", "x")]);
    // Nor does somebody there delete what is elsewhere.
    ada.done("/clients/delete", &[("id", "apx_client_mock_acme")]);
    assert!(!ada.see("/clients").body.contains(&login.client_id));
    assert_eq!(refresh(&gateway, &login.client_id, &login.refresh_token).status, 200);
}

#[test]
fn people_sign_in_to_an_application_of_the_portal() {
    let gateway = planned(|_| {});
    let ada = Person::named("ada", &gateway);
    let refused = ada.send("/clients/new", &[("name", "x"), ("kind", "application")]);
    assert_eq!(refused.status, 400);
    let redirect_uri = "http://127.0.0.1:7777/callback";
    let form = [("name", "desk"), ("kind", "application"), ("redirect_uri", redirect_uri)];
    let page = ada.done("/clients/new", &form);
    let id = between(&page, "id=\"id\">", "<");
    assert!(challenge().len() == 43 && page.contains("must use PKCE"));
    let sign_in = || get(&authorization_url(&gateway, id, |_| {})).send().location();
    let code = parameter(&sign_in(), "code").unwrap();
    assert_eq!(exchange(&gateway, id, &code).status, 200);
    // It did not register itself, so it is not forgotten with those that did.
    gateway.forget_clients();
    assert!(parameter(&sign_in(), "code").is_some());
    let record = gateway.clients().into_iter().find(|it| it.client_id == id).unwrap();
    assert_eq!(record.origin, ClientOrigin::Portal);
}

#[test]
fn a_new_lifetime_is_for_new_refresh_tokens() {
    let gateway = planned(|_| {});
    let login_of = |days: &str| {
        Person::named("ada", &gateway).done("/clients/lifetime", &[("days", days)]);
        login(&gateway)
    };
    let (long, short) = (login_of("90"), login_of("1"));
    gateway.advance(Duration::from_hours(25));
    assert_eq!(refresh(&gateway, &long.client_id, &long.refresh_token).status, 200);
    let late = refresh(&gateway, &short.client_id, &short.refresh_token);
    assert_eq!((late.status, text(&late.json(), "error")), (400, "invalid_grant".into()));
    let ada = Person::named("ada", &gateway);
    assert_eq!(ada.send("/clients/lifetime", &[("days", "2")]).status, 400);
}

#[test]
fn members_look_and_do_not_change() {
    let gateway = planned(|_| {});
    let linus = Person::named("linus", &gateway);
    for path in ["/organisation", "/clients", "/keys", "/audit"] {
        let page = linus.see(path);
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("Revoke") && !page.body.contains("Delete"), "{}", page.body);
    }
    for (path, form) in [
        ("/keys", [("name", "x")]),
        ("/keys/revoke", [("id", "key-1")]),
        ("/clients/new", [("name", "x")]),
        ("/clients/delete", [("id", "apx_client_mock_acme")]),
        ("/clients/lifetime", [("days", "1")]),
        ("/organisation", [("rate_limit", "1")]),
    ] {
        assert_eq!(linus.send(path, &form).status, 403, "{path}");
    }
    assert_eq!(with_key(&gateway, "acme", gateway.api_key("acme").unwrap()), 200);
    // Who is an administrator depends on the organisation.
    let grace = Person::named("grace", &gateway);
    assert!(grace.see("/keys").body.contains("Revoke"));
    grace.done("/switch", &[("org", "globex")]);
    assert!(!grace.see("/keys").body.contains("Revoke"));
}

#[test]
fn forms_need_the_page_and_pages_let_nothing_in() {
    let gateway = planned(|_| {});
    let ada = Person::named("ada", &gateway);
    for path in ["/keys", "/keys/revoke", "/clients/new", "/clients/lifetime", "/organisation"] {
        assert_eq!(ada.send_raw(path, &[("name", "x"), ("id", "key-1")]).status, 403, "{path}");
        assert_eq!(ada.send_raw(path, &[("csrf", "guess")]).status, 403, "{path}");
    }
    assert_eq!(ada.send_raw("/switch", &[("org", "globex")]).status, 403);
    assert_eq!(ada.send("/switch", &[("org", "nobody")]).status, 403);
    let foreign = post(&format!("{}/keys", gateway.web_url()))
        .header("Cookie", &ada.cookie)
        .header("Origin", "http://evil.example")
        .form(&[("name", "x"), ("csrf", &ada.csrf)])
        .send();
    assert_eq!(foreign.status, 403);
    let page = ada.see("/keys?done=%3Cb%3E");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.header("cache-control") == Some("no-store") && !page.body.contains("<b>"));
    // Nobody is led elsewhere by signing in.
    let form = [("user", "ada"), ("next", "//evil.example/")];
    let answer = post(&format!("{}/signin", gateway.web_url())).form(&form).send();
    assert_eq!(answer.header("location"), Some("/organisation"));
    // Without a cookie there is nothing but sign-in, and the way back is remembered.
    let page = get(&format!("{}/audit", gateway.web_url())).send();
    assert!(
        page.body.contains("action=\"/signin\"") && page.body.contains("value=\"&#x2f;audit\"")
    );
}

#[test]
fn limits_are_set_for_one_organisation() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    let ada = Person::named("ada", &gateway);
    let status = |org| with_key(&gateway, org, gateway.api_key(org).unwrap());
    ada.done("/organisation", &[("allowed", "10.0.0.0/8\n192.0.2.1")]);
    assert_eq!((status("acme"), status("globex")), (403, 200));
    assert!(ada.see("/organisation").body.contains("10.0.0.0&#x2f;8\n192.0.2.1<"));
    let page = ada.done("/organisation", &[("allowed", "127.0.0.0/8"), ("rate_limit", "2")]);
    assert!(page.contains("Limits saved"), "{page}");
    assert_eq!((status("acme"), status("acme"), status("acme")), (200, 200, 429));
    let ping = post(&gateway.http_url("acme")).rpc("{}").send();
    let wait: u64 = ping.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    gateway.advance(Duration::from_secs(wait));
    assert_eq!(status("acme"), 200);
    for wrong in [[("allowed", "example.com")], [("rate_limit", "0")], [("rate_limit", "many")]] {
        let page = ada.send("/organisation", &wrong);
        assert!(page.status == 400 && page.body.contains("role=\"alert\""), "{}", page.body);
    }
}

#[test]
fn tool_calls_are_in_the_audit_log() {
    let gateway = planned(|_| {});
    let login = login(&gateway);
    let ada = Person::named("ada", &gateway);
    assert!(ada.see("/audit").body.contains("No tool has been called yet."));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}"#;
    let url = gateway.http_url("acme");
    post(&url).bearer(&login.access_token).rpc(call).send();
    let page = ada.see("/audit").body;
    assert!(page.contains("<code>echo</code>") && page.contains("auto-approve"), "{page}");
    assert!(page.contains(&login.client_id) && page.contains("Allowed"), "{page}");
    post(&url).header("X-API-Key", gateway.api_key("acme").unwrap()).rpc(call).send();
    gateway.order("mcp.403").unwrap();
    post(&url).header("X-API-Key", "wrong").rpc(call).send();
    let page = ada.see("/audit").body;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text}: {page}"));
    assert!(
        at("Refused (403)") < at("API key Default") && at("API key Default") < at("auto-approve")
    );
    ada.done("/switch", &[("org", "globex")]);
    assert!(ada.see("/audit").body.contains("No tool has been called yet."));
}

#[test]
fn the_flags_are_for_all_organisations() {
    let gateway = planned(|plan| {
        plan.allowed_networks = vec!["127.0.0.1".parse().unwrap()];
        plan.rate_limit = Some(1);
    });
    let status = |org| with_key(&gateway, org, gateway.api_key(org).unwrap());
    assert_eq!((status("acme"), status("globex"), status("globex")), (200, 200, 429));
}
