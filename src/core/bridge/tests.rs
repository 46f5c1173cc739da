use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::*;
use crate::config::{
    AccessMode, Caller, Header, LoginOptions, TokenStore, TransportChoice, Verbosity,
};
use crate::core::event::{
    Delivery, FailureKind, Head, HttpFailure, Notice, RedirectCommand, RedirectEvent, Request,
    StoreCommand, StoreEvent, StreamEvent,
};
use crate::core::oauth::grant::{GrantFailure, Granted};
use crate::core::oauth::login::Claim;
use crate::core::oauth::record::{Record, Registration, Tokens};
use crate::secret::Secret;

mod access;
mod answers;
mod chaos;
mod imported;
mod invalid;
mod limits;
mod modern;
mod patience;
mod provisional;
mod redaction;
mod restore;
mod resume;
mod retry;
mod sessions;
mod silence;
mod together;
mod tools;
mod translated;
mod transport;
mod widening;

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18"}}"#;

/// A bridge in a world of which the test is the master, time included.
struct World {
    bridge: Bridge,
    now: Moment,
    effects: Vec<Effect>,
    alone: bool,
    config: Config,
}

impl World {
    fn new(transport: TransportChoice, access: AccessMode) -> Self {
        let url = match transport {
            TransportChoice::HttpFirst | TransportChoice::HttpOnly => "https://mcp.example/mcp",
            _ => "https://mcp.example/sse",
        };
        let headers = match access {
            AccessMode::Static => {
                vec![Header { name: "X-API-Key".to_owned(), value: Secret::new("key".to_owned()) }]
            }
            AccessMode::OAuth => Vec::new(),
        };
        let config = Config {
            server: Url::parse(url).unwrap(),
            store_key: String::new(),
            server_text: url.to_owned(),
            transport,
            protocol: crate::config::Protocol::Auto,
            headers,
            access,
            caller: Caller::Host,
            login: LoginOptions {
                preferred_port: 4177,
                redirect_host: "127.0.0.1".to_owned(),
                ..LoginOptions::default()
            },
            network: crate::config::Network::default(),
            liveness: crate::config::Liveness::default(),
            hidden_tools: Vec::new(),
            verbosity: Verbosity::Normal,
            state_dir: None,
            token_store: TokenStore::Memory,
            desktop: false,
            mcp_remote: None,
        };
        let now = Moment { uptime: Duration::ZERO, unix: 1_000_000 };
        let mut bridge = Bridge::new(&config, 42);
        bridge.sign_with(&[42; 32]);
        Self { bridge, now, effects: Vec::new(), alone: true, config }
    }

    fn http() -> Self {
        Self::new(TransportChoice::HttpFirst, AccessMode::Static)
    }

    fn sse() -> Self {
        Self::new(TransportChoice::SseFirst, AccessMode::Static)
    }

    fn event(&mut self, event: Event) -> &mut Self {
        let before = self.effects.len();
        self.bridge.handle(event, self.now, &mut self.effects);
        let claims =
            |effect: &Effect| matches!(effect, Effect::Store(StoreCommand::Claim(Some(_))));
        if self.effects[before..].iter().any(claims) {
            self.event(Event::Store(StoreEvent::Claimed));
        }
        // Alone on the machine, unless a test says otherwise.
        if self.alone && matches!(self.effects.last(), Some(Effect::Store(StoreCommand::Lead))) {
            self.effects.pop();
            self.event(Event::Store(StoreEvent::Leading(None, None)));
        }
        self
    }

    fn line(&mut self, line: &str) -> &mut Self {
        self.event(Event::Line(Bytes::from(line.to_owned())))
    }

    fn lines(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            self.line(line);
        }
        self
    }

    fn back(&mut self, exchange: u64, event: HttpEvent) -> &mut Self {
        self.event(Event::Http(ExchangeId(exchange), event))
    }

    fn answer(&mut self, exchange: u64, status: u16, body: &str) -> &mut Self {
        self.answer_with(exchange, status, &[("content-type", "application/json")], body)
    }

    fn answer_with(
        &mut self,
        exchange: u64,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> &mut Self {
        let head = head(status, headers);
        self.back(exchange, HttpEvent::Answered(head, Bytes::from(body.to_owned())))
    }

    fn open(&mut self, exchange: u64) -> &mut Self {
        self.back(exchange, HttpEvent::Opened(head(200, &[])))
    }

    fn message(&mut self, exchange: u64, name: &str, data: &str) -> &mut Self {
        let (name, data) = (Some(name.to_owned()), Bytes::from(data.to_owned()));
        self.back(exchange, HttpEvent::Message(StreamEvent { name, data, id: None, retry: None }))
    }

    fn refuse(&mut self, exchange: u64, delivery: Delivery) -> &mut Self {
        let cause = "connection refused".to_owned();
        let failure = HttpFailure { cause, delivery, kind: FailureKind::Network };
        self.back(exchange, HttpEvent::Failed(failure))
    }

    /// Lets time pass, and wakes the bridge whenever it asked for it.
    fn pass(&mut self, wait: Duration) -> &mut Self {
        let end = self.now.uptime + wait;
        for _ in 0..10_000 {
            let next = self.bridge.deadline(self.now).filter(|deadline| *deadline <= end);
            self.set(next.unwrap_or(end).max(self.now.uptime));
            self.event(Event::Tick);
            if next.is_none() {
                return self;
            }
        }
        panic!("the bridge asks to be woken again and again");
    }

    fn set(&mut self, uptime: Duration) {
        let passed = uptime.saturating_sub(self.now.uptime);
        self.now = Moment { uptime, unix: self.now.unix + passed.as_secs() };
    }

    /// What was asked for since the last look.
    fn seen(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.effects);
        effects.iter().filter_map(render).collect()
    }

    fn check(&mut self, expected: &[&str]) -> &mut Self {
        assert_eq!(self.seen(), expected);
        self
    }

    /// A conversation over Streamable HTTP, past the handshake; four exchanges are used.
    fn ready_http() -> Self {
        let mut world = Self::http();
        world.lines(&[INITIALIZE]);
        world.answer_with(1, 200, &[("mcp-session-id", "s1")], RESULT);
        world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "");
        world.seen();
        world
    }

    /// A conversation over HTTP+SSE, past the handshake; three exchanges are used.
    fn ready_sse() -> Self {
        let mut world = Self::sse();
        world.line(INITIALIZE).open(1).message(1, "endpoint", "/messages?id=1");
        world.answer(2, 202, "Accepted").message(1, "message", RESULT);
        world.line(INITIALIZED).answer(3, 202, "Accepted");
        world.seen();
        world
    }
}

fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Head {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    Head { status, headers: map, url: None }
}

fn render(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Write(line) => format!("host < {}", String::from_utf8_lossy(line)),
        Effect::Fail(id, failure) => {
            let id = id.as_ref().map_or("-".to_owned(), Id::to_json);
            format!("host < error {id} {}", crate::report::code(failure))
        }
        Effect::Http(id, request) => format!("#{} {}", id.0, render_request(request)),
        Effect::Abort(id) => format!("abort #{}", id.0),
        Effect::NewConnections => "new connections".to_owned(),
        Effect::Grant(..) => "grant".to_owned(),
        Effect::Store(StoreCommand::Load) => "load".to_owned(),
        Effect::Store(StoreCommand::Lock) => "lock".to_owned(),
        Effect::Store(StoreCommand::Lead) => "lead".to_owned(),
        Effect::Store(StoreCommand::Claim(claim)) => claim_text("claim", claim.as_ref()),
        Effect::Store(StoreCommand::Resign(claim)) => claim_text("resign", claim.as_ref()),
        Effect::Store(StoreCommand::Worked) => "worked".to_owned(),
        Effect::Store(StoreCommand::Remember(_)) => "remember".to_owned(),
        Effect::Store(StoreCommand::Unlock) => "unlock".to_owned(),
        Effect::Store(StoreCommand::Doubt(_)) => "doubt".to_owned(),
        Effect::Store(StoreCommand::Save(record)) if record.pending_since.is_some() => {
            "mark".to_owned()
        }
        Effect::Store(StoreCommand::Save(record)) => format!("save {}", record.generation),
        Effect::Redirect(RedirectCommand::Open(_)) => "open the browser".to_owned(),
        Effect::Redirect(RedirectCommand::Close) => "stop listening".to_owned(),
        Effect::Redirect(RedirectCommand::Bind { .. }) => "listen".to_owned(),
        Effect::Redirect(RedirectCommand::Answer { page, .. }) => format!("page {page:?}"),
        Effect::Tell(Notice::Reconnect { .. }) => "tell: reconnecting".to_owned(),
        Effect::Tell(_) => return None,
        Effect::Exit(status) => format!("exit {status}"),
    })
}

fn claim_text(what: &str, claim: Option<&Claim>) -> String {
    match claim {
        None => what.to_owned(),
        Some(Claim::Device { .. }) => format!("{what} device"),
        Some(Claim::Open(_)) => format!("{what} open"),
        Some(Claim::Failed { .. }) => format!("{what} failed"),
    }
}

fn render_request(request: &Request) -> String {
    let mut text = format!("{} {}", request.method, request.url.path());
    if let Some(query) = request.url.query() {
        text.push_str(&format!("?{query}"));
    }
    for (name, short) in [
        ("mcp-session-id", "session"),
        ("mcp-protocol-version", "version"),
        ("authorization", "auth"),
        ("last-event-id", "last"),
    ] {
        if let Some(value) = request.headers.get(name) {
            text.push_str(&format!(" {short}={}", value.to_str().unwrap()));
        }
    }
    let body = request.body.as_deref().unwrap_or_default();
    if let Ok(Value::Object(body)) = serde_json::from_slice(body) {
        match (body.get("method"), body.get("id")) {
            (Some(method), _) => text.push_str(&format!(" {}", method.as_str().unwrap())),
            (None, Some(id)) => text.push_str(&format!(" answer {id}")),
            _ => {}
        }
    }
    text
}

#[test]
fn closed_stdin_ends_a_conversation_that_never_began() {
    World::http().event(Event::Eof).check(&["exit 0"]);
    World::sse().event(Event::Eof).check(&["exit 0"]);
}

#[test]
fn closed_stdin_waits_for_answers_and_says_goodbye() {
    let mut world = World::ready_http();
    world
        .line(LIST)
        .event(Event::Eof)
        .check(&["#4 POST /mcp session=s1 version=2025-06-18 tools/list"]);
    world.answer(4, 200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).check(&[
        r#"host < {"jsonrpc":"2.0","id":1,"result":{}}"#,
        "#5 DELETE /mcp session=s1 version=2025-06-18",
    ]);
    world.answer(5, 200, "").check(&["exit 0"]);
}

#[test]
fn closed_stdin_ends_within_two_seconds_whatever_the_gateway_does() {
    let mut world = World::ready_http();
    world.line(LIST).event(Event::Eof);
    world.seen();
    // What is left of the two seconds belongs to the last lines.
    world.pass(Duration::from_millis(1500));
    world.check(&[
        "host < error 1 -31008",
        "abort #4",
        "#5 DELETE /mcp session=s1 version=2025-06-18",
        "exit 1",
    ]);
}

#[test]
fn a_signal_ends_at_once() {
    let mut world = World::ready_http();
    world
        .event(Event::Signal(2))
        .event(Event::Signal(15))
        .check(&["#4 DELETE /mcp session=s1 version=2025-06-18", "exit 130"]);
    World::ready_http().line(LIST).event(Event::Signal(15)).pass(Duration::from_millis(500)).check(
        &[
            "#4 POST /mcp session=s1 version=2025-06-18 tools/list",
            "#5 DELETE /mcp session=s1 version=2025-06-18",
            "exit 143",
        ],
    );
}

#[test]
fn what_the_host_writes_wrong() {
    let mut world = World::ready_http();
    world.lines(&["{bad", "", "\u{feff}", "7", r#"{"jsonrpc":"2.0","id":5}"#]);
    world.check(&["host < error 5 -32600"]);
    world
        .line(LIST)
        .line(LIST)
        .check(&["#4 POST /mcp session=s1 version=2025-06-18 tools/list", "host < error 1 -32600"]);
}

#[test]
fn windows_lines() {
    let mut world = World::ready_http();
    world.line("\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\r");
    let Some(Effect::Http(_, request)) = world.effects.first() else { panic!() };
    assert_eq!(request.body.as_deref(), Some(br#"{"jsonrpc":"2.0","method":"x"}"#.as_slice()));
}

#[test]
fn a_message_is_sent_as_it_was_written() {
    let line = r#"{ "jsonrpc":"2.0", "id":9007199254740993,"x":[1.0,1e400,0.10],"method":"a\u0062", "x":2 }"#;
    let mut world = World::ready_http();
    world.line(line);
    let Some(Effect::Http(_, request)) = world.effects.first() else { panic!() };
    assert_eq!(request.body.as_deref(), Some(line.as_bytes()));
    let answer = "{ \"id\":9007199254740993,\n \"result\":{\"a\":1.0,\"a\":1e400}}\r\n";
    world.effects.clear();
    world
        .answer(4, 200, answer)
        .check(&["host < { \"id\":9007199254740993,  \"result\":{\"a\":1.0,\"a\":1e400}}"]);
}

#[test]
fn batches_belong_to_one_revision() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":2,"method":"b"}]"#;
    let mut world = World::ready_http();
    world.line(batch).check(&[
        "#4 POST /mcp session=s1 version=2025-06-18 a",
        "#5 POST /mcp session=s1 version=2025-06-18 b",
    ]);
    let mut world = World::http();
    world.line(INITIALIZE).answer(1, 200, &RESULT.replace("2025-06-18", "2025-03-26"));
    world.line(INITIALIZED).answer(2, 202, "").answer(3, 405, "");
    world.seen();
    world.line(batch).check(&["#4 POST /mcp"]);
    let answer = r#"[{"jsonrpc":"2.0","id":2,"result":{}},{"jsonrpc":"2.0","id":1,"result":{}}]"#;
    world.answer(4, 200, answer).check(&[&format!("host < {answer}")]);
}
