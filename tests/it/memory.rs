//! How much is held for whoever does not read.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::{Gateway, Plan};

use crate::raw;
use crate::support::{Home, Person};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"it","version":"1"}}}"#;
/// What the budget of one direction allows, and as much again for what is on its way through.
const MOST: u64 = 220 << 20;
const MESSAGE: usize = 20 << 20;

/// The largest size that a process has had in this time.
fn largest(child: &Child, time: Duration) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let started = Instant::now();
    let mut most = 0;
    while started.elapsed() < time {
        let status = std::fs::read_to_string(&path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let size: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        most = most.max(size << 10);
        thread::sleep(Duration::from_millis(20));
    }
    most
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_gateway_waits_for_a_host_that_does_not_read() {
    let origin = raw::serve(|request| {
        if request.method != "GET" {
            return request.shake_hands();
        }
        request.stream();
        let text = "x".repeat(MESSAGE);
        let event = format!("data: {{\"jsonrpc\":\"2.0\",\"method\":\"{text}\"}}\n\n");
        for _ in 0..25 {
            request.write(event.as_bytes());
        }
    });
    let home = Home::new();
    let mut child = home
        .command(Person::Absent)
        .arg(format!("{origin}/mcp"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    writeln!(stdin, "{INITIALIZE}").unwrap();
    stdout.read_line(&mut String::new()).unwrap();
    writeln!(stdin, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#).unwrap();
    let most = largest(&child, Duration::from_secs(4));
    assert!(MESSAGE as u64 <= most, "nothing came: {most}");
    assert!(most < MOST, "{} MiB", most >> 20);
    end(child);
}

#[test]
fn a_host_waits_for_whoever_signs_in() {
    let gateway = Gateway::start(Plan::default()).unwrap();
    let home = Home::new();
    let mut child = home
        .command(Person::Absent)
        .arg(gateway.http_url("acme"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::spawn(move || {
        writeln!(stdin, "{INITIALIZE}").ok();
        let text = "x".repeat(MESSAGE);
        for id in 1..25 {
            // Broken when the test is over.
            writeln!(stdin, r#"{{"jsonrpc":"2.0","id":{id},"method":"{text}"}}"#).ok();
        }
    });
    home.wait_for_browser();
    let most = largest(&child, Duration::from_secs(3));
    assert!(MESSAGE as u64 <= most, "nothing was taken: {most}");
    assert!(most < MOST, "{} MiB", most >> 20);
    end(child);
}
