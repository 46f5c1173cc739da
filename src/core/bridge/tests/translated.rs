//! A host and a server of different eras.

use serde_json::json;

use super::modern::{DISCOVERED, META, ask, result};
use super::*;
use crate::config::{AccessMode, Protocol, TransportChoice};

mod asks;
mod legacy_host;
mod limits;
mod modern_host;
mod news;

impl World {
    fn with_protocol(protocol: Protocol) -> Self {
        let mut world = Self::http();
        world.config.protocol = protocol;
        world.bridge = Bridge::new(&world.config, 42);
        world
    }

    /// What was posted, and what the host has read since the last look.
    fn look(&mut self) -> (Vec<(u64, Value)>, Vec<Value>) {
        let (mut posts, mut lines) = (Vec::new(), Vec::new());
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Http(id, request) => {
                    let body = request.body.unwrap_or_default();
                    posts.push((id.0, serde_json::from_slice(&body).unwrap_or_default()));
                }
                Effect::Write(line) => lines.push(serde_json::from_slice(&line).unwrap()),
                Effect::Fail(id, failure) => {
                    let line = crate::report::json_rpc_error(id.as_ref(), &failure);
                    lines.push(serde_json::from_str(&line).unwrap());
                }
                _ => {}
            }
        }
        (posts, lines)
    }

    /// The one message that was posted.
    fn posted(&mut self) -> (u64, Value) {
        let (mut posts, lines) = self.look();
        assert_eq!((posts.len(), lines.len()), (1, 0), "{posts:?} {lines:?}");
        posts.remove(0)
    }

    /// The one line that the host has read.
    fn read(&mut self) -> Value {
        let (posts, mut lines) = self.look();
        assert_eq!((posts.len(), lines.len()), (0, 1), "{posts:?} {lines:?}");
        lines.remove(0)
    }

    fn nothing(&mut self) {
        let (posts, lines) = self.look();
        assert_eq!((posts.len(), lines.len()), (0, 0), "{posts:?} {lines:?}");
    }

    /// The server answers a post with this result.
    fn give(&mut self, post: &(u64, Value), result: &Value) -> &mut Self {
        let body = json!({ "jsonrpc": "2.0", "id": post.1["id"], "result": result });
        self.answer(post.0, 200, &body.to_string())
    }

    fn say(&mut self, exchange: u64, message: &Value) -> &mut Self {
        self.message(exchange, "message", &message.to_string())
    }
}

#[test]
fn what_a_server_speaks_is_remembered_for_a_week() {
    let remembered = |at: u64| {
        let text = format!(
            r#"{{"requested":null,"result":null,"spoken":{{"modern":false,"legacy":true,"at":{at}}}}}"#
        );
        Event::Store(StoreEvent::Recalled(Some(Bytes::from(text))))
    };
    let first = |at: u64| {
        let mut world = World::http();
        world.event(remembered(at)).line(&ask(1, "tools/list", ""));
        world.posted().1["method"].clone()
    };
    assert_eq!(first(1_000_000), "initialize", "no question to a legacy server");
    assert_eq!(first(1_000_000 - 8 * 24 * 3600), "server/discover", "it may be another by now");
}

#[test]
fn a_server_that_was_a_modern_one_at_the_last_start() {
    let remembered = || {
        let text = r#"{"requested":null,"result":null,"spoken":{"modern":true,"legacy":null,"at":1000000}}"#;
        Event::Store(StoreEvent::Recalled(Some(Bytes::from(text))))
    };
    // A request costs no question, and is not lost when that was wrong.
    let mut world = World::http();
    world.event(remembered()).line(&ask(1, "tools/list", ""));
    let list = world.posted();
    assert_eq!(list.1["method"], "tools/list");
    world.answer(list.0, 400, "Bad Request");
    let discover = world.posted();
    assert_eq!(discover.1["method"], "server/discover");
    world.answer(discover.0, 400, "Bad Request");
    assert_eq!(world.posted().1["method"], "initialize");
    // But it is sent again once only.
    let mut world = World::http();
    world.event(remembered()).line(&ask(1, "tools/list", ""));
    let list = world.posted();
    world.answer(list.0, 404, "gone");
    let discover = world.posted();
    let found = json!({ "supportedVersions": ["2026-07-28"] });
    world.give(&discover, &found);
    let list = world.posted();
    world.answer(list.0, 404, "gone");
    assert_eq!(world.read()["id"], 1);
    // The host's own question tells as well as any.
    let mut world = World::http();
    world.event(remembered()).line(&ask(0, "server/discover", ""));
    let discover = world.posted();
    world.answer(discover.0, 400, "Bad Request");
    assert_eq!(world.posted().1["method"], "initialize");
}

#[test]
fn an_address_that_looks_like_the_older_transport_says_nothing_of_the_era() {
    // A modern request waits until the transport is known, and is not translated in vain.
    let mut world = World::new(TransportChoice::SseFirst, AccessMode::Static);
    world.line(&ask(0, "server/discover", ""));
    world.check(&["#1 GET /sse"]);
    world.answer(1, 405, "");
    world.check(&["#2 POST /sse version=2026-07-28 server/discover"]);
    world.answer(2, 200, &result(0, DISCOVERED));
    assert_eq!(world.read()["result"]["supportedVersions"], json!(["2026-07-28"]));
    world.line(&ask(1, "tools/list", ""));
    world.check(&["#3 POST /sse version=2026-07-28 tools/list"]);
}
