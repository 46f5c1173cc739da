//! Clients other than those that register themselves as public ones.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::client::{Answer, get, post};
use super::documents::serve;
use super::login::{
    REDIRECT_URI, VERIFIER, assert_refused, authorization_url, parameter, ping, planned, text,
    token,
};
use crate::mock::{
    Authentication, Credential, Gateway, IdentityProvider, PublicKey, Registration, StaticClient,
};

/// A key pair for ES256.
pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    fn public(&self) -> PublicKey {
        PublicKey::es256(self.0.public_key().as_ref())
    }

    pub(crate) fn jwks(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|it| URL_SAFE_NO_PAD.encode(it));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]})
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(crate) const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Claims that are all right.
pub(crate) fn claims(client_id: &str, audience: &str, id: &str) -> Value {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    json!({"iss": client_id, "sub": client_id, "aud": audience, "exp": now + 60, "jti": id})
}

fn with_client(authentication: Authentication) -> Gateway {
    planned(|plan| plan.clients = vec![StaticClient::new("static", REDIRECT_URI, authentication)])
}

/// Signs in, and exchanges the code with these more parameters and this header.
fn exchange(gateway: &Gateway, more: &[(&str, &str)], basic: Option<&str>) -> Answer {
    let location = get(&authorization_url(gateway, "static", |_| {})).send().location();
    let code = parameter(&location, "code").unwrap();
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    pairs.extend(more);
    let mut request = post(&format!("{}/oauth/token", gateway.base_url()));
    if let Some(pair) = basic {
        request = request.header("Authorization", &format!("Basic {}", STANDARD.encode(pair)));
    }
    request.form(&pairs).send()
}

#[test]
fn a_static_client_shows_its_secret_as_registered() {
    let id = ("client_id", "static");
    let post = [id, ("client_secret", "s%cret")];
    let gateway = with_client(Authentication::SecretBasic("s%cret".into()));
    assert_eq!(exchange(&gateway, &[], Some("static:s%25cret")).status, 200);
    assert_eq!(exchange(&gateway, &[id], Some("static:s%25cret")).status, 200);
    assert_refused(&exchange(&gateway, &[], Some("static:wrong")), 401, "invalid_client");
    assert_refused(&exchange(&gateway, &post, None), 401, "invalid_client");
    assert_refused(&exchange(&gateway, &[id], None), 401, "invalid_client");
    let two = exchange(&gateway, &post, Some("static:s%25cret"));
    assert_refused(&two, 400, "invalid_request");
    let gateway = with_client(Authentication::SecretPost("s%cret".into()));
    assert_eq!(exchange(&gateway, &post, None).status, 200);
    assert_refused(&exchange(&gateway, &[], Some("static:s%25cret")), 401, "invalid_client");
    gateway.forget_clients();
    assert_eq!(exchange(&gateway, &post, None).status, 200);
    assert!(gateway.issued_secrets().contains(&"s%cret".to_owned()));
}

#[test]
fn assertions_are_checked_and_work_once() {
    let (signer, other) = (Signer::new(), Signer::new());
    let gateway = with_client(Authentication::PrivateKeyJwt(vec![signer.public()]));
    let show = |token: &str| {
        let more = [("client_assertion_type", ASSERTION), ("client_assertion", token)];
        exchange(&gateway, &more, None)
    };
    let good = |id: &str| claims("static", gateway.issuer(), id);
    let endpoint = format!("{}/oauth/token", gateway.base_url());
    let first = signer.sign(&good("1"));
    assert_eq!(show(&first).status, 200);
    assert_refused(&show(&first), 401, "invalid_client");
    assert_eq!(show(&signer.sign(&claims("static", &endpoint, "2"))).status, 200);
    assert_refused(&show(&other.sign(&good("3"))), 401, "invalid_client");
    let requests = gateway.requests();
    assert_eq!(requests.last().unwrap().credential, Credential::ClientAssertion);
    for (member, value) in [
        ("aud", json!("https://elsewhere.example")),
        ("exp", json!(1)),
        ("exp", Value::Null),
        ("exp", json!(99_999_999_999_u64)),
        ("nbf", json!(99_999_999_999_u64)),
        ("iss", json!("somebody")),
        ("jti", Value::Null),
    ] {
        let mut wrong = good(&format!("{member} {value}"));
        wrong[member] = value.clone();
        let answer = show(&signer.sign(&wrong));
        assert_refused(&answer, 401, "invalid_client");
    }
    let mut several = good("4");
    several["aud"] = json!(["https://elsewhere.example", gateway.issuer()]);
    assert_eq!(show(&signer.sign(&several)).status, 200);
    let unsigned = first.replace(&first[..first.find('.').unwrap()], "eyJhbGciOiJub25lIn0");
    assert_refused(&show(&unsigned), 401, "invalid_client");
    gateway.advance(Duration::from_secs(61));
    assert_refused(&show(&signer.sign(&good("5"))), 401, "invalid_client");
}

#[test]
fn a_machine_signs_in_with_its_key() {
    let signer = Signer::new();
    let authentication = Authentication::PrivateKeyJwt(vec![signer.public()]);
    let gateway = planned(|plan| {
        plan.clients = vec![
            StaticClient::machine("robot", "globex", authentication.clone()),
            StaticClient::new("human", REDIRECT_URI, authentication),
        ];
    });
    let grant = |client: &str| {
        let token_text = signer.sign(&claims(client, gateway.issuer(), "1"));
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &token_text),
        ];
        token(&gateway, &pairs)
    };
    let answer = grant("robot");
    let bearer = text(&answer.json(), "access_token");
    assert_eq!(ping(&gateway.http_url("globex"), &bearer).status, 200);
    assert_eq!(ping(&gateway.http_url("acme"), &bearer).status, 403);
    assert_refused(&grant("human"), 400, "unauthorized_client");
    let metadata = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
    let methods = &get(&metadata).send().json()["token_endpoint_auth_methods_supported"];
    assert!(methods.as_array().unwrap().contains(&json!("private_key_jwt")));
}

#[test]
fn an_organisation_may_bring_its_own_identity_provider() {
    let (signer, other) = (Signer::new(), Signer::new());
    let issuer = "https://idp.example.com";
    let provider =
        json!({"org": "acme", "issuer": issuer, "audience": "mcp", "jwks": signer.jwks()});
    let provider = IdentityProvider::from_json(&provider.to_string()).unwrap();
    let gateway = planned(|plan| plan.identity_providers = vec![provider]);
    let with = |change: &[(&str, Value)]| {
        let mut claims = claims("emmy", "mcp", "1");
        claims["iss"] = issuer.into();
        for (member, value) in change {
            claims[*member] = value.clone();
        }
        claims
    };
    let status = |org, token: &str| ping(&gateway.http_url(org), token).status;
    let good = signer.sign(&with(&[]));
    assert_eq!((status("acme", &good), status("globex", &good)), (200, 403));
    assert_eq!(gateway.requests()[0].caller.as_deref(), Some("emmy"));
    assert_eq!(status("acme", &signer.sign(&with(&[("aud", json!(["x", "mcp"]))]))), 200);
    assert_eq!(status("acme", &other.sign(&with(&[]))), 401);
    for (member, value) in [
        ("iss", json!("https://elsewhere.example")),
        ("aud", json!("elsewhere")),
        ("exp", json!(1)),
        ("nbf", json!(1e12)),
    ] {
        assert_eq!(status("acme", &signer.sign(&with(&[(member, value)]))), 401, "{member}");
    }
    // Its scope counts as that of all other tokens.
    let narrow = signer.sign(&with(&[("scope", json!("mcp:call:postgres"))]));
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}"#;
    assert_eq!(post(&gateway.http_url("acme")).bearer(&narrow).rpc(call).send().status, 403);
    for wrong in ["{}", r#"{"org": "a", "issuer": "b", "jwks": {"keys": []}}"#] {
        assert!(IdentityProvider::from_json(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn clients_are_read_from_json() {
    let read = StaticClient::from_json;
    let client = read(r#"{"client_id":"a","client_secret":"b","redirect_uris":["c"]}"#).unwrap();
    assert_eq!(client.authentication, Authentication::SecretBasic("b".into()));
    assert_eq!((client.name.as_str(), client.redirect_uris), ("a", vec!["c".to_owned()]));
    let signer = Signer::new();
    let jwks = signer.jwks();
    let json = json!({"client_id": "a", "token_endpoint_auth_method": "private_key_jwt",
        "jwks": jwks, "org": "acme"});
    let client = read(&json.to_string()).unwrap();
    assert_eq!(client.authentication, Authentication::PrivateKeyJwt(vec![signer.public()]));
    for wrong in [
        "{}",
        r#"{"client_id":"a","token_endpoint_auth_method":"client_secret_post"}"#,
        r#"{"client_id":"a","token_endpoint_auth_method":"private_key_jwt"}"#,
        r#"{"client_id":"a","token_endpoint_auth_method":"tls_client_auth"}"#,
        r#"{"client_id":"a","redirect_uri":"b"}"#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn registration_can_yield_secrets_or_be_closed() {
    let register = |gateway: &Gateway, method: &str| {
        let metadata =
            json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": method});
        post(&format!("{}/register", gateway.base_url()))
            .body("application/json", &metadata.to_string())
            .send()
    };
    let gateway = planned(|plan| plan.registration = Registration::Confidential);
    for (asked, given) in
        [("client_secret_post", "client_secret_post"), ("none", "client_secret_basic")]
    {
        let client = register(&gateway, asked).json();
        assert_eq!(client["token_endpoint_auth_method"], given);
        assert_eq!(client["client_secret_expires_at"], 0);
        assert!(gateway.issued_secrets().contains(&text(&client, "client_secret")));
    }
    let gateway = planned(|plan| plan.registration = Registration::Closed);
    assert_eq!(register(&gateway, "none").status, 404);
    let metadata = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
    assert_eq!(get(&metadata).send().json().get("registration_endpoint"), None);
}

#[test]
fn a_client_id_can_be_the_url_of_a_document() {
    let signer = Signer::new();
    let gateway = planned(|plan| plan.client_documents = true);
    let try_with = |change: &dyn Fn(&mut Value)| {
        let (client_id, server) = serve(|url| {
            let mut document = json!({"client_id": url, "client_name": "document client",
                "redirect_uris": [REDIRECT_URI],
                "grant_types": ["authorization_code", "refresh_token"]});
            change(&mut document);
            document.to_string()
        });
        let answer = get(&authorization_url(&gateway, &client_id, |_| {})).send();
        server.join().unwrap();
        (client_id, answer)
    };
    let (client_id, answer) = try_with(&|_| {});
    let code = parameter(&answer.location(), "code").unwrap();
    let tokens = super::login::exchange(&gateway, &client_id, &code);
    assert!(tokens.json()["refresh_token"].is_string(), "{}", tokens.body);
    let (client_id, answer) = try_with(&|it| {
        it["token_endpoint_auth_method"] = json!("private_key_jwt");
        it["jwks"] = signer.jwks();
    });
    let code = parameter(&answer.location(), "code").unwrap();
    let refused = super::login::exchange(&gateway, &client_id, &code);
    assert_refused(&refused, 401, "invalid_client");
    for (member, value) in [
        ("client_id", json!("http://127.0.0.1/other")),
        ("client_name", Value::Null),
        ("client_secret", json!("x")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("redirect_uris", json!(["http://evil.example/"])),
        ("padding", json!("x".repeat(5 << 10))),
    ] {
        let (_, answer) = try_with(&|it| it[member] = value.clone());
        assert_eq!((answer.status, answer.header("location")), (400, None), "{member}");
    }
    let metadata = format!("{}/.well-known/oauth-authorization-server", gateway.base_url());
    let metadata = get(&metadata).send().json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
}

#[test]
fn some_urls_cannot_be_client_ids() {
    let gateway = planned(|plan| plan.client_documents = true);
    let page = |client_id: &str| get(&authorization_url(&gateway, client_id, |_| {})).send().body;
    for wrong in [
        "http://app.example/client.json",
        "https://app.example",
        "https://app.example/",
        "https://app.example/a/../client.json",
        "https://app.example/client.json#a",
        "https://me@app.example/client.json",
    ] {
        assert!(page(wrong).contains("cannot be a client id"), "{wrong}");
    }
    let plain = planned(|_| {});
    let page = get(&authorization_url(&plain, "https://app.example/c", |_| {})).send().body;
    assert!(page.contains("not registered"));
}
