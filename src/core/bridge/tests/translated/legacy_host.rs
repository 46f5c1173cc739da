//! A host up to 2025-11-25, and a server of 2026-07-28 only.

use super::*;

pub(super) const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{},"sampling":{}},"clientInfo":{"name":"h","version":"1"}}}"#;
pub(super) const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":1.0}}}"#;
pub(super) const REFUSAL: &str = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"2025-06-18"}}}"#;

pub(super) fn server() -> Value {
    json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 5,
        "cacheScope": "public", "instructions": "Be kind.",
        "capabilities": {
            "tools": { "listChanged": true },
            "resources": { "subscribe": true },
            "logging": {},
            "tasks": {},
        },
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "s", "version": "2" } },
    })
}

/// Past the handshake; the subscription is open on the exchange.
pub(super) fn ready() -> (World, u64, Value) {
    let mut world = World::http();
    world.line(HELLO).answer(1, 400, REFUSAL);
    let (posts, _) = world.look();
    world.give(posts.last().unwrap(), &server());
    world.read();
    world.line(INITIALIZED);
    let listen = world.posted();
    world.open(listen.0);
    let id = listen.1["id"].clone();
    world.say(listen.0, &acknowledged(&listen.1));
    world.nothing();
    (world, listen.0, id)
}

/// What a server says that agrees to all of it.
pub(super) fn acknowledged(listen: &Value) -> Value {
    let agreed = json!({ "notifications": listen["params"]["notifications"] });
    tagged("notifications/subscriptions/acknowledged", agreed, &listen["id"])
}

fn tagged(method: &str, mut params: Value, id: &Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/subscriptionId": id });
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

#[test]
fn a_modern_only_server_is_recognised_and_introduces_itself() {
    for (status, refusal) in [
        (400, REFUSAL),
        (400, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"no header"}}"#),
        (404, r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no method"}}"#),
        (
            400,
            r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"`_meta` lacks 'io.modelcontextprotocol/protocolVersion'"}}"#,
        ),
    ] {
        let mut world = World::http();
        world.line(HELLO);
        world.look();
        world.answer(1, status, refusal);
        let discover = world.posted();
        let meta = &discover.1["params"]["_meta"];
        assert_eq!(discover.1["method"], "server/discover", "{refusal}");
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "h");
        assert!(meta["io.modelcontextprotocol/clientCapabilities"]["sampling"].is_object());
        world.give(&discover, &server());
        let answer = world.read();
        assert_eq!(answer["id"], 0);
        // What was called tasks in the older revisions is another thing.
        let mut capabilities = server()["capabilities"].clone();
        capabilities.as_object_mut().unwrap().remove("tasks");
        let expected = json!({
            "protocolVersion": "2025-06-18", "capabilities": capabilities,
            "serverInfo": { "name": "s", "version": "2" }, "instructions": "Be kind.",
        });
        assert_eq!(answer["result"], expected);
        // No session and no standalone stream, but the one subscription that replaces it.
        world.line(INITIALIZED);
        let listen = world.posted();
        assert_eq!(listen.1["method"], "subscriptions/listen");
        assert_eq!(listen.1["params"]["notifications"], json!({ "toolsListChanged": true }));
    }
}

#[test]
fn a_refusal_may_come_on_a_stream() {
    let mut world = World::http();
    world.line(HELLO).open(1);
    world.look();
    world.message(1, "message", REFUSAL);
    world.check(&["abort #1", "#2 POST /mcp version=2026-07-28 server/discover"]);
    // Any other is the host's.
    let mut world = World::http();
    world.line(HELLO).open(1);
    world.look();
    world.message(1, "message", &REFUSAL.replace("-32022", "-32603"));
    assert_eq!(world.read()["error"]["code"], -32603);
}

#[test]
fn what_the_host_writes_at_once_waits_for_the_introduction() {
    let mut world = World::http();
    world.lines(&[HELLO, INITIALIZED, CALL]).answer(1, 400, REFUSAL);
    let (posts, lines) = world.look();
    assert_eq!((posts.len(), lines.len()), (2, 0), "initialize and server/discover");
    assert!(!world.bridge.accepts_lines());
    world.give(&posts[1], &server());
    let (posts, lines) = world.look();
    let methods: Vec<_> = posts.iter().map(|(_, body)| body["method"].clone()).collect();
    assert_eq!(methods, ["subscriptions/listen", "tools/call"]);
    assert_eq!(lines.len(), 1);
    assert!(world.bridge.accepts_lines());
}

#[test]
fn a_server_that_takes_neither_is_told_in_its_own_words() {
    let mut world = World::http();
    world.line(HELLO).answer(1, 400, REFUSAL);
    let (posts, _) = world.look();
    world.answer(posts[1].0, 404, "nothing here");
    assert_eq!(world.read(), serde_json::from_str::<Value>(REFUSAL).unwrap());
    // And the host may try again.
    world.line(&HELLO.replace(r#""id":0"#, r#""id":9"#));
    assert_eq!(world.posted().1["method"], "server/discover");
}

#[test]
fn a_call_says_who_asks_and_its_answer_reads_as_before() {
    let (mut world, ..) = ready();
    world.line(CALL);
    let Some(Effect::Http(_, request)) = world.effects.first() else { panic!() };
    assert_eq!(request.headers["mcp-method"], "tools/call");
    assert_eq!(request.headers["mcp-name"], "t");
    assert_eq!(request.headers["mcp-protocol-version"], "2026-07-28");
    assert!(request.headers.get("mcp-session-id").is_none());
    let body = String::from_utf8_lossy(request.body.as_ref().unwrap()).into_owned();
    assert!(body.contains(r#""arguments":{"a":1.0}"#), "{body}");
    let call = world.posted();
    assert_eq!(call.1["id"], 1);
    world.open(call.0);
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
    world.say(call.0, &progress);
    assert_eq!(world.read(), progress);
    world.say(call.0, &json!({ "id": 1, "result": { "resultType": "complete", "content": [] } }));
    assert_eq!(world.read(), json!({ "id": 1, "result": { "content": [] } }));
    // A type that nobody knows cannot be shown.
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &json!({ "resultType": "weird" }));
    assert_eq!(world.read()["error"]["code"], -31005);
}

#[test]
fn ping_and_log_level_are_answered_here() {
    let (mut world, ..) = ready();
    world.line(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    assert_eq!(world.read(), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    let level = |level| {
        format!(
            r#"{{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{{"level":"{level}"}}}}"#
        )
    };
    world.line(&level("loud"));
    assert_eq!(world.read()["error"]["code"], -32602);
    world.line(&level("error"));
    assert_eq!(world.read()["result"], json!({}));
    world.line(CALL);
    let call = world.posted();
    assert_eq!(call.1["params"]["_meta"]["io.modelcontextprotocol/logLevel"], "error");
    world.line(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#).nothing();
}

pub(super) fn question(method: &str, params: Value) -> Value {
    json!({ "resultType": "input_required", "requestState": "opaque\u{1}",
            "inputRequests": { "k": { "method": method, "params": params } } })
}

#[test]
fn what_a_result_asks_for_is_asked_of_the_host() {
    let (mut world, ..) = ready();
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &question("elicitation/create", json!({ "message": "Who?" })));
    let asked = world.read();
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(asked["params"], json!({ "message": "Who?" }));
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "accept" } });
    world.line(&answer.to_string());
    let again = world.posted();
    assert_ne!(again.1["id"], call.1["id"]);
    assert_eq!(again.1["params"]["inputResponses"], json!({ "k": { "action": "accept" } }));
    assert_eq!(again.1["params"]["requestState"], "opaque\u{1}");
    assert_eq!(again.1["params"]["arguments"], call.1["params"]["arguments"]);
    // An answer that comes twice counts once.
    world.line(&answer.to_string()).nothing();
    world.give(&again, &json!({ "resultType": "complete", "content": [] }));
    assert_eq!(world.read(), json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [] } }));
}

#[test]
fn a_host_is_asked_only_what_it_offers_and_not_for_ever() {
    let (mut world, ..) = ready();
    for (method, params) in
        [("roots/list", json!({})), ("elicitation/create", json!({ "mode": "url" }))]
    {
        world.line(CALL);
        let call = world.posted();
        world.give(&call, &question(method, params));
        assert_eq!(world.read()["error"]["code"], -31005);
    }
    // A server that only wants to see its state again, again and again.
    world.line(CALL);
    for round in 0.. {
        let (posts, lines) = world.look();
        if let [line] = lines.as_slice() {
            assert_eq!((round, &line["error"]["code"]), (11, &json!(-31005)));
            break;
        }
        world.give(&posts[0], &json!({ "resultType": "input_required", "requestState": "s" }));
    }
}

#[test]
fn a_refusal_of_the_host_ends_the_call_and_so_does_its_cancellation() {
    let (mut world, ..) = ready();
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &question("sampling/createMessage", json!({})));
    let asked = world.read();
    let no =
        json!({ "jsonrpc": "2.0", "id": asked["id"], "error": { "code": -1, "message": "no" } });
    world.line(&no.to_string());
    let answer = world.read();
    assert_eq!((&answer["id"], &answer["error"]), (&json!(1), &no["error"]));
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &question("sampling/createMessage", json!({})));
    let asked = world.read();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    world.line(cancel);
    let back = world.read();
    assert_eq!(back["params"]["requestId"], asked["id"]);
    world.line(&no.to_string()).nothing();
    // One that is at the server is cancelled there, by closing its stream.
    world.line(CALL);
    let call = world.posted();
    world.open(call.0);
    world.line(cancel).check(&[&format!("abort #{}", call.0)]);
}

#[test]
fn a_host_that_leaves_while_it_is_asked_gets_its_answer() {
    let (mut world, listen, _) = ready();
    world.line(CALL);
    let call = world.posted();
    world.give(&call, &question("sampling/createMessage", json!({}))).seen();
    world.event(Event::Eof);
    world.check(&["host < error 1 -31008", &format!("abort #{listen}"), "exit 1"]);
}

#[test]
fn subscriptions_travel_on_one_stream() {
    let (mut world, listen, id) = ready();
    world.say(listen, &tagged("notifications/tools/list_changed", json!({}), &id));
    let told = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    assert_eq!(world.read(), told);
    // Somebody else's subscription is nobody's.
    world.say(listen, &tagged("notifications/tools/list_changed", json!({}), &json!(7))).nothing();
    world.line(r#"{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"u:1"}}"#);
    let next = world.posted();
    assert_eq!(
        next.1["params"]["notifications"],
        json!({ "toolsListChanged": true, "resourceSubscriptions": ["u:1"] })
    );
    world.open(next.0).say(next.0, &acknowledged(&next.1));
    assert_eq!(
        world.seen(),
        [format!("abort #{listen}"), r#"host < {"jsonrpc":"2.0","id":5,"result":{}}"#.to_owned()]
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    let updated = json!({ "uri": "u:1", "x": 1.5 });
    world.say(next.0, &tagged("notifications/resources/updated", updated.clone(), &next.1["id"]));
    assert_eq!(world.read()["params"], updated);
    // A gap is told, because nobody knows what was missed.
    world.back(next.0, HttpEvent::Ended).nothing();
    world.pass(Duration::from_secs(5));
    let again = world.posted();
    world.open(again.0).say(again.0, &acknowledged(&again.1));
    let (_, lines) = world.look();
    assert_eq!(lines[0], told);
    assert_eq!(lines[1]["params"], json!({ "uri": "u:1" }));
    world.line(
        r#"{"jsonrpc":"2.0","id":6,"method":"resources/unsubscribe","params":{"uri":"u:1"}}"#,
    );
    let (posts, lines) = world.look();
    assert_eq!(lines, [json!({ "jsonrpc": "2.0", "id": 6, "result": {} })]);
    assert_eq!(posts[0].1["params"]["notifications"], json!({ "toolsListChanged": true }));
}

#[test]
fn what_the_server_does_not_agree_to_is_no_subscription() {
    let (mut world, listen, _) = ready();
    world.line(r#"{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"u:1"}}"#);
    let next = world.posted();
    let some = json!({ "notifications": { "toolsListChanged": true } });
    let some = tagged("notifications/subscriptions/acknowledged", some, &next.1["id"]);
    world.open(next.0).say(next.0, &some);
    assert_eq!(world.read()["error"]["code"], -32602);
    // The next one asks for it no more.
    world.line(r#"{"jsonrpc":"2.0","id":6,"method":"resources/subscribe","params":{"uri":"u:2"}}"#);
    let asked = &world.posted().1["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(asked, &json!(["u:2"]));
    // What a server takes back was never asked of the host.
    let back = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
                       "params": { "requestId": 1 } });
    world.say(listen, &back).nothing();
}

#[test]
fn an_address_has_an_id_before_2026() {
    let mut world = World::http();
    let able = HELLO.replace(r#""elicitation":{}"#, r#""elicitation":{"url":{}}"#);
    world.line(&able).answer(1, 400, REFUSAL);
    let (posts, _) = world.look();
    world.give(posts.last().unwrap(), &server());
    world.read();
    world.line(CALL);
    let call = world.posted();
    let address = json!({ "mode": "url", "url": "https://a.example/", "message": "m" });
    world.give(&call, &question("elicitation/create", address.clone()));
    let asked = world.read();
    let mut expected = address;
    expected["elicitationId"] = asked["id"].clone();
    assert_eq!(asked["params"], expected);
}

#[test]
fn modern_from_the_start_and_what_if_that_is_wrong() {
    let mut world = World::with_protocol(Protocol::Modern);
    world.line(HELLO);
    let discover = world.posted();
    assert_eq!(discover.1["method"], "server/discover");
    world.answer(
        discover.0,
        400,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"x"}}"#,
    );
    assert_eq!(world.read()["error"]["code"], -31005);
    // Legacy only: nothing is read into a refusal.
    let mut world = World::with_protocol(Protocol::Legacy);
    world.line(HELLO).answer(1, 400, REFUSAL);
    let (posts, lines) = world.look();
    assert_eq!((posts.len(), lines.len()), (1, 1));
    assert_eq!(lines[0]["error"]["code"], -32022);
}

#[test]
fn a_known_server_is_not_asked_to_shake_hands_again_and_a_changed_one_is_noticed() {
    let (mut world, ..) = ready();
    // The same host begins anew, as after a reload.
    world.bridge.eras.translator = None;
    let mut lines = Vec::new();
    std::mem::swap(&mut lines, &mut world.effects);
    world.bridge.eras.forget_conversation();
    world.bridge.pending.clear();
    world.line(HELLO);
    let discover = world.posted();
    assert_eq!(discover.1["method"], "server/discover", "no `initialize` in vain");
    world.answer(
        discover.0,
        400,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"x"}}"#,
    );
    assert_eq!(world.posted().1["method"], "initialize");
}

#[test]
fn a_modern_request_of_a_legacy_host_changes_nothing() {
    // What is read of a line does not depend on the translation that there might be.
    let mut world = World::ready_http();
    world.line(&ask(1, "tools/list", ""));
    world.check(&["#4 POST /mcp session=s1 version=2025-06-18 tools/list"]);
    assert!(META.contains("2026-07-28") && DISCOVERED.contains("2026-07-28"));
    world.answer(4, 200, &result(1, "{}"));
    assert_eq!(world.read()["id"], 1);
}
