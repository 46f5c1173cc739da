//! A gateway that goes wrong on purpose: what the bridge gets over, and what it must refuse.

use apexmcp_bridge::mock::{Consent, Fault, Gateway, Plan};
use serde_json::{Value, json};

use crate::support::{Bridge, Home, check_end};

fn gateway(fault: &Fault) -> Gateway {
    let gateway = Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap();
    gateway.inject(fault.clone(), 1);
    gateway
}

#[test]
fn what_it_gets_over() {
    for fault in [
        Fault::AnswerBefore202,
        Fault::AnswerTwice,
        Fault::PostRedirect("?again".into()),
        Fault::ResourceMetadataStatus(404),
        Fault::SessionLost,
        Fault::TokenMember("expires_in".into(), json!("soon")),
        Fault::TokenMember("refresh_token".into(), Value::Null),
        Fault::Unauthorized,
    ] {
        for url in [Gateway::sse_url, Gateway::http_url] {
            let (gateway, home) = (gateway(&fault), Home::new());
            let mut bridge = Bridge::start(&home, &[&url(&gateway, "acme")]);
            assert!(bridge.handshake("2025-06-18")["result"].is_object(), "{fault:?}");
            let answer = bridge.call(1, "echo", json!({ "text": "x" }));
            assert_eq!(answer["result"]["content"][0]["text"], "x", "{fault:?}: {answer}");
            let ended = bridge.end();
            check_end(&ended, 0);
            let answers = ended.stdout.iter().filter(|line| line.contains(r#""id":1"#)).count();
            assert_eq!((answers, gateway.calls("echo")), (1, 1), "{fault:?}");
        }
    }
}

#[test]
fn what_it_refuses() {
    let evil = || "http://evil.example".to_owned();
    let server = |member: &str, value: Value| Fault::ServerMetadata(member.to_owned(), value);
    for (fault, code, word) in [
        (Fault::AuthorizeIss(None), -31002, "RFC 9207"),
        (Fault::AuthorizeIss(Some(evil())), -31002, "another issuer"),
        (Fault::EndpointEvent(evil()), -31005, "another origin"),
        (Fault::Forbidden, -31004, "403"),
        (Fault::InsufficientScope("mcp:call:crm".into()), -31004, "insufficient_scope"),
        (Fault::PostRedirect(evil()), -31005, "redirect"),
        (Fault::ResourceMetadata("resource".into(), json!(evil())), -31002, "RFC 9728"),
        (Fault::TokenHtml, -31002, "without an access token"),
        (Fault::TokenMember("token_type".into(), json!("mac")), -31002, "no bearer token"),
        (server("code_challenge_methods_supported", Value::Null), -31002, "S256"),
        (server("issuer", json!(evil())), -31002, "RFC 8414"),
    ] {
        let (gateway, home) = (gateway(&fault), Home::new());
        let mut bridge = Bridge::start(&home, &[&gateway.sse_url("acme")]);
        let answer = bridge.handshake("2025-06-18");
        assert_eq!(answer["error"]["code"], code, "{fault:?}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{fault:?}: {message}");
        let ended = bridge.end();
        assert!(ended.status.code() != Some(0), "{fault:?}");
    }
}
