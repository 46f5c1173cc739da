//! No secret is printed or left anywhere but in the store, at any verbosity and on any way to it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use apexmcp_bridge::mock::{Bearer, Consent, Device, Gateway, Plan};
use serde_json::json;

use super::support::{Bridge, Home, Person, check_end};

/// All that a run has left behind: what it said, and every file but the record.
fn left_behind(home: &Home, dir: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_record = path.starts_with(home.state()) && name.len() == 64;
        if path.is_dir() {
            text.push_str(&left_behind(home, &path));
        } else if !is_record {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap()));
        }
    }
    text
}

/// A conversation with everything in it that could print a secret.
fn converse(plan: Plan, flags: &[&str]) {
    let gateway = Gateway::start(Plan { consent: Consent::Approve, ..plan }).unwrap();
    let home = Home::new();
    let mut output = String::new();
    for url in [gateway.sse_url("acme"), gateway.http_url("acme")] {
        let args: Vec<_> =
            [url.as_str(), "--debug"].into_iter().chain(flags.iter().copied()).collect();
        let secret = Plan::default().machine_clients[0].client_secret.clone();
        let env = [("MACHINE_SECRET", secret.as_str())];
        let mut bridge = Bridge::start_with(&home, Person::Present, &args, &env);
        bridge.handshake("2025-06-18");
        gateway.expire_access_tokens();
        bridge.request(1, "tools/list", json!({}));
        gateway.order("token.error200=invalid_scope#1").unwrap();
        gateway.expire_access_tokens();
        bridge.request(2, "tools/list", json!({}));
        let ended = bridge.end();
        output.push_str(&ended.stderr);
        output.push_str(&ended.stdout.join("\n"));
        gateway.clear_faults();
    }
    output.push_str(&left_behind(&home, home.path()));
    let secrets = gateway.issued_secrets();
    assert!(4 < secrets.len(), "the test must have something to look for");
    for secret in secrets {
        assert!(!output.contains(&secret), "{secret} in {output}");
    }
    assert!(!home.page().contains("apx_"), "nothing of the address is on the page");
}

#[test]
fn nothing_that_was_ever_issued_is_printed() {
    converse(Plan::default(), &[]);
}

#[test]
fn nothing_is_printed_on_the_other_ways_either() {
    let device = Some(Device { interval: Duration::from_secs(1), ..Device::default() });
    converse(Plan { device, ..Plan::default() }, &["--device-code"]);
    converse(Plan { bearer: Bearer::Either, ..Plan::default() }, &["--use-id-token"]);
    converse(
        Plan::default(),
        &[
            "--client-credentials",
            "--static-oauth-client-info",
            r#"{"client_id":"apx_client_mock_acme","client_secret":"${MACHINE_SECRET}"}"#,
        ],
    );
}

#[test]
fn a_key_is_not_printed() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    let key = gateway.api_key("acme").unwrap().to_owned();
    let home = Home::new();
    for url in [gateway.sse_url("acme"), gateway.http_url("globex")] {
        let env = [("KEY", key.as_str())];
        let args = [url.as_str(), "--debug", "--header", "X-API-Key:${KEY}"];
        let mut bridge = Bridge::start_with(&home, Person::Absent, &args, &env);
        bridge.handshake("2025-06-18");
        let ended = bridge.end();
        let output = format!("{}{}", ended.stderr, ended.stdout.join("\n"));
        assert!(!output.contains(&key), "{output}");
        check_end(&ended, i32::from(url.contains("globex")) * 4);
    }
}
