//! Others at work at the same time, ends in the middle, and disks that are full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::*;

/// Everything beside a file that is neither it nor a copy of it.
fn strays(home: &Home, file: &str) -> Vec<PathBuf> {
    let path = home.path().join(file);
    let copies = backups(home, file);
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|other| *other != path && !copies.contains(other)).collect()
}

#[test]
fn runs_at_the_same_time_wait_for_each_other() {
    let home = Home::new();
    let cursor = "{\n  \"mcpServers\": {}\n}\n";
    let codex = "model = \"x\"\n";
    write(&home, CURSOR, cursor);
    write(&home, CODEX, codex);
    thread::scope(|scope| {
        for n in 0..12 {
            let host = if n % 2 == 0 { "cursor" } else { "codex" };
            let home = &home;
            scope.spawn(move || {
                let name = format!("n{n}");
                let (status, _, stderr) = run(home, &["install", host, "acme", "--name", &name]);
                assert_eq!(status, 0, "{stderr}");
            });
        }
    });
    for n in 0..12 {
        let file = if n % 2 == 0 { CURSOR } else { CODEX };
        assert!(text(&home, file).contains(&format!("n{n}")), "{n} is in {file}");
    }
    assert_eq!(run(&home, &["uninstall", "--all"]).0, 0);
    assert_eq!((&*text(&home, CURSOR), &*text(&home, CODEX)), (cursor, codex));
}

/// A host that reads its file, changes a number in it and writes it, all the time.
#[test]
fn a_host_that_writes_all_the_time_loses_nothing() {
    let home = Home::new();
    let path = write(&home, ".claude.json", "{\"starts\": 0, \"mcpServers\": {}}");
    let done = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let host = scope.spawn(|| {
            let mut starts = 0;
            while !done.load(Ordering::Relaxed) {
                let now = fs::read_to_string(&path).unwrap();
                let next = format!("\"starts\": {}", starts + 1);
                let now = now.replace(&format!("\"starts\": {starts}"), &next);
                let new = path.with_extension("new");
                fs::write(&new, now).unwrap();
                fs::rename(new, &path).unwrap();
                starts += 1;
                thread::sleep(Duration::from_millis(50));
            }
            starts
        });
        for n in 0..6 {
            let name = format!("n{n}");
            let (status, _, stderr) =
                run(&home, &["install", "claude-code", "acme", "--name", &name]);
            let is_refused = status == 6 && stderr.contains("was changed by another program");
            assert!(status == 0 || is_refused, "{stderr}");
        }
        done.store(true, Ordering::Relaxed);
        host.join().unwrap()
    });
    let file: Value = serde_json::from_str(&text(&home, ".claude.json")).unwrap();
    assert_eq!(file["starts"], last, "what the host wrote stays");
}

/// Killed at any moment: the file is the old one or the new one, and the way back is known.
#[test]
fn an_end_in_the_middle_leaves_nothing_unknown() {
    let before = "{\n  // mine\n  \"mcpServers\": { \"apexmcp\": { \"command\": \"x\" } }\n}\n";
    let (mut n_old, mut n_new) = (0, 0);
    for n in 0..40_u64 {
        let home = Home::new();
        write(&home, CURSOR, before);
        let mut command = home.command(Person::Present);
        command.args(["install", "cursor", "acme", "--force"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_micros(n * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        if text(&home, CURSOR) == before {
            n_old += 1;
        } else {
            n_new += 1;
            assert!(text(&home, CURSOR).contains(PROGRAM));
        }
        // Whatever it was, once more comes to the same, and so does the way back.
        let (status, _, stderr) = run(&home, &["install", "cursor", "acme", "--force"]);
        assert_eq!(status, 0, "{stderr}");
        assert!(text(&home, CURSOR).contains(PROGRAM));
        let (status, _, stderr) = run(&home, &["uninstall", "cursor"]);
        assert_eq!(status, 0, "{stderr}");
        assert_eq!(text(&home, CURSOR), before, "{stderr}");
    }
    assert!(0 < n_old, "{n_old} old, {n_new} new");
}

/// What such an end leaves beside the file goes with the next run.
#[test]
fn leftovers_are_removed_when_they_are_old() {
    let home = Home::new();
    write(&home, CURSOR, "{}\n");
    let old = write(&home, ".cursor/.mcp.json.apexmcp-AbCdEf.tmp", "{");
    let new = write(&home, ".cursor/.mcp.json.apexmcp-GhIjKl.tmp", "{");
    let other = write(&home, ".cursor/.other.json.apexmcp-GhIjKl.tmp", "{");
    for path in [&old, &other] {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
    assert_eq!(run(&home, &["install", "cursor", "acme"]).0, 0);
    assert!(!old.exists() && new.exists() && other.exists());
}

/// A limit of the process stands for a disk that is full.
#[test]
fn a_full_disk_leaves_the_file_and_nothing_beside_it() {
    let home = Home::new();
    let before = format!("{{\n  \"note\": \"{}\"\n}}\n", "x".repeat(4000));
    for args in ["install cursor acme", "uninstall cursor"] {
        write(&home, CURSOR, &before);
        if args.starts_with("uninstall") {
            assert_eq!(run(&home, &["install", "cursor", "acme", "--no-backup"]).0, 0);
        }
        let now = text(&home, CURSOR);
        let mut command = Command::new("/bin/sh");
        let limited = format!("trap '' XFSZ; ulimit -f 4; exec '{PROGRAM}' {args}");
        command.args(["-c", &limited]).env_clear().env("HOME", home.path()).stdin(Stdio::null());
        command.env("APEXMCP_BRIDGE_STATE_DIR", home.state());
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "{stderr}");
        assert!(stderr.contains("cannot be read or written: File too large"), "{stderr}");
        assert_eq!(text(&home, CURSOR), now);
        assert_eq!(backups(&home, CURSOR).len() + strays(&home, CURSOR).len(), 0);
    }
    // Nothing that the first of them noted is in the way.
    assert_eq!(run(&home, &["uninstall", "cursor", "--no-backup"]).0, 0);
    assert_eq!(text(&home, CURSOR), before);
}
