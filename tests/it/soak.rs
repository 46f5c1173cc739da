//! Two bridges in a bad world: streams are cut, the gateway restarts, refuses and forgets, and
//! tokens live for seconds. What both ends have seen is joined at the end.
//!
//! `APEXMCP_BRIDGE_TEST_SOAK_SECONDS` says how long, `APEXMCP_BRIDGE_TEST_SEED` what happens when.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::{Consent, Gateway, Plan, fingerprint};
use serde_json::{Value, json};

use super::support::{Bridge, Home, Person, check_end};

mod history;

use history::{Call, History, is_flat};

/// Enough to meet every kind of trouble about once.
const SHORT: u64 = 12;
/// How often a host calls a tool.
const PACE: Duration = Duration::from_millis(40);
/// The longest that an answer may take: 15 s for a connection to come back, and a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Numbers that are the same for the same seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One host with its bridge, and everything that went through.
struct Host {
    bridge: Bridge,
    name: &'static str,
    calls: Vec<Call>,
    /// How often each error came instead of a result.
    errors: BTreeMap<i64, usize>,
    memory: Vec<u64>,
    files: Vec<u64>,
}

impl Host {
    fn start(home: &Home, name: &'static str, url: &str) -> Self {
        let mut bridge = Bridge::start_with(home, Person::Present, &[url, "--debug"], &[]);
        let answer = bridge.handshake("2025-11-25");
        assert!(answer["result"].is_object(), "{answer}");
        let (calls, errors) = (Vec::new(), BTreeMap::new());
        Self { bridge, name, calls, errors, memory: Vec::new(), files: Vec::new() }
    }

    fn call(&mut self, now: Duration, dice: &mut Dice) {
        let id = self.calls.len() + 1;
        let name = format!("{}-{id}", self.name);
        let (tool, arguments) = match dice.roll(6) {
            0 => ("slow", json!({ "seconds": 0.3, "name": name })),
            1 => ("progress", json!({ "steps": 3, "name": name })),
            _ => ("echo", json!({ "text": name })),
        };
        let fingerprint = fingerprint(&arguments.to_string());
        let params =
            json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
        let message =
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        self.bridge.send(&message.to_string());
        self.calls.push(Call { name, fingerprint, sent: now, answers: Vec::new() });
    }

    /// Takes what has come.
    fn read(&mut self, started: Instant) {
        while let Some(line) = self.bridge.line_within(Duration::ZERO) {
            let message: Value = serde_json::from_str(&line).unwrap();
            let Some(id) = message["id"].as_u64().filter(|_| message.get("method").is_none())
            else {
                continue;
            };
            if let Some(code) = message["error"]["code"].as_i64() {
                *self.errors.entry(code).or_default() += 1;
            }
            let call = &mut self.calls[usize::try_from(id).unwrap() - 1];
            call.answers.push((started.elapsed(), message.get("result").is_some()));
        }
    }

    fn is_waiting(&self) -> bool {
        self.calls.iter().any(|call| call.answers.is_empty())
    }

    fn measure(&mut self) {
        let folder = format!("/proc/{}", self.bridge.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        self.memory.push(size.trim().trim_end_matches(" kB").parse().unwrap());
        let files = std::fs::read_dir(format!("{folder}/fd")).unwrap().count();
        self.files.push(u64::try_from(files).unwrap());
    }
}

/// One piece of bad luck, and the end of the one before: what counts requests would pile up where
/// a bridge asks rarely, and at last nothing would work.
fn strike(gateway: &Gateway, dice: &mut Dice) {
    gateway.clear_faults();
    match dice.roll(8) {
        0 => gateway.drop_streams(),
        1 => gateway.restart(Duration::from_millis(300 + dice.roll(1200))),
        2 => gateway.forget_sessions(),
        3 => gateway.expire_access_tokens(),
        4 => gateway.order("http.status=503@post#1-3").unwrap(),
        5 => {
            gateway.order("http.status=502@sse#1-2").unwrap();
            gateway.drop_streams();
        }
        6 => gateway.order("token.http_503#1").unwrap(),
        _ => gateway.order("net.latency=200±150@post#1-5").unwrap(),
    }
}

#[test]
fn soak() {
    let seconds = setting("APEXMCP_BRIDGE_TEST_SOAK_SECONDS").unwrap_or(SHORT);
    let seed = setting("APEXMCP_BRIDGE_TEST_SEED").unwrap_or(1);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    // A token that is always about to end, but lives longer than a request.
    let life = Duration::from_secs(if seconds < 60 { 5 } else { 30 });
    let plan = Plan { consent: Consent::Approve, access_token_lifetime: life, ..Plan::default() };
    let gateway = Gateway::start(plan).unwrap();
    let home = Home::new();
    let mut hosts = [
        Host::start(&home, "http", &gateway.http_url("acme")),
        Host::start(&home, "sse", &gateway.sse_url("acme")),
    ];
    let browsers = home.browsers();
    let started = Instant::now();
    let end = Duration::from_secs(seconds);
    let (mut next_call, mut next_strike, mut next_look) = (PACE, Duration::from_secs(1), PACE);
    loop {
        let now = started.elapsed();
        let waiting = hosts.iter().any(Host::is_waiting);
        if end + LIMIT < now || (end < now && !waiting) {
            break;
        }
        if next_call <= now && now < end {
            next_call += PACE;
            for host in &mut hosts {
                host.call(now, &mut dice);
            }
        }
        if next_strike <= now && now + Duration::from_secs(2) < end {
            next_strike += Duration::from_millis(500 + dice.roll(2500));
            strike(&gateway, &mut dice);
        }
        if next_look <= now {
            next_look += end / 60;
            hosts.iter_mut().for_each(Host::measure);
        }
        for host in &mut hosts {
            host.read(started);
        }
        // The one way to wait for lines and for the time at once.
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut history = History { limit: LIMIT, ..History::default() };
    gateway.clear_faults();
    let mut errors = Vec::new();
    for mut host in hosts {
        host.read(started);
        errors.push(format!("{} {:?}", host.name, host.errors));
        // At last everything works again.
        let answer = host.bridge.call(0, "echo", json!({ "text": "last" }));
        assert!(answer["result"].is_object(), "seed {seed}: {}: {answer}", host.name);
        let (memory, files) = (&host.memory, &host.files);
        // In kilobytes. Idle connections are kept for 90 s, so only a long run can be flat.
        let most = |measured: &[u64]| measured.iter().max().copied().unwrap_or_default();
        let long = 600 <= seconds;
        let steady = most(memory) < 40 << 10 && (!long || is_flat(memory, 3 << 10));
        assert!(steady, "seed {seed}: {} grows: {memory:?}", host.name);
        let steady = most(files) < 400 && (!long || is_flat(files, 8));
        assert!(steady, "seed {seed}: {} leaks: {files:?}", host.name);
        history.calls.append(&mut host.calls);
        let ended = host.bridge.end();
        if let Some(folder) = std::env::var_os("APEXMCP_BRIDGE_TEST_LOGS") {
            let path = std::path::Path::new(&folder).join(host.name);
            std::fs::write(path, &ended.stderr).unwrap();
        }
        check_end(&ended, 0);
    }
    let last = fingerprint(r#"{"text":"last"}"#);
    let runs = gateway.tool_runs().into_iter().map(|run| run.arguments);
    history.runs = runs.filter(|run| *run != last).collect();
    history.presented = gateway.refresh_tokens().iter().map(|it| it.presented.len()).collect();
    let wrong = history.violations();
    let (calls, results) = (history.calls.len(), history.results());
    let summary = format!(
        "seed {seed}: {calls} calls, {results} % results, {} wrong; {errors:?}",
        wrong.len()
    );
    writeln!(std::io::stdout(), "{summary}").unwrap();
    assert!(wrong.is_empty(), "seed {seed}: {:#?}", &wrong[..wrong.len().min(20)]);
    assert!(80 <= results, "seed {seed}: only {results} % of {calls} calls had a result");
    assert_eq!(home.browsers(), browsers, "seed {seed}: somebody had to sign in again");
    // Every token but the last of each chain was used.
    assert!(history.presented.contains(&1), "no token was ever renewed");
}
