//! Hosts and gateways of both eras of the protocol, in every combination.

use apexmcp_bridge::mock::{Consent, Eras, Gateway, Plan};
use serde_json::{Value, json};

use crate::conversation::converse;
use crate::support::{Bridge, Home, check_end};

fn gateway(eras: Eras) -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, eras, ..Plan::default() }).unwrap()
}

fn key(gateway: &Gateway) -> String {
    format!("X-API-Key: {}", gateway.api_key("acme").unwrap())
}

/// The same request as a host of 2026-07-28 writes it.
fn ask(bridge: &mut Bridge, id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "it", "version": "1" });
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({ "sampling": {}, "elicitation": {}, "roots": {} });
    bridge.request(id, method, params)
}

/// What `converse` does, in the words of 2026-07-28.
fn converse_modern(bridge: &mut Bridge) {
    let discovered = ask(bridge, 0, "server/discover", json!({}));
    assert_eq!(discovered["result"]["supportedVersions"][0], "2026-07-28", "{discovered}");
    let tools = ask(bridge, 1, "tools/list", json!({}));
    assert_eq!(tools["result"]["resultType"], "complete", "{tools}");
    assert_eq!(tools["result"]["tools"][0]["name"], "query_postgres_orders");
    let text = "Grüße \u{2028} \u{1f980} \\ \" \u{0} end";
    let params = json!({ "name": "echo", "arguments": { "text": text } });
    let echo = ask(bridge, 2, "tools/call", params);
    assert_eq!(echo["result"]["content"][0]["text"], text);
    // Its arguments have to be in headers where the gateway is a modern one.
    let arguments = json!({ "warehouse": " 山 ", "order": 7, "express": true,
        "address": { "country": "México" } });
    let params = json!({ "name": "ship", "arguments": arguments });
    let shipped = ask(bridge, 3, "tools/call", params);
    assert_eq!(
        shipped["result"]["content"][0]["text"], "would ship order 7 from  山 ",
        "{shipped}"
    );
    let params = json!({ "name": "progress", "arguments": { "steps": 3 },
        "_meta": { "progressToken": "p" } });
    let done = ask(bridge, 4, "tools/call", params);
    assert_eq!(done["result"]["resultType"], "complete");
    let progress = bridge.seen.iter().filter(|line| line.contains("notifications/progress"));
    assert_eq!(progress.count(), 3, "{:?}", bridge.seen);
    for (id, what) in [(5, "sampling"), (7, "elicitation"), (9, "roots")] {
        input(bridge, id, what);
    }
    let unknown = ask(bridge, 11, "no/such", json!({}));
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    subscription(bridge);
}

/// The gateway asks in the middle of a call.
fn input(bridge: &mut Bridge, id: u64, what: &str) {
    let call = json!({ "name": "ask", "arguments": { "what": what } });
    let asked = ask(bridge, id, "tools/call", call.clone());
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let questions = asked["result"]["inputRequests"].as_object().unwrap();
    let answers: serde_json::Map<_, _> =
        questions.keys().map(|key| (key.clone(), json!({ "said": what }))).collect();
    let mut again = call;
    again["inputResponses"] = Value::Object(answers);
    again["requestState"] = asked["result"]["requestState"].clone();
    let answer = ask(bridge, id + 1, "tools/call", again);
    assert!(answer["result"].to_string().contains("said"), "{answer}");
}

fn subscription(bridge: &mut Bridge) {
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    let listen = json!({ "jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen",
        "params": { "notifications": filter["notifications"], "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {} } } });
    bridge.send(&listen.to_string());
    let acknowledged = bridge.next();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    ask(bridge, 20, "tools/call", json!({ "name": "announce", "arguments": {} }));
    let told = |line: &String| line.contains("notifications/tools/list_changed");
    if !bridge.seen.iter().any(told) {
        bridge.next();
    }
    let line = bridge.seen.iter().find(|line| told(line)).unwrap();
    assert!(line.contains(r#""io.modelcontextprotocol/subscriptionId":"l""#), "{line}");
}

#[test]
fn a_legacy_host_and_a_gateway_of_2026_alone() {
    let (home, gateway) = (Home::new(), gateway(Eras::Modern));
    for protocol in ["auto", "modern"] {
        let flags = ["--protocol", protocol, "--header", &key(&gateway)];
        let url = gateway.http_url("acme");
        let mut bridge = Bridge::start(&home, &[&[url.as_str()], &flags[..]].concat());
        converse(&mut bridge);
        check_end(&bridge.end(), 0);
    }
}

#[test]
fn a_modern_host_and_every_gateway() {
    for eras in [Eras::Modern, Eras::Dual, Eras::Legacy] {
        let (home, gateway) = (Home::new(), gateway(eras));
        let mut urls = vec![gateway.http_url("acme")];
        if eras == Eras::Legacy {
            urls.push(gateway.sse_url("acme"));
        }
        for url in urls {
            let mut bridge = Bridge::start(&home, &[&url, "--header", &key(&gateway)]);
            converse_modern(&mut bridge);
            check_end(&bridge.end(), 0);
        }
    }
}

#[test]
fn a_modern_host_signs_in() {
    let (home, gateway) = (Home::new(), gateway(Eras::Modern));
    let mut bridge = Bridge::start(&home, &[&gateway.http_url("acme")]);
    let discovered = ask(&mut bridge, 0, "server/discover", json!({}));
    assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]), "{discovered}");
    let tools = ask(&mut bridge, 1, "tools/list", json!({}));
    assert_eq!(tools["result"]["tools"][0]["name"], "query_postgres_orders", "{tools}");
    check_end(&bridge.end(), 0);
}
