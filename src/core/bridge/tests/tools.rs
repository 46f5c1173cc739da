//! Tools that the user has hidden.

use super::*;

const TOOLS: &str = r#"{ "jsonrpc":"2.0","id":1,"result":{"x":1.0,"tools":[{"name":"drop"},{"name":"read"}]},"_":2 }"#;
const KEPT: &str =
    r#"{ "jsonrpc":"2.0","id":1,"result":{"x":1.0,"tools":[{"name":"read"}]},"_":2 }"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"Drop"}}"#;

fn hiding(version: &str) -> World {
    let mut world = World::http();
    world.config.hidden_tools = vec!["DR*".to_owned()];
    world.bridge = Bridge::new(&world.config, 42);
    world.line(INITIALIZE).answer(1, 200, &RESULT.replace("2025-06-18", version));
    world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "").seen();
    world
}

#[test]
fn a_hidden_tool_is_neither_listed_nor_called() {
    let mut world = hiding("2025-06-18");
    world.line(LIST).seen();
    world.answer(4, 200, TOOLS).check(&[&format!("host < {KEPT}")]);
    world.line(CALL).check(&["host < error 2 -32603"]);
    let other = CALL.replace("Drop", "read");
    world.line(&other).check(&["#5 POST /mcp version=2025-06-18 tools/call"]);
    // The id is in use: the open call keeps its answer.
    world.line(CALL).check(&["host < error 2 -32600"]);
}

#[test]
fn only_the_answer_to_a_list_is_changed() {
    let mut world = hiding("2025-06-18");
    world.line(&LIST.replace("tools/list", "other/list")).seen();
    world.answer(4, 200, TOOLS).check(&[&format!("host < {TOOLS}")]);
}

#[test]
fn in_a_batch_too() {
    let mut world = hiding("2025-03-26");
    let ping = r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#;
    world.line(&format!("[{CALL},{ping}]"));
    assert!(world.seen().contains(&"host < error 2 -32603".to_owned()));
    world.line(&format!("[{LIST},{}]", ping.replace('3', "4"))).seen();
    let answer = r#"{"jsonrpc":"2.0","id":4,"result":{}}"#;
    world.answer(5, 200, &format!("[{TOOLS},{answer}]"));
    world.check(&[&format!("host < {KEPT}"), &format!("host < {answer}")]);
}
