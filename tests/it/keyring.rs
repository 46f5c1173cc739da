//! A real keychain: gnome-keyring, unlocked, locked, hanging and absent. `tests/all` demands it;
//! elsewhere a test says that it was skipped.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::{Consent, Gateway, Plan};
use serde_json::json;

use super::support::{Bridge, Ended, Home, Person, check_end};

/// What happens on the session's bus before the bridge starts.
const UNLOCKED: &str =
    "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1";
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1 </dev/null";
const WITHOUT: &str = ":";

fn is_offered() -> bool {
    let offered = std::env::var_os("APEXMCP_BRIDGE_TEST_KEYRING").is_some();
    if !offered {
        // Past the harness, which would swallow it: a check that was not made says so.
        let text = b"skipped: no keychain was offered (APEXMCP_BRIDGE_TEST_KEYRING)\n";
        std::io::stderr().write_all(text).unwrap();
    }
    offered
}

/// The bridge on a bus of its own.
fn start(home: &Home, before: &str, url: &str) -> Bridge {
    let bridge = home.command(Person::Present);
    let script = format!("{before}; exec \"$0\" \"$@\"");
    let mut command = Command::new("dbus-run-session");
    command.args(["--", "sh", "-c", &script]).arg(bridge.get_program()).arg(url).env_clear();
    let vars = bridge.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(vars).env("APEXMCP_BRIDGE_TOKEN_STORE", "keychain");
    command.env("XDG_RUNTIME_DIR", home.path());
    Bridge::spawn(command)
}

fn converse(mut bridge: Bridge) -> Ended {
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["result"].is_object(), "{answer}");
    let answer = bridge.request(1, "tools/list", json!({}));
    assert!(answer["result"].is_object(), "{answer}");
    bridge.end()
}

/// What is kept, as text.
fn stored(home: &Home) -> String {
    let files = std::fs::read_dir(home.state()).unwrap();
    let name = |path: &std::path::Path| path.file_stem().unwrap().to_str().unwrap().len();
    let records = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json") && name(path) == 64);
    records.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn gateway() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

fn holds_a_secret(gateway: &Gateway, text: &str) -> bool {
    gateway.issued_secrets().iter().any(|secret| text.contains(secret))
}

#[test]
fn a_keyring_seals_the_sign_in_and_opens_it_again() {
    if !is_offered() {
        return;
    }
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let ended = converse(start(&home, UNLOCKED, &url));
    check_end(&ended, 0);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    assert!(!holds_a_secret(&gateway, &stored(&home)), "{}", stored(&home));
    check_end(&converse(start(&home, UNLOCKED, &url)), 0);
    assert_eq!(home.browsers(), 1, "the second start is silent");
}

#[test]
fn a_locked_keyring_costs_a_warning_and_at_most_a_sign_in() {
    if !is_offered() {
        return;
    }
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    check_end(&converse(start(&home, UNLOCKED, &url)), 0);
    let started = Instant::now();
    let ended = converse(start(&home, LOCKED, &url));
    check_end(&ended, 0);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(ended.stderr.contains("keychain"), "{}", ended.stderr);
    assert_eq!(home.browsers(), 2);
    // It is kept in the file now, and the next start does without the keychain.
    assert!(holds_a_secret(&gateway, &stored(&home)));
    check_end(&converse(start(&home, LOCKED, &url)), 0);
    assert_eq!(home.browsers(), 2);
}

#[test]
fn without_a_keyring_the_file_protects_the_sign_in() {
    if !is_offered() {
        return;
    }
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let ended = converse(start(&home, WITHOUT, &url));
    check_end(&ended, 0);
    assert_eq!(ended.stderr.matches("warning: ").count(), 1, "{}", ended.stderr);
    assert!(holds_a_secret(&gateway, &stored(&home)));
    check_end(&converse(start(&home, WITHOUT, &url)), 0);
    assert_eq!(home.browsers(), 1);
}

/// A bus that takes connections and says nothing.
#[test]
fn a_keyring_that_hangs_is_not_waited_for() {
    if !is_offered() {
        return;
    }
    let gateway = gateway();
    let home = Home::new();
    let bus = home.path().join("bus");
    let _silent = std::os::unix::net::UnixListener::bind(&bus).unwrap();
    let mut command = home.command(Person::Present);
    command.arg(gateway.http_url("acme")).env("APEXMCP_BRIDGE_TOKEN_STORE", "keychain");
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display()));
    let started = Instant::now();
    let ended = converse(Bridge::spawn(command));
    check_end(&ended, 0);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert!(ended.stderr.contains("did not answer"), "{}", ended.stderr);
    assert!(holds_a_secret(&gateway, &stored(&home)));
}
