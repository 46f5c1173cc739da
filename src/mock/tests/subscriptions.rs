//! MCP 2026-07-28: subscriptions, and streams that are closed.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Stream, post};
use super::modern::{Client, code};
use super::raw::clock;
use crate::mock::{Answers, Change, Eras, Plan, RunEnding};

const TAG: &str = "/params/_meta/io.modelcontextprotocol~1subscriptionId";

fn acknowledged(stream: &mut Stream, id: i64) -> Value {
    let message = stream.message();
    assert_eq!(message["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(message.pointer(TAG), Some(&json!(id)));
    message["params"]["notifications"].clone()
}

#[test]
fn subscriptions_carry_what_was_asked_for() {
    let client = Client::new(Eras::Dual);
    let wanted =
        json!({"toolsListChanged": true, "resourceSubscriptions": ["apex://orders/schema"]});
    let mut tools = client.listen(3, &wanted);
    let mut prompts = client.listen(4, &json!({"promptsListChanged": true}));
    assert_eq!(acknowledged(&mut tools, 3), wanted);
    assert_eq!(acknowledged(&mut prompts, 4), json!({"promptsListChanged": true}));
    for what in ["resources", "prompts", "tools", "schema"] {
        client.call(1, "announce", &json!({"what": what})).send();
    }
    let message = tools.message();
    assert_eq!(message["method"], "notifications/tools/list_changed");
    assert_eq!(message.pointer(TAG), Some(&json!(3)));
    let message = tools.message();
    assert_eq!(message["method"], "notifications/resources/updated");
    assert_eq!(message["params"]["uri"], "apex://orders/schema");
    let message = prompts.message();
    assert_eq!(message["method"], "notifications/prompts/list_changed");
    assert_eq!(message.pointer(TAG), Some(&json!(4)));
    // What happens to the gateway is heard everywhere.
    client.gateway.announce(&Change::Prompts);
    assert_eq!(prompts.message().pointer(TAG), Some(&json!(4)));
}

#[test]
fn a_subscription_says_what_it_is_for() {
    let client = Client::new(Eras::Modern);
    assert_eq!(code(&client.request(1, "subscriptions/listen", &json!({})).send()).1, -32602);
    let mut stream = client.listen(5, &json!({"somethingElse": true, "toolsListChanged": false}));
    assert_eq!(acknowledged(&mut stream, 5), json!({}));
    let answer = client.call(1, "announce", &json!({})).send().json();
    assert_eq!(answer["result"]["isError"], true);
}

#[test]
fn subscriptions_end_with_a_result_or_with_their_stream() {
    let client = Client::new(Eras::Modern);
    let mut stream = client.listen(7, &json!({"toolsListChanged": true}));
    acknowledged(&mut stream, 7);
    client.gateway.end_subscriptions();
    let last = stream.message();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(7), &json!("complete")));
    assert_eq!(last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    assert_eq!(stream.event(), None);
    let mut stream = client.listen(8, &json!({"toolsListChanged": true}));
    acknowledged(&mut stream, 8);
    drop(stream);
    wait(|| client.gateway.open_streams() == 0);
    let answer = client.call(1, "announce", &json!({})).send().json();
    assert_eq!(answer["result"]["isError"], true, "nobody listens any more");
}

#[test]
fn changes_can_be_ordered_from_outside() {
    let client = Client::new(Eras::Modern);
    let filter =
        json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
    let mut stream = client.listen(1, &filter);
    acknowledged(&mut stream, 1);
    let act = post(&format!("{}/act", client.gateway.control_url()));
    let words = r#"["change_tools", "change_prompts", "change_resources", "end_subscriptions"]"#;
    let act = act.bearer(client.gateway.control_token()).body("application/json", words).send();
    assert_eq!(act.status, 204, "{}", act.body);
    for list in ["tools", "prompts", "resources"] {
        assert_eq!(stream.message()["method"], format!("notifications/{list}/list_changed"));
    }
    assert_eq!(stream.message()["id"], 1);
    assert_eq!(stream.event(), None);
}

/// Waits for what another thread is about to see.
fn wait(mut done: impl FnMut() -> bool) {
    let began = clock();
    while !done() {
        assert!(clock() < began + Duration::from_secs(10), "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_closes_the_stream_cancels() {
    for answers in [Answers::Json, Answers::Sse] {
        let client = Client::with(Plan { eras: Eras::Modern, answers, ..Plan::default() });
        let ending = || client.gateway.tool_runs().last().and_then(|it| it.ending);
        client.call(1, "slow", &json!({"seconds": 0})).send();
        assert_eq!(ending(), Some(RunEnding::Answered));
        let connection = client.call(2, "slow", &json!({"seconds": 1000})).leave();
        wait(|| client.gateway.calls("slow") == 2);
        drop(connection);
        wait(|| ending() == Some(RunEnding::Cancelled));
        assert_eq!(client.gateway.open_streams(), 0);
    }
}
