//! What stands between people and gateways, the real thing: Squid as forward proxy, nginx as
//! reverse proxy. `tests/all` demands them; elsewhere a test says that it was skipped.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use apexmcp_bridge::mock::{Auth, Consent, Gateway, Plan};
use serde_json::{Value, json};

use super::support::{Bridge, Home, PATIENCE, Person, check_end};

fn is_offered() -> bool {
    let offered = std::env::var_os("APEXMCP_BRIDGE_TEST_MIDDLEBOXES").is_some();
    if !offered {
        // Past the harness, which would swallow it: a check that was not made says so.
        let text = b"skipped: no middleboxes were offered (APEXMCP_BRIDGE_TEST_MIDDLEBOXES)\n";
        std::io::stderr().write_all(text).unwrap();
    }
    offered
}

/// A port that nobody has at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server with a configuration file, in the foreground; it ends with the test.
struct Server {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Server {
    fn start(program: &str, flags: &[&str], configuration: impl Fn(u16, &str) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Both give up being root, and then need a folder of everybody's.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.path(), everybody).unwrap();
        let port = free_port();
        let file = dir.path().join("configuration");
        std::fs::write(&file, configuration(port, dir.path().to_str().unwrap())).unwrap();
        let child = Command::new(program)
            .args(flags)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let server = Self { child, port, dir };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "{program}: {}", server.text("stderr"));
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not SIGKILL: nginx ends its workers itself.
        Command::new("kill").arg(self.child.id().to_string()).status().ok();
        self.child.wait().ok();
    }
}

/// Squid, for which `gateway.test` is this machine; with a password if one is given.
fn squid(password: Option<&str>) -> Server {
    Server::start("squid", &["-N", "-f"], |port, dir| {
        std::fs::write(format!("{dir}/hosts"), "127.0.0.1 gateway.test\n").unwrap();
        let access = match password {
            None => "http_access allow all".to_owned(),
            Some(password) => {
                let hash = Command::new("openssl").args(["passwd", "-apr1", password]).output();
                let hash = String::from_utf8(hash.unwrap().stdout).unwrap();
                std::fs::write(format!("{dir}/users"), format!("me:{hash}")).unwrap();
                format!(
                    "auth_param basic program /usr/lib/squid/basic_ncsa_auth {dir}/users\n\
                     acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all"
                )
            }
        };
        format!(
            "http_port 127.0.0.1:{port}\nhosts_file {dir}/hosts\npid_filename none\n\
             access_log stdio:{dir}/access\ncache_log {dir}/log\ncache deny all\n\
             shutdown_lifetime 0 seconds\nvisible_hostname squid\n{access}\n"
        )
    })
}

/// nginx in front of one gateway, with these lines in its one location.
fn nginx(gateway: &Gateway, listen: &str, location: &str) -> Server {
    let target = gateway.base_url().to_owned();
    Server::start("nginx", &["-c"], |port, dir| {
        if listen.contains("ssl") {
            certificate(dir);
        }
        format!(
            "daemon off; pid {dir}/pid; error_log {dir}/log; worker_processes 1;\n\
             events {{ worker_connections 100; }}\n\
             http {{\n\
             log_format short '$server_protocol $request_method $status';\n\
             access_log {dir}/access short;\n\
             client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;\n\
             fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
             server {{\n\
             listen 127.0.0.1:{port} {listen};\n\
             ssl_certificate {dir}/certificate; ssl_certificate_key {dir}/key;\n\
             location / {{ proxy_pass {target}; proxy_http_version 1.1; {location} }}\n\
             }} }}\n"
        )
        .replace(if listen.contains("ssl") { "\0" } else { "ssl_certificate" }, "# ")
    })
}

/// A certificate for this machine, signed by its own key.
fn certificate(dir: &str) {
    let status = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args(["-subj", "/CN=middlebox", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &format!("{dir}/key"), "-out", &format!("{dir}/certificate")])
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

fn open_gateway() -> Gateway {
    Gateway::start(Plan { auth: Auth::None, ..Plan::default() }).unwrap()
}

fn converse(bridge: &mut Bridge) {
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["result"].is_object(), "{answer}");
    echo(bridge, 1);
}

fn echo(bridge: &mut Bridge, id: u64) {
    let answer = bridge.call(id, "echo", json!({ "text": "x" }));
    assert_eq!(answer["result"]["content"][0]["text"], "x", "{answer}");
}

/// A gateway that calls itself `gateway.test`, and its URL.
fn named_gateway(tls: bool) -> (Gateway, String) {
    let port = free_port();
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://gateway.test:{port}");
    let gateway = Gateway::start(Plan {
        gateway_address: ([127, 0, 0, 1], port).into(),
        public_gateway_url: Some(url.clone()),
        consent: Consent::Approve,
        tls,
        ..Plan::default()
    });
    (gateway.unwrap(), url)
}

#[test]
fn middlebox_squid_carries_plain_http() {
    if !is_offered() {
        return;
    }
    let (squid, (gateway, url)) = (squid(None), named_gateway(false));
    let proxy = format!("http://127.0.0.1:{}", squid.port);
    for path in ["mcp/acme", "mcp/acme/sse"] {
        let args = [&format!("{url}/{path}"), "--allow-http"];
        let env = [("http_proxy", &*proxy), ("APEXMCP_API_KEY", gateway.api_key("acme").unwrap())];
        let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &args, &env);
        converse(&mut bridge);
        check_end(&bridge.end(), 0);
    }
    assert!(squid.text("access").contains("gateway.test"), "{}", squid.text("access"));
}

#[test]
fn middlebox_squid_carries_a_whole_sign_in_over_tls() {
    if !is_offered() {
        return;
    }
    let (squid, (gateway, url)) = (squid(None), named_gateway(true));
    let home = Home::new();
    let ca = home.path().join("ca.pem");
    std::fs::write(&ca, gateway.ca_certificate().unwrap()).unwrap();
    let ca = ca.to_str().unwrap();
    let proxy = format!("http://127.0.0.1:{}", squid.port);
    // The browser of the test uses the same proxy, and trusts the same authority.
    let env = [("https_proxy", &*proxy), ("CURL_CA_BUNDLE", ca)];
    let args = [&format!("{url}/mcp/acme"), "--ca-cert", ca];
    let mut bridge = Bridge::start_with(&home, Person::Present, &args, &env);
    converse(&mut bridge);
    check_end(&bridge.end(), 0);
    assert_eq!(home.browsers(), 1);
    assert!(squid.text("access").contains("CONNECT gateway.test"), "{}", squid.text("access"));
}

#[test]
fn middlebox_squid_wants_a_password() {
    if !is_offered() {
        return;
    }
    let (squid, (gateway, url)) = (squid(Some("right")), named_gateway(false));
    let (tls_gateway, tls_url) = named_gateway(true);
    let home = Home::new();
    let ca = home.path().join("ca.pem");
    std::fs::write(&ca, tls_gateway.ca_certificate().unwrap()).unwrap();
    let ca = ca.to_str().unwrap();
    let cases =
        [(&gateway, format!("{url}/mcp/acme")), (&tls_gateway, format!("{tls_url}/mcp/acme"))];
    for (gateway, url) in cases {
        let args = [&*url, "--allow-http", "--ca-cert", ca];
        let start = |password: &str| {
            let proxy = format!("http://me:{password}@127.0.0.1:{}", squid.port);
            let key = gateway.api_key("acme").unwrap();
            let env = [("http_proxy", &*proxy), ("https_proxy", &*proxy), ("APEXMCP_API_KEY", key)];
            Bridge::start_with(&home, Person::Absent, &args, &env)
        };
        let mut bridge = start("right");
        converse(&mut bridge);
        check_end(&bridge.end(), 0);
        let mut bridge = start("wrong-secret");
        let answer = bridge.handshake("2025-06-18");
        assert_eq!(answer["error"]["code"], -31001, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("proxy"), "{answer}");
        assert!(answer["error"]["data"]["hint"].as_str().unwrap().contains("proxy"), "{answer}");
        let ended = bridge.end();
        check_end(&ended, 5);
        assert!(!ended.stderr.contains("wrong-secret"), "{}", ended.stderr);
    }
}

#[test]
fn middlebox_nginx_that_would_hold_streams_back() {
    if !is_offered() {
        return;
    }
    let gateway = open_gateway();
    // What compresses a stream holds it back until it is long, so the bridge asks for it plain.
    let compress = "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;";
    let buffer = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    let nginx = nginx(&gateway, "", &format!("{compress} {buffer}"));
    for path in ["mcp/acme", "mcp/acme/sse"] {
        let url = format!("http://127.0.0.1:{}/{path}", nginx.port);
        let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &[&url], &[]);
        converse(&mut bridge);
        let steps = json!({ "steps": 2, "delay_ms": 10 });
        let answer = bridge.call(2, "progress", steps);
        assert!(answer["result"].is_object(), "{answer}");
        check_end(&bridge.end(), 0);
    }
}

#[test]
fn middlebox_nginx_that_cuts_silent_streams() {
    if !is_offered() {
        return;
    }
    let gateway = open_gateway();
    let nginx = nginx(&gateway, "", "proxy_read_timeout 1s;");
    for path in ["mcp/acme", "mcp/acme/sse"] {
        let url = format!("http://127.0.0.1:{}/{path}", nginx.port);
        let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &[&url], &[]);
        converse(&mut bridge);
        // Longer than the proxy bears silence, twice.
        for id in 2..4 {
            std::thread::sleep(Duration::from_millis(1500));
            echo(&mut bridge, id);
        }
        let ended = bridge.end();
        check_end(&ended, 0);
        let answers = |id: u64| {
            let is_answer =
                |line: &&String| serde_json::from_str::<Value>(line).unwrap()["id"] == id;
            ended.stdout.iter().filter(is_answer).count()
        };
        assert_eq!([answers(1), answers(2), answers(3)], [1, 1, 1]);
    }
}

#[test]
fn middlebox_nginx_speaks_http_2() {
    if !is_offered() {
        return;
    }
    let gateway = open_gateway();
    let nginx = nginx(&gateway, "ssl http2", "");
    let ca: PathBuf = nginx.dir.path().join("certificate");
    for path in ["mcp/acme", "mcp/acme/sse"] {
        let url = format!("https://127.0.0.1:{}/{path}", nginx.port);
        let args = [&*url, "--ca-cert", ca.to_str().unwrap()];
        let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &args, &[]);
        converse(&mut bridge);
        check_end(&bridge.end(), 0);
    }
    let log = nginx.text("access");
    assert!(log.contains("HTTP/2.0 POST 200") && !log.contains("HTTP/1.1"), "{log}");
}

#[test]
fn middlebox_nginx_wants_a_certificate_of_the_client() {
    if !is_offered() {
        return;
    }
    let gateway = open_gateway();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    certificate(dir);
    let both = ["certificate", "key"].map(|name| std::fs::read(format!("{dir}/{name}")).unwrap());
    std::fs::write(format!("{dir}/both"), both.concat()).unwrap();
    let demand = format!("ssl; ssl_client_certificate {dir}/certificate; ssl_verify_client on");
    let nginx = nginx(&gateway, &demand, "");
    let ca = nginx.dir.path().join("certificate");
    let (ca, url) = (ca.to_str().unwrap(), format!("https://127.0.0.1:{}/mcp/acme", nginx.port));
    let args = [&*url, "--ca-cert", ca, "--client-cert", &format!("{dir}/both")];
    let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &args, &[]);
    converse(&mut bridge);
    check_end(&bridge.end(), 0);
    let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &args[..3], &[]);
    let answer = bridge.handshake("2025-06-18");
    assert!(answer["error"].is_object(), "{answer}");
    bridge.end();
}

#[test]
fn middlebox_that_swallows_everything() {
    if !is_offered() {
        return;
    }
    // The connection stays open, and nobody is there any more.
    let cases =
        [(Gateway::http_url as fn(&Gateway, &str) -> String, "http"), (Gateway::sse_url, "sse")];
    for (url, route) in cases {
        let gateway = open_gateway();
        let url = url(&gateway, "acme");
        // What is swallowed includes the signs of life of the streams.
        gateway.order("mcp.heartbeat=off").unwrap();
        let args = [&*url, "--keep-alive", "--ping-interval", "1"];
        let mut bridge = Bridge::start_with(&Home::new(), Person::Absent, &args, &[]);
        converse(&mut bridge);
        gateway.order("net.half_open").unwrap();
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": "slow", "arguments": { "seconds": 100 } } });
        bridge.send(&call.to_string());
        let started = Instant::now();
        let answer = loop {
            assert!(started.elapsed() < Duration::from_secs(70), "{route}: nobody is missed");
            let Some(line) = bridge.line_within(Duration::from_secs(1)) else { continue };
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == 2 {
                break message;
            }
        };
        assert_eq!(answer["error"]["code"], -31006, "{route}: {answer}");
        gateway.clear_faults();
        gateway.restart(Duration::from_millis(10));
        echo(&mut bridge, 3);
    }
}
