//! Whatever a gateway does: every request gets exactly one answer, in bounded time; nothing that may
//! have run is sent again unless it only asks; and when the gateway is well again the next request
//! succeeds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What a gateway may answer instead.
const STATUSES: [u16; 12] = [200, 202, 307, 400, 401, 403, 404, 405, 429, 500, 502, 503];

/// A gateway that follows a script of bytes for as long as there is one, and then behaves.
struct Chaos {
    world: World,
    /// What the gateway has to answer: method, path, and the id and method of the message.
    open: BTreeMap<u64, Asked>,
    /// Event streams that were opened.
    streams: BTreeSet<u64>,
    /// Requests that were taken, and whose answers are expected on the shared stream.
    taken: Vec<Value>,
    /// How often a call may have run, by its id.
    ran: BTreeMap<u64, u32>,
    sent: u64,
    answers: BTreeMap<u64, u32>,
    results: BTreeSet<u64>,
    /// What the host does not want any more.
    cancelled: BTreeSet<u64>,
    ended: bool,
}

#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    id: Option<Value>,
    call: String,
    /// `Last-Event-ID`: here, the id of the request whose answer is wanted.
    last: Option<Value>,
}

impl Chaos {
    fn new(world: World) -> Self {
        Self {
            world,
            open: BTreeMap::new(),
            streams: BTreeSet::new(),
            taken: Vec::new(),
            ran: BTreeMap::new(),
            sent: 0,
            answers: BTreeMap::new(),
            results: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            ended: false,
        }
    }

    /// Looks at what the bridge asked for.
    fn collect(&mut self) {
        for effect in std::mem::take(&mut self.world.effects) {
            match effect {
                Effect::Http(id, request) => {
                    let body = request.body.as_deref().unwrap_or(b"null");
                    let message: Value = serde_json::from_slice(body).unwrap();
                    self.open.insert(
                        id.0,
                        Asked {
                            method: request.method.to_string(),
                            path: request.url.path().to_owned(),
                            id: message.get("id").cloned(),
                            call: message["method"].as_str().unwrap_or_default().to_owned(),
                            last: request
                                .headers
                                .get("last-event-id")
                                .map(|last| serde_json::from_slice(last.as_bytes()).unwrap()),
                        },
                    );
                }
                Effect::Abort(id) => {
                    self.open.remove(&id.0);
                    self.streams.remove(&id.0);
                }
                Effect::Write(line) => {
                    let message: Value = serde_json::from_slice(&line).unwrap();
                    if let Some(id) = message["id"].as_u64() {
                        *self.answers.entry(id).or_default() += 1;
                        self.results.insert(id);
                    }
                }
                Effect::Fail(Some(id), _) => {
                    let id: u64 = id.to_json().parse().unwrap();
                    *self.answers.entry(id).or_default() += 1;
                }
                Effect::Exit(_) => self.ended = true,
                _ => {}
            }
        }
    }

    fn ask(&mut self, how: u8) -> u64 {
        let id = self.sent;
        self.sent += 1;
        let method = match (id, how % 4) {
            (0, _) => "initialize",
            (_, 0) => "tools/list",
            (_, 1) => "logging/setLevel",
            _ => "tools/call",
        };
        self.world.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"protocolVersion":"2025-06-18"}}}}"#
        ));
        self.collect();
        id
    }

    fn result(id: &Value) -> String {
        format!(r#"{{"id":{id},"result":{{"protocolVersion":"2025-06-18"}}}}"#)
    }

    fn pass(&mut self, seconds: u64) {
        self.world.pass(Duration::from_secs(seconds));
        self.collect();
    }

    /// The message of this exchange may run now.
    fn run(&mut self, exchange: u64) {
        let Some(asked) = self.open.get(&exchange) else { return };
        if let (Some(id), "tools/call") = (asked.id.as_ref().and_then(Value::as_u64), &*asked.call)
        {
            *self.ran.entry(id).or_default() += 1;
        }
    }

    /// Opens a stream; of Streamable HTTP perhaps with an id by which it can be read on.
    fn begin(&mut self, exchange: u64, resumable: bool) {
        self.streams.insert(exchange);
        self.world.open(exchange);
        let id = self.open.get(&exchange).and_then(|asked| asked.id.clone());
        if let (true, Some(id)) = (resumable, id) {
            let id = Some(id.to_string());
            let event = StreamEvent { name: None, data: Bytes::new(), id, retry: None };
            self.world.back(exchange, HttpEvent::Message(event));
        }
        self.collect();
    }

    /// Does what a good gateway does with one exchange.
    fn serve(&mut self, exchange: u64) {
        let Some(asked) = self.open.get(&exchange).cloned() else { return };
        if !self.streams.contains(&exchange) {
            self.run(exchange);
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/sse") if self.streams.insert(exchange) => {
                self.world.open(exchange).message(exchange, "endpoint", "/messages");
            }
            ("GET", "/sse") => {
                for id in std::mem::take(&mut self.taken) {
                    self.world.message(exchange, "message", &Self::result(&id));
                    self.collect();
                }
            }
            ("GET", _) if let Some(id) = asked.last => {
                if !self.streams.contains(&exchange) {
                    self.begin(exchange, false);
                }
                self.world.message(exchange, "message", &Self::result(&id));
                self.close(exchange);
            }
            ("GET", _) if !self.streams.contains(&exchange) => {
                self.open.remove(&exchange);
                self.world.answer(exchange, 405, "");
            }
            ("POST", "/messages") if self.streams.contains(&exchange) => self.close(exchange),
            ("POST", "/messages") => {
                self.open.remove(&exchange);
                self.taken.extend(asked.id);
                self.world.answer(exchange, 202, "");
            }
            ("POST", "/mcp") if self.streams.contains(&exchange) => {
                if let Some(id) = &asked.id {
                    self.world.message(exchange, "message", &Self::result(id));
                }
                self.close(exchange);
            }
            ("POST", "/mcp") => {
                self.open.remove(&exchange);
                match &asked.id {
                    Some(id) => {
                        let session = [("mcp-session-id", "s")];
                        let headers = if asked.call == "initialize" { &session[..] } else { &[] };
                        self.world.answer_with(exchange, 200, headers, &Self::result(id));
                    }
                    None => {
                        self.world.answer(exchange, 202, "");
                    }
                }
            }
            ("POST" | "DELETE", _) => {
                self.open.remove(&exchange);
                self.world.answer(exchange, 404, "");
            }
            _ => {}
        }
        self.collect();
    }

    fn close(&mut self, exchange: u64) {
        self.open.remove(&exchange);
        self.streams.remove(&exchange);
        self.world.back(exchange, HttpEvent::Ended);
        self.collect();
    }

    /// Does something else.
    fn mistreat(&mut self, exchange: u64, how: u8) {
        if self.streams.contains(&exchange) {
            return match how % 5 {
                0 => self.close(exchange),
                3 => {
                    self.open.remove(&exchange);
                    self.streams.remove(&exchange);
                    self.world.refuse(exchange, Delivery::Unknown);
                    self.collect();
                }
                4 => {
                    self.world.back(exchange, HttpEvent::Beat);
                    self.collect();
                }
                1 => {
                    self.world.message(exchange, "message", r#"{"id":77777,"result":{}}"#);
                    self.collect();
                }
                _ => {
                    self.world.message(exchange, "message", "no JSON");
                    self.collect();
                }
            };
        }
        if matches!(how % 16, 0 | 1 | 12 | 15)
            && let Some(asked) = self.open.get(&exchange)
            && asked.path == "/messages"
        {
            // It was taken, in whatever words; the answer is due on the shared stream.
            self.taken.extend(asked.id.clone());
        }
        if matches!(how % 16, 0 | 1 | 9..=12 | 14 | 15) && !asks_for_later(how) {
            self.run(exchange);
        }
        match how % 16 {
            12 => self.begin(exchange, how < 128),
            13 => {
                self.open.remove(&exchange);
                self.world.refuse(exchange, Delivery::NotDelivered);
            }
            14 => {
                self.open.remove(&exchange);
                self.world.refuse(exchange, Delivery::Unknown);
            }
            15 => {
                self.begin(exchange, how < 128);
                return self.close(exchange);
            }
            status => {
                self.open.remove(&exchange);
                let later = [("retry-after", "3")];
                let headers = if asks_for_later(how) { &later[..] } else { &[] };
                self.world.answer_with(exchange, STATUSES[usize::from(status)], headers, "");
            }
        }
        self.collect();
    }

    fn act(&mut self, what: u8, which: u8, how: u8) {
        let exchanges: Vec<_> = self.open.keys().copied().collect();
        let exchange = exchanges.get(usize::from(which) % exchanges.len().max(1)).copied();
        match (what % 8, exchange) {
            (0, _) => {
                self.ask(how);
            }
            (1, _) if how < 200 => {
                self.world.line(INITIALIZED);
                self.collect();
            }
            // `initialize` cannot be cancelled.
            (1, _) if 200 <= how && 1 < self.sent => {
                let id = 1 + u64::from(which) % (self.sent - 1);
                if !self.answers.contains_key(&id) {
                    self.cancelled.insert(id);
                }
                self.world.line(&format!(
                    r#"{{"method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
                ));
                self.collect();
            }
            (2, _) if how < 8 => {
                // The machine sleeps, or a gateway is silent for minutes.
                self.world.now.unix += u64::from(how) * 60;
                self.pass(u64::from(how) * 20);
            }
            (2, _) => self.pass(u64::from(how % 20)),
            (3 | 4, Some(exchange)) => self.serve(exchange),
            (_, Some(exchange)) => self.mistreat(exchange, how),
            (_, None) => {}
        }
    }

    fn check_answers(&self) -> Result<(), TestCaseError> {
        for id in 0..self.sent {
            let wanted = u32::from(!self.cancelled.contains(&id));
            let answers = self.answers.get(&id).copied().unwrap_or_default();
            prop_assert_eq!(answers, wanted, "request {}", id);
        }
        Ok(())
    }

    /// Lets the gateway be well for some minutes.
    fn recover(&mut self) {
        for _ in 0..180 {
            for exchange in self.open.keys().copied().collect::<Vec<_>>() {
                self.serve(exchange);
            }
            self.pass(1);
        }
    }
}

/// Whether a status comes with a wait: then nothing has run.
fn asks_for_later(how: u8) -> bool {
    128 <= how && matches!(how % 16, 8 | 11)
}

/// Whatever the state is: closed stdin ends it in time, without a busy wait.
fn check_end(world: World, script: &[(u8, u8, u8)]) -> Result<(), TestCaseError> {
    let mut chaos = Chaos::new(world);
    chaos.ask(0);
    for (what, which, how) in script {
        chaos.act(*what, *which, *how);
    }
    chaos.world.event(Event::Eof);
    chaos.world.pass(Duration::from_millis(1500));
    chaos.collect();
    prop_assert!(chaos.ended, "it does not end");
    chaos.check_answers()
}

fn check(world: World, script: &[(u8, u8, u8)]) -> Result<(), TestCaseError> {
    let mut chaos = Chaos::new(world);
    chaos.ask(0);
    for (what, which, how) in script {
        chaos.act(*what, *which, *how);
    }
    chaos.recover();
    chaos.check_answers()?;
    for (id, times) in &chaos.ran {
        prop_assert!(*times <= 1, "call {} may have run {} times", id, times);
    }
    let last = chaos.ask(2);
    chaos.recover();
    prop_assert!(chaos.results.contains(&last), "a gateway that is well again is of no use");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_hangs_over_streamable_http(
        script in proptest::collection::vec(any::<(u8, u8, u8)>(), 0..60),
    ) {
        check(World::new(TransportChoice::HttpOnly, AccessMode::Static), &script)?;
    }

    #[test]
    fn nothing_holds_up_the_end_of_streamable_http(
        script in proptest::collection::vec(any::<(u8, u8, u8)>(), 0..40),
    ) {
        check_end(World::new(TransportChoice::HttpOnly, AccessMode::Static), &script)?;
    }

    #[test]
    fn nothing_holds_up_the_end_of_http_sse(
        script in proptest::collection::vec(any::<(u8, u8, u8)>(), 0..40),
    ) {
        check_end(World::new(TransportChoice::SseOnly, AccessMode::Static), &script)?;
    }

    #[test]
    fn nothing_hangs_over_http_sse(
        script in proptest::collection::vec(any::<(u8, u8, u8)>(), 0..60),
    ) {
        check(World::new(TransportChoice::SseOnly, AccessMode::Static), &script)?;
    }
}
