//! No secret is printed, at any verbosity.

use apexmcp_bridge::mock::{Consent, Gateway, Plan};
use serde_json::json;

use crate::support::{Bridge, Home, check_end};

#[test]
fn nothing_that_was_ever_issued_is_printed() {
    let gateway = Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap();
    let home = Home::new();
    let mut output = String::new();
    for url in [gateway.sse_url("acme"), gateway.http_url("acme")] {
        let mut bridge = Bridge::start(&home, &[&url, "--debug"]);
        bridge.handshake("2025-06-18");
        gateway.expire_access_tokens();
        bridge.request(1, "tools/list", json!({}));
        let ended = bridge.end();
        check_end(&ended, 0);
        output.push_str(&ended.stderr);
        output.push_str(&ended.stdout.join("\n"));
    }
    let secrets = gateway.issued_secrets();
    assert!(8 < secrets.len(), "the test must have something to look for");
    for secret in secrets {
        assert!(!output.contains(&secret), "{secret} in {output}");
    }
    assert!(!home.page().contains("apx_"), "nothing of the address is on the page");
}
