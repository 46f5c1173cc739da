//! A network in which packets get lost: two network namespaces of the kernel with a cable between
//! them, and a cable that can be cut without a word. `tests/all` demands it where it is root;
//! elsewhere a test says that it was skipped.
//!
//! What the mock gateway can do (`net.half_open`) leaves the system's own part undone: its packets
//! are still acknowledged.

use std::io::Write;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::fingerprint;
use serde_json::{Value, json};

use super::support::{Bridge, Home, Person, check_end, start_mock};

const HOST: &str = "10.231.77.1";
const GATEWAY: &str = "10.231.77.2";
/// The system gives up what is not acknowledged after 30 s, and an idle connection after 60 s.
const NOTICED: Duration = Duration::from_secs(75);

fn is_offered() -> bool {
    let offered = std::env::var_os("APEXMCP_BRIDGE_TEST_NAMESPACES").is_some();
    if !offered {
        // Past the harness, which would swallow it: a check that was not made says so.
        let text =
            b"skipped: no network namespaces were offered (APEXMCP_BRIDGE_TEST_NAMESPACES)\n";
        std::io::stderr().write_all(text).unwrap();
    }
    offered
}

fn ip(args: &str) -> String {
    let output = Command::new("ip").args(args.split(' ')).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {args}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two namespaces, one cable; they end with the test.
struct Cable {
    host: String,
    gateway: String,
    /// The hardware addresses of its two ends.
    ends: [String; 2],
}

impl Cable {
    fn new(name: &str) -> Self {
        let id = std::process::id();
        let (host, gateway) = (format!("bridge-{name}-{id}"), format!("gateway-{name}-{id}"));
        ip(&format!("netns add {host}"));
        let mut cable = Self { host, gateway, ends: Default::default() };
        let (host, gateway) = (&cable.host, &cable.gateway);
        ip(&format!("netns add {gateway}"));
        ip(&format!("-n {host} link add cable type veth peer name cable netns {gateway}"));
        for (space, address) in [(host, HOST), (gateway, GATEWAY)] {
            ip(&format!("-n {space} address add {address}/24 dev cable"));
            ip(&format!("-n {space} link set cable up"));
            ip(&format!("-n {space} link set lo up"));
        }
        cable.ends = [host, gateway].map(|space| {
            let link: Value =
                serde_json::from_str(&ip(&format!("-n {space} -json link show cable"))).unwrap();
            link[0]["address"].as_str().unwrap().to_owned()
        });
        cable.mend();
        cable
    }

    /// From now on everything goes to somebody who is not there, and nobody is told.
    fn cut(&self) {
        let nobody = "02:00:00:00:00:99".to_owned();
        self.address([&nobody, &nobody]);
    }

    fn mend(&self) {
        self.address([&self.ends[0], &self.ends[1]]);
    }

    fn address(&self, [host, gateway]: [&String; 2]) {
        for (space, address, end) in [(&self.host, GATEWAY, gateway), (&self.gateway, HOST, host)] {
            ip(&format!("-n {space} neigh replace {address} lladdr {end} dev cable nud permanent"));
        }
    }

    /// The mock gateway at the other end of the cable.
    fn gateway(&self) -> Mock {
        let mut command = inside(&self.gateway, env!("CARGO_BIN_EXE_apexmcp-mock-gateway"));
        command
            // Nobody else is in there, so every port is free.
            .args(["--bind", "0.0.0.0", "--port", "80", "--web-port", "81"])
            .args(["--public-url", &format!("http://{GATEWAY}"), "--no-auth"])
            // What is cut off includes the signs of life of the streams.
            .args(["--fault", "mcp.heartbeat=off"]);
        let (child, ready) = start_mock(command);
        Mock { child, ready, space: self.gateway.clone() }
    }

    fn bridge(&self, home: &Home, url: &Value, flags: &[&str]) -> Bridge {
        let known = home.command(Person::Absent);
        let mut command = inside(&self.host, known.get_program().to_str().unwrap());
        command.env_clear();
        for (name, value) in known.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.args([url.as_str().unwrap(), "--allow-http"]).args(flags);
        Bridge::spawn(command)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // The cable goes with its ends.
        for space in [&self.host, &self.gateway] {
            Command::new("ip").args(["netns", "del", space]).status().ok();
        }
    }
}

fn inside(space: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space, program]);
    command
}

struct Mock {
    child: Child,
    ready: Value,
    space: String,
}

impl Mock {
    /// The fingerprints of the arguments of every tool that has run.
    fn runs(&self) -> Vec<String> {
        let token = self.ready["control"]["token"].as_str().unwrap();
        // Only its own machine may ask.
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET /__mock/calls HTTP/1.0\\r\\n\
             Host: 127.0.0.1\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n' >&3; cat <&3"
        );
        let output = inside(&self.space, "bash").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let calls: Vec<Value> = serde_json::from_str(body).expect(body);
        calls.iter().map(|call| call["arguments"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

fn send(bridge: &mut Bridge, id: u64, tool: &str, arguments: Value) {
    let params = json!({ "name": tool, "arguments": arguments });
    let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
    bridge.send(&call.to_string());
}

/// The answer to a call that may take longer than others.
fn answer(bridge: &mut Bridge, id: u64, limit: Duration) -> Value {
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < limit, "no answer to {id}");
        let Some(line) = bridge.line_within(Duration::from_secs(1)) else { continue };
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["id"] == id && message.get("method").is_none() {
            return message;
        }
    }
}

/// Every call has one answer, and ran at most once; the first one did.
fn check(bridge: Bridge, mock: &Mock, name: &str, calls: u64) {
    let ended = bridge.end();
    check_end(&ended, 0);
    for id in 1..=calls {
        let is_answer = |line: &&String| serde_json::from_str::<Value>(line).unwrap()["id"] == id;
        assert_eq!(ended.stdout.iter().filter(is_answer).count(), 1, "{id}: {}", ended.stderr);
        let text = format!("{name}-{id}");
        let possible = [
            json!({ "text": text }),
            json!({ "seconds": 600, "name": text }),
            json!({ "seconds": 2, "name": text }),
        ]
        .map(|arguments| fingerprint(&arguments.to_string()));
        let runs = mock.runs().into_iter().filter(|run| possible.contains(run)).count();
        assert!(runs <= 1 && (1 < id || runs == 1), "{text} ran {runs} times");
    }
}

#[test]
fn namespaces_with_a_cable_that_is_cut() {
    if !is_offered() {
        return;
    }
    let cable = Cable::new("cut");
    let mock = cable.gateway();
    let home = Home::new();
    let mut bridges = ["http", "sse"].map(|name| {
        let mut bridge = cable.bridge(&home, &mock.ready[name]["acme"], &[]);
        assert!(bridge.handshake("2025-06-18")["result"].is_object());
        send(&mut bridge, 1, "slow", json!({ "seconds": 600, "name": format!("{name}-1") }));
        let echo = bridge.call(2, "echo", json!({ "text": format!("{name}-2") }));
        assert!(echo["result"].is_object(), "{echo}");
        (name, bridge)
    });
    cable.cut();
    for (name, bridge) in &mut bridges {
        send(bridge, 3, "echo", json!({ "text": format!("{name}-3") }));
    }
    for (name, bridge) in &mut bridges {
        for id in [3, 1] {
            let lost = answer(bridge, id, NOTICED);
            assert_eq!(lost["error"]["code"], -31006, "{name}: {lost}");
            assert_eq!(lost["error"]["data"]["delivery"], "unknown", "{name}: {lost}");
        }
        // A try takes 10 s, and after the first in vain there are 15 more.
        let started = Instant::now();
        send(bridge, 4, "echo", json!({ "text": format!("{name}-4") }));
        let told = answer(bridge, 4, NOTICED);
        assert_eq!(told["error"]["code"], -31001, "{name}: {told}");
        assert!(started.elapsed() < Duration::from_secs(28), "{name}: {:?}", started.elapsed());
    }
    cable.mend();
    for (name, mut bridge) in bridges {
        let text = format!("{name}-5");
        send(&mut bridge, 5, "echo", json!({ "text": text }));
        let back = answer(&mut bridge, 5, NOTICED);
        assert_eq!(back["result"]["content"][0]["text"], *text, "{name}: {back}");
        check(bridge, &mock, name, 5);
    }
}

#[test]
fn namespaces_with_a_cable_that_is_mended_in_time() {
    if !is_offered() {
        return;
    }
    let cable = Cable::new("mend");
    let mock = cable.gateway();
    let home = Home::new();
    let mut bridges = ["http", "sse"].map(|name| {
        let mut bridge = cable.bridge(&home, &mock.ready[name]["acme"], &[]);
        assert!(bridge.handshake("2025-06-18")["result"].is_object());
        send(&mut bridge, 1, "slow", json!({ "seconds": 2, "name": format!("{name}-1") }));
        (name, bridge)
    });
    cable.cut();
    let started = Instant::now();
    let mut late = cable.bridge(&home, &mock.ready["http"]["acme"], &["--connect-timeout", "2"]);
    let answered = late.handshake("2025-06-18");
    assert_eq!(answered["error"]["code"], -31001, "{answered}");
    let waited = started.elapsed();
    assert!(Duration::from_secs(2) < waited && waited < Duration::from_secs(6), "{waited:?}");
    std::thread::sleep(Duration::from_secs(8).saturating_sub(started.elapsed()));
    cable.mend();
    // The system sends again what was lost: nothing of it is for anybody else to notice.
    for (name, bridge) in &mut bridges {
        let result = answer(bridge, 1, NOTICED);
        assert!(result["result"].is_object(), "{name}: {result}");
    }
    for (name, bridge) in bridges {
        check(bridge, &mock, name, 1);
    }
}
