//! The mock gateway as a program.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Bridge, Home, check_end, start_mock};

/// A mock that ends with its stdin, and the line that it prints when it is ready.
fn start(args: &[&str]) -> (Child, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apexmcp-mock-gateway"));
    command.args(args);
    start_mock(command)
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
    assert!(stderr.contains("hint: another program has this port"), "{stderr}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_reads_the_environment_of_the_product() {
    let run = |secret: &str, args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_apexmcp-mock-gateway"))
            .args(args)
            .args(["--org", "acme", "--until-stdin-closes"])
            .env("PUBLIC_MCP_BASE_URL", "https://mcp.example.com")
            .env("PUBLIC_WEB_BASE_URL", "https://app.example.com")
            .env("OAUTH_HANDOFF_SECRET", secret)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let (status, stdout, _) = run("a-secret-of-32-or-more-characters", &[]);
    assert_eq!(status, Some(0));
    let ready: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(ready["issuer"], "https://mcp.example.com");
    assert_eq!(ready["sse"]["acme"], "https://mcp.example.com/mcp/acme/sse");
    assert_eq!(ready["web"], "https://app.example.com");
    // What is typed counts more.
    let typed = ["--public-web-url", "https://typed.example.com"];
    let (_, stdout, _) = run("a-secret-of-32-or-more-characters", &typed);
    let ready: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(ready["web"], "https://typed.example.com");
    let (status, _, stderr) = run("short", &[]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("32 or more characters"), "{stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn it_needs_no_disk() {
    // Nobody can write into any of these, whoever they are.
    let output = Command::new(env!("CARGO_BIN_EXE_apexmcp-mock-gateway"))
        .args(["--tls", "--until-stdin-closes"])
        .env_clear()
        .envs([("HOME", "/proc"), ("TMPDIR", "/proc")])
        .current_dir("/proc")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let ready: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ready["ready"], true);
}

#[test]
fn it_tells_its_faults() {
    let mock = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_apexmcp-mock-gateway")).args(args).output();
        let output = output.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, help, _) = mock(&["--help", "faults"]);
    assert_eq!(status, Some(0));
    let (_, brief, _) = mock(&["--help"]);
    for word in ["net.half_open", "token.rt_grace=S[,last-only]", "@ROUTE", "callback"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let lines = help.lines().chain(brief.lines());
    let wide: Vec<_> = lines.filter(|line| 80 < line.chars().count()).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(!brief.contains("`OpenID`"), "{brief}");
    let (status, _, stderr) = mock(&["--fault", "net.nothing"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("there is no fault `net.nothing`"), "{stderr}");
    let (status, _, stderr) = mock(&["--plan", "/nowhere/plan.json"]);
    assert_eq!(status, Some(2));
    assert!(stderr.starts_with("error: `/nowhere/plan.json`: "), "{stderr}");
}

#[test]
fn a_plan_file_https_and_steering() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (plan, authority) = (path("plan.json"), path("ca.pem"));
    let json = r#"{"org": ["solo"], "fault": ["http.status=418@asm#1"], "tls": true}"#;
    std::fs::write(&plan, json).unwrap();
    let (mut child, ready) = start(&["--plan", &plan, "--tls-ca-out", &authority]);
    let curl = |args: &[&str]| {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "20", "--cacert", &authority])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let gateway = ready["gateway"].as_str().unwrap();
    assert!(gateway.starts_with("https://"));
    let metadata = format!("{gateway}/.well-known/oauth-authorization-server");
    let status = || curl(&["-o", "/dev/null", "-w", "%{http_code} %{http_version}", &metadata]);
    assert_eq!((status(), status()), ("418 2".into(), "200 2".into()));
    let control = ready["control"]["url"].as_str().unwrap();
    let owner = format!("Authorization: Bearer {}", ready["control"]["token"].as_str().unwrap());
    let listed = curl(&["-H", &owner, &format!("{control}/faults")]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["struck"], 1);
    let log = curl(&["-H", &owner, &format!("{control}/log")]);
    assert_eq!(log.lines().count(), 2, "{log}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
