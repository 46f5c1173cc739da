//! Faults of MCP 2026-07-28.

use serde_json::{Value, json};

use super::modern::{Client, code};
use crate::mock::Eras;

fn with(fault: &str) -> Client {
    let client = Client::new(Eras::Modern);
    client.gateway.order(fault).unwrap();
    client
}

#[test]
fn requests_can_be_refused() {
    let list = |client: &Client| client.request(1, "tools/list", &json!({})).send();
    let client = with("mcp.header_mismatch#1");
    assert_eq!((code(&list(&client)), list(&client).status), ((400, -32020), 200));
    let client = with("mcp.missing_capability=roots#1");
    let answer = list(&client);
    assert_eq!((code(&answer), list(&client).status), ((400, -32021), 200));
    assert_eq!(answer.json()["error"]["data"]["requiredCapabilities"], json!({"roots": {}}));
    let answer = list(&with("mcp.missing_capability=com.example/x"));
    let required = json!({"extensions": {"com.example/x": {}}});
    assert_eq!(answer.json()["error"]["data"]["requiredCapabilities"], required);
    let client = with("mcp.unsupported_version=2030-01-01, 2025-11-25#1");
    let answer = list(&client);
    assert_eq!((code(&answer), list(&client).status), ((400, -32022), 200));
    let data = answer.json()["error"]["data"].clone();
    let expected = json!({"supported": ["2030-01-01", "2025-11-25"], "requested": "2026-07-28"});
    assert_eq!(data, expected);
}

#[test]
fn initialize_can_be_refused_in_every_way() {
    let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    for (fault, status, expected) in [
        ("mcp.initialize=-32020", 400, -32020),
        ("mcp.initialize=-32022", 400, -32022),
        ("mcp.initialize=-32601", 404, -32601),
    ] {
        let client = with(fault);
        let answer = client.raw(initialize).send();
        assert_eq!(code(&answer), (status, expected), "{fault}");
        assert_eq!(answer.json()["id"], 0);
        if expected == -32022 {
            let data = answer.json()["error"]["data"].clone();
            assert_eq!(data, json!({"supported": ["2026-07-28"], "requested": "2025-11-25"}));
        }
    }
    assert!(Client::new(Eras::Modern).gateway.order("mcp.initialize=-32000").is_err());
}

#[test]
fn results_can_be_of_another_type() {
    let result = |fault: &str| {
        let client = with(fault);
        client.request(1, "tools/list", &json!({})).send().json()["result"].clone()
    };
    assert_eq!(result("mcp.result_type=weird")["resultType"], "weird");
    let result = result("mcp.result_type=none");
    assert_eq!((result.get("resultType"), result["tools"].is_array()), (None, true));
    let client = with("discover.supportedVersions=[\"2030-01-01\"]");
    client.gateway.order("discover.capabilities").unwrap();
    let result = client.request(1, "server/discover", &json!({})).send().json()["result"].clone();
    assert_eq!(result["supportedVersions"], json!(["2030-01-01"]));
    assert_eq!(result.get("capabilities"), None);
}

#[test]
fn a_server_can_ask_although_it_must_not() {
    let client = with("mcp.server_request=sampling/createMessage#1");
    let mut stream = client.call(1, "progress", &json!({"steps": 0})).open().unwrap();
    assert_eq!(stream.message()["method"], "sampling/createMessage");
    assert_eq!(stream.message()["id"], 1);
}

#[test]
fn a_question_can_come_again() {
    let client = with("mcp.ask_again#1");
    let mut params = json!({"name": "ask", "arguments": {"what": "roots"}});
    let mut rounds = 0;
    loop {
        let result = client.request(1, "tools/call", &params).send().json()["result"].clone();
        if result["resultType"] == "complete" {
            break;
        }
        rounds += 1;
        params["inputResponses"] = json!({"roots": {"roots": []}});
        params["requestState"] = result["requestState"].clone();
    }
    assert_eq!(rounds, 2);
}

#[test]
fn subscriptions_can_go_wrong() {
    let first = |fault: &str| {
        let client = with(fault);
        let mut stream = client.listen(1, &json!({"promptsListChanged": true}));
        client.call(2, "announce", &json!({"what": "prompts"})).send();
        stream.message()
    };
    let tag = |message: &Value| {
        message["params"]["_meta"].get("io.modelcontextprotocol/subscriptionId").cloned()
    };
    let acknowledged = "notifications/subscriptions/acknowledged";
    assert_eq!(first("mcp.listen=no_ack")["method"], "notifications/prompts/list_changed");
    assert_eq!(first("mcp.listen=late_ack")["method"], "notifications/tools/list_changed");
    let message = first("mcp.listen=untagged");
    assert_eq!((message["method"].as_str(), tag(&message)), (Some(acknowledged), None));
    assert_eq!(tag(&first("mcp.listen=wrong_tag")), Some(json!("nobody-listens")));
    let client = with("mcp.listen=unasked");
    let mut stream = client.listen(1, &json!({}));
    client.call(2, "announce", &json!({"what": "prompts"})).send();
    assert_eq!(stream.message()["method"], acknowledged);
    assert_eq!(stream.message()["method"], "notifications/prompts/list_changed");
    let listen = json!({"notifications": {}});
    let answer = with("mcp.listen=unknown").request(1, "subscriptions/listen", &listen).send();
    assert_eq!(code(&answer), (404, -32601));
    let client = with("mcp.listen_end=1");
    let mut stream = client.listen(6, &json!({}));
    assert_eq!(stream.message()["method"], acknowledged);
    assert_eq!(stream.message()["id"], 6);
    assert_eq!(stream.event(), None);
}

#[test]
fn the_list_can_have_a_tool_that_is_wrong() {
    let tool = json!({
        "name": "bad",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "a b"}}},
    });
    let client = with(&format!("mcp.extra_tool={tool}"));
    let tools =
        client.request(1, "tools/list", &json!({})).send().json()["result"]["tools"].clone();
    assert_eq!(tools.as_array().unwrap().last(), Some(&tool));
    for wrong in ["mcp.extra_tool=", "mcp.extra_tool={}", "mcp.extra_tool"] {
        assert!(client.gateway.order(wrong).is_err(), "{wrong}");
    }
}
