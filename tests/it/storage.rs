//! Places that are not fit for a credential, and files that are broken.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use apexmcp_bridge::mock::{Consent, Gateway, Plan};
use serde_json::json;

use super::support::{Bridge, Ended, Home, Person, check_end};

fn gateway() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

/// A conversation that must work whatever the store is like.
fn converse(home: &Home, url: &str, env: &[(&str, &str)]) -> Ended {
    let mut bridge = Bridge::start_with(home, Person::Present, &[url], env);
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["result"].is_object(), "{answer}");
    let answer = bridge.call(1, "echo", json!({ "text": "x" }));
    assert!(answer["result"].is_object(), "{answer}");
    let ended = bridge.end();
    check_end(&ended, 0);
    ended
}

fn records(home: &Home) -> Vec<PathBuf> {
    let files = fs::read_dir(home.state()).unwrap().map(|file| file.unwrap().path());
    let is_record = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_str().unwrap_or_default().to_owned();
        path.extension().is_some_and(|ending| ending == "json") && stem.len() == 64
    };
    files.filter(is_record).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_place_that_cannot_be_written_costs_the_memory_of_the_sign_in_and_no_more() {
    let gateway = gateway();
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    // Below a file there is no directory, whoever asks, root included.
    let below = file.join("state");
    let env = [("APEXMCP_BRIDGE_STATE_DIR", below.to_str().unwrap())];
    let ended = converse(&home, &gateway.http_url("acme"), &env);
    assert!(ended.stderr.contains("lost at exit"), "{}", ended.stderr);
    let told = ended.stderr.matches("could not be stored").count();
    assert_eq!(told, 1, "{}", ended.stderr);
}

#[test]
fn a_broken_record_is_moved_aside_and_costs_one_sign_in() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    converse(&home, &url, &[]);
    let record = records(&home).pop().unwrap();
    let whole = fs::read_to_string(&record).unwrap();
    let deep = "[".repeat(200_000);
    for (n, broken) in [&whole[..whole.len() / 2], "", "\u{0}\u{1}", "[]", &deep].iter().enumerate()
    {
        fs::write(&record, broken).unwrap();
        let ended = converse(&home, &url, &[]);
        assert!(ended.stderr.contains("damaged"), "{}", ended.stderr);
        assert_eq!(home.browsers(), n + 2);
        assert_eq!(fs::read_to_string(record.with_extension("corrupt")).unwrap(), *broken);
    }
    converse(&home, &url, &[]);
    assert_eq!(home.browsers(), 6, "the next start is silent again");
}

#[test]
fn a_record_behind_a_link_is_not_used() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    converse(&home, &url, &[]);
    let record = records(&home).pop().unwrap();
    let elsewhere = home.path().join("elsewhere.json");
    fs::rename(&record, &elsewhere).unwrap();
    symlink(&elsewhere, &record).unwrap();
    let before = fs::read_to_string(&elsewhere).unwrap();
    let ended = converse(&home, &url, &[]);
    assert!(ended.stderr.contains("is a link"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), before, "what it leads to is untouched");
}

#[test]
fn a_directory_of_somebody_else_is_not_used() {
    let gateway = gateway();
    for (change, word) in
        [("chmod 0777", "can be written by others"), ("chown 65534", "somebody else")]
    {
        let home = Home::new();
        fs::create_dir(home.state()).unwrap();
        let changed = Command::new("sh")
            .args(["-c", &format!("{change} \"$0\"")])
            .arg(home.state())
            .status()
            .unwrap();
        if !changed.success() {
            let text = b"skipped: only root may give a directory away\n";
            std::io::Write::write_all(&mut std::io::stderr(), text).unwrap();
            continue;
        }
        let ended = converse(&home, &gateway.http_url("acme"), &[]);
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
        assert!(records(&home).is_empty());
    }
}

#[test]
fn files_are_private_whatever_the_umask_allows() {
    let gateway = gateway();
    let home = Home::new();
    let mut command = Command::new("sh");
    let bridge = home.command(Person::Present);
    command.args(["-c", "umask 0; exec \"$0\" \"$@\""]).arg(bridge.get_program());
    command.arg(gateway.http_url("acme")).env_clear();
    command.envs(bridge.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut bridge = Bridge::spawn(command);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
    assert_eq!(mode(&home.state()), 0o700);
    for file in fs::read_dir(home.state()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_place_that_cannot_be_written_does_not_keep_tokens_from_being_renewed() {
    let gateway = gateway();
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("state");
    let env = [("APEXMCP_BRIDGE_STATE_DIR", below.to_str().unwrap())];
    let url = gateway.http_url("acme");
    let mut bridge = Bridge::start_with(&home, Person::Present, &[&url], &env);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    for id in 1..4 {
        gateway.expire_access_tokens();
        let answer = bridge.call(id, "echo", json!({ "text": "x" }));
        assert!(answer["result"].is_object(), "{answer}");
    }
    check_end(&bridge.end(), 0);
    assert_eq!((home.browsers(), gateway.refresh_reuses()), (1, 0));
}

#[test]
fn a_program_that_is_replaced_while_it_runs_can_still_sign_in() {
    let gateway = gateway();
    let home = Home::new();
    let original = home.command(Person::Present);
    let copy = home.path().join("bridge");
    fs::copy(original.get_program(), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.env_clear().arg(gateway.http_url("acme"));
    command.envs(original.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut bridge = Bridge::spawn(command);
    fs::remove_file(&copy).unwrap();
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
}
