//! What a host sees over translation is what it sees without: for any arguments and any result.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::legacy_host::{Greeting, LegacyHost};
use super::modern_host::ModernHost;
use super::state::Signer;
use super::{Origin, Output, Translate};
use crate::core::jsonrpc::Id;
use crate::core::time::Moment;

const NOW: Moment = Moment { uptime: std::time::Duration::ZERO, unix: 0 };

/// What goes to the host, and what to the server.
fn sides(outputs: Vec<Output>) -> (Vec<Value>, Vec<Value>) {
    let (mut host, mut server) = (Vec::new(), Vec::new());
    for output in outputs {
        match output {
            Output::ToHost(line) => host.push(serde_json::from_slice(&line).unwrap()),
            Output::ToServer(line) => server.push(serde_json::from_slice(&line).unwrap()),
            Output::Connected(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (host, server)
}

fn host(translator: &mut dyn Translate, message: &Value) -> (Vec<Value>, Vec<Value>) {
    let mut outputs = Vec::new();
    translator.host(Bytes::from(message.to_string()), NOW, &mut outputs);
    sides(outputs)
}

fn server(
    translator: &mut dyn Translate,
    call: &Value,
    message: &Value,
) -> (Vec<Value>, Vec<Value>) {
    let mut outputs = Vec::new();
    let id: Box<serde_json::value::RawValue> = serde_json::from_str(&call.to_string()).unwrap();
    let origin = Origin::Request(Id::read(&id).unwrap());
    translator.server(Bytes::from(message.to_string()), &origin, NOW, &mut outputs);
    sides(outputs)
}

fn answer(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn legacy_host() -> LegacyHost {
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "h", "version": "1" } } });
    let mut outputs = Vec::new();
    let greeting = Greeting::Answer(Id::Number("0".into()), None);
    let mut translator = LegacyHost::new(7, hello.to_string().into(), greeting, &mut outputs);
    let (_, asked) = sides(outputs);
    let discovered = json!({ "supportedVersions": ["2026-07-28"], "capabilities": {} });
    server(&mut translator, &json!(0), &answer(&asked[0]["id"], &discovered));
    translator
}

fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

fn modern_host() -> ModernHost {
    let mut translator = ModernHost::new(7, Some(Signer::new(&[7; 32])));
    let discover = json!({ "jsonrpc": "2.0", "id": "d", "method": "server/discover",
                           "params": { "_meta": meta(&json!({ "elicitation": {} })) } });
    let (_, asked) = host(&mut translator, &discover);
    let introduction = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
    server(&mut translator, &json!(0), &answer(&asked[0]["id"], &introduction));
    translator
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_\\\\\"é]{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_id() -> impl Strategy<Value = Value> {
    prop_oneof![any::<i64>().prop_map(Value::from), "\\PC{0,12}".prop_map(Value::from)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_call_and_its_answer_are_the_same_on_both_sides(
        id in any_id(), arguments in any_json(), content in any_json(), token in any_id(),
        rounds in 0..4_u8, state in ".{0,12}", person in any_json(),
    ) {
        // What the server of either era is asked, and what it says.
        let call = json!({ "name": "t", "arguments": arguments, "_meta": { "progressToken": token } });
        let result = json!({ "content": content });

        // A host up to 2025-11-25: its request arrives, its answer is that of the server.
        let mut translator = legacy_host();
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call });
        let (_, mut sent) = host(&mut translator, &request);
        for _ in 0..rounds {
            let upstream = sent[0]["id"].clone();
            let question = json!({ "resultType": "input_required", "requestState": state,
                "inputRequests": { "k": { "method": "elicitation/create", "params": { "message": person } } } });
            let (seen, _) = server(&mut translator, &upstream, &answer(&upstream, &question));
            prop_assert_eq!(&seen[0]["params"]["message"], &person);
            (_, sent) = host(&mut translator, &answer(&seen[0]["id"], &json!({ "content": person })));
            prop_assert_eq!(&sent[0]["params"]["inputResponses"]["k"]["content"], &person);
            prop_assert_eq!(&sent[0]["params"]["requestState"], &json!(state));
        }
        prop_assert_eq!(&sent[0]["params"]["arguments"], &arguments);
        prop_assert_eq!(&sent[0]["params"]["_meta"]["progressToken"], &token);
        let upstream = sent[0]["id"].clone();
        let mut complete = result.clone();
        complete["resultType"] = json!("complete");
        let (seen, _) = server(&mut translator, &upstream, &answer(&upstream, &complete));
        prop_assert_eq!(seen, [answer(&id, &result)]);

        // A host of 2026-07-28: the same.
        let mut translator = modern_host();
        let mut params = call.clone();
        for (name, value) in meta(&json!({ "elicitation": {} })).as_object().unwrap() {
            params["_meta"][name] = value.clone();
        }
        let mut request =
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        let (_, sent) = host(&mut translator, &request);
        prop_assert_eq!(&sent[0]["params"], &call);
        let upstream = sent[0]["id"].clone();
        for round in 0..rounds {
            let asked = json!({ "jsonrpc": "2.0", "id": round, "method": "elicitation/create",
                                "params": { "message": person } });
            let (seen, _) = server(&mut translator, &upstream, &asked);
            prop_assert_eq!(&seen[0]["id"], &id);
            let (key, question) = seen[0]["result"]["inputRequests"].as_object().unwrap().iter().next().unwrap();
            prop_assert_eq!(&question["params"]["message"], &person);
            request["params"]["requestState"] = seen[0]["result"]["requestState"].clone();
            request["params"]["inputResponses"] = json!({ key: { "content": person } });
            let (_, sent) = host(&mut translator, &request);
            prop_assert_eq!(&sent[0], &answer(&json!(round), &json!({ "content": person })));
        }
        let (seen, _) = server(&mut translator, &upstream, &answer(&upstream, &result));
        prop_assert_eq!(seen, [answer(&id, &complete)]);
    }

    #[test]
    fn what_is_told_in_a_call_and_how_it_fails_are_the_same_on_both_sides(
        id in any_id(), token in any_id(), told in any_json(), code in -40_000..40_000_i32,
    ) {
        let say = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let news = [
            say("notifications/progress", json!({ "progressToken": token, "progress": 1, "x": told })),
            say("notifications/message", json!({ "level": "error", "data": told })),
            say("notifications/of-somebody", json!({ "data": told })),
        ];
        // Two codes mean something else to a host of 2026-07-28.
        let failure = json!({ "code": code, "message": "m", "data": told });
        prop_assume!(code != -32002 && code != -32042);
        let mut modern = meta(&json!({}));
        modern["progressToken"] = token.clone();
        modern["io.modelcontextprotocol/logLevel"] = json!("debug");
        let legacy = json!({ "progressToken": token });
        let sides: [(Box<dyn Translate>, Value); 2] =
            [(Box::new(legacy_host()), legacy), (Box::new(modern_host()), modern)];
        for (mut translator, meta) in sides {
            let params = json!({ "name": "t", "_meta": meta });
            let request = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
            let (_, sent) = host(translator.as_mut(), &request);
            let upstream = sent[0]["id"].clone();
            for message in &news {
                let (seen, _) = server(translator.as_mut(), &upstream, message);
                prop_assert_eq!(&seen, std::slice::from_ref(message));
            }
            let error = |id: &Value| json!({ "jsonrpc": "2.0", "id": id, "error": failure });
            let (seen, _) = server(translator.as_mut(), &upstream, &error(&upstream));
            prop_assert_eq!(seen, [error(&id)]);
        }
    }
}
