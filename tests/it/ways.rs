//! Every way to a token, against a gateway that knows it.

use std::net::TcpListener;
use std::time::Duration;

use apexmcp_bridge::mock::{
    Authentication, Bearer, Consent, Device, Discovery, Gateway, Plan, PublicKey, Registration,
    StaticClient,
};
use serde_json::json;

use super::support::{Bridge, Ended, Home, Person, check_end};

fn plan() -> Plan {
    Plan { consent: Consent::Approve, ..Plan::default() }
}

/// A whole conversation; the number of browsers that it took is returned.
fn converse(plan: Plan, args: &[&str], env: &[(&str, &str)]) -> (Gateway, Home, Ended) {
    let gateway = Gateway::start(plan).unwrap();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let args: Vec<&str> = std::iter::once(url.as_str()).chain(args.iter().copied()).collect();
    let mut bridge = Bridge::start_with(&home, Person::Present, &args, env);
    let answer = bridge.handshake("2025-06-18");
    let server = &answer["result"]["serverInfo"]["name"];
    if server != "apexmcp-mock-gateway" {
        let ended = bridge.end();
        panic!("{answer}\n{}", ended.stderr);
    }
    let answer = bridge.call(1, "echo", json!({ "text": "hello" }));
    assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer}");
    let ended = bridge.end();
    check_end(&ended, 0);
    (gateway, home, ended)
}

fn registrations(gateway: &Gateway) -> usize {
    gateway.requests().iter().filter(|seen| seen.path == "/register").count()
}

#[test]
fn a_client_that_somebody_has_registered() {
    for (authentication, info) in [
        (Authentication::None, r#"{"client_id":"own"}"#),
        (
            Authentication::SecretBasic("s:/%".to_owned()),
            r#"{"client_id":"own","client_secret":"${OWN}"}"#,
        ),
        (
            Authentication::SecretPost("s:/%".to_owned()),
            r#"{"client_id":"own","client_secret":"${OWN}","token_endpoint_auth_method":"client_secret_post"}"#,
        ),
    ] {
        // Free a moment ago; a client like this has one redirect URI and no other.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let redirect = format!("http://localhost:{port}/oauth/callback");
        let clients = vec![StaticClient::new("own", &redirect, authentication)];
        let plan = Plan { clients, registration: Registration::Closed, ..plan() };
        let port = port.to_string();
        let args = [port.as_str(), "--static-oauth-client-info", info];
        let (gateway, home, ended) = converse(plan, &args, &[("OWN", "s:/%")]);
        assert_eq!((registrations(&gateway), home.browsers()), (0, 1));
        assert!(!ended.stderr.contains("s:/%"));
        let stored = std::fs::read_dir(home.state()).unwrap();
        for file in stored.map(|file| file.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(!text.contains("s:/%"), "the secret stays where it is configured");
        }
    }
}

/// What proves who the client is stays where it is configured, and whoever goes on with the sign-in
/// of a copy that was killed has it from there.
#[test]
fn a_registered_client_whose_copy_is_killed() {
    let key = ring_key();
    let proof = Authentication::PrivateKeyJwt(vec![key.public]);
    let secret = Authentication::SecretBasic("s:/%".to_owned());
    let with_secret = r#"{"client_id":"own","client_secret":"s:/%"}"#;
    for (authentication, info) in [(proof, r#"{"client_id":"own"}"#), (secret, with_secret)] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let redirect = format!("http://localhost:{port}/oauth/callback");
        let clients = vec![StaticClient::new("own", &redirect, authentication)];
        let gateway = Gateway::start(Plan { clients, ..plan() }).unwrap();
        let home = Home::new();
        let (url, port) = (gateway.http_url("acme"), port.to_string());
        let path = home.path().join("key.pem");
        std::fs::write(&path, &key.pem).unwrap();
        let mut args = vec![url.as_str(), &port, "--static-oauth-client-info", info];
        if info != with_secret {
            args.extend(["--client-private-key", path.to_str().unwrap()]);
        }
        let mut first = Bridge::start_with(&home, Person::Absent, &args, &[]);
        first.send(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#);
        home.wait_for_browser();
        first.kill();
        for file in std::fs::read_dir(home.state()).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains("s:/%"), "{text}");
        }
        let mut second = Bridge::start_with(&home, Person::Absent, &args, &[]);
        second.handshake("2025-06-18");
        home.finish_sign_in();
        let answer = second.call(1, "echo", json!({ "text": "hello" }));
        assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer}");
        check_end(&second.end(), 0);
        assert_eq!(home.browsers(), 1);
        // Nor can anybody else end the sign-in at the server.
        args.insert(0, "logout");
        let output = home.command(Person::Absent).args(&args).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.contains("signed out"), "{told}");
    }
}

#[test]
fn a_server_that_registers_nobody_says_what_to_configure() {
    let gateway = Gateway::start(Plan { registration: Registration::Closed, ..plan() }).unwrap();
    let mut bridge = Bridge::start(&Home::new(), &[&gateway.http_url("acme")]);
    let answer = bridge.handshake("2025-06-18");
    let hint = answer["error"]["data"]["hint"].as_str().unwrap();
    assert!(hint.contains("--static-oauth-client-info"), "{hint}");
    check_end(&bridge.end(), 4);
}

#[test]
fn a_machine_with_a_secret() {
    let (gateway, home, _) = converse(
        plan(),
        &[
            "--client-credentials",
            "--static-oauth-client-info",
            r#"{"client_id":"apx_client_mock_acme","client_secret":"${S}"}"#,
        ],
        &[("S", &Plan::default().machine_clients[0].client_secret)],
    );
    assert_eq!((registrations(&gateway), home.browsers()), (0, 0));
    assert!(!home.state().exists(), "nothing is kept");
}

#[test]
fn a_machine_whose_token_expires_asks_for_the_next_one() {
    let life = Duration::from_secs(2);
    let gateway = Gateway::start(Plan { access_token_lifetime: life, ..plan() }).unwrap();
    let secret = Plan::default().machine_clients[0].client_secret.clone();
    let info = format!(r#"{{"client_id":"apx_client_mock_acme","client_secret":"{secret}"}}"#);
    let url = gateway.http_url("acme");
    let args = [url.as_str(), "--client-credentials", "--static-oauth-client-info", &info];
    let home = Home::new();
    let mut bridge = Bridge::start(&home, &args);
    bridge.handshake("2025-06-18");
    for id in 1..=4 {
        let answer = bridge.call(id, "slow", json!({ "seconds": 0.8 }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    gateway.expire_access_tokens();
    assert!(bridge.call(9, "echo", json!({ "text": "x" }))["result"].is_object());
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 0);
}

#[test]
fn a_machine_with_a_key() {
    let key = ring_key();
    let home = Home::new();
    let path = home.path().join("key.pem");
    std::fs::write(&path, &key.pem).unwrap();
    let clients = vec![StaticClient::machine(
        "machine",
        "acme",
        Authentication::PrivateKeyJwt(vec![key.public]),
    )];
    let info = r#"{"client_id":"machine"}"#;
    let args = [
        "--client-credentials",
        "--static-oauth-client-info",
        info,
        "--client-private-key",
        path.to_str().unwrap(),
    ];
    let (gateway, home, _) = converse(Plan { clients, ..plan() }, &args, &[]);
    assert_eq!((registrations(&gateway), home.browsers()), (0, 0));
}

struct Key {
    pem: String,
    public: PublicKey,
}

fn ring_key() -> Key {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref())
    );
    Key { pem, public: PublicKey::es256(pair.public_key().as_ref()) }
}

#[test]
fn a_person_with_a_browser_elsewhere() {
    let device = Device { interval: Duration::from_secs(1), ..Device::default() };
    let (gateway, home, ended) =
        converse(Plan { device: Some(device), ..plan() }, &["--device-code"], &[]);
    assert_eq!((registrations(&gateway), home.browsers()), (1, 0));
    assert!(ended.stderr.contains("/device"), "{}", ended.stderr);
    assert!(ended.stderr.contains("code"), "{}", ended.stderr);
}

#[test]
fn metadata_in_all_its_places() {
    for plan in [
        Plan { discovery: Discovery::OpenId, ..plan() },
        Plan { discovery: Discovery::OpenId, pkce_announced: false, ..plan() },
        Plan { issuer_path: "/tenant".to_owned(), ..plan() },
        Plan { issuer_path: "/tenant".to_owned(), discovery: Discovery::OpenId, ..plan() },
        Plan { resource_metadata: false, ..plan() },
        Plan { resource_metadata: false, discovery: Discovery::None, ..plan() },
        Plan { registration: Registration::Confidential, ..plan() },
    ] {
        let (_, home, _) = converse(plan, &[], &[]);
        assert_eq!(home.browsers(), 1);
    }
}

#[test]
fn a_dead_authorization_server_is_passed_over() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other_authorization_servers = vec![format!("http://{dead}")];
    let (_, home, _) = converse(Plan { other_authorization_servers, ..plan() }, &[], &[]);
    assert_eq!(home.browsers(), 1);
}

#[test]
fn an_id_token_in_place_of_the_access_token() {
    let plan = Plan { bearer: Bearer::IdToken, ..plan() };
    let (_, home, _) = converse(plan, &["--use-id-token"], &[]);
    assert_eq!(home.browsers(), 1);
}

#[test]
fn more_scope_for_one_call() {
    let plan = Plan { challenge_scope: Some("mcp:call:demo".to_owned()), ..plan() };
    let gateway = Gateway::start(plan).unwrap();
    let home = Home::new();
    let mut bridge = Bridge::start(&home, &[&gateway.http_url("acme")]);
    bridge.handshake("2025-06-18");
    assert!(bridge.call(1, "echo", json!({ "text": "x" }))["result"].is_object());
    assert_eq!(home.browsers(), 1);
    let rows =
        bridge.call(2, "query_postgres_orders", json!({ "sql": "select * from orders limit 1" }));
    assert!(rows["result"].is_object(), "{rows}");
    assert_eq!(home.browsers(), 2, "somebody was asked for more");
    // What was granted before is granted still.
    assert!(bridge.call(3, "echo", json!({ "text": "x" }))["result"].is_object());
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 2);
}

/// While somebody is asked for more, the token is refused: everything goes on, and so does the page.
#[test]
fn a_question_for_more_outlives_a_renewal() {
    let plan = Plan { challenge_scope: Some("mcp:call:demo".to_owned()), ..plan() };
    let gateway = Gateway::start(plan).unwrap();
    let (home, url) = (Home::new(), gateway.http_url("acme"));
    let mut first = Bridge::start(&home, &[&url]);
    first.handshake("2025-06-18");
    check_end(&first.end(), 0);
    std::fs::remove_file(home.path().join("browsers")).unwrap();
    let mut bridge = Bridge::start_with(&home, Person::Absent, &[&url], &[]);
    bridge.handshake("2025-06-18");
    let query = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"query_postgres_orders","arguments":{"sql":"select * from orders limit 1"}}}"#;
    bridge.send(query);
    home.wait_for_browser();
    gateway.expire_access_tokens();
    assert!(bridge.call(3, "echo", json!({ "text": "x" }))["result"].is_object());
    // The call was refused once more, and the page leads to a listener again.
    let opened = std::fs::read_to_string(home.path().join("browsers")).unwrap();
    let (_, port) = opened.split_once("localhost%3A").unwrap();
    let address = format!("127.0.0.1:{}", port.split_once('%').unwrap().0);
    let refused = || gateway.requests().iter().filter(|seen| seen.status == Some(403)).count();
    assert!((0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        refused() == 2 && std::net::TcpStream::connect(&address).is_ok()
    }));
    home.finish_sign_in();
    let rows = bridge.answer(2);
    assert!(rows["result"].is_object(), "{rows}");
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 1, "the page that was open");
}

#[test]
fn without_a_display_the_address_is_told_and_nothing_opens() {
    let gateway = Gateway::start(plan()).unwrap();
    let home = Home::new();
    let mut command = home.command(Person::Present);
    command.arg(gateway.http_url("acme")).env_remove("APEXMCP_BRIDGE_BROWSER");
    let mut bridge = Bridge::spawn(command);
    let answer = bridge.handshake("2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-bridge", "{answer}");
    let ended = bridge.end();
    assert!(ended.stderr.contains("please sign in: http"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("browser could not be opened"), "{}", ended.stderr);
}

#[test]
fn a_page_of_the_users_own_at_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}/done", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let n = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        n
    });
    let (_, home, _) = converse(plan(), &["--auth-success-url", &page], &[]);
    assert!(0 < served.join().unwrap());
    assert_eq!(home.page(), "ok");
}
