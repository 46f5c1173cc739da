//! What a person does from a terminal.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use apexmcp_bridge::mock::{Auth, Consent, Gateway, Plan};
use serde_json::Value;

use super::support::{Bridge, Home, Person, check_end};

fn gateway() -> Gateway {
    Gateway::start(Plan { consent: Consent::Approve, ..Plan::default() }).unwrap()
}

fn command(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(Person::Present);
    command.args(args).stdin(Stdio::null());
    command
}

fn run(home: &Home, args: &[&str]) -> Output {
    command(home, args).output().unwrap()
}

/// Status, stdout, stderr.
fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_sign_in_from_a_terminal_serves_the_host_later() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let (status, stdout, stderr) = texts(&run(&home, &["login", &url]));
    assert_eq!((status, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("you are signed in"), "{stderr}");
    assert_eq!(home.browsers(), 1);
    let host = gateway.base_url().split("//").last().unwrap().to_owned();
    assert!(home.page().contains(&host) && home.page().contains("the terminal"));
    let mut bridge = Bridge::start(&home, &[&url]);
    assert!(bridge.handshake("2025-06-18")["result"].is_object());
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 1, "the host's start is silent");
    // Once more is a matter of a moment, unless it is asked for.
    assert_eq!(texts(&run(&home, &["login", &url])).0, 0);
    assert_eq!(home.browsers(), 1);
    assert_eq!(texts(&run(&home, &["login", "--force", &url])).0, 0);
    assert_eq!(home.browsers(), 2, "a person who asks for a window gets one at any time");
}

#[test]
fn status_shows_what_there_is_and_no_secret() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    assert_eq!(texts(&run(&home, &["status", &url])).0, 4);
    assert_eq!(texts(&run(&home, &["status", "--check", &url])).0, 4);
    assert_eq!(home.browsers(), 0, "nobody is asked");
    run(&home, &["login", &url]);
    let (status, text, _) = texts(&run(&home, &["status", &url]));
    assert_eq!(status, 0);
    assert!(text.contains("signed in") && text.contains("mcp:call"), "{text}");
    let (status, text, _) = texts(&run(&home, &["status", "--json"]));
    assert_eq!(status, 0);
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["signIns"][0]["server"], url.as_str(), "{text}");
    assert_eq!(all["signIns"][0]["renewable"], true);
    for secret in gateway.issued_secrets() {
        assert!(!text.contains(&secret));
    }
    assert_eq!(texts(&run(&home, &["status", "--check", &url])).0, 0);
    gateway.expire_access_tokens();
    gateway.revoke_refresh_tokens();
    assert_eq!(texts(&run(&home, &["status", "--check", &url])).0, 4);
    assert_eq!(home.browsers(), 1);
}

#[test]
fn logout_ends_the_sign_in_at_the_server_too() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    run(&home, &["login", &url]);
    let (status, _, stderr) = texts(&run(&home, &["logout", &url]));
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("signed out"), "{stderr}");
    let revoked = gateway.requests().iter().filter(|seen| seen.path.contains("revoke")).count();
    assert_eq!(revoked, 2, "both tokens");
    assert_eq!(texts(&run(&home, &["status", &url])).0, 4);
    // The registration is kept: the next sign-in does without another one.
    run(&home, &["login", &url]);
    let registrations = gateway.requests().iter().filter(|seen| seen.path == "/register").count();
    assert_eq!(registrations, 1);
    assert_eq!(texts(&run(&home, &["logout", "--all", "--forget-client"])).0, 0);
    let (_, text, _) = texts(&run(&home, &["status"]));
    assert_eq!(text, "there are no sign-ins\n");
    let (status, _, stderr) = texts(&run(&home, &["logout", "--all"]));
    assert_eq!(status, 0);
    assert!(stderr.contains("no sign-in to end"), "{stderr}");
}

#[test]
fn a_server_that_cannot_be_told_is_named() {
    let home = Home::new();
    let url = {
        let gateway = gateway();
        let url = gateway.http_url("acme");
        run(&home, &["login", &url]);
        url
    };
    let (status, _, stderr) = texts(&run(&home, &["logout", &url]));
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("was not told"), "{stderr}");
    assert_eq!(texts(&run(&home, &["status", &url])).0, 4, "it is gone here all the same");
    assert_eq!(texts(&run(&home, &["status", "--check", &url])).0, 5);
}

#[test]
fn a_server_without_sign_in_needs_none() {
    let gateway = Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap();
    let home = Home::new();
    let (status, _, stderr) = texts(&run(&home, &["login", &gateway.http_url("acme")]));
    assert_eq!(status, 0);
    assert!(stderr.contains("asks for no sign-in"), "{stderr}");
}

/// The browser is elsewhere: it ends at an address that does not load there, and the person brings
/// that address back.
#[test]
fn an_address_that_is_pasted_ends_the_sign_in() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let mut child = command(&home, &["login", "--no-browser", &url])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("please sign in: ") {
        line.clear();
        std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    }
    let authorize = line.trim().trim_start_matches("please sign in: ");
    let answer = Command::new("curl")
        .args(["-s", "--max-time", "20", "-o", "/dev/null", "-w", "%{redirect_url}", authorize])
        .output()
        .unwrap();
    let redirect = String::from_utf8(answer.stdout).unwrap();
    assert!(redirect.contains("code="), "{redirect}");
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "http://localhost:1/other?state=x\n{redirect}").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert!(rest.contains("this is not the address"), "{rest}");
    assert!(rest.contains("you are signed in"), "{rest}");
    assert_eq!(home.browsers(), 0);
    drop(stdin);
}

#[test]
fn a_sign_in_that_nobody_keeps_is_no_success() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme");
    let output = run(&home, &["login", &url, "--token-store", "memory"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.contains("not kept"), "{text}");
}

#[test]
fn with_a_key_nobody_has_to_sign_in() {
    let home = Home::new();
    let mut login = command(&home, &["login", "http://127.0.0.1:1/mcp"]);
    let (status, stdout, stderr) = texts(&login.env("APEXMCP_API_KEY", "k").output().unwrap());
    assert_eq!((status, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("nobody has to sign in") && !stderr.contains("error"), "{stderr}");
}

/// Nor is a keychain that is not there worth a word where nothing is kept.
#[test]
fn where_there_is_nothing_to_end_nothing_else_is_said() {
    let gateway = gateway();
    let (home, url) = (Home::new(), gateway.http_url("acme"));
    let on_keychain = |verb: &str| {
        let mut command = command(&home, &[verb, &url]);
        // No bus, so no keychain.
        command.env("APEXMCP_BRIDGE_TOKEN_STORE", "keychain").env("DBUS_SESSION_BUS_ADDRESS", "x:");
        texts(&command.output().unwrap())
    };
    let (status, _, stderr) = on_keychain("login");
    let plain = stderr.contains("no keychain (it is not there, or does not work)");
    assert!(status == 0 && plain, "{stderr}");
    assert_eq!(on_keychain("logout"), (0, String::new(), format!("signed out of {url}\n")));
    let nothing = "there is no sign-in to end\n".to_owned();
    assert_eq!(on_keychain("logout"), (0, String::new(), nothing));
}

#[test]
fn https_to_a_server_that_speaks_http_is_told_apart() {
    let gateway = gateway();
    let home = Home::new();
    let url = gateway.http_url("acme").replacen("http://", "https://", 1);
    let (status, _, stderr) = texts(&run(&home, &["login", &url]));
    assert_eq!(status, 5, "{stderr}");
    assert!(stderr.contains("it does not speak TLS; it may be one for `http://`"), "{stderr}");
}
