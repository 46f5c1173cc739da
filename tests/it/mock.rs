//! The mock gateway as a program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Bridge, Home, check_end};

/// A mock that ends with its stdin, and the line that it prints when it is ready.
fn start(args: &[&str]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_apexmcp-mock-gateway"))
        .args(args)
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

#[test]
fn it_says_where_it_is_and_ends_with_its_stdin() {
    let (mut child, ready) = start(&["--org", "acme", "--fault", "net.latency=1#1"]);
    let home = Home::new();
    let header = format!("X-API-Key:{}", ready["api_keys"]["acme"].as_str().unwrap());
    let url = ready["sse"]["acme"].as_str().unwrap();
    let mut bridge = Bridge::start(&home, &[url, "--header", &header]);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
    // One port cannot be had twice, which is no reason to panic.
    let port = ready["gateway"].as_str().unwrap().rsplit(':').next().unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_apexmcp-mock-gateway"))
        .args(["--port", port])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: cannot start: 127.0.0.1:"), "{stderr}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
