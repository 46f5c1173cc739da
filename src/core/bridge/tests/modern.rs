//! A host of 2026-07-28, passed through.

use super::*;

pub(super) const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"h","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
pub(super) const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#;

/// A modern request; `more` are further parameters, with a comma at the end.
pub(super) fn ask(id: u32, method: &str, more: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{more}{META}}}}}"#)
}

pub(super) fn result(id: u32, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn refusal(id: u32, code: i32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"m"}}}}"#)
}

impl World {
    /// A modern conversation whose server is known; one exchange is used.
    fn modern() -> Self {
        let mut world = Self::http();
        world.line(&ask(0, "server/discover", "")).answer(1, 200, &result(0, DISCOVERED));
        world.seen();
        world
    }

    /// The headers of the last request that its body decides.
    fn derived(&self) -> String {
        let request = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Http(_, request) => Some(request),
            _ => None,
        });
        let headers = &request.unwrap().headers;
        let mut lines: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("mcp-"))
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines.join(" ")
    }
}

#[test]
fn a_modern_request_passes_as_it_is_with_the_headers_that_repeat_it() {
    let mut world = World::http();
    let discover = ask(0, "server/discover", "");
    world.line(&discover);
    assert_eq!(world.derived(), "mcp-method=server/discover mcp-protocol-version=2026-07-28");
    let Some(Effect::Http(_, request)) = world.effects.first() else { panic!() };
    assert_eq!(request.body.as_deref(), Some(discover.as_bytes()));
    world.effects.clear();
    let answer = result(0, DISCOVERED);
    world.answer_with(1, 200, &[("mcp-session-id", "s")], &answer);
    world.check(&[&format!("host < {answer}")]);
    // No session, no standalone stream, no handshake.
    world.line(&ask(1, "tools/call", r#""name":"a b","#));
    assert_eq!(
        world.derived(),
        "mcp-method=tools/call mcp-name=a b mcp-protocol-version=2026-07-28"
    );
    world.check(&["#2 POST /mcp version=2026-07-28 tools/call"]);
    world.event(Event::Eof).answer(2, 200, &result(1, "{}"));
    assert_eq!(world.seen().last().unwrap(), "exit 0", "and no DELETE");
}

#[test]
fn a_server_that_nobody_knows_is_asked_before_a_request_reaches_it() {
    let mut world = World::http();
    world.line(&ask(1, "tools/list", "")).line(&ask(2, "prompts/list", ""));
    world.check(&["#1 POST /mcp version=2026-07-28 server/discover"]);
    world.answer(1, 200, &DISCOVERED_BY_US.replace("ID", &world.asked()));
    world.check(&[
        "#2 POST /mcp version=2026-07-28 tools/list",
        "#3 POST /mcp version=2026-07-28 prompts/list",
    ]);
    // A refusal in the words of the new revision is as good an answer.
    let mut world = World::http();
    world.line(&ask(1, "tools/list", ""));
    let refusal = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32022,"message":"m","data":{"supported":["2027-01-01"]}}}"#;
    world.seen();
    world.answer(1, 400, &refusal.replace("ID", &world.asked()));
    world.check(&["#2 POST /mcp version=2026-07-28 tools/list"]);
}

const DISCOVERED_BY_US: &str = r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","supportedVersions":["2026-07-28"]}}"#;

impl World {
    /// The id of the question of our own.
    fn asked(&self) -> String {
        self.bridge
            .pending
            .keys()
            .find(|id| id.to_json().contains("apexmcp-era-"))
            .unwrap()
            .to_json()
    }
}

#[test]
fn a_question_without_an_answer_fails_the_request_that_it_was_for() {
    let mut world = World::http();
    world.line(&ask(1, "tools/list", ""));
    world.seen();
    world.refuse(1, Delivery::NotDelivered).check(&["host < error 1 -31001"]);
    world.line(&ask(2, "tools/list", ""));
    world.check(&["#2 POST /mcp version=2026-07-28 server/discover"]);
}

#[test]
fn a_cancellation_closes_the_stream_and_is_not_sent() {
    let mut world = World::modern();
    world.line(&ask(1, "tools/call", r#""name":"a","#)).open(2);
    world.seen();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    world.line(cancel).check(&["abort #2"]);
    world.message(2, "message", &result(1, "{}")).check(&[]);
    world.line(cancel).check(&[]);
}

#[test]
fn nobody_asks_a_modern_host_and_it_answers_nobody() {
    let mut world = World::modern();
    world.line(&ask(1, "tools/call", r#""name":"a","#)).open(2);
    world.seen();
    world.message(2, "message", r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#).check(&[]);
    world.line(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).check(&[]);
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
    world.message(2, "message", progress).check(&[&format!("host < {progress}")]);
}

#[test]
fn errors_of_the_new_revision_reach_the_host_as_they_are() {
    for (status, code) in [(400, -32020), (400, -32021), (400, -32022), (404, -32601)] {
        let mut world = World::modern();
        world.line(&ask(1, "prompts/get", r#""name":"a","#)).seen();
        let refusal = refusal(1, code);
        world.answer(2, status, &refusal).check(&[&format!("host < {refusal}")]);
    }
}

const ANNOTATED: &str = r#"{"tools":[{"name":"t","inputSchema":{"properties":{"r":{"type":"string","x-mcp-header":"R"}}}},{"name":"bad","inputSchema":{"properties":{"r":{"type":"number","x-mcp-header":"R"}}}}]}"#;

#[test]
fn tools_are_remembered_for_their_headers_and_bad_ones_left_out() {
    let mut world = World::modern();
    world.line(&ask(1, "tools/list", "")).seen();
    world.answer(2, 200, &result(1, ANNOTATED));
    let kept = ANNOTATED.find(",{\"name\":\"bad\"").map(|end| format!("{}]}}", &ANNOTATED[..end]));
    world.check(&[&format!("host < {}", result(1, &kept.unwrap()))]);
    world.line(&ask(2, "tools/call", r#""name":"t","arguments":{"r":"x\r\ny"},"#));
    assert!(world.derived().contains("mcp-param-r==?base64?eA0KeQ==?="), "{}", world.derived());
}

#[test]
fn a_call_that_is_refused_for_its_headers_is_sent_again_once() {
    let mut world = World::modern();
    let call = ask(1, "tools/call", r#""name":"t","arguments":{"r":"x"},"#);
    world.line(&call);
    assert!(!world.derived().contains("mcp-param"));
    world.seen();
    world.answer(2, 400, &refusal(1, -32020));
    world.check(&["#3 POST /mcp version=2026-07-28 tools/list"]);
    let list = |world: &World, number: u32, result: &str| {
        let prefix = world.bridge.eras.own_prefix();
        format!(r#"{{"jsonrpc":"2.0","id":"{prefix}{number}","result":{result}}}"#)
    };
    let first = list(&world, 1, r#"{"tools":[],"nextCursor":"c"}"#);
    world.answer(3, 200, &first);
    assert!(world.seen().contains(&"#4 POST /mcp version=2026-07-28 tools/list".to_owned()));
    let second = list(&world, 1, ANNOTATED);
    world.answer(4, 200, &second);
    assert!(world.derived().contains("mcp-param-r=x"), "{}", world.derived());
    world.seen();
    let refusal = refusal(1, -32020);
    world.answer(5, 400, &refusal).check(&[&format!("host < {refusal}")]);
}

#[test]
fn a_call_whose_list_cannot_be_read_gets_the_words_of_the_server() {
    let mut world = World::modern();
    world.line(&ask(1, "tools/call", r#""name":"t","#)).seen();
    let refusal = refusal(1, -32020);
    world.answer(2, 400, &refusal).seen();
    world.answer(3, 500, "").check(&[&format!("host < {refusal}")]);
}

#[test]
fn a_subscription_ends_with_its_stream_and_with_stdin() {
    let over = [
        r#"host < {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"host < {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#,
    ];
    let mut world = World::modern();
    world.line(&ask(1, "subscriptions/listen", r#""notifications":{},"#)).open(2);
    world.seen();
    world.back(2, HttpEvent::Ended).check(&over);
    let mut world = World::modern();
    world.line(&ask(1, "subscriptions/listen", r#""notifications":{},"#)).open(2);
    world.seen();
    world.event(Event::Eof).check(&["abort #2", over[0], over[1], "exit 0"]);
}

#[test]
fn a_legacy_conversation_pays_nothing() {
    let mut world = World::ready_http();
    // What looks modern in a session stays the text of that session.
    let call = ask(1, "tools/call", r#""name":"t","#);
    world.line(&call);
    assert_eq!(world.derived(), "mcp-protocol-version=2025-06-18 mcp-session-id=s1");
    world.check(&["#4 POST /mcp session=s1 version=2025-06-18 tools/call"]);
    world.answer(4, 200, &result(1, ANNOTATED));
    world.check(&[&format!("host < {}", result(1, ANNOTATED))]);
}
