use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: &str) {
    let seen = match read(text.as_bytes()) {
        Ok(Frame::Single(Message::Request { id, method, params })) => {
            format!("request {} {method} {}", id.to_json(), params.map_or("-", RawValue::get))
        }
        Ok(Frame::Single(Message::Notification { method, .. })) => format!("notification {method}"),
        Ok(Frame::Single(Message::Response { id, result })) => format!(
            "response {} {}",
            id.map_or("-".to_owned(), |id| id.to_json()),
            result.map_or("error", RawValue::get)
        ),
        Ok(Frame::Batch(members)) => format!("batch of {}", members.len()),
        Err(malformed) => format!("{malformed:?}"),
    };
    assert_eq!(seen, expected, "{text}");
}

#[test]
fn envelopes() {
    check(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request 1 ping -");
    check(r#"{"id":"1","method":"x","params":{"a":1.0}}"#, r#"request "1" x {"a":1.0}"#);
    check(r#"{"id":9007199254740993,"method":"x"}"#, "request 9007199254740993 x -");
    check(r#"{"id":-1,"method":"x"}"#, "request -1 x -");
    check(r#"{"method":"tools\/list","id":0}"#, "request 0 tools/list -");
    check(r#"{"method":"notifications/initialized"}"#, "notification notifications/initialized");
    check(r#"{"id":1,"result":{},"error":null}"#, "response 1 {}");
    check(r#"{"id":1,"result":null,"error":{"code":-1}}"#, "response 1 error");
    check(r#"{"id":1,"result":null}"#, "response 1 null");
    check(r#"{"error":{"code":-1,"message":""}}"#, "response - error");
    check(r#"{"id":null,"error":{"code":-1,"message":""}}"#, "response - error");
    check(r#"[{"id":1,"method":"a"},{"method":"b"}]"#, "batch of 2");
    check(r#" {"id":1,"method":"a"} "#, "request 1 a -");
}

#[test]
fn what_is_no_message() {
    check("{bad", "NotJson");
    check("", "NotJson");
    check("[]", "NotRpc(None)");
    check("7", "NotRpc(None)");
    check("{}", "NotRpc(None)");
    check(r#"{"id":7}"#, r#"NotRpc(Some(Number("7")))"#);
    check(r#"{"id":null,"method":"x"}"#, "NotRpc(None)");
    check(r#"{"id":{},"method":"x"}"#, "NotRpc(None)");
    check(r#"{"id":1,"method":7}"#, r#"NotRpc(Some(Number("1")))"#);
    check(r#"{"id":1,"method":null}"#, r#"NotRpc(Some(Number("1")))"#);
    check("{\"id\":1,\"method\":\"a\0\"}", "NotJson");
    check("{\"id\":1,\"\0\":1,\"method\":\"a\"}", "NotJson");
    check("{\"id\":\"\0\",\"method\":\"a\"}", "NotJson");
    check(r#"{"id":1,"method":"x"} {"#, "NotJson");
    assert_eq!(read(b"{\"id\":1,\"method\":\"\xff\"}").unwrap_err(), Malformed::NotJson);
    assert_eq!(
        read(b"{\"id\":1,\"method\":\"x\",\"z\":\"\xff\"}").unwrap_err(),
        Malformed::NotJson
    );
}

#[test]
fn ids_are_compared_by_value() {
    let id = |text: &str| match read(text.as_bytes()) {
        Ok(Frame::Single(Message::Request { id, .. })) => id,
        other => panic!("{other:?}"),
    };
    assert_eq!(id(r#"{"id":"a","method":"x"}"#), id(r#"{"id":"\u0061","method":"x"}"#));
    assert_ne!(id(r#"{"id":"1","method":"x"}"#), id(r#"{"id":1,"method":"x"}"#));
}

#[test]
fn a_lone_surrogate_is_no_reason_to_refuse() {
    check(r#"{"id":1,"method":"a\ud800"}"#, "request 1 a\u{fffd}\u{fffd}\u{fffd} -");
    check(r#"{"\udfff":1,"id":1,"method":"a"}"#, "request 1 a -");
    check(r#"{"id":1,"\ud800":1,"result":{}}"#, "response 1 {}");
    check(r#"{"id":"x\"\uD800\u0061","method":"a"}"#, r#"request "x\"\ud800a" a -"#);
    check(r#"{"id":"\ud83d\ude00","method":"a"}"#, "request \"😀\" a -");
    let id = |text: &str| Id::read(serde_json::from_str(text).unwrap()).unwrap();
    assert_eq!(id(r#""\uD800\uDBFF""#), id(r#""\ud800\udbff""#));
    assert_ne!(id(r#""\ud800""#), id(r#""\ud801""#));
}

#[test]
fn the_id_of_a_request_that_is_cut_off() {
    let id = |text: &str| id_at_beginning(text.as_bytes()).map(|id| id.to_json());
    let one = Some("1".to_owned());
    assert_eq!(id(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":"yyy"#), one);
    assert_eq!(id(r#"{"method":"a","id":1,"params":["#), one);
    assert_eq!(id(r#"{"method":"a","id":1"#), None, "it may go on");
    assert_eq!(id(r#"{"method":"a","params":{"id":1},"x":"#), None);
    // The answer to an answer would be taken for another one.
    assert_eq!(id(r#"{"id":1,"result":{"method":"x"#), None);
    assert_eq!(
        id_at_beginning(b"{\"id\":1,\"method\":\"a\",\"x\":\"\xc3"),
        Some(Id::Number("1".into()))
    );
}

#[test]
fn messages_one_behind_the_other() {
    let texts = |text: &'static str| {
        several(text.as_bytes()).map(|all| all.into_iter().map(RawValue::get).collect::<Vec<_>>())
    };
    assert_eq!(texts("{\"a\":1}\n {\"b\":2}"), Some(vec!["{\"a\":1}", "{\"b\":2}"]));
    assert_eq!(texts("{}[]"), Some(vec!["{}", "[]"]));
    assert_eq!(texts("{}"), None);
    assert_eq!(texts("{}{"), None);
    assert_eq!(texts(""), None);
}

#[test]
fn the_id_of_an_answer_that_is_spoiled() {
    let id = |text: &str| id_of_answer(text.as_bytes()).map(|id| id.to_json());
    let seven = Some("7".to_owned());
    assert_eq!(id("{\"id\":7,\"result\":{\"a\":\"\0\"}}"), seven);
    assert_eq!(id("{\"result\":{\"a\":\"\0\"},\"id\":7}"), seven);
    assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"result":{"#), seven);
    assert_eq!(id("{\"id\":7,\"method\":\"a\0\"}"), None);
    assert_eq!(id("{\"result\":nothing,\"id\":7}"), None, "too late");
    assert_eq!(id("<html>"), None);
}

#[test]
fn depth_does_not_matter() {
    let deep = format!(
        r#"{{"id":1,"method":"x","params":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(read(deep.as_bytes()).is_ok());
}

#[test]
fn lines_are_folded_without_changing_a_value() {
    let text = "{\r\n  \"id\": 1,\n  \"result\": {\"a\": \"x\\ny\"}\r}";
    let folded = one_line(Bytes::from_static(text.as_bytes()));
    assert!(!folded.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
    let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    assert_eq!(value(&folded), value(text.as_bytes()));
}

proptest! {
    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes).is_ok();
    }

    #[test]
    fn a_line_without_breaks_is_untouched(text in "[^\r\n]{0,100}") {
        prop_assert_eq!(one_line(Bytes::from(text.clone())), text.as_bytes());
    }
}
