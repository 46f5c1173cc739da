//! Coming from mcp-remote: what it has left on disk is imported once, and used safely.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use apexmcp_bridge::mock::{Consent, Gateway, Plan, fingerprint};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::support::{Bridge, Ended, Home, Person, check_end};

const STABLE: &str = ".mcp-auth/mcp-remote-v1";

fn gateway() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

/// A sign-in that mcp-remote has made.
struct Legacy {
    home: Home,
    url: String,
    tokens: Value,
    client: Value,
}

impl Legacy {
    /// Signs in with the bridge, forgets that, and keeps what mcp-remote 0.15.1 would have stored.
    fn new(gateway: &Gateway) -> Self {
        Self::with(gateway, &[])
    }

    fn with(gateway: &Gateway, args: &[&str]) -> Self {
        let home = Home::new();
        let url = gateway.http_url("acme");
        let mut bridge = Bridge::start(&home, &[&[url.as_str()], args].concat());
        bridge.handshake("2025-06-18");
        check_end(&bridge.end(), 0);
        let stored: Value = serde_json::from_slice(&fs::read(record(&home)).unwrap()).unwrap();
        let record = &stored["record"];
        let tokens = json!({ "access_token": record["tokens"]["access"],
            "refresh_token": record["tokens"]["refresh"], "token_type": "Bearer",
            "expires_in": 3600, "scope": "mcp:call", "issuer": record["issuer"],
            "expires_at": (now() + 3600) * 1000, "requested_scope": "mcp:call" });
        let client = json!({ "client_id": record["client"]["id"],
            "redirect_uris": [record["client"]["redirect_uri"]],
            "token_endpoint_auth_method": "none", "client_name": "MCP CLI Proxy",
            "grant_types": ["authorization_code", "refresh_token"], "issuer": record["issuer"] });
        fs::remove_dir_all(home.state()).unwrap();
        fs::remove_file(home.path().join("browsers")).unwrap();
        Self { home, url, tokens, client }
    }

    fn path(&self, dir: &str, kind: &str) -> PathBuf {
        let name = u128::from_be_bytes(Md5::digest(&self.url).into());
        self.home.path().join(dir).join(format!("{name:032x}_{kind}.json"))
    }

    /// Leaves both files.
    fn leave(&self, dir: &str) {
        fs::create_dir_all(self.home.path().join(dir)).unwrap();
        for (kind, content) in [("tokens", &self.tokens), ("client_info", &self.client)] {
            let text = serde_json::to_string_pretty(content).unwrap();
            fs::write(self.path(dir, kind), text).unwrap();
        }
    }

    fn expire(&mut self) {
        self.tokens["expires_at"] = json!((now() - 60) * 1000);
    }

    /// A whole conversation.
    fn converse(&self, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let args = [&[self.url.as_str()], args].concat();
        let mut bridge = Bridge::start_with(&self.home, Person::Present, &args, env);
        call(&mut bridge);
        let ended = bridge.end();
        check_end(&ended, 0);
        ended
    }

    /// How often the refresh token was sent to the gateway.
    fn presented(&self, gateway: &Gateway) -> usize {
        let token = fingerprint(self.tokens["refresh_token"].as_str().unwrap());
        let requests = gateway.requests();
        requests.iter().filter(|seen| seen.refresh_token.as_ref() == Some(&token)).count()
    }
}

fn call(bridge: &mut Bridge) {
    let answer = bridge.handshake("2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "apexmcp-mock-gateway", "{answer}");
    let answer = bridge.call(1, "echo", json!({ "text": "hello" }));
    assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer}");
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The bridge's own record.
fn record(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.state()).unwrap().map(|entry| entry.unwrap().path());
    let is_record = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "json")
            && path.file_stem().is_some_and(|stem| stem.len() == 64)
    };
    files.into_iter().find(is_record).unwrap()
}

fn count(gateway: &Gateway, path: &str) -> usize {
    gateway.requests().iter().filter(|seen| seen.path == path).count()
}

fn imports(ended: &Ended) -> usize {
    ended.stderr.matches("was imported from").count()
}

#[test]
fn an_expired_sign_in_goes_on_without_a_window() {
    let gateway = gateway();
    let mut legacy = Legacy::new(&gateway);
    legacy.expire();
    legacy.leave(STABLE);
    let untouched = fs::read(legacy.path(STABLE, "tokens")).unwrap();
    let first = legacy.converse(&["--debug"], &[]);
    assert_eq!(imports(&first), 1, "{}", first.stderr);
    for secret in gateway.issued_secrets() {
        assert!(!first.stderr.contains(&secret), "{secret} in {}", first.stderr);
    }
    let second = legacy.converse(&[], &[]);
    assert_eq!(second.stderr.matches("mcp-remote").count(), 0, "{}", second.stderr);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (0, 1));
    assert_eq!((gateway.refresh_reuses(), count(&gateway, "/register")), (0, 1));
    // mcp-remote's files are its own.
    assert_eq!(fs::read(legacy.path(STABLE, "tokens")).unwrap(), untouched);
    let stored = fs::read_to_string(record(&legacy.home)).unwrap();
    assert!(stored.contains("/oauth/token"), "the token endpoint is known from now on");
}

#[test]
fn a_live_access_token_is_used_as_it_is() {
    let gateway = gateway();
    let legacy = Legacy::new(&gateway);
    legacy.leave(STABLE);
    let before = (count(&gateway, "/oauth/token"), gateway.requests().len());
    let ended = legacy.converse(&[], &[]);
    assert_eq!(imports(&ended), 1);
    assert_eq!((count(&gateway, "/oauth/token"), legacy.home.browsers()), (before.0, 0));
    let requests = gateway.requests();
    let others = requests[before.1..].iter().filter(|seen| !seen.path.starts_with("/mcp/"));
    assert_eq!(others.count(), 0, "no document is asked for");
}

#[test]
fn an_access_token_that_the_gateway_refuses_is_renewed() {
    let gateway = gateway();
    let legacy = Legacy::new(&gateway);
    legacy.leave(STABLE);
    gateway.expire_access_tokens();
    legacy.converse(&[], &[]);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (0, 1));
    assert_eq!(gateway.refresh_reuses(), 0);
}

/// As 0.1.x wrote it: no issuer and no time of expiry. Who issued the token, it says itself.
#[test]
fn the_newest_of_the_old_directories() {
    let gateway = gateway();
    let mut legacy = Legacy::new(&gateway);
    for name in ["issuer", "expires_at", "requested_scope"] {
        legacy.tokens.as_object_mut().unwrap().remove(name);
        legacy.client.as_object_mut().unwrap().remove(name);
    }
    let live = legacy.tokens.clone();
    legacy.tokens["refresh_token"] = json!("an-older-one");
    legacy.leave("elsewhere/mcp-remote-0.1.30");
    legacy.tokens = live;
    legacy.leave("elsewhere/mcp-remote-0.1.38");
    let older = legacy.path("elsewhere/mcp-remote-0.1.30", "tokens");
    let hour_ago = SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(older).unwrap().set_modified(hour_ago).unwrap();
    let dir = legacy.home.path().join("elsewhere");
    let env = [("MCP_REMOTE_CONFIG_DIR", dir.to_str().unwrap())];
    let ended = legacy.converse(&[], &env);
    assert!(ended.stderr.contains("mcp-remote-0.1.38"), "{}", ended.stderr);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (0, 1));
}

#[test]
fn damaged_files_cost_a_sign_in_and_one_warning() {
    let gateway = gateway();
    let legacy = Legacy::new(&gateway);
    legacy.leave(STABLE);
    fs::write(legacy.path(STABLE, "tokens"), "{\"access_token\":").unwrap();
    fs::write(legacy.path(STABLE, "client_info"), "").unwrap();
    let ended = legacy.converse(&[], &[]);
    assert_eq!(ended.stderr.matches("is not imported").count(), 1, "{}", ended.stderr);
    assert_eq!(legacy.home.browsers(), 1);
    let ended = legacy.converse(&[], &[]);
    assert_eq!(ended.stderr.matches("mcp-remote").count(), 0, "{}", ended.stderr);
}

#[test]
fn the_refresh_token_of_another_issuer_is_not_sent() {
    let gateway = gateway();
    let mut legacy = Legacy::new(&gateway);
    legacy.expire();
    legacy.tokens["issuer"] = json!("https://elsewhere.example");
    legacy.client["issuer"] = json!("https://elsewhere.example");
    legacy.leave(STABLE);
    legacy.converse(&[], &[]);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (1, 0));
    // Nor is its client used.
    assert_eq!(count(&gateway, "/register"), 2);
}

#[test]
fn a_sign_out_is_not_undone() {
    let gateway = gateway();
    let mut legacy = Legacy::new(&gateway);
    legacy.expire();
    legacy.leave(STABLE);
    legacy.converse(&[], &[]);
    fs::remove_file(record(&legacy.home)).unwrap();
    let ended = legacy.converse(&[], &[]);
    assert_eq!(imports(&ended), 0, "{}", ended.stderr);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (1, 1));
    assert_eq!(gateway.refresh_reuses(), 0);
}

#[test]
fn the_verb_to_sign_out_is_not_undone_either() {
    let gateway = gateway();
    // Whether it was imported before or not.
    for imported in [true, false] {
        let legacy = Legacy::new(&gateway);
        legacy.leave(STABLE);
        if imported {
            legacy.converse(&[], &[]);
        }
        let mut logout = legacy.home.command(Person::Present);
        let status = logout.args(["logout", "--forget-client", &legacy.url]).output().unwrap();
        assert!(status.status.success(), "{status:?}");
        let told = String::from_utf8(status.stderr).unwrap();
        assert_eq!(told.contains("mcp-remote, which still has them"), imported, "{told}");
        let ended = legacy.converse(&[], &[]);
        assert_eq!((imports(&ended), legacy.home.browsers()), (0, 1), "{}", ended.stderr);
        assert_eq!(legacy.presented(&gateway), 0);
    }
}

#[test]
fn a_sign_in_of_our_own_is_not_replaced_after_a_sign_out() {
    let gateway = gateway();
    let legacy = Legacy::new(&gateway);
    legacy.converse(&[], &[]);
    legacy.leave(STABLE);
    fs::remove_file(record(&legacy.home)).unwrap();
    legacy.converse(&[], &[]);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (2, 0));
}

#[test]
fn when_mcp_remote_goes_on_it_is_told() {
    let gateway = gateway();
    let mut legacy = Legacy::new(&gateway);
    legacy.leave(STABLE);
    legacy.converse(&[], &[]);
    legacy.tokens["refresh_token"] = json!("what-mcp-remote-has-got-since");
    legacy.leave(STABLE);
    let ended = legacy.converse(&[], &[]);
    assert_eq!(ended.stderr.matches("mcp-remote still uses").count(), 1, "{}", ended.stderr);
    let ended = legacy.converse(&[], &[]);
    assert_eq!(ended.stderr.matches("mcp-remote").count(), 0, "{}", ended.stderr);
    assert_eq!(legacy.home.browsers(), 0);
}

#[test]
fn nothing_is_imported_into_memory() {
    let gateway = gateway();
    let legacy = Legacy::new(&gateway);
    legacy.leave(STABLE);
    let ended = legacy.converse(&["--token-store", "memory"], &[]);
    assert_eq!((imports(&ended), legacy.home.browsers()), (0, 1), "{}", ended.stderr);
    assert_eq!(legacy.presented(&gateway), 0);
    assert!(!legacy.home.state().exists());
}

#[test]
fn a_registration_is_used_again_with_its_port() {
    let gateway = gateway();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let legacy = Legacy::with(&gateway, &[&port.to_string()]);
    legacy.leave(STABLE);
    fs::remove_file(legacy.path(STABLE, "tokens")).unwrap();
    let ended = legacy.converse(&[], &[]);
    let redirect = format!("localhost%3A{port}%2F");
    assert!(ended.stderr.contains(&redirect), "{} without {redirect}", ended.stderr);
    assert_eq!((legacy.home.browsers(), count(&gateway, "/register")), (1, 1));
}

#[test]
fn copies_started_together_import_once_and_renew_once() {
    let gateway = gateway();
    let mut legacy = Legacy::new(&gateway);
    legacy.expire();
    legacy.leave(STABLE);
    let start = || Bridge::start(&legacy.home, &[&legacy.url]);
    let mut copies: Vec<_> = (0..3).map(|_| start()).collect();
    copies.iter_mut().for_each(call);
    let ended: Vec<_> = copies.into_iter().map(Bridge::end).collect();
    assert_eq!(ended.iter().map(imports).sum::<usize>(), 1);
    assert_eq!((legacy.home.browsers(), legacy.presented(&gateway)), (0, 1));
    assert_eq!(gateway.refresh_reuses(), 0);
}

/// From the host's file: what stood there started mcp-remote.
#[test]
fn a_migrated_entry_goes_on_with_the_sign_in() {
    let gateway = gateway();
    let legacy = Legacy::new(&gateway);
    legacy.leave(STABLE);
    let file = legacy.home.path().join(".cursor/mcp.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let args = json!(["-y", "mcp-remote@latest", legacy.url]);
    let entry = json!({ "mcpServers": { "acme": { "command": "npx", "args": args } } });
    fs::write(&file, entry.to_string()).unwrap();
    let mut migrate = legacy.home.command(Person::Absent);
    assert!(migrate.args(["install", "--migrate"]).output().unwrap().status.success());
    let entry: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let entry = &entry["mcpServers"]["acme"];
    assert_eq!(entry["command"], env!("CARGO_BIN_EXE_apexmcp-bridge"));
    assert_eq!(entry["args"], json!([legacy.url]));
    let mut command = legacy.home.command(Person::Absent);
    command.args(entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()));
    let mut bridge = Bridge::spawn(command);
    call(&mut bridge);
    check_end(&bridge.end(), 0);
    assert_eq!(legacy.home.browsers(), 0, "nobody signs in again");
}
